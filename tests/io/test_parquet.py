"""CIFs to a Parquet data set: the same rows as read_cifs, whatever interrupts the writing."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import ase
import pandas as pd
import polars
import psutil
import pytest
from pyarrow import parquet

from crystalml._schema import STATUSES, TABLE_COLUMNS
from crystalml.exceptions import InvalidInputError, ParquetError
from crystalml.io import _chunks, cifs_to_parquet, read_cifs
from crystalml.io._parquet import _parts, _write
from crystalml.io._records import READER_FAILED, records_of_source

MINERALS = sorted((Path(ase.__path__[0]) / "test" / "testdata" / "minerals").glob("*.cif"))
SCRIPT = Path(__file__).parent / "killed_runs.py"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """COD's layout of folders with 400 files, some of them broken."""
    folder = tmp_path_factory.mktemp("mirror")
    for number in range(400):
        place = folder / str(number % 3) / f"{number % 7:02d}"
        place.mkdir(parents=True, exist_ok=True)
        data = MINERALS[number % len(MINERALS)].read_bytes()
        data = b"no CIF" if number % 50 == 3 else data[: -number % 2000 - 1]
        (place / f"{number:03d}.cif").write_bytes(data)
    return folder


@pytest.fixture
def reads(monkeypatch):
    """Names of the sources that are read."""
    names = []

    def counted(source):
        names.append(source.name)
        return records_of_source(source)

    monkeypatch.setattr(_parts, "records_of_source", counted)
    return names


def files_below(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def read_parquet(folder):
    """Read as pandas does, but text as in our tables: pandas 3 has another type for it."""
    table = pd.read_parquet(folder)
    text = table.select_dtypes("string")
    return table.assign(**text.astype(object).where(text.notna(), None))


def assert_holds(folder, table):
    pd.testing.assert_frame_equal(read_parquet(folder), table)


def assert_same_data(one, other):
    assert files_below(one) == files_below(other)
    pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other))
    left, right = (pd.read_parquet(folder / "_sources") for folder in (one, other))
    pd.testing.assert_frame_equal(left.drop(columns="seconds"), right.drop(columns="seconds"))


def test_rows_are_those_of_read_cifs(many, tmp_path):
    report = cifs_to_parquet(many, tmp_path / "data", files_per_part=64)
    table = read_cifs(many)
    assert_holds(tmp_path / "data", table)
    assert (report.n_files, report.n_rows, report.n_parts) == (400, len(table), 7)
    assert report.n_files_read == 400
    assert report.counts == {s: n for s in STATUSES if (n := (table["status"] == s).sum())}
    flags = table["flags"].str.split(";").explode().value_counts().drop("", errors="ignore")
    rows = report.table[report.table["kind"] == "flag"]
    assert dict(zip(rows["name"], rows["rows"], strict=True)) == flags.to_dict()
    first = report.table.set_index("name").loc["error", "first"]
    assert first == table.loc[table["status"] == "error", "source"].head(3).tolist()
    assert (report.errors["error"] != "").all()
    assert len(report.slowest) == 10
    assert report.slowest["seconds"].is_monotonic_decreasing
    text = str(report)
    assert "400 files" in text
    assert "first errors:" in text
    assert str(many / "0") in text


def test_data_set_in_other_readers(many, tmp_path):
    cifs_to_parquet(many, tmp_path, files_per_part=100)
    table = read_cifs(many)
    frame = polars.read_parquet(tmp_path / "*.parquet")
    assert frame.columns == list(TABLE_COLUMNS)
    assert frame["spacegroup_number"].to_list() == [
        None if value is pd.NA else value for value in table["spacegroup_number"]
    ]
    assert frame["a"].null_count() == table["a"].isna().sum()
    assert parquet.read_metadata(tmp_path / "part-00000.parquet").num_row_groups == 1
    assert pd.read_parquet(tmp_path, filters=[("status", "==", "error")])["error"].notna().all()


def test_manifest_has_every_source(many, tmp_path):
    cifs_to_parquet([many, "data_x _cell_length_a 5"], tmp_path, files_per_part=150)
    sources = pd.read_parquet(tmp_path / "_sources")
    assert len(sources) == 401
    last = sources.iloc[-1]
    assert (last["source"], last["size"], last["status"]) == ("<text>", 23, "incomplete")
    assert len(last["sha256"]) == 64
    for row in sources.iloc[:-1:40].itertuples():
        found = os.stat(row.source)
        assert (row.size, row.mtime_ns) == (found.st_size, found.st_mtime_ns)
    table = pd.read_parquet(tmp_path)
    assert sources["n_rows"].sum() == len(table)
    worst = table["status"].map(STATUSES.index).groupby(table["source"]).max()
    assert (worst.loc[sources["source"]].map(STATUSES.__getitem__).to_numpy()
            == sources["status"].to_numpy()).all()  # fmt: skip


def test_sodium_nitride_and_odd_names_survive(tmp_path):
    odd = os.fsdecode(b"caf\xe9.cif")
    text = "data_x\n_chemical_formula_sum NaN\n_cell_length_a 5\n"
    (tmp_path / odd).write_text(text)
    cifs_to_parquet([tmp_path / odd, text], tmp_path / "data")
    table = pd.read_parquet(tmp_path / "data")
    assert table["formula"].tolist() == ["NaN", "NaN"]
    assert table["source"].iloc[0].endswith("caf\\udce9.cif")


def test_empty_input_gives_an_empty_data_set(tmp_path):
    report = cifs_to_parquet([], tmp_path)
    assert (report.n_files, report.n_parts, report.counts) == (0, 0, {})
    assert files_below(tmp_path) == {"_manifest.jsonl"}


def stop_after(monkeypatch, n_files, error):
    """Let the sources fail after some files, as an interrupt would."""
    iterate = _write.iterate_sources

    def failing(*args, **kwargs):
        for number, source in enumerate(iterate(*args, **kwargs)):
            if number == n_files:
                raise error
            yield source

    monkeypatch.setattr(_write, "iterate_sources", failing)


@pytest.mark.parametrize("n_files", [0, 1, 63, 64, 65, 199, 399])
def test_interrupted_run_is_continued(many, tmp_path, monkeypatch, reads, n_files):
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 16)
    stop_after(monkeypatch, n_files, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        cifs_to_parquet(many, tmp_path / "data", files_per_part=64)
    monkeypatch.undo()
    finished = sum(1 for name in files_below(tmp_path / "data") if name.startswith("part-"))
    assert finished == n_files // 64
    report = cifs_to_parquet(many, tmp_path / "data", files_per_part=64)
    assert report.n_files_read == 400 - 64 * finished
    assert_holds(tmp_path / "data", read_cifs(many))


def test_finished_parts_are_not_read_again(many, tmp_path, reads):
    first = cifs_to_parquet(many, tmp_path, files_per_part=64)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files_below(tmp_path)}
    assert len(reads) == 400
    again = cifs_to_parquet(many, tmp_path, files_per_part=64)
    assert len(reads) == 400
    assert again.n_files_read == 0
    assert again.counts == first.counts
    pd.testing.assert_frame_equal(again.table, first.table)
    after = {name: (tmp_path / name).stat().st_mtime_ns for name in files_below(tmp_path)}
    assert after == before


def test_archive_members_are_known_by_their_content(many, tmp_path, reads):
    archive = shutil.make_archive(str(tmp_path / "many"), "zip", many)
    cifs_to_parquet(archive, tmp_path / "data", files_per_part=100)
    archive = shutil.make_archive(str(tmp_path / "many"), "zip", many)  # packed anew
    assert cifs_to_parquet(archive, tmp_path / "data", files_per_part=100).n_files_read == 0
    assert len(reads) == 400
    assert_holds(tmp_path / "data", read_cifs(archive))


def test_large_members_end_a_part_early(many, tmp_path, monkeypatch):
    archive = shutil.make_archive(str(tmp_path / "many"), "gztar", many)
    monkeypatch.setattr(_write, "_PART_HELD", 50_000)
    monkeypatch.setattr(_chunks, "_CHUNK_HELD", 30_000)
    report = cifs_to_parquet(archive, tmp_path / "data")
    assert report.n_parts > 10
    assert_holds(tmp_path / "data", read_cifs(archive))


def damage_nothing(folder):
    pass


def remove_part(folder):
    (folder / "part-00002.parquet").unlink()


def cut_part(folder):
    path = folder / "part-00002.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def remove_sources(folder):
    (folder / "_sources" / "part-00002.parquet").unlink()


def lose_last_line(folder):
    lines = (folder / "_manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "_manifest.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:50])


def leave_unfinished(folder):
    (folder / ".incoming").mkdir()
    (folder / ".incoming" / "part-00009.parquet").write_bytes(b"PAR1")
    (folder / "part-00009.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (damage_nothing, 0),
        (remove_part, 64),
        (cut_part, 64),
        (remove_sources, 64),
        (lose_last_line, 16),
        (leave_unfinished, 0),
    ],
)
def test_damaged_data_sets_are_mended(many, tmp_path, damage, lost):
    cifs_to_parquet(many, tmp_path / "whole", files_per_part=64)
    shutil.copytree(tmp_path / "whole", tmp_path / "data")
    damage(tmp_path / "data")
    assert cifs_to_parquet(many, tmp_path / "data", files_per_part=64).n_files_read == lost
    assert_same_data(tmp_path / "data", tmp_path / "whole")


def touch(folder):
    os.utime(folder / "0" / "00" / "000.cif", ns=(1, 1))


def grow(folder):
    with (folder / "1" / "01" / "001.cif").open("ab") as file:
        file.write(b"\n_cell_formula_units_Z 3\n")


def add(folder):
    (folder / "2" / "00" / "9999.cif").write_bytes(MINERALS[0].read_bytes())


def add_at_the_end(folder):
    (folder / "3.cif").write_bytes(MINERALS[0].read_bytes())


def remove(folder):
    next(folder.rglob("*.cif")).unlink()


def remove_many(folder):
    shutil.rmtree(folder / "2")


@pytest.mark.parametrize("change", [touch, grow, add, add_at_the_end, remove, remove_many])
def test_changed_inputs_are_noticed(many, tmp_path, change, reads):
    shutil.copytree(many, tmp_path / "in")
    cifs_to_parquet(tmp_path / "in", tmp_path / "data", files_per_part=64)
    change(tmp_path / "in")
    before = read_parquet(tmp_path / "data")
    with pytest.raises(ParquetError, match=r"the sources are not those .* on_change='reread'"):
        cifs_to_parquet(tmp_path / "in", tmp_path / "data", files_per_part=64)
    assert_holds(tmp_path / "data", before)
    options = {"files_per_part": 64, "on_change": "reread"}
    report = cifs_to_parquet(tmp_path / "in", tmp_path / "data", **options)
    assert report.n_files_read > 0 or change is remove_many
    assert_holds(tmp_path / "data", read_cifs(tmp_path / "in"))
    assert cifs_to_parquet(tmp_path / "in", tmp_path / "data", **options).n_files_read == 0


def test_change_is_described(many, tmp_path):
    shutil.copytree(many, tmp_path / "in")
    cifs_to_parquet(tmp_path / "in", tmp_path / "data")
    touch(tmp_path / "in")
    with pytest.raises(ParquetError, match=r"'.*000\.cif' has changed"):
        cifs_to_parquet(tmp_path / "in", tmp_path / "data")
    (tmp_path / "in" / "0" / "00" / "000.cif").unlink()
    with pytest.raises(ParquetError, match=r"stands where '.*000\.cif' was"):
        cifs_to_parquet(tmp_path / "in", tmp_path / "data")


def limited(call, n_bytes):
    """Call with a limit on the size of files, as a full disk or a quota sets one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [100, 2_000, 21_000, 24_000, 40_000])
def test_full_disk_is_said_and_continued(many, tmp_path, room):
    (tmp_path / "whole").mkdir()
    cifs_to_parquet(many, tmp_path / "whole", files_per_part=20)

    def read():
        return cifs_to_parquet(many, tmp_path / "data", files_per_part=20)

    with pytest.raises(ParquetError, match=r"cannot be written \(File too large\)"):
        limited(read, min(room, (tmp_path / "whole" / "_manifest.jsonl").stat().st_size - 1))
    assert not [n for n in files_below(tmp_path / "data") if ".incoming" in n]
    read()
    assert_same_data(tmp_path / "data", tmp_path / "whole")


def test_folders_of_others_are_refused(many, tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ParquetError, match=r"is not empty and has no _manifest\.jsonl"):
        cifs_to_parquet(many, tmp_path)
    assert files_below(tmp_path) == {"diary.txt"}
    with pytest.raises(ParquetError, match="cannot be written"):
        cifs_to_parquet(many, tmp_path / "diary.txt")


def test_settings_of_a_data_set_stay(many, tmp_path):
    cifs_to_parquet(many, tmp_path, files_per_part=100)
    with pytest.raises(ParquetError, match=r"begun with files_per_part = 100, this call has 99"):
        cifs_to_parquet(many, tmp_path, files_per_part=99)
    with pytest.raises(ParquetError, match="begun with max_file_size = 268435456"):
        cifs_to_parquet(many, tmp_path, files_per_part=100, max_file_size=10)
    lines = (tmp_path / "_manifest.jsonl").read_text().splitlines()
    header = json.loads(lines[0]) | {"crystalml": "0.0.1"}
    (tmp_path / "_manifest.jsonl").write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    with pytest.raises(ParquetError, match=r"begun with crystalml = '0\.0\.1'"):
        cifs_to_parquet(many, tmp_path, files_per_part=100)


def test_two_writers_are_refused(many, tmp_path):
    def again():
        with pytest.raises(ParquetError, match="is being written by another process"):
            cifs_to_parquet(MINERALS, tmp_path)
        yield from MINERALS

    assert cifs_to_parquet(again(), tmp_path).n_files == len(MINERALS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"files_per_part": 0},
        {"files_per_part": 2.5},
        {"max_file_size": 0},
        {"max_file_size": None},
        {"on_change": "ignore"},
    ],
)
def test_impossible_parameters(tmp_path, wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(InvalidInputError, match=rf"cifs_to_parquet: {name} .*{value!r}"):
        cifs_to_parquet(MINERALS, tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidInputError, match="sources must be"):
        cifs_to_parquet(3, tmp_path / "new")


def test_a_failing_reader_costs_one_row(tmp_path, monkeypatch):
    from crystalml.io import _records

    def broken(data, name):
        if "lamo" in name:
            raise ZeroDivisionError("no such luck")
        return real(data, name)

    real = _records.read_records
    names = [path.with_stem("lamo") if n == 3 else path for n, path in enumerate(MINERALS)]
    sources = []
    for name, path in zip(names, MINERALS, strict=True):
        (tmp_path / name.name).write_bytes(path.read_bytes())
        sources.append(tmp_path / name.name)
    monkeypatch.setattr(_records, "read_records", broken)
    table = read_cifs(sources)
    assert (table["status"] == "ok").sum() == len(MINERALS) - 1
    assert table.loc[3, "error"] == f"{READER_FAILED}: ZeroDivisionError: no such luck"


def test_progress_knows_the_end(many, tmp_path, capsys):
    cifs_to_parquet(many, tmp_path / "a", progress=True)
    assert "400/400" in capsys.readouterr().err
    cifs_to_parquet(many, tmp_path / "a", progress=True)  # nothing to do: the bar is full, too
    assert "400/400" in capsys.readouterr().err
    cifs_to_parquet(many, tmp_path / "b")
    assert capsys.readouterr().err == ""


def kill_a_worker():
    workers = [
        child
        for child in psutil.Process().children(recursive=True)
        if any("LokyProcess" in word for word in child.cmdline())
    ]
    assert len(workers) == 2
    workers[0].kill()


def test_killed_worker_is_said_and_continued(many, tmp_path, monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 10)

    def sources():
        for number, path in enumerate(paths):
            if number == 250:
                kill_a_worker()
            yield path

    paths = sorted(many.rglob("*.cif"), key=lambda path: path.parts)
    options = {"files_per_part": 40, "n_jobs": 2}
    with pytest.raises(ParquetError, match=r"a worker process died.*the same call continues"):
        cifs_to_parquet(sources(), tmp_path / "data", **options)
    report = cifs_to_parquet(paths, tmp_path / "data", **options)
    assert report.n_files == 400
    assert_holds(tmp_path / "data", read_cifs(many))


def killed(sources, dest, *, kills, files_per_part, n_jobs, seed):
    """Run the script that kills; return its lines."""
    options = map(str, (kills, files_per_part, n_jobs, seed))
    run = subprocess.run(
        [sys.executable, SCRIPT, str(sources), str(dest), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of itself")
def test_killed_runs_are_continued(many, tmp_path):
    options = {"kills": 6, "files_per_part": 10, "n_jobs": 1, "seed": 7}
    lines = killed(many, tmp_path / "data", **options)
    assert any("killed" in line for line in lines)
    assert_same_data(tmp_path / "data", tmp_path / "data-uninterrupted")
    assert_holds(tmp_path / "data", read_cifs(many))

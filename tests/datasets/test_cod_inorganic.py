import gzip
import hashlib
import importlib.util
import re
import tracemalloc
from pathlib import Path

import gemmi
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from crystalml._schema import CELL_COLUMNS, TABLE_COLUMNS
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError

CELL = list(CELL_COLUMNS)


@pytest.fixture(scope="module")
def cod():
    return load_cod_inorganic(subset="all")


@pytest.fixture(scope="module")
def source(shared_data):
    return pd.read_csv(shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def builder():
    path = Path(__file__).resolve().parents[2] / "tools" / "build_cod_inorganic.py"
    spec = importlib.util.spec_from_file_location("build_cod_inorganic", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def element_symbols(formula):
    return sorted(set(re.findall("[A-Z][a-z]?", formula)))


def test_bunch_has_the_shape_of_scikit_learns(cod):
    assert isinstance(cod, Bunch)
    assert cod.data.shape == (18_736, 9)
    assert cod.feature_names == cod.data.columns.tolist()
    assert cod.target.name == "spacegroup_number"
    assert cod.target.dtype == np.int64
    pd.testing.assert_frame_equal(cod.frame[cod.feature_names], cod.data)
    pd.testing.assert_series_equal(cod.frame["spacegroup_number"], cod.target)
    assert not {"cell_matches_spacegroup", "bravais_lattice"} & {*cod.feature_names}
    assert Path(cod.filename).is_file()
    assert "10.1107/S0021889809016690" in cod.DESCR
    assert "10.1093/nar/gkr900" in cod.DESCR


def test_columns_are_those_of_the_schema_where_it_has_them(cod):
    own = {"n_atoms", "ordered", "cell_matches_spacegroup"}
    assert set(cod.frame.columns) - set(TABLE_COLUMNS) == own
    assert not cod.frame.isna().to_numpy().any()


def test_no_column_that_names_the_symmetry_is_among_the_data(cod):
    assert not {"crystal_system", "bravais_lattice", "spacegroup_number"} & set(cod.data.columns)


def test_target_names_follow_the_sorted_numbers(cod):
    for number, symbol in zip(np.unique(cod.target), cod.target_names, strict=True):
        assert gemmi.SpaceGroup(str(symbol)).number == number


def test_description_states_the_facts_of_the_data(cod):
    frame = cod.frame
    n_elements = frame["formula"].map(lambda formula: len(element_symbols(formula)))
    systems = {"-".join(element_symbols(formula)) for formula in frame["formula"]}
    has_carbon_and_hydrogen = frame["formula"].map(
        lambda formula: {"C", "H"} <= set(element_symbols(formula))
    )
    counts = frame["spacegroup_number"].value_counts()
    monoclinic = frame[frame["crystal_system"] == "monoclinic"]
    facts = [
        f"{len(frame):,} entries; {frame['ordered'].sum():,} of them ordered",
        f"{len(counts)} of 230; {(counts >= 5).sum()} with",
        f"{len(systems):,}, of one element ({(n_elements == 1).sum()} entries)",
        f"two ({(n_elements == 2).sum():,}) or three ({(n_elements == 3).sum():,})",
        f"{frame['formula'].nunique():,} different ones",
        (
            f"14 (P2₁/c, {counts[14]:,} entries), 62 (Pnma, {counts[62]:,}) and "
            f"225 (Fm-3m, {counts[225]:,})"
        ),
        f"{frame.duplicated(['formula']).sum():,} rows have a formula",
        f"{frame.duplicated(['formula', 'spacegroup_number']).sum()} of them in the same",
        f"In {(~frame['cell_matches_spacegroup']).sum()} rows the cell contradicts",
        (
            f"{(monoclinic['gamma'] != 90).sum()} monoclinic entries have gamma as the free "
            f"angle and {(monoclinic['alpha'] != 90).sum()} alpha"
        ),
        f"{has_carbon_and_hydrogen.sum()} entries hold carbon and hydrogen",
    ]
    description = " ".join(cod.DESCR.split())
    assert [fact for fact in facts if fact not in description] == []


def test_reserved_chemical_systems_are_left_out(cod):
    for formula in cod.data["formula"].unique():
        system = "-".join(element_symbols(formula))
        assert (
            int(hashlib.sha1(system.encode(), usedforsecurity=False).hexdigest()[:8], 16) % 5 != 0
        ), system


def test_sodium_nitride_is_a_compound(cod):
    row = cod.frame[cod.frame["formula"] == "NaN"]
    assert row["cod_id"].tolist() == [1537484]
    assert row["n_atoms"].item() > 0


def test_ordered_subset_has_whole_amounts_and_a_fresh_index():
    ordered = load_cod_inorganic()
    assert len(ordered.frame) == 14_740
    assert ordered.frame["ordered"].all()
    assert ordered.frame.index.equals(pd.RangeIndex(14_740))


def test_arrays_and_pairs_hold_the_same_as_the_frame(cod):
    data, target = load_cod_inorganic(return_X_y=True, as_frame=False, subset="all")
    assert data.dtype == object
    np.testing.assert_array_equal(data, cod.data.to_numpy())
    np.testing.assert_array_equal(target, cod.target.to_numpy())
    assert load_cod_inorganic(as_frame=False).frame is None
    frame, series = load_cod_inorganic(return_X_y=True, subset="all")
    pd.testing.assert_frame_equal(frame, cod.data)
    pd.testing.assert_series_equal(series, cod.target)


def test_each_call_returns_its_own_data(cod):
    other = load_cod_inorganic(subset="all")
    other.data["a"] = -1.0
    other.frame["b"] = -1.0
    assert (other.frame["a"] > 0).all()
    assert (cod.frame[["a", "b"]] > 0).all(axis=None)


def test_subset_is_checked():
    with pytest.raises(InvalidInputError, match="subset must be 'ordered' or 'all', got 'some'"):
        load_cod_inorganic(subset="some")


def test_loading_is_light():
    tracemalloc.start()
    load_cod_inorganic()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_nothing_of_the_source_is_lost(cod, source):
    frame = cod.frame
    assert ("cod-" + frame["cod_id"].astype(str)).equals(source["source_id"])
    assert frame["formula"].equals(source["formula"].astype(object))
    assert frame["spacegroup_number"].equals(source["spacegroup_number"])
    assert frame["ordered"].equals(source["ordered"])
    assert (frame["cell_matches_spacegroup"] == source["cell_matches_sg"]).all()
    np.testing.assert_array_equal(frame["n_atoms"], source["n_atoms"])
    # Rounding to the published decimals changes nothing that anybody measured.
    np.testing.assert_allclose(frame[CELL], source[CELL], rtol=1e-9, atol=0)


def test_derived_columns_equal_those_left_out(cod, source):
    # The source rounds volumes to four decimals.
    np.testing.assert_allclose(cod.frame["volume"], source["volume"], rtol=0, atol=6e-5)
    symbols = cod.frame["formula"].map(lambda formula: "-".join(element_symbols(formula)))
    assert symbols.equals(source["chemical_system"])


def test_the_data_file_is_built_from_the_source_byte_for_byte(cod, shared_data, builder, tmp_path):
    first, second = tmp_path / "first.csv.gz", tmp_path / "second.csv.gz"
    builder.build(shared_data / "cod_cells.csv.gz", first)
    builder.build(shared_data / "cod_cells.csv.gz", second)
    assert first.read_bytes() == second.read_bytes()
    # Compared as text, for other versions of zlib compress to other bytes.
    assert gzip.decompress(first.read_bytes()) == gzip.decompress(Path(cod.filename).read_bytes())


def test_the_builder_refuses_reserved_systems(builder, tmp_path, source):
    row = source.iloc[[0]].copy()
    reserved = next(
        system for system in (f"Na-{z}" for z in range(100)) if builder.is_reserved(system)
    )
    row["chemical_system"] = reserved
    row.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(SystemExit, match="reserved evaluation set"):
        builder.build(tmp_path / "bad.csv", tmp_path / "out.csv.gz")

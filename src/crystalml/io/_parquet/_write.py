"""Any number of CIFs to a Parquet data set, in constant memory, continued when interrupted."""

import sys
from concurrent.futures import BrokenExecutor
from itertools import chain, count, islice
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Literal

from crystalml._dependencies import import_optional
from crystalml._typing import CIFSources, PathLike, Progress
from crystalml.exceptions import InvalidInputError, ParquetError
from crystalml.io._chunks import chunks_of, emptied, run_in_order
from crystalml.io._find_cifs import check_max_file_size, iterate_sources
from crystalml.io._parquet._folder import ParquetFolder
from crystalml.io._parquet._parts import Chunk, read_chunk, stamp_of
from crystalml.io._parquet._run_report import CIFRunReport, RunSummary
from crystalml.io._read_cifs import file_progress
from crystalml.io._unpack import MAX_FILE_SIZE

# A part ends early at so many bytes that cannot be read in place: they are unpacked again when an
# interrupted run is continued, and what is found finished is held in memory until that is known.
_PART_HELD = 32_000_000
_CALLER = "cifs_to_parquet"


def cifs_to_parquet(
    sources: CIFSources,
    dest: PathLike,
    *,
    n_jobs: int | None = None,
    max_file_size: int = MAX_FILE_SIZE,
    files_per_part: int = 5000,
    on_change: Literal["raise", "reread"] = "raise",
    progress: Progress = "auto",
) -> CIFRunReport:
    """Read any number of CIF files into a Parquet data set on disk.

    The rows and columns are those of :func:`read_cifs`, but the table never has to fit into
    memory, and an interrupted run is continued by the same call: finished parts are kept and
    their files are not read again. The data set is a folder of ``part-00000.parquet`` and so
    on, which pandas, polars, Dask and others read as one table. Beside them lie
    ``_manifest.jsonl``, one line per finished part, and the folder ``_sources``, a Parquet data
    set with one row per file: size, modification time or SHA-256 (of archive members and
    content in memory), status, rows and seconds.

    Parameters
    ----------
    sources : str, PathLike, bytes, file object or iterable of these
        What to read, as for :func:`read_cifs`. To continue a run, pass the same again.
    dest : str or PathLike
        Folder of the data set: new, empty, or the one of an interrupted run.
    n_jobs : int, default=None
        Number of processes, as in :func:`read_cifs`. The workers read and parse the files;
        compressed tar archives are unpacked, and the data set is written, by this process.
    max_file_size : int, default=268435456
        Bytes, as stored or unpacked, beyond which a file is not read: it gets a row with
        status ``"error"``.
    files_per_part : int, default=5000
        Files in one Parquet file: what an interruption may cost, and the size of the row
        groups. Members of compressed tar archives fill a part also when they have 32 MB
        together.
    on_change : {"raise", "reread"}, default="raise"
        What to do when files of a finished part are not those that were read: by name, size,
        modification time or checksum. ``"reread"`` writes the parts concerned anew.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar with rate and, unless there are archives, remaining
        time; ``"auto"`` shows it on a terminal.

    Returns
    -------
    CIFRunReport
        Counts by status and flag, the first few of each, and the slowest files.

    Raises
    ------
    ParquetError
        If the disk is full or refuses the data set, a worker process died, the inputs have
        changed, or `dest` holds something else. Finished parts are safe in any case.
    InvalidInputError
        If `sources` is no source, or another parameter is not one of its choices.
    MissingDependencyError
        If pyarrow is not installed.

    See Also
    --------
    read_cifs : The same table in memory.

    Examples
    --------
    >>> import tempfile
    >>> from importlib.resources import files
    >>> import pandas as pd
    >>> from crystalml.io import cifs_to_parquet
    >>> minerals = files("ase") / "test" / "testdata" / "minerals"
    >>> folder = tempfile.mkdtemp()
    >>> report = cifs_to_parquet(minerals, folder)
    >>> report.counts, report.n_files_read
    ({'ok': 8}, 8)
    >>> table = pd.read_parquet(folder)
    >>> table["spacegroup_number"].tolist()
    [194, 216, 2, 4, 29, 155, 160, 92]
    >>> cifs_to_parquet(minerals, folder).n_files_read  # nothing is left to do
    0
    """
    import_optional("pyarrow", needed_by=_CALLER)
    _check(max_file_size, files_per_part, on_change)
    settings = {"max_file_size": int(max_file_size), "files_per_part": int(files_per_part)}
    start = perf_counter()
    with file_progress(sources, progress, caller=_CALLER) as bar:
        folder = ParquetFolder(Path(dest), settings=settings)
        run = _Run(folder, bar, reread=on_change == "reread", files_per_part=files_per_part)
        try:
            with folder:
                run.read(iterate_sources(sources, caller=_CALLER, max_size=max_file_size), n_jobs)
                summary = folder.summary()
        except ParquetError:
            raise
        except OSError as error:
            raise ParquetError(
                f"{_CALLER}: the data set in {str(folder.folder)!r} cannot be written "
                f"({error.strerror or error}). {_safe(folder)}"
            ) from error
        except _worker_deaths() as error:
            raise ParquetError(
                f"{_CALLER}: a worker process died; it was killed, ran out of memory or crashed "
                f"on a file. {_safe(folder)} Fewer n_jobs or a smaller max_file_size need less "
                "memory."
            ) from error
    return CIFRunReport.of(
        summary,
        folder.folder,
        n_files_read=run.n_files_read,
        n_parts=folder.n_parts,
        seconds=perf_counter() - start,
    )


class _Run:
    """One pass over the sources: which files make a part, and which parts are to be read."""

    def __init__(self, folder, bar, *, reread, files_per_part):
        self._folder, self._bar = folder, bar
        self._reread, self._files_per_part = reread, files_per_part
        self._n_parts = 0
        self.n_files_read = 0

    def read(self, sources, n_jobs):
        """Read what is not finished, and write it part by part."""
        part = _Part()
        for result in run_in_order(read_chunk, self._unfinished(sources), n_jobs):
            part.add(result)
            self._bar.update(result.summary.n_files)
            if result.is_last:
                self._folder.write(
                    result.part, part.tables, part.sources, part.summary, part.stamps
                )
                self.n_files_read += part.summary.n_files
                part = _Part()
        # Parts beyond the last source belong to files that are gone.
        if self._folder.n_parts > self._n_parts:
            if not self._reread:
                self._refuse("they end before files that were read")
            self._folder.forget_from(self._n_parts)

    def _unfinished(self, sources):
        """Yield the chunks of the parts that are to be read."""
        sources = iter(sources)
        for part in count():
            # One is taken to learn whether another part begins at all.
            first = list(islice(sources, 1))
            if not first:
                return
            self._n_parts = part + 1
            group = _next_group(chain(emptied(first), sources), self._files_per_part)
            if self._folder.has(part):
                # A part that is there: its files are walked for their stamps, and again if it must
                # be read.
                group = list(group)
                if self._is_finished(part, group):
                    self._bar.update(len(group))
                    continue
            yield from _chunks_of_part(part, group)

    def _is_finished(self, part, group):
        """Tell whether a part that is there was read from the files as they are now."""
        stamps = list(zip(*map(stamp_of, group), strict=True))
        if self._folder.has_from(part, stamps):
            return True
        if not self._reread:
            self._refuse(self._folder.difference(part, stamps))
        return False

    def _refuse(self, difference):
        raise ParquetError(
            f"{_CALLER}: the sources are not those of the data set in "
            f"{str(self._folder.folder)!r}: {difference}. Choose on_change='reread' to read the "
            "parts concerned again, or another folder."
        )


class _Part:
    """What has been read of one part."""

    def __init__(self):
        self.tables, self.sources, self.summary = [], [], RunSummary()
        self.stamps = [[], [], [], []]

    def add(self, result):
        """Add what became of the next chunk."""
        self.tables.append(result.table)
        self.sources.append(result.sources)
        self.summary.add(result.summary)
        for all_files, files in zip(self.stamps, result.stamps, strict=True):
            all_files.extend(files)


def _chunks_of_part(part, group):
    """Yield the files of a part in chunks."""
    # Held back by one, as only the end of the files tells which chunk is the last.
    last = None
    for chunk in chunks_of(group):
        if last is not None:
            yield Chunk(part, False, last)
        last = chunk
    if last is not None:
        yield Chunk(part, True, last)


def _next_group(sources, files_per_part):
    """Yield as many sources as make a part."""
    held = 0
    for n_files, source in enumerate(sources, start=1):
        yield source
        held += len(source.data or b"")
        if n_files == files_per_part or held >= _PART_HELD:
            return


def _worker_deaths():
    """Return what the backends raise when a worker process is gone; asked for when one is."""
    distributed = sys.modules.get("distributed")
    return (BrokenExecutor,) if distributed is None else (BrokenExecutor, distributed.KilledWorker)


def _safe(folder):
    return f"{folder.n_files} files are finished and safe; the same call continues after them."


def _check(max_file_size, files_per_part, on_change):
    """Refuse impossible values of the parameters."""
    check_max_file_size(max_file_size, caller=_CALLER)
    is_number = isinstance(files_per_part, Integral) and not isinstance(files_per_part, bool)
    if not is_number or files_per_part < 1:
        raise InvalidInputError(
            f"{_CALLER}: files_per_part is {files_per_part!r}; give an integer >= 1."
        )
    if on_change not in ("raise", "reread"):
        raise InvalidInputError(
            f"{_CALLER}: on_change must be 'raise' or 'reread', got {on_change!r}."
        )

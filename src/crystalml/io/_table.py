"""Many CIFs to one table."""

import numpy as np
import pandas as pd

from crystalml._progress import progress_bar
from crystalml._schema import CELL_COLUMNS, STATUSES, TABLE_COLUMNS
from crystalml.crystallography import (
    bravais_lattice,
    cell_problems,
    cell_volume,
    crystal_system,
)
from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io._chunks import read_in_chunks
from crystalml.io._read import read_records
from crystalml.io._record import RECORD_FIELDS, error_record
from crystalml.io._sources import (
    READ_ERRORS,
    check_max_file_size,
    count_sources,
    iterate_sources,
    reason,
)
from crystalml.io._unpack import MAX_FILE_SIZE

OK, REPAIRED, INCOMPLETE, UNSUPPORTED, ERROR = STATUSES
_BEYOND = frozenset({"magnetic", "modulated"})
READER_FAILED = "the reader failed, please report this file"
LARGEST_INTEGER = 2**63 - 1
VOLUME_TOLERANCE = 0.01  # relative; above it `volume_contradicts_cell` is flagged


def read_cifs(
    sources, *, n_jobs=None, on_error="report", max_file_size=MAX_FILE_SIZE, progress="auto"
):
    """Read many CIF files into one table.

    Nothing that a file contains makes this function raise: a file that cannot be read has
    one row with status ``"error"`` and the reason.

    Parameters
    ----------
    sources : str, PathLike, bytes, file object or iterable of these
        A folder (searched recursively for ``*.cif`` and ``*.cif.gz``, by sorted names), a
        glob pattern, an archive (``.zip``, ``.tar``, ``.tar.gz``, ``.tar.xz``,
        ``.tar.bz2``; its members are read without unpacking to disk), a single file
        (``.gz`` too), CIF text, or any number of these.
    n_jobs : int, default=None
        Number of processes, as joblib understands it: ``None`` is 1 outside of a
        ``joblib.parallel_config`` context, -1 is all cores. Fewer than some thousand
        files are read in this process, as starting others would cost more. Any backend of
        joblib does the work, such as a Dask cluster.
    on_error : {"report", "raise"}, default="report"
        ``"raise"`` stops at the first file that gives no cell.
    max_file_size : int, default=268435456
        Bytes, as stored or unpacked, beyond which a file is not read: it gets a row with
        status ``"error"``. The default is 256 MiB, as for what :class:`CODClient` downloads.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar; ``"auto"`` shows it on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per data block that has a cell, and at least one row per file, in the order
        of the sources. Lengths are in Å, angles in degrees, volumes in Å^3, temperature
        in K, pressure in kPa, density in g/cm^3; missing is NaN, NA or None.

        - ``status`` is ``"ok"``; ``"repaired"`` where something is flagged;
          ``"incomplete"`` where the cell or the space group is missing or impossible;
          ``"unsupported"`` for magnetic and modulated structures; ``"error"`` where there
          is no record.
        - ``flags`` names every repair and contradiction, joined by ``;`` (see
          :data:`crystalml.io.FLAGS`).
        - ``spacegroup_number`` is reconciled from the symmetry operations, the Hall symbol,
          the Hermann-Mauguin symbol and the number, in that order; ``spacegroup_source``
          says which of them decided. A lone ``x,y,z`` beside a higher symmetry counts as an
          incomplete list, not as P 1.
        - ``z_prime`` is Z over the number of general positions in the cell.
        - ``is_disordered`` tells that a site is occupied to less than 0.999 or belongs to a
          disorder group.
        - ``method`` is as declared, else ``"powder"`` where powder data are described,
          ``"single crystal"`` where a crystal's size is.

    Raises
    ------
    InvalidInputError
        If `sources` is no source, or another parameter is not one of its choices.
    CIFError
        With ``on_error="raise"``, naming the first file without a cell.

    Examples
    --------
    >>> from crystalml.io import read_cifs
    >>> texts = [
    ...     "data_halite _cell_length_a 5.6402(2) _cell_length_b 5.6402(2) "
    ...     "_cell_length_c 5.6402(2) _cell_angle_alpha 90 _cell_angle_beta 90 "
    ...     "_cell_angle_gamma 90 _symmetry_space_group_name_H-M 'F m 3 m'",
    ...     "data_nothing _journal_year 1913",
    ... ]
    >>> table = read_cifs(texts)
    >>> table[["block", "status", "a", "a_su", "spacegroup_number", "bravais_lattice"]]
         block      status       a    a_su  spacegroup_number bravais_lattice
    0   halite          ok  5.6402  0.0002                225              cF
    1  nothing  incomplete     NaN     NaN               <NA>            None
    """
    if on_error not in ("report", "raise"):
        raise InvalidInputError(
            f"read_cifs: on_error must be 'report' or 'raise', got {on_error!r}."
        )
    check_max_file_size(max_file_size, caller="read_cifs")
    records = []
    with file_progress(sources, progress, caller="read_cifs") as bar:
        files = iterate_sources(sources, caller="read_cifs", max_size=max_file_size)
        for n_files, found in read_in_chunks(files, n_jobs, read=records_of):
            if on_error == "raise":
                raise_first_error(build_table(found), caller="read_cifs")
            records.extend(found)
            bar.update(n_files)
    return build_table(records)


def file_progress(sources, enabled, *, caller):
    """Bar over files, with their number where it can be told before they are read."""
    bar = progress_bar(enabled=enabled, description="reading CIFs", unit="file")
    if not bar.disable:
        bar.reset(total=count_sources(sources, caller=caller))
    return bar


def records_of(sources):
    """Read an iterable of Sources into records, one list per data block."""
    records = []
    for source in sources:
        records.extend(records_of_source(source))
    return records


def first_records_of(sources):
    """Read an iterable of Sources into records: of each, the first."""
    return [records_of_source(source)[0] for source in sources]


def records_of_source(source):
    """Read one Source into records; whatever fails becomes a reason.

    This is the one place where the reader's own failure is caught: among half a million
    files, one that breaks it must not cost the others.
    """
    if source.error is not None:
        return [error_record(source.name, source.error)]
    try:
        data = source.read()
    except READ_ERRORS as error:
        return [error_record(source.name, reason(error))]
    try:
        return read_records(data, source.name)
    except Exception as error:  # noqa: BLE001
        return [error_record(source.name, f"{READER_FAILED}: {type(error).__name__}: {error}")]


def raise_first_error(table, *, caller):
    """Raise CIFError for the first row that has no complete and possible cell."""
    for source, error in zip(table["source"], table["error"], strict=True):
        if error is not None:
            raise CIFError(
                f"{caller}: {source!r}: {error}. Correct or leave out this source, or choose "
                "another on_error to get a row that says so."
            )


def build_table(records):
    """Build the table from records: typed columns, and what is computed from them at once."""
    values = zip(*records, strict=True) if records else [()] * len(RECORD_FIELDS)
    columns = dict(zip(RECORD_FIELDS, values, strict=True))
    oversized = _blank_oversized(columns)
    arrays = {name: _array(values, TABLE_COLUMNS[name].dtype) for name, values in columns.items()}
    cells = np.column_stack([arrays[name] for name in CELL_COLUMNS])
    arrays["v_formula"] = cell_volume(cells) if len(cells) else np.empty(0)
    arrays["crystal_system"] = _of_number(crystal_system, columns["spacegroup_number"])
    arrays["bravais_lattice"] = _of_number(bravais_lattice, columns["spacegroup_number"])
    _add_flag(arrays["flags"], oversized, "bad_number")
    _check_cells(arrays, cells)
    _set_status(arrays, cells)
    return pd.DataFrame({name: arrays[name] for name in TABLE_COLUMNS}, copy=False)


def _array(values, dtype):
    """Turn a tuple of Python values, with None for missing, into a typed array."""
    if dtype == "float64":
        return np.array(values, dtype=np.float64)
    if dtype == "object":
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    missing = np.array([value is None for value in values], dtype=bool)
    filled = [0 if value is None else value for value in values]
    if dtype == "boolean":
        return pd.arrays.BooleanArray(np.array(filled, dtype=bool), missing)
    return pd.arrays.IntegerArray(np.array(filled, dtype=np.int64), missing)


def _blank_oversized(columns):
    """Blank integers beyond 64 bits, such as a year of 1e30; return which rows had one."""
    oversized = np.zeros(len(columns["source"]), dtype=bool)
    for name, values in columns.items():
        if TABLE_COLUMNS[name].dtype == "Int64":
            rows = [n for n, v in enumerate(values) if v is not None and abs(v) > LARGEST_INTEGER]
            if rows:
                oversized[rows] = True
                columns[name] = [None if n in rows else v for n, v in enumerate(values)]
    return oversized


def _of_number(function, numbers):
    """Property of each space-group number, None where it is missing."""
    found = np.full(len(numbers), None, dtype=object)
    known = np.array([number is not None for number in numbers], dtype=bool)
    if known.any():
        found[known] = function(np.array([n for n in numbers if n is not None], dtype=np.int64))
    return found


def _check_cells(arrays, cells):
    """Flag cells that are incomplete, impossible or contradict the reported volume."""
    is_record = np.array([status != ERROR for status in arrays["status"]], dtype=bool)
    incomplete = np.isnan(cells).any(axis=1)
    partial = is_record & incomplete
    _add_flag(arrays["flags"], partial, "missing_cell")
    for row in np.flatnonzero(partial & pd.isna(arrays["error"])):
        missing = np.array(CELL_COLUMNS)[np.isnan(cells[row])]
        arrays["error"][row] = f"the cell is incomplete: {', '.join(missing)} missing"
    impossible = ~incomplete & np.isnan(arrays["v_formula"])
    _add_flag(arrays["flags"], impossible, "impossible_cell")
    if impossible.any():
        arrays["error"][impossible] = cell_problems(cells[impossible])
    with np.errstate(invalid="ignore"):
        excess = np.abs(arrays["volume"] / arrays["v_formula"] - 1.0)
        _add_flag(arrays["flags"], excess > VOLUME_TOLERANCE, "volume_contradicts_cell")


def _add_flag(flags, rows, flag):
    for row in np.flatnonzero(rows):
        flags[row] = f"{flags[row]};{flag}" if flags[row] else flag


def _set_status(arrays, cells):
    """Settle the status of every row that is not an error."""
    given, flags = arrays["status"], arrays["flags"]
    incomplete = np.isnan(cells).any(axis=1) | np.isnan(arrays["v_formula"])
    incomplete |= np.asarray(pd.isna(arrays["spacegroup_number"]))
    unsupported = np.zeros(len(flags), dtype=bool)
    flagged = np.flatnonzero(flags != "")
    unsupported[flagged] = [not _BEYOND.isdisjoint(text.split(";")) for text in flags[flagged]]
    status = np.full(len(flags), OK, dtype=object)
    status[flagged] = REPAIRED
    status[incomplete] = INCOMPLETE
    status[unsupported] = UNSUPPORTED
    status[given == ERROR] = ERROR
    arrays["status"] = status

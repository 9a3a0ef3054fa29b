"""CIFs to one table: `read_cif` for one file, `read_cifs` for any number of them."""

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from crystalml._progress import progress_bar
from crystalml._typing import CIFSource, CIFSources, Progress
from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io._chunks import read_in_chunks
from crystalml.io._columns import Masked, columns_of, join_columns
from crystalml.io._find_cifs import (
    check_max_file_size,
    count_sources,
    iterate_sources,
    single_source,
)
from crystalml.io._records import columns_of_all, records_of_source
from crystalml.io._unpack import MAX_FILE_SIZE


def read_cif(
    source: CIFSource,
    *,
    on_error: Literal["report", "raise"] = "report",
    max_file_size: int = MAX_FILE_SIZE,
) -> pd.DataFrame:
    """Read one CIF file into a table with one row per data block that has a cell.

    Parameters
    ----------
    source : str, PathLike, bytes or file object
        Path of a CIF (also compressed by gzip), its content as bytes or text, or an open
        file, text or binary. A string with a line end, or one that begins with ``data_``
        and has several words, is taken for CIF text.
    on_error : {"report", "raise"}, default="report"
        What to do with a file that gives no cell: ``"report"`` returns one row whose
        ``status`` and ``error`` say why; ``"raise"`` raises one sentence.
    max_file_size : int, default=268435456
        Bytes, as stored or unpacked, beyond which the file is not read, as in
        :func:`read_cifs`.

    Returns
    -------
    pandas.DataFrame
        The table described at :func:`read_cifs`.

    Raises
    ------
    CIFError
        With ``on_error="raise"``, if the file cannot be read or has no complete and possible
        cell.
    InvalidInputError
        If `source` is none of the allowed types, or another parameter is not one of its
        choices.

    Examples
    --------
    >>> from crystalml.io import read_cif
    >>> table = read_cif('''data_quartz
    ... _cell_length_a 4.9134  _cell_length_b 4.9134  _cell_length_c 5.4052
    ... _cell_angle_alpha 90   _cell_angle_beta 90    _cell_angle_gamma 120
    ... _symmetry_space_group_name_H-M P 32 2 1
    ... ''')
    >>> table[["spacegroup_number", "spacegroup_hm", "flags"]]
       spacegroup_number spacegroup_hm           flags
    0                154      P 32 2 1  unquoted_value
    >>> print(f"{table.loc[0, 'v_formula']:.2f}")
    113.01
    """
    if on_error not in ("report", "raise"):
        raise InvalidInputError(
            f"read_cif: on_error must be 'report' or 'raise', got {on_error!r}."
        )
    check_max_file_size(max_file_size, caller="read_cif")
    file = single_source(source, caller="read_cif", max_size=max_file_size)
    table = build_table(records_of_source(file))
    if on_error == "raise":
        raise_first_error(table, caller="read_cif")
    return table


def read_cifs(
    sources: CIFSources,
    *,
    n_jobs: int | None = None,
    on_error: Literal["report", "raise"] = "report",
    max_file_size: int = MAX_FILE_SIZE,
    progress: Progress = "auto",
) -> pd.DataFrame:
    r"""Read many CIF files into one table.

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

    Notes
    -----
    Beyond `max_file_size`, three limits hold for each file: 60 seconds (and then as many of
    processor time), 100,000 data blocks, and 10,000,000 words where it has to be read word by
    word (lists of atoms or operations; layouts that only a full parser understands). A file
    beyond one of them has one row with status ``"error"``, which says so. Named
    pipes, sockets and devices are not read.

    ``source`` can be written to any table file: bytes of a file name that are no UTF-8 become
    escapes (``Erl\udce4.cif``), as do steps up in the names of archive members (``\x2e\x2e``
    for ``..``).

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
    pieces = []
    with file_progress(sources, progress, caller="read_cifs") as bar:
        files = iterate_sources(sources, caller="read_cifs", max_size=max_file_size)
        for n_files, found in read_in_chunks(files, n_jobs, read=columns_of_all):
            if on_error == "raise":
                # Chunk by chunk: the rest need not be read once one has failed.
                raise_first_error(found, caller="read_cifs")
            pieces.append(found)
            bar.update(n_files)
    return table_of(join_columns(pieces))


def file_progress(sources: CIFSources, enabled: Progress, *, caller: str) -> Any:
    """Bar over files, with their number where it can be told before they are read."""
    bar = progress_bar(enabled=enabled, description="reading CIFs", unit="file")
    # Counting walks all folders, which is not worth it for a bar that nobody sees.
    if not bar.disable:
        bar.reset(total=count_sources(sources, caller=caller))
    return bar


def raise_first_error(table: Any, *, caller: str) -> None:
    """Raise CIFError for the first row of a table, or of columns, without a usable cell."""
    for source, error in zip(table["source"], table["error"], strict=True):
        if error is not None:
            raise CIFError(
                f"{caller}: {source!r}: {error}. Correct or leave out this source, or choose "
                "another on_error to get a row that says so."
            )


def build_table(records: Any) -> pd.DataFrame:
    """Build the table from records: typed columns, and what is computed from them at once."""
    return table_of(columns_of(records))


def table_of(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Build the table from columns; these are not copied."""
    series = {name: _series_values(column) for name, column in columns.items()}
    return pd.DataFrame(series, copy=False)


def _series_values(column: Any) -> Any:
    if not isinstance(column, Masked):
        if column.dtype == object:  # said, or pandas 3 makes another type of text
            return pd.Series(column, dtype=object, copy=False)
        return column
    is_logical = column.values.dtype == bool
    return (pd.arrays.BooleanArray if is_logical else pd.arrays.IntegerArray)(*column)

"""One CIF to a table."""

from typing import Literal

import pandas as pd

from crystalml._typing import CIFSource
from crystalml.exceptions import InvalidInputError
from crystalml.io._records import records_of_source
from crystalml.io._sources import check_max_file_size, single_source
from crystalml.io._table import build_table, raise_first_error
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

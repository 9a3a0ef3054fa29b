"""The data set that comes with the package: inorganic cells and space groups from COD."""

from importlib import resources
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    bravais_lattice,
    cell_volume,
    crystal_system,
    spacegroup_symbol,
)
from crystalml.exceptions import InvalidInputError

__all__ = ["load_cod_inorganic"]

_Subset: TypeAlias = Literal["ordered", "all"]

TARGET = "spacegroup_number"
DATA_COLUMNS = ("formula", *CELL_COLUMNS, "volume", "n_atoms")
# About the entry, and not for a model: the last was derived from the target.
ENTRY_COLUMNS = ("cod_id", "ordered", "cell_matches_spacegroup")

_FOLDER = resources.files("crystalml.datasets") / "data"
_LOGICAL = {"ordered": bool, "cell_matches_spacegroup": bool}
_DTYPES = {"formula": object, "n_atoms": float, **dict.fromkeys(CELL_COLUMNS, float)}


@overload
def load_cod_inorganic(
    *, return_X_y: Literal[False] = ..., as_frame: bool = ..., subset: _Subset = ...
) -> Bunch: ...
@overload
def load_cod_inorganic(
    *, return_X_y: Literal[True], as_frame: bool = ..., subset: _Subset = ...
) -> tuple[Any, Any]: ...
def load_cod_inorganic(
    *, return_X_y: bool = False, as_frame: bool = True, subset: _Subset = "ordered"
) -> Bunch | tuple[Any, Any]:
    """Load cells, formulas and space groups of inorganic crystals from COD.

    ================= =========================================
    Rows              18,736 (14,740 with ``subset="ordered"``)
    Chemical systems  8,190, of one to three elements
    Space groups      210
    ================= =========================================

    Nothing is downloaded. Chemical systems whose SHA-1 is divisible by five are left out, as a
    reserved evaluation set; ``DESCR`` has the rule, the provenance and the known faults.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=True
        Return pandas objects. With False, `data` is an array of dtype object (formulas are
        text), `target` an array of integers and `frame` is None.
    subset : {"ordered", "all"}, default="ordered"
        ``"ordered"`` leaves out formulas with fractional amounts.

    Returns
    -------
    sklearn.utils.Bunch
        data : DataFrame of shape (n_samples, 9)
            ``formula``; the cell ``a``, ``b``, ``c`` (Å), ``alpha``, ``beta``, ``gamma``
            (degrees) in the published setting; ``volume`` (Å^3), computed from the cell;
            ``n_atoms`` in the cell.
        target : Series of shape (n_samples,)
            ``spacegroup_number``: International Tables number, 1-230.
        feature_names : list of str
            Columns of `data`.
        target_names : ndarray of str
            Hermann-Mauguin symbols of the sorted numbers in `target`, in the order of the
            ``classes_`` of a classifier fitted on it.
        frame : DataFrame
            `data` and `target`, with what describes the entry and is no input of a model:
            ``cod_id``, ``ordered`` (no fractional amounts), ``cell_matches_spacegroup``,
            and the ``crystal_system`` and ``bravais_lattice`` of the target.
        DESCR : str
            Description of the data set.
        filename : str
            Path of the data file.

        With ``return_X_y=True``, the tuple ``(data, target)``.

    Raises
    ------
    InvalidInputError
        If `subset` is neither ``"ordered"`` nor ``"all"``.

    References
    ----------
    S. Gražulis et al. (2009). Crystallography Open Database - an open-access collection of
    crystal structures. J. Appl. Cryst. 42, 726-729. https://doi.org/10.1107/S0021889809016690

    S. Gražulis et al. (2012). Crystallography Open Database (COD): an open-access collection of
    crystal structures and platform for world-wide collaboration. Nucleic Acids Research 40,
    D420-D427. https://doi.org/10.1093/nar/gkr900

    Examples
    --------
    >>> from crystalml.datasets import load_cod_inorganic
    >>> cod = load_cod_inorganic()
    >>> cod.data[["formula", "a", "b", "c", "gamma", "n_atoms"]].head(3)
         formula      a      b       c  gamma  n_atoms
    0    AgC4N3  8.047  9.871   6.261   90.0     32.0
    1     Ni5As2  6.825  6.825  12.513  120.0     42.0
    2    LiAg2Ge  6.326  6.326   6.326   90.0     16.0
    >>> cod.frame["crystal_system"].head(3).tolist()
    ['orthorhombic', 'hexagonal', 'cubic']
    """
    if subset not in ("ordered", "all"):
        raise InvalidInputError(
            f"load_cod_inorganic: subset must be 'ordered' or 'all', got {subset!r}."
        )
    path = _FOLDER / "cod_inorganic.csv.gz"
    frame = _read(path)
    if subset == "ordered":
        frame = frame[frame["ordered"]].reset_index(drop=True)
    # Copies: whoever changes `data` must neither change `frame` nor be warned by pandas.
    data, target = frame[list(DATA_COLUMNS)].copy(), frame[TARGET].copy()
    if not as_frame:
        data, target, frame = data.to_numpy(), target.to_numpy(), None
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=list(DATA_COLUMNS),
        target_names=spacegroup_symbol(np.unique(target)),
        DESCR=(_FOLDER / "cod_inorganic.rst").read_text(encoding="utf-8"),
        filename=str(path),
    )


def _read(path):
    """Read the data file and derive the columns that follow from others."""
    with path.open("rb") as file:
        table = pd.read_csv(
            file,
            compression="gzip",
            dtype=_DTYPES,
            # Sodium nitride is NaN: the text must not be read as a missing value.
            keep_default_na=False,
        )
    table = table.astype(_LOGICAL)
    numbers = table[TARGET].to_numpy()
    # Computed, not stored: the file is smaller, and nothing in it can contradict the cell.
    table["volume"] = cell_volume(table[list(CELL_COLUMNS)].to_numpy())
    table["crystal_system"] = crystal_system(numbers)
    table["bravais_lattice"] = bravais_lattice(numbers)
    return table[[*DATA_COLUMNS, TARGET, *ENTRY_COLUMNS, "crystal_system", "bravais_lattice"]]

"""Group labels of compositions, so that one compound never stands on both sides of a split."""

from typing import Literal

import numpy as np

from crystalml._typing import Charges, Formulas, ObjectArray
from crystalml.crystallography import (
    anonymous_formula,
    chemical_system,
    parse_formulas,
    reduced_formula,
)
from crystalml.exceptions import FormulaError, InvalidInputError

_NAMES = {
    "reduced_formula": reduced_formula,
    "chemical_system": chemical_system,
    "anonymous_formula": anonymous_formula,
}


def composition_groups(
    formulas: Formulas,
    by: Literal["reduced_formula", "chemical_system", "anonymous_formula"] = "reduced_formula",
    *,
    charges: Charges = "refuse",
) -> ObjectArray:
    """Label each formula with the group it must stay with when data are split.

    A random split puts polymorphs and re-determinations of one compound on both sides, and a
    model is then tested on compounds it has seen. Pass the labels as ``groups`` to any group
    splitter of scikit-learn.

    Parameters
    ----------
    formulas : sequence of str, shape (n,)
        Chemical formulas; see :func:`crystalml.crystallography.parse_formula` for the rules.
        The text ``"NaN"`` is sodium nitride; every formula must be known.
    by : {"reduced_formula", "chemical_system", "anonymous_formula"}, default="reduced_formula"
        What the members of a group share.

        - ``"reduced_formula"``: the composition. Tests on new compounds; solid solutions of a
          compound may still be on the other side.
        - ``"chemical_system"``: the set of elements. Tests on new combinations of elements; the
          strictest of the three for a composition that is near another one.
        - ``"anonymous_formula"``: the stoichiometry. Tests on new structure families.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end of a formula is an error or is dropped.

    Returns
    -------
    ndarray of shape (n,), dtype object
        One text label per formula, readable: the name that `by` asks for.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read: it would belong to no group.
    InvalidInputError
        If `by` is none of the three names, or `formulas` is a single formula.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Folds that share no group.
    sklearn.model_selection.StratifiedGroupKFold : The same, with classes spread evenly.
    duplicate_groups : Finer groups, of equal formula and lattice.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from crystalml.model_selection import composition_groups
    >>> formulas = ["SiO2", "Si2O4", "NaN", "Fe2O3", "FeO1.5", "FeO"]
    >>> composition_groups(formulas).tolist()
    ['O2Si', 'O2Si', 'NNa', 'Fe2O3', 'Fe2O3', 'FeO']
    >>> groups = composition_groups(formulas, by="chemical_system")
    >>> groups.tolist()
    ['O-Si', 'O-Si', 'N-Na', 'Fe-O', 'Fe-O', 'Fe-O']
    >>> folds = GroupKFold(n_splits=3).split(formulas, groups=groups)
    >>> [test.tolist() for train, test in folds]
    [[3, 4, 5], [0, 1], [2]]
    """
    return group_names(formulas, by, charges, caller="composition_groups")


def group_names(formulas, by, charges, *, caller):
    """Name the group of each formula; `caller` begins the message if one has none."""
    if not isinstance(by, str) or by not in _NAMES:
        raise InvalidInputError(f"{caller}: by must be one of {list(_NAMES)}, got {by!r}")
    try:
        table = parse_formulas(formulas, on_error="report", charges=charges)
    except InvalidInputError as error:
        reason = str(error).removeprefix("parse_formulas: ")
        raise InvalidInputError(f"{caller}: {reason}") from None
    unknown = np.flatnonzero(~table.is_valid)
    if len(unknown):
        raise FormulaError(
            f"{caller}: {len(unknown)} of {len(table)} formulas cannot be read, so they "
            f"belong to no group (first: row {unknown[0]}, {table.errors[unknown[0]]}). Correct "
            "or drop these rows."
        )
    return _NAMES[by](table)

"""Find the rows of a table that contradict themselves or what is known of crystals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
import pandas as pd

from crystalml._validation import as_pandas
from crystalml.exceptions import InvalidInputError
from crystalml.io._check._cell import check_cell, check_symmetry
from crystalml.io._check._contents import check_contents, density, settle_formula_units
from crystalml.io._check._input import check_input
from crystalml.io._check._reference import check_reference
from crystalml.io._check._volume import best_formula_units, check_volume, volume_residuals

CHECK_FLAGS = {
    # The cell by itself.
    "impossible_cell": "the six parameters enclose no volume, or a length or angle is impossible",
    "volume_contradicts_cell": "the reported volume is not that of the cell, by more than the "
    "written digits and the s.u. of the volume leave open",
    # The cell against the space group.
    "cell_contradicts_spacegroup": "no choice of axes gives this lattice the metric that the "
    "space group needs",
    "cell_contradicts_setting": "the cell breaks the constraints of the declared setting, though "
    "the lattice could carry the space group on other axes",
    "metric_exceeds_spacegroup": "edges or angles are exactly those of a higher symmetry, which "
    "the space group does not ask for",
    "contradictory_spacegroup": "operations, symbols and number name different space groups",
    # The contents of the cell.
    "formula_units_not_integer": "Z is not a whole number above zero",
    "contents_contradict_formula": "the atoms in the cell are not Z times the formula, or no "
    "whole multiple of it",
    "formula_not_reduced": "Z is not given, only the atoms in the cell, and the formula has a "
    "common factor: Na2Cl2 with Z = 2, or NaCl with Z = 4",
    "contents_contradict_spacegroup": "all sites are said to be full, but the number of atoms of "
    "an element in the cell is no sum of multiplicities of Wyckoff positions",
    "density_contradicts_contents": "the reported density is not that of Z formulas in the cell",
    "implausible_density": "the density of the contents is outside of what crystals have",
    "volume_too_small": "the atoms in the cell would need much more room",
    "formula_is_cell_content": "with Z formulas the volume is too small, with one it fits, and Z "
    "divides the formula: the formula seems to be the content of the whole cell",
    "volume_too_large": "the atoms in the cell would need much less room: atoms are missing, Z is "
    "too small, or there are voids",
}

# Flags that one fault raises together: of these the most surprising counts.
SUBJECTS = {
    "cell_contradicts_spacegroup": "metric",
    "cell_contradicts_setting": "metric",
    "metric_exceeds_spacegroup": "metric",
    "implausible_density": "amount of matter",
    "volume_too_small": "amount of matter",
    "volume_too_large": "amount of matter",
    "formula_is_cell_content": "amount of matter",
}

# Columns of the table that tell a reader which row it is.
_NAMES = ("source", "block", "cod_id", "formula", "spacegroup_number", "spacegroup_hm")


@dataclass(frozen=True, eq=False)
class TableCheck:
    """What `check_table` found; all parts have the index of the table.

    Attributes
    ----------
    rows : pandas.DataFrame of shape (n_rows, 7)
        ``flags`` (text, joined by ``;``, ``""`` where nothing was found), ``score``,
        ``n_checks`` (checks that the row had the data for), and what was computed on the way:
        ``v_formula`` (Å^3, volume of the cell), ``formula_units`` (Z as reported, else from the
        number of atoms, else the one that suits volume and space group best), ``density``
        (g/cm^3) and ``volume_residual`` (ln of the volume over the sum of atomic volumes).
    deviations : pandas.DataFrame of shape (n_rows, n_flags)
        By how many tolerances the row deviates in each check: flagged above 1 (yes-or-no
        checks: 1), NaN where it could not be made.
    suspects : pandas.DataFrame
        The flagged rows, most suspicious first: ``score``, ``flags`` and the columns of the
        table that name a row (source, block, cod_id, formula, space group), where it has them.
    counts : pandas.Series
        Rows by flag, most frequent first.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.io import check_table
    >>> columns = ["formula", "spacegroup_number", "a", "b", "c", "alpha", "beta", "gamma"]
    >>> halite = ["NaCl", 225, 5.64, 5.64, 5.94, 90.0, 90.0, 90.0]
    >>> check = check_table(pd.DataFrame([halite], columns=columns))
    >>> check
    TableCheck(1 of 1 rows are suspect: cell_contradicts_spacegroup 1)
    >>> float(check.rows.loc[0, "formula_units"])
    4.0
    """

    rows: pd.DataFrame = field(repr=False)
    deviations: pd.DataFrame = field(repr=False)
    suspects: pd.DataFrame = field(repr=False)
    counts: pd.Series = field(repr=False)

    def __repr__(self) -> str:
        found = ", ".join(f"{flag} {n}" for flag, n in self.counts.items() if n)
        return f"TableCheck({len(self.suspects)} of {len(self.rows)} rows are suspect: {found})"


def check_table(
    table: pd.DataFrame,
    *,
    flags: Iterable[str] | None = None,
    length_tolerance: float = 0.002,
    angle_tolerance: float = 0.2,
) -> TableCheck:
    """Check every row of a table against itself and against what is known of crystals.

    Nothing is repaired: the rows most likely to be wrong come first, for a person to decide.

    Parameters
    ----------
    table : pandas.DataFrame of n rows
        The table of :func:`read_cifs`, or any with the columns a, b, c (Å), alpha, beta and
        gamma (degrees). Used where present: ``*_su``, ``volume``, ``volume_su``,
        ``spacegroup_number``, ``spacegroup_hm``, ``spacegroup_hall``, ``formula``,
        ``formula_units`` (Z), ``n_atoms`` (in the cell), ``density``, ``is_disordered`` and the
        reader's ``flags``. A check that lacks its data is left out, row by row.
    flags : sequence of str, default=None
        Which of :data:`CHECK_FLAGS` to look for; ``None`` is all.
    length_tolerance : float, default=0.002
        Relative deviation from equal edges that is no contradiction where no s.u. is given;
        where s.u. are given, five of them are, but no more than this and no less than 0.0005.
    angle_tolerance : float, default=0.2
        The same for angles in degrees; no less than 0.02.

    Returns
    -------
    TableCheck
        With ``rows``, ``suspects``, ``counts`` and ``deviations``.

    Raises
    ------
    SchemaError
        If a cell column is missing, or a column of numbers holds something else.
    InvalidInputError
        If `table` is no DataFrame, or another parameter is outside its range.

    Notes
    -----
    The score is a surprise: -log10 of the share of reference rows that deviate at least as much,
    so that two points are one row in a hundred. Flags on one subject (metric, amount of matter)
    count once, with the largest; subjects add up as if they were independent.

    The shares, the limits of ``volume_too_small`` and ``volume_too_large`` and the volumes of
    atoms were measured on entries of the COD, which hold faults themselves; the script is
    ``tools/build_check_reference.py``. Volumes of atoms were fitted by non-negative least squares
    to ordered cells, apart for salts and alloys. A volume is too small if it lacks much of their
    sum, or some of it while it is below the sum of smallest volumes, which were fitted by quantile
    regression; elements alone are compared with their densest form, such as diamond.
    Multiplicities of Wyckoff positions are those of International Tables for Crystallography,
    vol. A.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.io import check_table
    >>> table = pd.DataFrame(
    ...     [["NaCl", 225, 5.64, 5.64, 5.64, 90.0, 90.0, 90.0, 179.4, 4],
    ...      ["NaCl", 225, 5.64, 5.64, 5.94, 90.0, 90.0, 90.0, 179.4, 4],
    ...      ["KCl", 225, 6.29, 6.29, 6.29, 90.0, 90.0, 90.0, 248.9, 8]],
    ...     columns=["formula", "spacegroup_number", "a", "b", "c", "alpha", "beta", "gamma",
    ...              "volume", "formula_units"])
    >>> check = check_table(table)
    >>> check.suspects[["flags", "formula"]]
                                                   flags formula
    1  volume_contradicts_cell;cell_contradicts_space...    NaCl
    2                                   volume_too_small     KCl
    """
    chosen = _check_parameters(flags, length_tolerance, angle_tolerance)
    table = as_pandas(table)
    data = check_input(table)
    volumes, deviations = check_cell(data)
    deviations |= check_symmetry(
        data, length_tolerance=length_tolerance, angle_tolerance=angle_tolerance
    )
    units = settle_formula_units(data)
    unconventional = (deviations["cell_contradicts_setting"] > 1) | (
        deviations["cell_contradicts_spacegroup"] > 1
    )
    deviations |= check_contents(data, units, density(data, units, volumes), unconventional)
    # Only after the contents were checked: a Z that was chosen to fit contradicts nothing.
    units = np.where(np.isnan(units), best_formula_units(data, volumes), units)
    residuals = volume_residuals(data, units, volumes)
    deviations |= check_volume(data, units, volumes, residuals)

    deviations = pd.DataFrame({flag: deviations[flag] for flag in chosen}, index=table.index)
    rows = pd.DataFrame(
        {
            **_judge(deviations),
            "v_formula": volumes,
            "formula_units": units,
            "density": density(data, units, volumes),
            "volume_residual": residuals,
        },
        index=table.index,
    )
    return _result(table, rows, deviations)


def is_flagged(deviations):
    """Tell which deviations raise their flag: yes is 1 where a check has no measure."""
    return deviations >= 1.0


def _judge(deviations):
    """Write down flags as text, score and number of checks of each row."""
    flagged = is_flagged(deviations.to_numpy())
    names = deviations.columns.tolist()
    texts = np.full(len(deviations), "", dtype=object)
    for row in np.flatnonzero(flagged.any(axis=1)):
        texts[row] = ";".join([names[column] for column in np.flatnonzero(flagged[row])])
    return {
        "flags": texts,
        "score": _surprise(deviations, flagged),
        "n_checks": deviations.notna().sum(axis=1).to_numpy(),
    }


def _surprise(deviations, flagged):
    """Sum over subjects of the largest -log10 of the share of rows that deviate as much."""
    reference = check_reference()
    by_subject = {}
    for column, name in enumerate(deviations.columns):
        # Beyond a thousand tolerances the tail of the reference says nothing any more.
        found = np.minimum(deviations[name].to_numpy(), 1e3)
        rows = flagged[:, column]
        surprise = np.zeros(len(found))
        surprise[rows] = reference.tails.get(name, 0.0) * np.log10(found[rows])
        surprise[rows] -= np.log10(reference.rates[name])
        subject = SUBJECTS.get(name, name)
        # One fault may raise several flags of a subject, so that they do not add up.
        by_subject[subject] = np.maximum(by_subject.get(subject, 0.0), surprise)
    return sum(by_subject.values(), np.zeros(len(deviations)))


def _result(table, rows, deviations):
    """Rank the suspects and count the flags."""
    names = [name for name in _NAMES if name in table.columns]
    suspects = pd.concat([rows[["score", "flags"]], table[names]], axis=1)
    suspects = suspects[(rows["flags"] != "").to_numpy()]
    suspects = suspects.sort_values("score", ascending=False, kind="stable")
    counts = is_flagged(deviations).sum().sort_values(ascending=False, kind="stable")
    return TableCheck(rows, deviations, suspects, counts)


def _check_parameters(flags, length_tolerance, angle_tolerance):
    """Raise one sentence about a parameter that cannot be; return the flags to look for."""
    for name, value in (("length", length_tolerance), ("angle", angle_tolerance)):
        if not (isinstance(value, Real) and 0.0 <= float(value) < np.inf):
            raise InvalidInputError(
                f"check_table: {name}_tolerance is {value!r}; give a number >= 0."
            )
    if flags is None:
        return tuple(CHECK_FLAGS)
    unknown = [flag for flag in flags if flag not in CHECK_FLAGS]
    if isinstance(flags, str) or unknown:
        raise InvalidInputError(
            f"check_table: flags must list names from {', '.join(CHECK_FLAGS)}, got {flags!r}."
        )
    return tuple(flag for flag in CHECK_FLAGS if flag in set(flags))

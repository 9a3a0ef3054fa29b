"""What stands on both sides of a split: rows, crystals, compounds, groups."""

import numpy as np
import pandas as pd
from sklearn.model_selection import check_cv

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._groups import duplicate_groups
from crystalml.model_selection._leakage_columns import number_rows
from crystalml.model_selection._leakage_context import CALLER
from crystalml.model_selection._leakage_report import Finding

# Numbers that agree to so many significant digits count as equal.
_DIGITS = 3

_SAME = {
    "groups": ("leak", "have rows of their group among the training rows"),
    "rows": ("leak", "have a row among the training rows that agrees in every column"),
    "crystals": ("leak", "are described a second time among the training rows"),
    "compounds": ("caution", "are of a compound that is among the training rows"),
}
_REMEDIES = {
    "groups": "Split by groups, with GroupKFold or StratifiedGroupKFold.",
    "rows": "Drop repeated rows, or split by duplicate_groups.",
    "crystals": "Split by duplicate_groups, or by composition_groups, which are unions of them.",
    "compounds": "Split by composition_groups if the model is meant for new compounds.",
}


def split_findings(columns, groups, pairs, crystals):
    """Compare the two sides of every split; without a split, count what repeats."""
    labels = _labels(columns, groups, crystals)
    if pairs is None:
        return [f for name, codes in labels.items() for f in _repetition(name, codes)]
    findings = list(_overlap(pairs))
    for name, (codes, note) in labels.items():
        share = np.mean([_share_seen(codes, train, test) for train, test in pairs])
        if share > 0:
            severity, what = _SAME[name]
            evidence = f"{share:.1%} of the test rows {what}{note}."
            findings.append(
                Finding(severity, "split", (), float(share), np.nan, evidence, _REMEDIES[name])
            )
    return findings


def _labels(columns, groups, crystals):
    """Codes of what must not be on both sides, and a remark on what they mean."""
    labels = {}
    if groups is not None:
        labels["groups"] = groups, ""
    compared = [_rounded(column) for column in columns if not _names_rows(column)]
    if compared:
        labels["rows"] = number_rows(*compared), f" ({len(compared)} columns, to {_DIGITS} digits)"
    if crystals.compounds is not None:
        if crystals.cells is not None:
            labels["crystals"] = _crystals(crystals), " (equal formula, lattice within 1%)"
        labels["compounds"] = crystals.compounds, ""
    return labels


def _names_rows(column):
    """Whether a column gives every row a name of its own, such as an identifier."""
    if column.n_values < len(column.codes):
        return False
    return column.is_text or bool(np.all(column.numbers == np.rint(column.numbers)))


def _rounded(column):
    """Codes of a column in which nearly equal numbers are equal."""
    if column.numbers is None:
        return column.codes
    finite = np.isfinite(column.numbers) & (column.numbers != 0)
    known = column.numbers[finite]
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(known))))
    rounded = column.numbers.copy()
    rounded[finite] = np.round(known * scale) / scale
    return np.unique(rounded, return_inverse=True)[1]


def _crystals(crystals):
    """Codes of duplicate groups; a row without a formula or a cell stands alone."""
    known = np.flatnonzero(~np.isnan(crystals.atoms) & ~np.isnan(crystals.cells[:, 0]))
    codes = np.arange(len(crystals.atoms))
    if known.size:
        names = duplicate_groups(crystals.formulas[known].tolist(), crystals.cells[known])
        codes[known] = len(codes) + pd.factorize(names)[0]
    return codes


def _share_seen(codes, train, test):
    return float(np.isin(codes[test], codes[train]).mean()) if len(test) else 0.0


def _overlap(pairs):
    """Rows that are on both sides themselves."""
    share = np.mean([np.isin(test, train).mean() if len(test) else 0.0 for train, test in pairs])
    if share > 0:
        evidence = f"{share:.1%} of the test rows are themselves among the training rows."
        remedy = "Make the two sides disjoint."
        yield Finding("leak", "split", (), float(share), 0.0, evidence, remedy)


def _repetition(name, label):
    """Tell how much of a table repeats, before it is split."""
    codes, note = label
    _, dense, counts = np.unique(codes, return_inverse=True, return_counts=True)
    share = float(np.mean(counts[dense] > 1))
    if share > 0 and name != "groups":
        what = {
            "rows": "agree with another row in every column",
            "crystals": "describe a crystal that another row describes too",
            "compounds": "share their compound with another row",
        }[name]
        evidence = f"{share:.1%} of the rows {what}{note}; a random split puts such on both sides."
        yield Finding("note", "split", (), share, np.nan, evidence, _REMEDIES[name])


def read_split(split, n_rows, y, groups):
    """List of (train, test) row numbers, or None."""
    if split is None:
        return None
    if _is_pair(split):
        pairs = [split]
    else:
        try:
            splitter = check_cv(split, y, classifier=False)
        except ValueError as error:
            raise InvalidInputError(
                f"{CALLER}: split must be a pair of row numbers (train, test), a splitter or a "
                f"number of folds, got {split!r}."
            ) from error
        pairs = list(splitter.split(np.zeros((n_rows, 1)), y, groups))
    return [tuple(_row_numbers(side, n_rows) for side in pair) for pair in pairs]


def _is_pair(split: object) -> bool:
    """Whether these are two sides; a list of two arrays is what train_test_split returns."""
    if not isinstance(split, tuple | list) or len(split) != 2:
        return False
    if isinstance(split, list) and not all(isinstance(side, np.ndarray) for side in split):
        return False
    return all(np.ndim(side) == 1 for side in split)


def _row_numbers(side, n_rows):
    """Row numbers of one side, given as such or as a mask."""
    side = np.asarray(side)
    if side.dtype == bool and len(side) == n_rows:
        return np.flatnonzero(side)
    numbers = side.dtype.kind in "iu"
    if not numbers or (len(side) and not 0 <= side.min() <= side.max() < n_rows):
        raise InvalidInputError(
            f"{CALLER}: split must hold row numbers from 0 to {n_rows - 1} or masks of {n_rows} "
            f"rows, got {side.dtype} values such as {side[:1].tolist()!r}."
        )
    return side

"""What is on both sides of a split: rows, crystals, compounds, groups."""

import numpy as np
import pandas as pd

from crystalml.model_selection._groups import duplicate_groups
from crystalml.model_selection._leakage._report import Finding
from crystalml.model_selection._leakage._scores import number_rows
from crystalml.model_selection._leakage._table import NumberColumn

# Numbers that agree to so many significant digits count as equal: a measurement repeated, or a
# table written with fewer digits.
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


def split_findings(audit):
    """Compare the two sides of every split; without a split, count what repeats."""
    labels = _labels(audit)
    if audit.pairs is None:
        return [f for name, label in labels.items() for f in _repetition(name, *label)]
    findings = list(_overlap(audit.pairs))
    for name, (codes, note) in labels.items():
        share = np.mean([_share_seen(codes, train, test) for train, test in audit.pairs])
        if share > 0:
            severity, what = _SAME[name]
            evidence = f"{share:.1%} of the test rows {what}{note}."
            findings.append(
                Finding(severity, "split", (), float(share), np.nan, evidence, _REMEDIES[name])
            )
    return findings


def _labels(audit):
    """Codes of what must not be on both sides, and a remark on what they mean."""
    labels = {}
    if audit.groups is not None:
        labels["groups"] = audit.groups, ""
    # A column of identifiers would make every row unlike all others.
    compared = [_rounded(column) for column in audit.columns if not _names_rows(column)]
    if compared:
        labels["rows"] = number_rows(*compared), f" ({len(compared)} columns, to {_DIGITS} digits)"
    if audit.compositions is not None:
        if audit.cells is not None:
            crystals = _crystals(audit.compositions, audit.cells)
            labels["crystals"] = crystals, " (equal formula, lattice within 1%)"
        labels["compounds"] = audit.compositions.compounds, ""
    return labels


def _names_rows(column):
    """Whether a column gives every row a name of its own, such as an identifier."""
    if column.n_values < len(column.codes):
        return False
    is_number = isinstance(column, NumberColumn)
    return not is_number or bool(np.all(column.numbers == np.rint(column.numbers)))


def _rounded(column):
    """Codes of a column in which nearly equal numbers are equal."""
    if not isinstance(column, NumberColumn):
        return column.codes
    finite = np.isfinite(column.numbers) & (column.numbers != 0)
    known = column.numbers[finite]
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(known))))
    rounded = column.numbers.copy()
    rounded[finite] = np.round(known * scale) / scale
    return np.unique(rounded, return_inverse=True)[1]


def _crystals(compositions, cells):
    """Codes of duplicate groups; a row without a formula or a cell has its own."""
    known = np.flatnonzero(~np.isnan(compositions.n_atoms) & cells.known)
    codes = np.arange(len(compositions.n_atoms))
    if known.size:
        formulas = compositions.formulas[known].tolist()
        names = duplicate_groups(formulas, cells.parameters[known])
        # Beyond the numbers of the rows that are left alone.
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


def _repetition(name, codes, note):
    """Report how much of a table repeats, before it is split."""
    _, dense, counts = np.unique(codes, return_inverse=True, return_counts=True)
    share = float(np.mean(counts[dense] > 1))
    # That groups repeat is what groups are for.
    if share > 0 and name != "groups":
        what = {
            "rows": "agree with another row in every column",
            "crystals": "describe a crystal that another row describes too",
            "compounds": "share their compound with another row",
        }[name]
        evidence = f"{share:.1%} of the rows {what}{note}; a random split puts such on both sides."
        yield Finding("note", "split", (), share, np.nan, evidence, _REMEDIES[name])

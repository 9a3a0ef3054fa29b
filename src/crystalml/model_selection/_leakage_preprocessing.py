"""Traces of preprocessing fitted on all rows, and of cells refined under their symmetry."""

import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml.model_selection._leakage_report import Finding
from crystalml.model_selection._leakage_verdicts import skill_of_lookup

# What chance does not bring about, but arithmetic in double or single precision does.
_EXACT = 1e-9
_EXACT_SINGLE = 1e-5
# Columns with fewer values are counts, logicals or categories, whose extremes are 0 and 1 anyway.
_FEWEST_VALUES = 10
# A scaled continuous column has one lowest and one highest row, or a few.
_MOST_EXTREME = 0.02
_FEWEST_IMPUTED = 3
# Freshly indexed cells are hardly ever exact.
_FEW_EXACT = 0.01
_FEWEST_COMPONENTS, _MOST_COLUMNS = 3, 500
_REMEDY = "Put {step} into a Pipeline with the model, so that it is fitted on training rows alone."


def preprocessing_findings(columns, rows, train, *, is_split):
    """Look for columns that were standardised, scaled, imputed or rotated with all `rows`.

    The rows are those of both sides of a split: what was fitted on the training rows alone does
    not hold exactly on them. Without a split it may be that only training rows were given.
    `train` tells which of the rows are those of a single split, or is None.
    """
    traces = [*_imputed(columns, rows)]
    table = _continuous(columns, rows)
    if table:
        names = np.array(list(table), dtype=object)
        values = np.column_stack(list(table.values()))
        standardised = _is_standardised(values)
        traces += _standardised(names, values, standardised)
        traces += _min_max(names, values, train)
        traces += _rotated(names, values, standardised)
    return [_finding(*trace, is_split=is_split) for trace in traces]


def metric_findings(crystals, target):
    """Tell how many cells are exact, and what that alone says of the target."""
    if crystals.cells is None:
        return []
    cells = crystals.cells[~np.isnan(crystals.cells[:, 0])]
    if not len(cells):
        return []
    edges = np.mean((cells[:, 0] == cells[:, 1]) | (cells[:, 1] == cells[:, 2]))
    angles = np.mean(np.isin(cells[:, 3:], (90.0, 120.0)).any(axis=1))
    if max(edges, angles) < _FEW_EXACT:
        return []
    score = chance = np.nan
    told = ""
    if target.is_class:
        chance = target.chance
        score = chance + (1 - chance) * skill_of_lookup(crystals.metric, target)
        told = (
            f"; which of these hold gives the target in {score:.1%} of the rows (chance "
            f"{chance:.1%})"
        )
    evidence = (
        f"Two edges are equal to the last digit in {edges:.1%} of the cells, an angle is exactly "
        f"90 or 120 degrees in {angles:.1%}{told}. Cells are refined under the reported symmetry."
    )
    remedy = "Test on jitter_cells of the test rows, and describe reduced cells with tolerance."
    return [
        Finding(
            "caution", "exact_metric", CELL_COLUMNS, float(score), float(chance), evidence, remedy
        )
    ]


def _continuous(columns, rows):
    """Columns of finite numbers with many values, by name."""
    found = {}
    for column in columns:
        if column.numbers is not None and column.n_values >= _FEWEST_VALUES:
            values = column.numbers[rows]
            if np.isfinite(values).all() and np.ptp(values) > 0:
                found[column.names[0]] = values
    return found


def _is_standardised(values):
    """Whether each column has mean 0 and standard deviation 1."""
    means, spread = values.mean(axis=0), values.std(axis=0)
    with_ddof = spread * np.sqrt(len(values) / max(len(values) - 1, 1))
    unit = np.minimum(np.abs(spread - 1), np.abs(with_ddof - 1)) < _EXACT_SINGLE
    return (np.abs(means) < _EXACT_SINGLE) & unit


def _standardised(names, values, standardised):
    """Report columns of mean 0 and standard deviation 1."""
    if standardised.any():
        worst = np.abs(values[:, standardised].mean(axis=0)).max()
        evidence = (
            f"Mean 0 (within {worst:.0e}) and standard deviation 1 over all {len(values)} rows"
        )
        yield names[standardised], evidence, "the scaler"


def _min_max(names, values, train):
    """Report columns scaled to 0 and 1, or -1 and 1, exactly."""
    low, high = values.min(axis=0), values.max(axis=0)
    ends = np.mean(values == low, axis=0) + np.mean(values == high, axis=0)
    few = ends <= max(_MOST_EXTREME, 3 / len(values))
    for bottom in (0.0, -1.0):
        scaled = (low == bottom) & (np.abs(high - 1) < _EXACT) & few
        # Fractions may happen to reach both ends; several columns at once do not. If they all
        # reach them in training rows, the scaler may have been fitted on these.
        seen = values if train is None else values[train]
        inside = (seen.min(axis=0) == low) & (seen.max(axis=0) == high)
        if scaled.sum() > 1 and (train is None or not inside[scaled].all()):
            evidence = f"Minimum {bottom:g} and maximum 1 exactly, over all {len(values)} rows"
            yield names[scaled], evidence, "the scaler"


def _imputed(columns, rows):
    """Report columns in which a repeated value is the mean of all rows."""
    names, counts = [], []
    for column in columns:
        if column.numbers is None or not _FEWEST_VALUES <= column.n_values < len(column.codes):
            continue
        values = column.numbers[rows]
        # The mean of the others is then the mean of all.
        distance = np.abs(values - values.mean())
        filled = distance <= _EXACT * np.abs(values).max()
        if np.isfinite(distance).all() and _FEWEST_IMPUTED <= filled.sum() < len(values):
            names.append(column.names[0])
            counts.append(int(filled.sum()))
    if names:
        evidence = (
            f"The value that stands in {max(counts)} rows is exactly the mean of all others, test "
            "rows included"
        )
        yield names, evidence, "the imputer"


def _rotated(names, values, standardised):
    """Report columns that are uncorrelated to the last digit, as principal components are."""
    centred = np.abs(values.mean(axis=0)) < _EXACT * np.abs(values).max(axis=0)
    chosen = np.flatnonzero(centred | standardised)[:_MOST_COLUMNS]
    if len(chosen) < _FEWEST_COMPONENTS or len(values) <= len(chosen) + 1:
        return
    correlations = np.abs(np.corrcoef(values[:, chosen].T))
    free = correlations < _EXACT_SINGLE * 1e-2
    member = free.sum(axis=1) >= _FEWEST_COMPONENTS - 1
    if member.sum() < _FEWEST_COMPONENTS:
        return
    largest = (correlations - np.eye(len(chosen)))[np.ix_(member, member)].max()
    evidence = (
        f"Uncorrelated to within {largest:.0e} over all {len(values)} rows (by chance about "
        f"{1 / np.sqrt(len(values)):.0e}), as principal components are"
    )
    yield names[chosen[member]], evidence, "the decomposition"


def _finding(names, evidence, step, *, is_split):
    """Report preprocessing of some columns."""
    names = tuple(names)
    if is_split:
        severity, doubt = "leak", "fitted on both sides of the split"
    else:
        severity, doubt = "caution", "fitted on all of them, also on those that will be held out"
    evidence = f"{evidence}: {doubt}."
    remedy = _REMEDY.format(step=step)
    return Finding(severity, "preprocessing", names, np.nan, np.nan, evidence, remedy)

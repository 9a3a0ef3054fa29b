"""Traces that arithmetic leaves: preprocessing of all rows, exact cells, products of columns."""

import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import cell_volume
from crystalml.model_selection._leakage._names import VOLUME_NAMES, is_named
from crystalml.model_selection._leakage._report import REMEDIES, Finding
from crystalml.model_selection._leakage._scores import skill_of_lookup
from crystalml.model_selection._leakage._table import NumberColumn

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
_FEWEST_COMPONENTS, _MOST_COMPONENTS = 3, 500
# A product counts if it is within this of the target, relatively, in this share of the rows. No
# estimate from the composition is near: volumes per atom of like compounds differ by some percent.
_NEAR, _SHARE = 0.01, 0.9
_MOST_ROWS, _MOST_FACTORS = 4000, 200
# Each refit leaves out the rows that fitted worst, so that wrong rows do not hide the law.
_TRIMMED, _REFITS = 0.1, 4
_REMEDY = "Put {step} into a Pipeline with the model, so that it is fitted on training rows alone."


def preprocessing_findings(audit):
    """Look for columns that were standardised, scaled, imputed or rotated with all rows.

    All rows are those of both sides of a split: what was fitted on the training rows alone does
    not hold exactly on them. Without a split it may be that only training rows were given.
    """
    pairs = audit.pairs or []
    rows = np.arange(len(audit.frame))
    if pairs:
        rows = np.unique(np.concatenate([side for pair in pairs for side in pair]))
    # Of several splits no row is a training row alone.
    is_train = np.isin(rows, pairs[0][0]) if len(pairs) == 1 else None
    traces = [*_imputed(audit.columns, rows)]
    table = _continuous(audit.columns, rows)
    if table:
        names = np.array(list(table), dtype=object)
        values = np.column_stack(list(table.values()))
        standardised = _is_standardised(values)
        traces += _standardised(names, values, standardised)
        traces += _min_max(names, values, is_train)
        traces += _rotated(names, values, standardised)
    return [_preprocessing(*trace, is_split=bool(pairs)) for trace in traces]


def _continuous(columns, rows):
    """Columns of finite numbers with many values, by name."""
    found = {}
    for column in columns:
        if isinstance(column, NumberColumn) and column.n_values >= _FEWEST_VALUES:
            values = column.numbers[rows]
            if np.isfinite(values).all() and np.ptp(values) > 0:
                found[column.name] = values
    return found


def _is_standardised(values):
    """Whether each column has mean 0 and standard deviation 1."""
    means, spread = values.mean(axis=0), values.std(axis=0)
    # pandas divides by n - 1, scikit-learn by n.
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


def _min_max(names, values, is_train):
    """Report columns scaled to 0 and 1, or -1 and 1, exactly."""
    low, high = values.min(axis=0), values.max(axis=0)
    ends = np.mean(values == low, axis=0) + np.mean(values == high, axis=0)
    few = ends <= max(_MOST_EXTREME, 3 / len(values))
    for bottom in (0.0, -1.0):
        scaled = (low == bottom) & (np.abs(high - 1) < _EXACT) & few
        # Fractions may happen to reach both ends; several columns at once do not. If they all
        # reach them in training rows, the scaler may have been fitted on these.
        seen = values if is_train is None else values[is_train]
        inside = (seen.min(axis=0) == low) & (seen.max(axis=0) == high)
        if scaled.sum() > 1 and (is_train is None or not inside[scaled].all()):
            evidence = f"Minimum {bottom:g} and maximum 1 exactly, over all {len(values)} rows"
            yield names[scaled], evidence, "the scaler"


def _imputed(columns, rows):
    """Report columns in which a repeated value is the mean of all rows."""
    names, counts = [], []
    for column in columns:
        recurs = _FEWEST_VALUES <= column.n_values < len(column.codes)
        if not recurs or not isinstance(column, NumberColumn):
            continue
        values = column.numbers[rows]
        # A value equal to the mean of the others leaves the mean of all as it is.
        distance = np.abs(values - values.mean())
        filled = distance <= _EXACT * np.abs(values).max()
        if np.isfinite(distance).all() and _FEWEST_IMPUTED <= filled.sum() < len(values):
            names.append(column.name)
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
    chosen = np.flatnonzero(centred | standardised)[:_MOST_COMPONENTS]
    if len(chosen) < _FEWEST_COMPONENTS or len(values) <= len(chosen) + 1:
        return
    correlations = np.abs(np.corrcoef(values[:, chosen].T))
    # By chance no correlation is this small; a component has none with several others.
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


def _preprocessing(names, evidence, step, *, is_split):
    """Report preprocessing of some columns."""
    names = tuple(names)
    if is_split:
        severity, doubt = "leak", "fitted on both sides of the split"
    else:
        severity, doubt = "caution", "fitted on all of them, also on those that will be held out"
    evidence = f"{evidence}: {doubt}."
    remedy = _REMEDY.format(step=step)
    return Finding(severity, "preprocessing", names, np.nan, np.nan, evidence, remedy)


def metric_findings(audit):
    """Report how many cells are exact, and what that alone says of the target."""
    if audit.cells is None or not audit.cells.known.any():
        return []
    cells = audit.cells.parameters[audit.cells.known]
    edges = np.mean((cells[:, 0] == cells[:, 1]) | (cells[:, 1] == cells[:, 2]))
    angles = np.mean(np.isin(cells[:, 3:], (90.0, 120.0)).any(axis=1))
    if max(edges, angles) < _FEW_EXACT:
        return []
    score = chance = np.nan
    gives = ""
    if audit.target.is_class:
        chance = audit.target.chance
        score = chance + (1 - chance) * skill_of_lookup(audit.cells.metric, audit.scoring)
        gives = (
            f"; which of these hold gives the target in {score:.1%} of the rows (chance "
            f"{chance:.1%})"
        )
    evidence = (
        f"Two edges are equal to the last digit in {edges:.1%} of the cells, an angle is exactly "
        f"90 or 120 degrees in {angles:.1%}{gives}. Cells are refined under the reported symmetry."
    )
    remedy = "Test on jitter_cells of the test rows, and describe reduced cells with tolerance."
    return [
        Finding(
            "caution", "exact_metric", CELL_COLUMNS, float(score), float(chance), evidence, remedy
        )
    ]


def product_findings(audit, without):
    """Find the smallest product of columns that is the target, and the formula of the volume.

    `without` are the names of columns that give the target away alone.
    """
    numbers = audit.target.numbers
    findings = [*_arithmetic(audit)]
    if not np.all(numbers > 0):
        return findings
    rows = np.random.RandomState(audit.scoring.seed).permutation(len(numbers))[:_MOST_ROWS]
    # In logarithms a product of powers is a linear fit.
    names, logs = _logarithms(audit.columns, without, rows)
    y = np.log(numbers[rows])
    chance = _share_near(y - np.median(y))
    # With very many columns a fit would come near any target.
    if len(names) < 2 or chance >= _SHARE or len(names) > _MOST_FACTORS:
        return findings
    kept, share = _smallest_law(logs, y)
    if len(kept) < 2:
        return findings
    law = tuple(names[k] for k in kept)
    # Of density, mass and contents the density is the one computed from the volume.
    computed = tuple(name for name in law if is_named(name, VOLUME_NAMES)) or law
    evidence = (
        f"The product of powers of {', '.join(map(str, law))} is within {_NEAR:.0%} of the target "
        f"in {share:.1%} of the rows (a constant: {chance:.1%})."
    )
    kind = "target_formula"
    return [*findings, Finding("leak", kind, computed, share, chance, evidence, REMEDIES[kind])]


def _arithmetic(audit):
    """Report that the target is the volume of the cells, if so."""
    if audit.cells is None:
        return
    with np.errstate(invalid="ignore"):
        difference = np.abs(cell_volume(audit.cells.parameters) / audit.target.numbers - 1)
    share = float(np.mean(difference < _NEAR))
    if share >= _SHARE:
        yield Finding(
            "caution",
            "target_formula",
            CELL_COLUMNS,
            share,
            np.nan,
            f"The volume computed from the six cell parameters is within {_NEAR:.0%} of the target "
            f"in {share:.1%} of the rows.",
            "If the cells are inputs, compare the model with the exact formula (volume_report).",
        )


def _logarithms(columns, without, rows):
    """Standardised logarithms of the columns of positive numbers, on some rows."""
    names, logs = [], []
    for column in columns:
        skipped = column.name in without or column.name in CELL_COLUMNS
        if skipped or not isinstance(column, NumberColumn):
            continue
        values = column.numbers[rows]
        if np.all(values > 0) and np.all(np.isfinite(values)) and np.ptp(values) > 0:
            log = np.log(values)
            names.append(column.name)
            logs.append((log - log.mean()) / max(log.std(), 1e-12))
    return names, np.array(logs).T


def _smallest_law(logs, y):
    """Columns of the smallest product that is near the target, and its share of the rows."""
    kept = list(range(logs.shape[1]))
    share, weights = _fit(logs, y)
    if share < _SHARE:
        return [], share
    # The columns are standardised, so a small weight means a factor that hardly matters.
    for column in sorted(kept, key=lambda k: abs(weights[k])):
        rest = [k for k in kept if k != column]
        if rest and (without := _fit(logs[:, rest], y)[0]) >= min(_SHARE, share):
            kept, share = rest, without
    return kept, share


def _fit(logs, y):
    """Fit a product of powers, without the rows that fit worst; share of rows it is near."""
    design = np.column_stack([logs, np.ones(len(y))])
    rows = np.arange(len(y))
    for _ in range(_REFITS):
        weights = np.linalg.lstsq(design[rows], y[rows], rcond=1e-10)[0]
        residual = np.abs(design @ weights - y)
        rows = np.flatnonzero(residual <= np.quantile(residual, 1 - _TRIMMED))
    return _share_near(design @ weights - y), weights


def _share_near(residual):
    return float(np.mean(np.abs(np.expm1(residual)) < _NEAR))

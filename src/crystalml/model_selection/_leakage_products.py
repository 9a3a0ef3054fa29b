"""Targets that are a product of powers of several columns, none of which shows it alone."""

import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import cell_volume
from crystalml.model_selection._leakage_names import VOLUME_NAMES, is_named
from crystalml.model_selection._leakage_report import Finding
from crystalml.model_selection._leakage_verdicts import REMEDIES

# A product counts if it is within this of the target, relatively, in this share of the rows. No
# estimate from the composition is near: volumes per atom of like compounds differ by some percent.
_NEAR, _SHARE = 0.01, 0.9
_MOST_ROWS, _MOST_COLUMNS = 4000, 200
# Each refit leaves out the rows that fitted worst, so that wrong rows do not hide the law.
_TRIMMED, _REFITS = 0.1, 4


def product_findings(columns, target, crystals, seed):
    """Find the smallest product of columns that is the target, and the formula of the volume."""
    findings = [*_arithmetic(target, crystals)]
    if not np.all(target.numbers > 0):
        return findings
    rows = np.random.RandomState(seed).permutation(len(target.numbers))[:_MOST_ROWS]
    names, logs = _logarithms(columns, rows)
    y = np.log(target.numbers[rows])
    chance = _share_near(y - np.median(y))
    if len(names) < 2 or chance >= _SHARE or len(names) > _MOST_COLUMNS:
        return findings
    kept, share = _smallest_law(logs, y)
    if len(kept) < 2:
        return findings
    law = tuple(names[k] for k in kept)
    computed = tuple(name for name in law if is_named(name, VOLUME_NAMES)) or law
    evidence = (
        f"The product of powers of {', '.join(map(str, law))} is within {_NEAR:.0%} of the target "
        f"in {share:.1%} of the rows (a constant: {chance:.1%})."
    )
    kind = "target_formula"
    return [*findings, Finding("leak", kind, computed, share, chance, evidence, REMEDIES[kind])]


def _arithmetic(target, crystals):
    """Tell that the target is the volume of the cells, if so."""
    if crystals.cells is None:
        return
    with np.errstate(invalid="ignore"):
        difference = np.abs(cell_volume(crystals.cells) / target.numbers - 1)
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
            "If the cells are inputs, put the exact formula beside the model (volume_report).",
        )


def _logarithms(columns, rows):
    """Standardised logarithms of the columns of positive numbers, on some rows."""
    names, logs = [], []
    for column in columns:
        if column.numbers is None or column.names[0] in CELL_COLUMNS:
            continue
        values = column.numbers[rows]
        if np.all(values > 0) and np.all(np.isfinite(values)) and np.ptp(values) > 0:
            log = np.log(values)
            names.append(column.names[0])
            logs.append((log - log.mean()) / max(log.std(), 1e-12))
    return names, np.array(logs).T


def _smallest_law(logs, y):
    """Columns of the smallest product that is near the target, and its share of the rows."""
    kept = list(range(logs.shape[1]))
    share, weights = _fit(logs, y)
    if share < _SHARE:
        return [], share
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

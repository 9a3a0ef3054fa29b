"""From the scores of a column to a verdict; the thresholds stand here, each with its reason.

The reasons are figures of the packaged COD data, 18,736 entries described by their metadata, 46
cell descriptors and 145 composition descriptors, against seven targets.
"""

from typing import NamedTuple

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from crystalml.model_selection._leakage_columns import number_rows
from crystalml.model_selection._leakage_context import Crystals, Target
from crystalml.model_selection._leakage_report import Finding
from crystalml.model_selection._leakage_scores import (
    Folds,
    as_ordered,
    determines,
    fitted_score,
    follows,
    ranks,
)

# Skill (the score between chance and certainty) of the target from a column alone. Space group,
# Bravais lattice, point group and crystal system: honest columns stay below 0.4, encodings that
# are finer than the target come above 0.96.
DETERMINES_CLASS = 0.75
# R^2 of ranks. The number of atoms in the cell, the best column that is not the volume itself,
# gives 0.9 of the volume.
DETERMINES_NUMBER = 0.97
# Share of a column's variety that follows from the class: honest columns that do not merely
# repeat the metric stay below 0.82 (gamma: 0.78), encoded labels with one wrong row in a hundred
# come above 0.94.
FOLLOWS = 0.9
# Logicals such as "the metric is cubic" come up to 0.99; where cells are not known, only a column
# beyond that is certainly no such descriptor.
CERTAIN = 0.995
# What the lattice system gives of the target, beyond which a target is one of the metric.
_METRIC_TARGET = 0.9
_FEW_CLASSES = 20  # the same, where space groups are not known
# A column that trees predict from the cell to this degree is a descriptor of the cell ...
_OF_CELL = 0.9
# ... and honest unless it misses fewer rows than this share of those that the exact metric misses.
_BETTER_THAN_METRIC = 0.25


class Audit(NamedTuple):
    """What every check of a column needs."""

    target: Target
    crystals: Crystals
    folds: Folds
    estimator: object
    seed: int


class Scores(NamedTuple):
    """Scores of one column."""

    score: float
    skill: float
    follows: float


def score_column(column, audit):
    """Score a column against the target."""
    target = audit.target
    score = determines(
        column,
        target.values,
        audit.folds,
        is_class=target.is_class,
        estimator=audit.estimator,
        seed=audit.seed,
    )
    share = follows(column.codes, target.values) if target.is_class else np.nan
    return Scores(score, (score - target.chance) / (1 - target.chance), share)


def judge(column, scores, audit):
    """Find out whether a column is the target in another form."""
    if audit.target.is_class and scores.follows >= FOLLOWS:
        finding = judge_function(column, audit.target.values, "target", audit)
        if finding is not None:
            return finding
    limit = DETERMINES_CLASS if audit.target.is_class else DETERMINES_NUMBER
    return _judge_determining(column, scores, audit) if scores.skill >= limit else None


def judge_function(column, classes, of_what, audit):
    """Judge a column by what follows from the classes: a relabelling or coarsening of them.

    A descriptor of the cell follows from the exact metric at least as well as from the class;
    an encoded label, even one with wrong rows, follows better from the class.
    """
    share = follows(column.codes, classes)
    if not share >= FOLLOWS:
        return None
    metric = audit.crystals.metric
    severity, doubt = "leak", ""
    if metric is not None:
        if follows(column.codes, metric) >= share:
            return None
    elif share < CERTAIN and not column.is_text and _follows_family(column, share, audit):
        severity = "caution"
        doubt = " A column that tells whether the metric is cubic would look alike; give cells."
    evidence = (
        f"{share:.1%} of its variety follows from the {of_what} (about 0% for a column that has "
        f"nothing to do with it), as for a label encoded in {column.n_values} values.{doubt}"
    )
    kind = "symmetry" if audit.target.meaning == "symmetry" else "determines_target"
    return Finding(severity, kind, column.names, share, 0.0, evidence, REMEDIES[kind])


def _judge_determining(column, scores, audit):
    """Judge a column from which alone the target is predicted better than honest ones can."""
    severity, doubt = "leak", ""
    if column.is_text and column.names_entries:
        severity = "caution"
        doubt = " Its values name entries or papers, which repeat: split by them, or drop it."
    elif audit.crystals.cells is not None:
        if audit.target.is_class:
            if not _beats_metric(scores, audit) and _is_of_cell(column, audit):
                return None
        elif _is_of_cell(column, audit):
            severity = "caution"
            doubt = " It follows from the cell by arithmetic, and so may the target."
    elif not column.is_text and scores.skill < CERTAIN and _is_metric_target(audit.target):
        severity = "caution"
        doubt = " A descriptor of the cell may do that for such a target; give cells."
    measure = "Accuracy" if audit.target.is_class else "R^2 of ranks"
    evidence = (
        f"{measure} of the target from it alone, cross-validated: {scores.score:.3f} "
        f"(chance {audit.target.chance:.3f}).{doubt}"
    )
    kind = "determines_target"
    return Finding(
        severity, kind, column.names, scores.score, audit.target.chance, evidence, REMEDIES[kind]
    )


def _follows_family(column, share, audit):
    """Whether a column says no more than the lattice system does."""
    families = audit.target.families
    return families is None or follows(column.codes, families) >= share - 0.01


def _is_metric_target(target):
    """Whether the lattice system alone, which an exact cell shows, all but gives the target."""
    if not target.is_class:
        return False
    if target.families is None:
        return target.values.max() + 1 < _FEW_CLASSES
    return skill_of_lookup(target.families, target) >= _METRIC_TARGET


def skill_of_lookup(codes, target):
    """Skill of the best class for each value, on the same rows."""
    pairs, counts = np.unique(
        codes * (int(target.values.max()) + 1) + target.values, return_counts=True
    )
    best = np.zeros(codes.max() + 1)
    np.maximum.at(best, pairs // (int(target.values.max()) + 1), counts)
    return (best.sum() / len(codes) - target.chance) / (1 - target.chance)


def _beats_metric(scores, audit):
    """Whether a column leaves far fewer rows wrong than the exact metric does."""
    reached = skill_of_lookup(audit.crystals.metric, audit.target)
    return 1 - scores.skill < _BETTER_THAN_METRIC * (1 - reached)


def _is_of_cell(column, audit):
    """Whether a column is predicted from the cell."""
    cells = np.nan_to_num(audit.crystals.cells, nan=-1.0)
    a, b, c = cells[:, :3].T
    shape = np.column_stack([cells, b / a, c / a, c / b, a * b * c])
    options = {"n_estimators": 10, "min_samples_leaf": 2, "random_state": audit.seed}
    if column.is_listed:
        model = ExtraTreesClassifier(**options)
        if fitted_score(shape, column.codes, audit.folds, model, is_class=True) >= _OF_CELL:
            return True
    if column.numbers is None:
        return False
    model = ExtraTreesRegressor(**options)
    ordered = ranks(as_ordered(column))
    return fitted_score(shape, ordered, audit.folds, model, is_class=False) >= _OF_CELL


def without_bystanders(finding, column, members, audit):
    """Leave out of a finding the numbered columns that are in the set by accident.

    Of a one-hot set those stay whose active rows are of one class, or that follow from it; of
    another code those that follow from the others, as the bits of a hash do from enough bits.
    """
    if not column.is_one_hot:
        names = _that_hang_together(members)
        if names:
            return finding._replace(columns=names)
        doubt = " Together, that is: some of them may be no part of it."
        return finding._replace(evidence=finding.evidence + doubt)
    classes = audit.target.values
    kept = [
        name
        for position, name in enumerate(column.names, start=1)
        if _is_pure(column.codes == position, classes)
    ]
    return finding._replace(columns=tuple(kept) or column.names)


def _that_hang_together(members):
    """Names of the columns that follow from one another, or none."""
    members = list(members)
    while len(members) > 1:
        shares = [
            follows(member.codes, number_rows(*(m.codes for m in members if m is not member)))
            for member in members
        ]
        worst = int(np.argmin(np.nan_to_num(shares)))
        if np.nan_to_num(shares)[worst] >= FOLLOWS:
            return tuple(member.names[0] for member in members)
        members.pop(worst)
    return ()


def _is_pure(active, classes):
    rows = np.bincount(classes[active]) if active.any() else np.ones(1)
    indicator = number_rows(active.astype(np.int64))
    return rows.max() >= DETERMINES_CLASS * rows.sum() or follows(indicator, classes) >= FOLLOWS


REMEDIES = {
    "determines_target": "Drop it, unless it is known before the target is.",
    "symmetry": "Drop it: it is known only once the space group is.",
    "cell_contents": "Drop it: it takes the solved structure to know it.",
    "target_formula": "Drop what was computed from the target.",
}

"""Judge one column: by its scores, and by its name, its words and what it counts.

The thresholds stand here, each with its reason. The reasons are figures of the packaged COD data,
18,736 entries described by their metadata, 46 cell descriptors and 145 composition descriptors,
against seven targets.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from crystalml.crystallography import parse_formulas
from crystalml.model_selection._leakage._names import (
    CONTENTS_NAMES,
    SYMMETRY_NAMES,
    VOLUME_NAMES,
    is_named,
    vocabulary_of,
)
from crystalml.model_selection._leakage._report import REMEDIES, Finding
from crystalml.model_selection._leakage._scores import (
    fitted_score,
    follows,
    is_associated,
    number_rows,
    scaled_ranks,
    score_column,
    skill_of_lookup,
)
from crystalml.model_selection._leakage._table import ColumnSet, NumberColumn, TextColumn

# Skill (the score between chance and certainty) of the target from a column alone. Space group,
# Bravais lattice, point group and crystal system: honest columns stay below 0.4, encodings that
# are finer than the target come above 0.96.
DETERMINES_CLASS = 0.75
# R^2 of ranks. The number of atoms in the cell, the best column that is not the volume itself,
# gives 0.9 of the volume.
_DETERMINES_NUMBER = 0.97
# Share of a column's variety that follows from the class: honest columns that do not merely
# repeat the metric stay below 0.82 (gamma: 0.78), encoded labels with one wrong row in a hundred
# come above 0.94.
_FOLLOWS = 0.9
# Logicals such as "the metric is cubic" come up to 0.99; where cells are not known, only a column
# beyond that is certainly no such descriptor.
_CERTAIN = 0.995
# What the lattice system gives of the target, beyond which a target is one of the metric.
_METRIC_TARGET = 0.9
_FEW_CLASSES = 20  # the same, where space groups are not known
# A column that trees predict from the cell to this degree is a descriptor of the cell ...
_OF_CELL = 0.9
# ... and honest unless it misses fewer rows than this share of those that the exact metric misses.
_BETTER_THAN_METRIC = 0.25
# Rank correlation with the cell volume, at fixed size of the formula. On the packaged COD data Z
# reaches 0.84 and the number of atoms 0.93.
_COUNTS_CONTENTS = 0.7
# Below it a column is no count of contents though it is called so: Z may be the atomic number.
_COUNTS_NOTHING = 0.35
# What correlates with the volume beyond that is the volume.
_IS_VOLUME = 0.99
# Share of a column's words that must be formulas, and how many words are tried.
_READ_AS_FORMULA, _WORDS_TRIED = 0.9, 200
# R^2 of ranks below which a column with the name of something computed has nothing of the target.
_RELATED = 0.02
_CALLED = {
    "symmetry": "a column of symmetry",
    "cell_contents": "a count of what is in the cell",
    "target_formula": "a quantity computed from the volume",
}


def judge_column(column, scores, audit):
    """Judge a column or a set of columns; return a finding, or None for an honest one."""
    is_set = isinstance(column, ColumnSet)
    # The names of a set are those of its columns, which are judged one by one as well.
    known = None if is_set else _judge_known(column, scores, audit)
    if known is not None and known.kind == "cell_contents":
        return known
    finding = _judge_scores(column, scores, audit)
    if finding is None or (finding.severity != "leak" and known is not None):
        finding = known or finding
    if finding is None or finding.severity == "note" or not audit.target.is_class:
        return finding
    # A column of symmetry is named as such, though its scores would be reason enough.
    if has_known_name(column):
        kind = "symmetry" if known is None else known.kind
        return finding._replace(kind=kind, remedy=REMEDIES[kind])
    return _without_bystanders(finding, column, audit) if is_set else finding


def judge_function(column, classes, of_what, audit):
    """Judge a column by what follows from the classes: a relabelling or coarsening of them.

    A descriptor of the cell follows from the exact metric at least as well as from the class;
    an encoded label, even one with wrong rows, follows better from the class.
    """
    share = follows(column.codes, classes)
    if not share >= _FOLLOWS:
        return None
    severity, doubt = "leak", ""
    if audit.cells is not None:
        if follows(column.codes, audit.cells.metric) >= share:
            return None
    elif (
        share < _CERTAIN
        and not isinstance(column, TextColumn)
        and _follows_lattice_system(column, share, audit.target)
    ):
        severity = "caution"
        doubt = " A column that says whether the metric is cubic would look the same; give cells."
    evidence = (
        f"The {of_what} explains {share:.1%} of its variety (about 0% for an unrelated column), as "
        f"for a label encoded in {column.n_values} values.{doubt}"
    )
    kind = "symmetry" if audit.target.is_symmetry else "determines_target"
    return Finding(severity, kind, column.names, share, 0.0, evidence, REMEDIES[kind])


def has_known_name(column):
    """Whether one of the names is that of a column of symmetry or of cell contents."""
    return any(is_named(name, SYMMETRY_NAMES | CONTENTS_NAMES) for name in column.names)


def _judge_scores(column, scores, audit):
    """Find out by its scores whether a column is the target in another form."""
    if audit.target.is_class and scores.follows >= _FOLLOWS:
        finding = judge_function(column, audit.target.values, "target", audit)
        if finding is not None:
            return finding
    limit = DETERMINES_CLASS if audit.target.is_class else _DETERMINES_NUMBER
    return _judge_determining(column, scores, audit) if scores.skill >= limit else None


def _judge_determining(column, scores, audit):
    """Judge a column from which alone the target is predicted better than honest ones can."""
    target, is_text = audit.target, isinstance(column, TextColumn)
    severity, doubt = "leak", ""
    if is_text and column.names_entries:
        severity = "caution"
        doubt = " Its values name entries or papers, which repeat: split by them, or drop it."
    elif audit.cells is not None:
        if target.is_class:
            if not _beats_metric(scores, audit) and _is_of_cell(column, audit):
                return None
        elif _is_of_cell(column, audit):
            severity = "caution"
            doubt = " It follows from the cell by arithmetic, and so may the target."
    elif target.is_class and not is_text and scores.skill < _CERTAIN and _is_metric_target(audit):
        severity = "caution"
        doubt = " A descriptor of the cell may do that for such a target; give cells."
    measure = "Accuracy" if target.is_class else "R^2 of ranks"
    evidence = (
        f"{measure} of the target from it alone, cross-validated: {scores.score:.3f} "
        f"(chance {target.chance:.3f}).{doubt}"
    )
    kind = "determines_target"
    return Finding(
        severity, kind, column.names, scores.score, target.chance, evidence, REMEDIES[kind]
    )


def _follows_lattice_system(column, share, target):
    """Whether a column says no more than the lattice system does."""
    systems = target.lattice_systems
    return systems is None or follows(column.codes, systems) >= share - 0.01


def _is_metric_target(audit):
    """Whether the lattice system alone, which an exact cell shows, all but gives the classes."""
    if audit.target.lattice_systems is None:
        return audit.target.values.max() + 1 < _FEW_CLASSES
    return skill_of_lookup(audit.target.lattice_systems, audit.scoring) >= _METRIC_TARGET


def _beats_metric(scores, audit):
    """Whether a column leaves far fewer rows wrong than the exact metric does."""
    reached = skill_of_lookup(audit.cells.metric, audit.scoring)
    return 1 - scores.skill < _BETTER_THAN_METRIC * (1 - reached)


def _is_of_cell(column, audit):
    """Whether a column is predicted from the cell."""
    cells = np.nan_to_num(audit.cells.parameters, nan=-1.0)
    a, b, c = cells[:, :3].T
    # Trees cut along the axes, so ratios and products of edges must be columns.
    shape = np.column_stack([cells, b / a, c / a, c / b, a * b * c])
    folds = audit.scoring.folds
    options = {"n_estimators": 10, "min_samples_leaf": 2, "random_state": audit.scoring.seed}
    if column.is_listed:
        model = ExtraTreesClassifier(**options)
        if fitted_score(shape, column.codes, folds, model, is_class=True) >= _OF_CELL:
            return True
    if not isinstance(column, NumberColumn):
        return False
    ranks = scaled_ranks(column.ordered())
    model = ExtraTreesRegressor(**options)
    return fitted_score(shape, ranks, folds, model, is_class=False) >= _OF_CELL


def _without_bystanders(finding, column, audit):
    """Leave out of a finding the numbered columns that are in the set by accident.

    Of a one-hot set those stay whose active rows are of one class, or that follow from it; of
    another code those that follow from the others, as the bits of a hash do from enough bits.
    """
    if not column.is_one_hot:
        members = [member for member in audit.columns if member.name in column.names]
        names = _that_follow_from_one_another(members)
        if names:
            return finding._replace(columns=names)
        doubt = " That holds for all columns together; some of them may be no part of the code."
        return finding._replace(evidence=finding.evidence + doubt)
    classes = audit.target.values
    kept = [
        name
        for position, name in enumerate(column.names, start=1)
        if _is_pure(column.codes == position, classes)
    ]
    return finding._replace(columns=tuple(kept) or column.names)


def _that_follow_from_one_another(members):
    """Names of the columns that follow from one another, or none."""
    members = list(members)
    while len(members) > 1:
        shares = [
            follows(member.codes, number_rows(*(m.codes for m in members if m is not member)))
            for member in members
        ]
        # NaN: too few rows follow to say so, which counts as none.
        worst = int(np.argmin(np.nan_to_num(shares)))
        if np.nan_to_num(shares)[worst] >= _FOLLOWS:
            return tuple(member.name for member in members)
        members.pop(worst)
    return ()


def _is_pure(active, classes):
    """Whether the active rows of a one-hot column are of one class, or follow from the class."""
    rows = np.bincount(classes[active]) if active.any() else np.ones(1)
    indicator = number_rows(active.astype(np.int64))
    return rows.max() >= DETERMINES_CLASS * rows.sum() or follows(indicator, classes) >= _FOLLOWS


def _judge_known(column, scores, audit):
    """Judge a column by its name, its words and what it counts; None if it is none of these."""
    counted = _contents(column, audit)
    if counted is not None:
        return _as_contents(column, counted, scores, audit)
    kind, reason = _known_as(column, audit)
    if kind is None:
        return None
    if not _is_related(column.codes, scores, audit):
        return _unrelated(column, reason, scores, audit)
    if kind == "cell_contents":
        if _is_only_called_contents(column, audit):
            return None
        return _as_contents(column, (column.codes, reason), scores, audit)
    return _known_finding(column, kind, reason, scores, audit)


def _known_as(column, audit):
    """Kind of the column and the reason to think so, or (None, None)."""
    is_class = audit.target.is_class
    named = {"symmetry": SYMMETRY_NAMES} if is_class else {}
    named["cell_contents"] = CONTENTS_NAMES
    if not is_class and audit.target.is_volume:
        named["target_formula"] = VOLUME_NAMES
    for kind, names in named.items():
        if is_named(column.name, names):
            return kind, f"It has the name of {_CALLED[kind]}."
    if is_class and isinstance(column, TextColumn):
        vocabulary = vocabulary_of(audit.frame[column.name])
        if vocabulary is not None:
            return "symmetry", f"Its words are {vocabulary}."
    return None, None


def _contents(column, audit):
    """Codes and reason, if a column counts what is in the cell; else None."""
    if audit.volumes is None or audit.compositions is None:
        return None
    if isinstance(column, TextColumn):
        counts = _atoms_of_text(column, audit.frame)
    else:
        counts = column.numbers if _counts_something(column) else None
    if counts is None:
        return None
    reached, of_edges = _growth(counts, audit)
    # A length of the cell grows with the volume, too, but with an edge even more.
    if not _COUNTS_CONTENTS <= reached < _IS_VOLUME or reached < of_edges:
        return None
    reason = (
        f"It counts what is in the cell: its rank correlation with the volume, at equal size of "
        f"the formula, is {reached:.2f}."
    )
    if isinstance(column, NumberColumn):
        return column.codes, reason
    known = _where_growth_is_known(counts, audit)
    return np.unique(np.where(known, counts, -1), return_inverse=True)[1], reason


def _counts_something(column):
    """Whether the numbers recur or are whole, as counts are."""
    known = column.numbers[np.isfinite(column.numbers)]
    return column.is_listed or bool(np.all(known == np.rint(known)))


def _atoms_of_text(column, frame):
    """Atoms in each formula of a text column other than the formula; None if it is no such."""
    if column.name == "formula":
        return None
    # Each distinct text is parsed once, and a few of them first: most text is no formula.
    values = frame[column.name].astype(object)
    codes, words = pd.factorize(values.where(values.notna(), None))
    words = [str(word) for word in words]
    tried = parse_formulas(words[:_WORDS_TRIED], on_error="report") if words else None
    if tried is None or not tried.is_valid.mean() >= _READ_AS_FORMULA:
        return None
    table = parse_formulas(words, on_error="report")
    totals = np.where(table.is_valid, np.asarray(table.amounts.sum(axis=1)).ravel(), np.nan)
    # The code -1 of a missing text finds the NaN at the end.
    return np.append(totals, np.nan)[codes]


def _growth(counts, audit):
    """Correlation with the volume at fixed size of the formula, and the largest with an edge."""
    known = _where_growth_is_known(counts, audit)
    if known.sum() < 10 or np.ptp(counts[known]) == 0:
        return np.nan, np.nan
    size = rankdata(audit.compositions.n_atoms[known])
    edges = [] if audit.cells is None else audit.cells.parameters[known, :3].T
    of_edges = max((_partial(counts[known], edge, size) for edge in edges), default=0)
    return _partial(counts[known], audit.volumes[known], size), of_edges


def _where_growth_is_known(counts, audit):
    return (
        np.isfinite(counts) & np.isfinite(audit.volumes) & np.isfinite(audit.compositions.n_atoms)
    )


def _partial(values, volumes, size):
    """Rank correlation of two columns at fixed size of the formula."""
    residuals = []
    for column in (values, volumes):
        ranked = rankdata(column)
        slope, intercept = np.polyfit(size, ranked, 1) if np.ptp(size) else (0.0, ranked.mean())
        residuals.append(ranked - slope * size - intercept)
    spread = np.std(residuals[0]) * np.std(residuals[1])
    # What is left of a column that the size gives exactly is rounding.
    if spread < 1e-9 * len(values) ** 2:
        return 0.0
    return float(abs(np.mean(residuals[0] * residuals[1]) / spread))


def _is_only_called_contents(column, audit):
    """Whether numbers that bear the name of contents do not grow with the cell, as these do."""
    unknown = audit.volumes is None or audit.compositions is None
    if unknown or not isinstance(column, NumberColumn):
        return False
    reached, _ = _growth(column.numbers, audit)
    return bool(reached < _COUNTS_NOTHING)


def _is_related(codes, scores, audit):
    """Whether a column has anything to do with the target."""
    if not audit.target.is_class:
        return scores.skill > _RELATED
    return is_associated(codes, audit.target.values, audit.scoring.seed)


def _as_contents(column, counted, scores, audit):
    """Report a column that counts what is in the cell."""
    codes, reason = counted
    if isinstance(column, TextColumn):
        # The text itself names each entry; what it counts may say something about the target.
        counts = replace(column, codes=codes, n_values=int(codes.max()) + 1)
        scores = score_column(counts, audit.scoring)
    if not _is_related(codes, scores, audit):
        return _unrelated(column, reason, scores, audit)
    return _known_finding(column, "cell_contents", reason, scores, audit)


def _known_finding(column, kind, reason, scores, audit):
    """Report a known column that has something of the target."""
    target = audit.target
    # Symmetry is no secret where something else is predicted.
    is_leak = kind == "target_formula" or target.is_symmetry
    measure = "accuracy" if target.is_class else "R^2 of ranks"
    evidence = (
        f"{reason} Alone it gives the target with {measure} {scores.score:.3f} (chance "
        f"{target.chance:.3f})."
    )
    severity = "leak" if is_leak else "caution"
    return Finding(
        severity, kind, column.names, scores.score, target.chance, evidence, REMEDIES[kind]
    )


def _unrelated(column, reason, scores, audit):
    """Report a known column without a trace of the target: harmless, and strange."""
    return Finding(
        "note",
        "symmetry" if audit.target.is_class else "target_formula",
        column.names,
        scores.score,
        audit.target.chance,
        f"{reason} But it has nothing to do with the target, as if its rows had been shuffled.",
        "Check that the rows of X and y belong together.",
    )

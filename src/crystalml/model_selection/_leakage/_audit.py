"""Audit a table for leaks: read it, score its columns, and ask every check for findings."""

from dataclasses import replace
from numbers import Integral
from typing import Literal

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from crystalml._progress import progress_bar
from crystalml._typing import ArrayLike, CrossValidation, Estimator, Formulas, MatrixLike, Progress
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._leakage._names import vocabulary_of
from crystalml.model_selection._leakage._report import Finding, LeakageReport
from crystalml.model_selection._leakage._scores import score_column
from crystalml.model_selection._leakage._split import split_findings
from crystalml.model_selection._leakage._table import (
    CALLER,
    Audit,
    TextColumn,
    lattice_system_codes,
    spacegroup_numbers,
)
from crystalml.model_selection._leakage._traces import (
    metric_findings,
    preprocessing_findings,
    product_findings,
)
from crystalml.model_selection._leakage._verdicts import (
    DETERMINES_CLASS,
    has_known_name,
    judge_column,
    judge_function,
)

__all__ = ["audit_leakage"]

# A column that gives the target away may be a finer label, by which others give themselves away;
# it has at least so many values.
_FEWEST_LABELS = 15
# A one-hot set that is active in so many rows leaves room for none but its own columns.
_COVERS = 0.9
_TASKS = ("auto", "classification", "regression")


def audit_leakage(
    X: MatrixLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    split: tuple[ArrayLike, ArrayLike] | CrossValidation | None = None,
    formulas: Formulas | None = None,
    cells: pd.DataFrame | ArrayLike | None = None,
    spacegroups: ArrayLike | None = None,
    estimator: Estimator | None = None,
    task: Literal["auto", "classification", "regression"] = "auto",
    n_folds: int = 3,
    max_samples: int = 5000,
    random_state: int | None = None,
    n_jobs: int | None = None,
    progress: Progress = "auto",
) -> LeakageReport:
    """Audit a table for leaks: columns, rows and preprocessing that reveal the target.

    The audit looks for columns that determine the target alone; for columns that are derived
    from symmetry or count what is in the cell, by name and by content, however encoded; for rows
    and compounds on both sides of a split; for preprocessing that was fitted on all rows; and
    for cells whose exact equalities reveal the symmetry under which they were refined. Every
    finding names columns, evidence and remedy.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        The inputs of the model. Numbers and text are audited alike.
    y : array-like of shape (n_samples,)
        The target: space groups or other labels, or numbers such as volumes.
    groups : array-like of shape (n_samples,), default=None
        Groups that the split should keep together. Columns are scored on folds of whole groups;
        without groups, on folds of whole compounds where formulas are known.
    split : tuple (train, test), splitter, iterable of such tuples or int, default=None
        The split to audit: row numbers or masks of the two sides, or a splitter that makes
        them. Without it, repeated rows are counted.
    formulas : sequence of str of shape (n_samples,), default=None
        Formulas of the rows; by default the column ``formula`` of `X`, if it has one. A formula
        that cannot be read counts as a compound of its own.
    cells : DataFrame or array-like of shape (n_samples, 6), default=None
        a, b, c (Å), alpha, beta, gamma (degrees) of the rows; by default the columns of these
        names in `X`, if they hold unit cells. Only with cells can the audit distinguish
        descriptors of the cell from encoded labels; without them some findings are cautions.
    spacegroups : array-like of shape (n_samples,), default=None
        Space-group numbers or symbols, if `y` is something else that depends on them.
    estimator : estimator, default=None
        Fitted on one column at a time to score it. By default values that recur are looked up,
        and other numbers are given to a decision tree.
    task : {"auto", "classification", "regression"}, default="auto"
        Whether `y` are labels. ``"auto"``: text, logicals, space-group numbers and integers
        with at most one value for five rows, and at most 600, are.
    n_folds : int, default=3
        Folds in which columns are scored.
    max_samples : int, default=5000
        Estimators, the tree included, see at most so many rows, drawn at random; everything
        else is counted on all rows.
    random_state : int or None, default=None
        Seed of folds and samples. None means 0, so that two audits of a table agree.
    n_jobs : int, default=None
        Columns scored at the same time, as in joblib.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar; ``"auto"`` shows it on a terminal.

    Returns
    -------
    LeakageReport
        ``table`` with one row per finding, ``columns`` to drop, ``scores`` of all columns. The
        report is true if there is a leak.

    Raises
    ------
    InvalidInputError
        If lengths differ, `y` has missing values or a single one, column names repeat, or a
        parameter is not one of its choices.
    SchemaError
        If `cells` is a table that has some columns of a cell and lacks others.

    See Also
    --------
    composition_groups : Labels to split by.
    jitter_cells : Cells as they come from indexing.
    crystalml.descriptors.table_preprocessor : Drops columns that are known to leak.

    Notes
    -----
    Two figures decide about a column. Its *skill* is the cross-validated score of the target
    from it alone, between chance (0) and certainty (1): 0.75 is too much for one honest column,
    for which the entries of the COD give less than 0.4 of the space group, the Bravais lattice,
    the point group or the crystal system (0.97, in R^2 of ranks, where numbers are predicted).
    How far it *follows* is the share of its variety that the class explains: 0.9 is too much,
    unless the exact metric of the cell explains as much or more. The cell parameters, and what
    is computed from them, are honest inputs, though together they give crystal systems in nine
    cases of ten: gamma follows from the space group to 0.78.

    A name alone proves nothing. A column with the name or the words of a symmetry column is
    reported as a leak if rows of equal value share their class more often than in each of 20
    shuffles, and noted otherwise. The elemental ``SpaceGroupNumber`` of Magpie is a property of
    the composition, and not reported.

    The audit does not find medians filled in for missing values, nor columns scaled with a part
    of the rows: neither leaves a certain trace.

    Examples
    --------
    >>> from crystalml.crystallography import bravais_lattice
    >>> from crystalml.datasets import load_cod_inorganic
    >>> from crystalml.model_selection import audit_leakage
    >>> table, y = load_cod_inorganic(return_X_y=True)
    >>> table, y = table.head(1500), y.head(1500)
    >>> hidden = table.assign(code=(y * 37) % 231, lattice=bravais_lattice(y))
    >>> report = audit_leakage(hidden, y)
    >>> report.columns
    ['n_atoms', 'code', 'lattice']
    >>> report.table[["severity", "kind", "columns"]].head(3)
      severity           kind     columns
    0     leak  cell_contents  (n_atoms,)
    1     leak       symmetry     (code,)
    2     leak       symmetry  (lattice,)
    >>> bool(audit_leakage(table.drop(columns="n_atoms"), y))
    False
    """
    _check_parameters(task, n_folds, max_samples, random_state)
    audit = Audit(
        X,
        y,
        groups=groups,
        split=split,
        formulas=formulas,
        cells=cells,
        spacegroups=spacegroups,
        estimator=estimator,
        task=task,
        n_folds=n_folds,
        max_samples=max_samples,
        # Two audits of a table must agree, so None is a seed as well.
        seed=0 if random_state is None else int(random_state),
    )
    scores = _score_columns(audit, n_jobs=n_jobs, progress=progress)
    findings = _column_findings(audit, scores)
    # A number may be computed from several columns; a class is no product of numbers.
    if not audit.target.is_class:
        findings = _with_products(findings, audit)
    findings += split_findings(audit)
    findings += preprocessing_findings(audit)
    findings += metric_findings(audit)
    return LeakageReport(findings, _score_table(scores, audit.target.chance), len(audit.frame))


def _check_parameters(task, n_folds, max_samples, random_state):
    if task not in _TASKS:
        raise InvalidInputError(f"{CALLER}: task must be one of {_TASKS}, got {task!r}.")
    limits = {"n_folds": (n_folds, 2), "max_samples": (max_samples, 100)}
    if random_state is not None:
        limits["random_state"] = random_state, 0
    for name, (value, least) in limits.items():
        # True is an integer for Python, but no number of folds.
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InvalidInputError(
                f"{CALLER}: {name} must be an integer >= {least}, got {value!r}."
            )


def _score_columns(audit, *, n_jobs, progress):
    """Score every column and set; column -> scores."""
    columns = [*audit.columns, *audit.sets]
    bar = progress_bar(columns, enabled=progress, description="auditing", unit="column")
    scores = Parallel(n_jobs=n_jobs)(delayed(score_column)(c, audit.scoring) for c in bar)
    return dict(zip(columns, scores, strict=True))


def _column_findings(audit, scores):
    """Judge every column twice: alone, and again by what the first findings say of the target."""
    findings = _judge_alone(audit, scores)
    if not audit.target.is_class:
        return findings
    informed, references = _learn_from(findings, audit, scores)
    findings = _judge_again(findings, informed, references, scores, audit)
    return [_with_stragglers(finding, findings, audit) for finding in findings]


def _judge_alone(audit, scores):
    """First findings of all columns: what determines the target or follows from it."""
    findings: list[Finding] = []
    settled: set[str] = set()
    one_hot = [s for s in audit.sets if s.is_one_hot]
    codes = [s for s in audit.sets if not s.is_one_hot]
    # A one-hot set comes before its columns, each of which may look honest; a numbered code after
    # its columns, some of which may show themselves alone.
    for column in [*one_hot, *audit.columns, *codes]:
        if settled.issuperset(column.names):
            continue
        if column in one_hot and not settled.isdisjoint(column.names):
            continue
        finding = judge_column(column, scores[column], audit)
        if finding is None:
            continue
        # Of a numbered code some columns may have been reported alone.
        names = tuple(name for name in finding.columns if name not in settled)
        if names:
            findings.append(finding._replace(columns=names))
        if finding.severity != "note":
            settled.update(names)
    # A note calls a column unrelated; as a part of a set it may be related all the same.
    return [f for f in findings if f.severity != "note" or settled.isdisjoint(f.columns)]


def _learn_from(findings, audit, scores):
    """Learn what the target means, and find labels that are finer than it."""
    # Given space groups are the finest labels there can be.
    if audit.spacegroups is not None:
        return audit, [pd.factorize(audit.spacegroups)[0]]
    target, references = audit.target, []
    # Counts of what is in the cell go with any target, so they say nothing of its meaning.
    leaking = {f.columns for f in findings if f.severity == "leak" and f.kind != "cell_contents"}
    for column in audit.columns:
        # Identifiers of entries determine the target without being labels of the same kind.
        if column.names not in leaking or column.names_entries:
            continue
        is_fine = scores[column].skill >= DETERMINES_CLASS
        values = audit.frame[column.name]
        numbers = spacegroup_numbers(values) if is_fine else None
        if numbers is not None and target.lattice_systems is None:
            target = replace(target, lattice_systems=lattice_system_codes(numbers))
        has_words = isinstance(column, TextColumn) and vocabulary_of(values) is not None
        if numbers is not None or has_words or has_known_name(column):
            target = replace(target, is_symmetry=True)
        if is_fine and column.n_values >= max(_FEWEST_LABELS, target.values.max() + 2):
            references.append(column.codes)
    return audit.with_target(target), references


def _judge_again(findings, informed, references, scores, audit):
    """Judge columns in the light of what was found, those without a certain finding again."""
    # A leak is settled, and so is a set, whose columns say little one by one.
    certain = [f for f in findings if f.severity == "leak" or len(f.columns) > 1]
    first = {f.columns: f for f in findings if f not in certain}
    settled = {name for finding in certain for name in finding.columns}
    is_news = informed.target.is_symmetry != audit.target.is_symmetry
    found = list(certain)
    for column in audit.columns:
        if column.name in settled:
            continue
        finding = first.get(column.names)
        if is_news:
            finding = judge_column(column, scores[column], informed)
        # Where the target is coarse, a column may follow from the space group alone.
        for classes in references if informed.target.is_symmetry else ():
            if finding is None or finding.severity != "leak":
                finding = judge_function(column, classes, "space group", informed) or finding
        if finding is not None:
            found.append(finding)
    return found


def _with_stragglers(finding, findings, audit):
    """Add to a flagged one-hot set the columns of few rows that only fit into its gaps."""
    codes = {s.names: s.codes for s in audit.sets if s.is_one_hot}
    # Of fewer columns the gaps are so wide that any rare logical fits into them.
    names = next((n for n in codes if set(finding.columns) <= set(n)), None)
    if len(finding.columns) < 3 or finding.severity != "leak" or names is None:
        return finding
    places = [names.index(name) + 1 for name in finding.columns]
    covered = np.isin(codes[names], places)
    if covered.mean() < _COVERS:
        return finding
    settled = {name for other in findings for name in other.columns}
    fitting = [
        column.name
        for column in audit.columns
        if column.n_values == 2
        and column.name not in settled
        and not isinstance(column, TextColumn)
        and not covered[column.codes == 1].any()
    ]
    return finding._replace(columns=(*finding.columns, *fitting))


def _with_products(findings, audit):
    """Add products of columns that are the target; what is in one is not noted as unrelated."""
    leaking = {name for f in findings if f.severity == "leak" for name in f.columns}
    products = product_findings(audit, leaking)
    explained = {name for product in products for name in product.columns}
    kept = [f for f in findings if f.severity != "note" or explained.isdisjoint(f.columns)]
    return [*kept, *products]


def _score_table(scores, chance):
    """Scores of all columns and sets."""
    return pd.DataFrame(
        {
            "columns": [column.names for column in scores],
            "score": [s.score for s in scores.values()],
            "chance": np.full(len(scores), chance),
            "skill": [s.skill for s in scores.values()],
            "follows": [s.follows for s in scores.values()],
            "n_values": [column.n_values for column in scores],
        }
    )

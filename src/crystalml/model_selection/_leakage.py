"""Find what makes a score too good: columns, rows and preprocessing that know the answer."""

from numbers import Integral
from typing import Literal

import numpy as np
import pandas as pd

from crystalml._typing import ArrayLike, CrossValidation, Estimator, Formulas, MatrixLike, Progress
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._leakage_columns import as_frame, read_columns
from crystalml.model_selection._leakage_context import (
    CALLER,
    read_crystals,
    read_target,
    spacegroup_numbers,
)
from crystalml.model_selection._leakage_findings import column_findings
from crystalml.model_selection._leakage_preprocessing import (
    metric_findings,
    preprocessing_findings,
)
from crystalml.model_selection._leakage_products import product_findings
from crystalml.model_selection._leakage_report import LeakageReport
from crystalml.model_selection._leakage_scores import make_folds
from crystalml.model_selection._leakage_split import read_split, split_findings
from crystalml.model_selection._leakage_verdicts import Audit

__all__ = ["audit_leakage"]

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
    """Audit a table for leaks: columns, rows and preprocessing that know the answer.

    Looked for are columns that determine the target alone; columns that are derived from
    symmetry or count what is in the cell, by name and by content, however encoded; rows and
    compounds on both sides of a split; preprocessing that was fitted on all rows; and cells
    whose exact equalities tell the symmetry they were refined under. Every finding names
    columns, evidence and remedy.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        The inputs of the model, as it would get them. Numbers and text are audited alike.
    y : array-like of shape (n_samples,)
        The target: space groups or other labels, or numbers such as volumes.
    groups : array-like of shape (n_samples,), default=None
        Groups that the split should keep together. Columns are scored on folds that do; without
        them, on folds that keep compounds together where formulas are known.
    split : tuple (train, test), splitter, iterable of such tuples or int, default=None
        The split to audit: row numbers or masks of the two sides, or whatever makes them.
        Without it, repeated rows are counted.
    formulas : sequence of str of shape (n_samples,), default=None
        Formulas of the rows; by default the column ``formula`` of `X`, if it has one. Those
        that cannot be read stand alone.
    cells : DataFrame or array-like of shape (n_samples, 6), default=None
        a, b, c (Å), alpha, beta, gamma (degrees) of the rows; by default the columns of these
        names in `X`, if they hold unit cells. They are needed to tell descriptors of the cell
        from encoded labels; without them some findings are only cautions.
    spacegroups : array-like of shape (n_samples,), default=None
        Space-group numbers or symbols, where `y` is something else that depends on them.
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
        Seed of folds and samples. None is the seed 0: an audit says the same twice.
    n_jobs : int, default=None
        Columns scored at the same time, as in joblib.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar; ``"auto"`` shows it on a terminal.

    Returns
    -------
    LeakageReport
        ``table`` with one row per finding, ``columns`` to drop, ``scores`` of all columns. It
        is true where there is a leak.

    Raises
    ------
    InvalidInputError
        If lengths differ, `y` has missing values or a single one, column names repeat, or a
        parameter is not one of its choices.

    See Also
    --------
    composition_groups : Labels to split by.
    jitter_cells : Cells as they come from indexing.
    crystalml.descriptors.table_preprocessor : Leaves out columns that are known to leak.

    Notes
    -----
    Two figures decide about a column. Its *skill* is the cross-validated score of the target
    from it alone, between chance (0) and certainty (1): 0.75 is too much for one honest column,
    for which the entries of the COD give less than 0.4 of the space group, the Bravais lattice,
    the point group or the crystal system (0.97, in R^2 of ranks, where numbers are predicted).
    How far it *follows* is the share of its variety that the class explains: 0.9 is too much,
    whatever the values look like, unless the exact metric of the cell explains it as well or
    better. The cell parameters, and what is computed from them, are honest inputs, though
    together they give crystal systems in nine cases of ten: gamma follows from the space group
    to 0.78.

    A name alone proves nothing. A column with the name or the words of a symmetry column is
    reported as a leak if rows of equal value share their class more often than in each of 20
    shuffles, and noted otherwise. The elemental ``SpaceGroupNumber`` of Magpie is a property of
    the composition, and not reported.

    Medians filled in for missing values, and columns scaled with a part of the rows, leave no
    certain trace and are not found.

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
    frame = as_frame(X)
    _check_lengths(frame, y=y, groups=groups, spacegroups=spacegroups)
    seed = 0 if random_state is None else int(random_state)
    target = read_target(y, task, spacegroups)
    crystals = read_crystals(frame, cells, formulas)
    groups = None if groups is None else pd.factorize(np.asarray(groups))[0]
    kept_together = _first_known(groups, crystals.compounds, np.arange(len(frame)))
    kept_together = np.unique(kept_together, return_inverse=True)[1]
    folds = make_folds(kept_together, n_folds, max_samples, seed)
    audit = Audit(target, crystals, folds, estimator, seed)
    columns = read_columns(frame)
    pairs = read_split(split, len(frame), np.asarray(y), groups)

    findings, scores = column_findings(
        frame,
        columns,
        audit,
        reference=_reference(spacegroups),
        n_jobs=n_jobs,
        progress=progress,
    )
    if not target.is_class:
        findings = _with_products(findings, columns, target, crystals, seed)
    findings += split_findings(columns, groups, pairs, crystals)
    rows = _rows(pairs, len(frame))
    train = np.isin(rows, pairs[0][0]) if pairs and len(pairs) == 1 else None
    findings += preprocessing_findings(columns, rows, train, is_split=bool(pairs))
    findings += metric_findings(crystals, target)
    return LeakageReport(findings, scores, len(frame))


def _with_products(findings, columns, target, crystals, seed):
    """Add products of columns that are the target; what is in one is not noted as unrelated."""
    leaking = {name for f in findings if f.severity == "leak" for name in f.columns}
    others = [column for column in columns if column.names[0] not in leaking]
    products = product_findings(others, target, crystals, seed)
    explained = {name for product in products for name in product.columns}
    kept = [f for f in findings if f.severity != "note" or explained.isdisjoint(f.columns)]
    return [*kept, *products]


def _check_parameters(task, n_folds, max_samples, random_state):
    if task not in _TASKS:
        raise InvalidInputError(f"{CALLER}: task must be one of {_TASKS}, got {task!r}.")
    limits = {"n_folds": (n_folds, 2), "max_samples": (max_samples, 100)}
    if random_state is not None:
        limits["random_state"] = random_state, 0
    for name, (value, least) in limits.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InvalidInputError(
                f"{CALLER}: {name} must be an integer >= {least}, got {value!r}."
            )


def _check_lengths(frame, **others):
    for name, values in others.items():
        if values is not None and len(values) != len(frame):
            raise InvalidInputError(
                f"{CALLER}: got {len(frame)} rows and {len(values)} values of {name}; the numbers "
                "must be equal."
            )


def _first_known(*values):
    return next(value for value in values if value is not None)


def _reference(spacegroups):
    """Numbers of the space groups that were given."""
    if spacegroups is None:
        return None
    numbers = spacegroup_numbers(pd.Series(np.asarray(spacegroups), name="spacegroup_number"))
    if numbers is None:
        raise InvalidInputError(
            f"{CALLER}: spacegroups must be numbers from 1 to 230 or symbols of space groups, got "
            f"values such as {np.asarray(spacegroups)[:1].tolist()!r}."
        )
    return numbers


def _rows(pairs, n_rows):
    """Rows of both sides of the split, in order."""
    if pairs is None:
        return np.arange(n_rows)
    return np.unique(np.concatenate([np.concatenate(pair) for pair in pairs]))

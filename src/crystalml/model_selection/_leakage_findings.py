"""All columns of a table, alone and in sets, judged one after another."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from crystalml._progress import progress_bar
from crystalml.crystallography import lattice_system
from crystalml.model_selection._leakage_columns import joint_columns
from crystalml.model_selection._leakage_context import spacegroup_numbers
from crystalml.model_selection._leakage_known import judge_known
from crystalml.model_selection._leakage_names import (
    CONTENTS_NAMES,
    SYMMETRY_NAMES,
    is_named,
    vocabulary_of,
)
from crystalml.model_selection._leakage_report import Finding
from crystalml.model_selection._leakage_verdicts import (
    DETERMINES_CLASS,
    REMEDIES,
    judge,
    judge_function,
    score_column,
    without_bystanders,
)

# A column that gives the target away may be a finer label, against which others show themselves;
# it has at least so many values.
_FEWEST_LABELS = 15
# A set that is active in so many rows leaves room for none but its own columns.
_COVERS = 0.9


class _Table(NamedTuple):
    """The table and its columns, with the score of each and of each set."""

    frame: pd.DataFrame
    columns: list
    sets: list
    scored: dict


def column_findings(frame, columns, audit, *, reference, n_jobs, progress):
    """Judge every column; return the findings and the table of scores."""
    sets = joint_columns(columns)
    everything = [*columns, *sets]
    bar = progress_bar(everything, enabled=progress, description="auditing", unit="column")
    scores = Parallel(n_jobs=n_jobs)(delayed(score_column)(column, audit) for column in bar)
    scored = dict(zip([column.names for column in everything], scores, strict=True))
    table = _Table(frame, columns, sets, scored)
    findings = _judged(table, audit)
    if audit.target.is_class:
        informed, references = _informed(table, findings, audit, reference)
        learned = informed.target.meaning != audit.target.meaning
        findings = _judged_again(table, findings, informed, references, learned=learned)
        findings = [_with_stragglers(finding, table, findings) for finding in findings]
    return findings, _score_table(everything, scores, audit)


def _judged(table, audit):
    """First findings of all columns: what determines the target or follows from it."""
    findings: list[Finding] = []
    settled: set[str] = set()
    one_hot = [s for s in table.sets if s.is_one_hot]
    codes = [s for s in table.sets if not s.is_one_hot]
    for column in [*one_hot, *table.columns, *codes]:
        if settled.issuperset(column.names):
            continue
        if column.is_one_hot and not settled.isdisjoint(column.names):
            continue
        finding = _judge_first(column, table, audit)
        if finding is None:
            continue
        # Of a code some columns may show themselves alone.
        names = tuple(name for name in finding.columns if name not in settled)
        if names:
            findings.append(finding._replace(columns=names))
        if finding.severity != "note":
            settled.update(names)
    return [f for f in findings if f.severity != "note" or settled.isdisjoint(f.columns)]


def _judge_first(column, table, audit):
    """Judge one column or set."""
    scores = table.scored[column.names]
    known = None if len(column.names) > 1 else judge_known(column, scores, table.frame, audit)
    if known is not None and known.kind == "cell_contents":
        return known
    finding = judge(column, scores, audit)
    if finding is None or (finding.severity != "leak" and known is not None):
        finding = known or finding
    if finding is None or finding.severity == "note" or not audit.target.is_class:
        return finding
    if _is_known(column):
        kind = "symmetry" if known is None else known.kind
        return finding._replace(kind=kind, remedy=REMEDIES[kind])
    if len(column.names) == 1:
        return finding
    members = [member for member in table.columns if member.names[0] in column.names]
    return without_bystanders(finding, column, members, audit)


def _judged_again(table, findings, audit, references, *, learned):
    """Judge in the light of what was found: other columns by finer labels, known ones again."""
    certain = [f for f in findings if f.severity == "leak" or len(f.columns) > 1]
    first = {f.columns: f for f in findings if f not in certain}
    settled = {name for finding in certain for name in finding.columns}
    found = list(certain)
    for column in table.columns:
        if column.names[0] in settled:
            continue
        finding = first.get(column.names)
        if learned:
            finding = _judge_first(column, table, audit)
        for classes in references if audit.target.meaning == "symmetry" else ():
            if finding is None or finding.severity != "leak":
                finding = judge_function(column, classes, "space group", audit) or finding
        if finding is not None:
            found.append(finding)
    return found


def _informed(table, findings, audit, reference):
    """Learn what the target means, and find labels that are finer than it."""
    target = audit.target
    if reference is not None:
        return audit, [pd.factorize(reference)[0]]
    leaking = {f.columns for f in findings if f.severity == "leak" and f.kind != "cell_contents"}
    references, families, meaning = [], target.families, target.meaning
    for column in table.columns:
        telling = table.scored[column.names].skill >= DETERMINES_CLASS
        if column.names not in leaking or column.names_entries:
            continue
        numbers = spacegroup_numbers(table.frame[column.names[0]]) if telling else None
        if numbers is not None and families is None:
            families = np.unique(lattice_system(numbers).astype(str), return_inverse=True)[1]
        words = column.is_text and vocabulary_of(table.frame[column.names[0]]) is not None
        if numbers is not None or words or _is_known(column):
            meaning = "symmetry"
        if telling and column.n_values >= max(_FEWEST_LABELS, target.values.max() + 2):
            references.append(column.codes)
    informed = target._replace(meaning=meaning, families=families)
    return audit._replace(target=informed), references


def _with_stragglers(finding, table, findings):
    """Add to a flagged one-hot set the columns of few rows that only fit into its gaps."""
    codes = {s.names: s.codes for s in table.sets if s.is_one_hot}
    names = next((n for n in codes if set(finding.columns) <= set(n)), None)
    if len(finding.columns) < 3 or finding.severity != "leak" or names is None:
        return finding
    places = [names.index(name) + 1 for name in finding.columns]
    covered = np.isin(codes[names], places)
    if covered.mean() < _COVERS:
        return finding
    settled = {name for other in findings for name in other.columns}
    fitting = [
        column.names[0]
        for column in table.columns
        if column.n_values == 2
        and column.names[0] not in settled
        and column.numbers is not None
        and not covered[column.codes == 1].any()
    ]
    return finding._replace(columns=(*finding.columns, *fitting))


def _is_known(column):
    return any(is_named(name, SYMMETRY_NAMES | CONTENTS_NAMES) for name in column.names)


def _score_table(columns, scores, audit):
    """Scores of all columns and sets."""
    return pd.DataFrame(
        {
            "columns": [column.names for column in columns],
            "score": [s.score for s in scores],
            "chance": np.full(len(scores), audit.target.chance),
            "skill": [s.skill for s in scores],
            "follows": [s.follows for s in scores],
            "n_values": [column.n_values for column in columns],
        }
    )

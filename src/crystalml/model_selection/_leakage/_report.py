"""The result of an audit: findings with evidence and remedy."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

__all__ = ["LeakageReport"]

SEVERITIES = ("leak", "caution", "note")
# Kinds of findings about columns that give the target away, and what to do about them.
REMEDIES = {
    "determines_target": "Drop it, unless it is known before the target is.",
    "symmetry": "Drop it: it is known only when the space group is known.",
    "cell_contents": "Drop it: it is known only from the solved structure.",
    "target_formula": "Drop what was computed from the target.",
}
# Columns are shown by name up to this many.
_SHOWN = 6


class Finding(NamedTuple):
    """One row of the table of a report."""

    severity: str
    kind: str
    columns: tuple
    score: float
    chance: float
    evidence: str
    remedy: str


class LeakageReport:
    """Findings of `audit_leakage`.

    The report is true if it holds a leak; with cautions and notes alone it is false.

    Parameters
    ----------
    findings : list of tuple
        The rows of `table`, in any order.
    scores : DataFrame
        Scores of all columns, see below.
    n_rows : int
        Rows audited.

    Attributes
    ----------
    table : DataFrame
        One row per finding, the most severe first.

        - ``severity``: ``"leak"`` (scores are too good), ``"caution"`` (depends on the use, or
          cannot be distinguished from an honest column) or ``"note"``.
        - ``kind``: ``"determines_target"``, ``"symmetry"``, ``"cell_contents"``,
          ``"target_formula"``, ``"split"``, ``"preprocessing"`` or ``"exact_metric"``.
        - ``columns``: tuple of the columns it is about; empty for findings about rows.
        - ``score``, ``chance``: the figure in `evidence`, and its value by chance; NaN where
          there is none.
        - ``evidence``, ``remedy``: a sentence each.
    columns : list
        Columns that give the target away, in the order of `X`: those of the leaks of the
        first four kinds. Drop them.
    scores : DataFrame
        For each column, or set of columns that encode one value: ``columns``; ``score``, the
        cross-validated score of the target from it alone; ``chance``; ``skill``, the score
        between chance (0) and certainty (1); ``follows``, the share of its variety that the
        class explains (NaN for numbers to predict); ``n_values``.
    n_rows : int
        Rows audited.

    Examples
    --------
    >>> from crystalml.datasets import load_cod_inorganic
    >>> from crystalml.model_selection import audit_leakage
    >>> cod = load_cod_inorganic()
    >>> table = cod.frame.head(2000).drop(columns="spacegroup_number")
    >>> report = audit_leakage(table, cod.target.head(2000))
    >>> bool(report), report.columns
    (True, ['n_atoms', 'crystal_system', 'bravais_lattice'])
    """

    def __init__(self, findings: Iterable[Finding], scores: pd.DataFrame, n_rows: int) -> None:
        # The sort is stable: within a severity the findings stay in the order of the checks.
        order = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.table = pd.DataFrame(order, columns=list(Finding._fields))
        self.scores = scores
        self.n_rows = n_rows
        leaking = {
            name
            for finding in order
            if finding.severity == "leak" and finding.kind in REMEDIES
            for name in finding.columns
        }
        # The scores list sets after the columns, so each name comes first in the order of X.
        in_order = [name for names in scores["columns"] for name in names]
        self.columns = [name for name in dict.fromkeys(in_order) if name in leaking]

    def __bool__(self) -> bool:
        return bool((self.table["severity"] == "leak").any())

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        counts = self.table["severity"].value_counts()
        said = ", ".join(_counted(int(counts[s]), s) for s in SEVERITIES if s in counts.index)
        lines = [f"LeakageReport of {self.n_rows} rows: {said or 'nothing found'}"]
        for row in self.table.itertuples():
            about = f" {_shown(row.columns)}:" if row.columns else ""
            lines.append(f"- {row.severity}, {row.kind}:{about} {row.evidence} {row.remedy}")
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Write the findings as a Markdown table.

        Returns
        -------
        str
            A row per finding: severity, kind, columns, score, chance, evidence, remedy.

        Examples
        --------
        >>> import pandas as pd
        >>> from crystalml.model_selection import audit_leakage
        >>> X = pd.DataFrame({"Z": [2, 4] * 20, "temperature": [293, 293, 100, 100] * 10})
        >>> report = audit_leakage(X, ["P -1", "P 1 21/c 1"] * 20)
        >>> print(report.to_markdown().splitlines()[2][:42])
        | leak | cell_contents | Z | 1.000 | 0.500
        """
        head = list(Finding._fields)
        lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
        for row in self.table.itertuples(index=False):
            cells = (
                *(row.severity, row.kind, _shown(row.columns), _figure(row.score)),
                *(_figure(row.chance), row.evidence, row.remedy),
            )
            # A bar in a name or a symbol would end the cell.
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(lines)


def _shown(columns):
    """Names of columns, the first of them where there are many."""
    names = ", ".join(str(name) for name in columns[:_SHOWN])
    more = len(columns) - _SHOWN
    return f"{names} and {more} more" if more > 0 else names


def _counted(count, word):
    plural = "s" if count != 1 else ""
    return f"{count} {word}{plural}"


def _figure(value):
    return "" if pd.isna(value) else f"{value:.3f}"

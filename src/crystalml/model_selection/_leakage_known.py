"""Columns that give symmetry away by what they are: by name, by their words, by what they count."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from crystalml.crystallography import parse_formulas
from crystalml.model_selection._leakage_names import (
    CONTENTS_NAMES,
    SYMMETRY_NAMES,
    VOLUME_NAMES,
    is_named,
    vocabulary_of,
)
from crystalml.model_selection._leakage_report import Finding
from crystalml.model_selection._leakage_scores import is_associated
from crystalml.model_selection._leakage_verdicts import REMEDIES, score_column

# Rank correlation with the cell volume, at fixed size of the formula. On the packaged COD data Z
# reaches 0.84 and the number of atoms 0.93.
_COUNTS_CONTENTS = 0.7
# Below it a column is no count of contents though it is called so: Z may be the atomic number.
_COUNTS_NOTHING = 0.35
# What correlates with the volume beyond that is the volume.
_IS_VOLUME = 0.99
_READ_AS_FORMULA = 0.9
_CALLED = {
    "symmetry": "a column of symmetry",
    "cell_contents": "what is counted in the cell",
    "target_formula": "what is computed from the volume",
}
# R^2 of ranks below which a column with the name of something computed has nothing of the target.
_TELLING = 0.02


def judge_known(column, scores, frame, audit):
    """Judge a column by its name, its words and what it counts; None if it is none of these."""
    counted = _contents(column, frame, audit)
    if counted is not None:
        return _as_contents(column, counted, scores, audit)
    kind, reason = _known_as(column, frame, audit.target)
    if kind is None:
        return None
    if not _tells(column.codes, scores, audit):
        return _unrelated(column, reason, scores, audit)
    if kind == "cell_contents":
        if _is_only_called_contents(column, audit):
            return None
        return _as_contents(column, (column.codes, reason), scores, audit)
    return _finding(column, kind, reason, scores, audit)


def _known_as(column, frame, target):
    """Kind of the column and the reason to think so, or (None, None)."""
    named = {
        "symmetry": SYMMETRY_NAMES,
        "cell_contents": CONTENTS_NAMES,
        "target_formula": VOLUME_NAMES if target.meaning == "volume" else frozenset(),
    }
    if not target.is_class:
        del named["symmetry"]
    for kind, names in named.items():
        if any(is_named(name, names) for name in column.names):
            return kind, f"It has the name of {_CALLED[kind]}."
    if column.is_text and target.is_class:
        vocabulary = vocabulary_of(frame[column.names[0]])
        if vocabulary is not None:
            return "symmetry", f"Its words are {vocabulary}."
    return None, None


def _contents(column, frame, audit):
    """Codes and reason, if a column counts what is in the cell; else None."""
    volumes, atoms = audit.crystals.volumes, audit.crystals.atoms
    if volumes is None or atoms is None or len(column.names) > 1:
        return None
    counts = _atoms_of_text(column, frame) if column.is_text else column.numbers
    if counts is None or not (column.is_text or _counts_something(column)):
        return None
    reached, of_edges = _growth(counts, audit.crystals)
    if not _COUNTS_CONTENTS <= reached < _IS_VOLUME or reached < of_edges:
        return None
    reason = (
        f"It counts what is in the cell: its rank correlation with the volume, at equal size of "
        f"the formula, is {reached:.2f}."
    )
    if not column.is_text:
        return column.codes, reason
    known = np.isfinite(counts) & np.isfinite(volumes) & np.isfinite(atoms)
    return np.unique(np.where(known, counts, -1), return_inverse=True)[1], reason


def _growth(counts, crystals):
    """Correlation with the volume at fixed size of the formula, and the largest with an edge."""
    volumes, atoms, cells = crystals.volumes, crystals.atoms, crystals.cells
    known = np.isfinite(counts) & np.isfinite(volumes) & np.isfinite(atoms)
    if known.sum() < 10 or np.ptp(counts[known]) == 0:
        return np.nan, np.nan
    size = rankdata(atoms[known])
    edges = [] if cells is None else [_partial(counts[known], e, size) for e in cells[known, :3].T]
    return _partial(counts[known], volumes[known], size), max(edges, default=0)


def _is_only_called_contents(column, audit):
    """Whether numbers that bear the name of contents do not grow with the cell, as these do."""
    crystals = audit.crystals
    unknown = crystals.volumes is None or crystals.atoms is None or column.numbers is None
    if unknown or len(column.names) > 1:
        return False
    reached, _ = _growth(column.numbers, crystals)
    return bool(reached < _COUNTS_NOTHING)


def _counts_something(column):
    """Whether the numbers recur or are whole, as counts are."""
    known = column.numbers[np.isfinite(column.numbers)]
    return column.is_listed or bool(np.all(known == np.rint(known)))


def _atoms_of_text(column, frame):
    """Atoms in each formula of a text column other than the formula; None if it is no such."""
    if column.names[0] == "formula":
        return None
    values = frame[column.names[0]].astype(object)
    text = values.where(values.notna(), None)
    codes, words = pd.factorize(text)
    if not len(words) or not parse_formulas([str(w) for w in words[:200]], on_error="report"
    ).is_valid.mean() >= _READ_AS_FORMULA:  # fmt: skip
        return None
    table = parse_formulas([str(word) for word in words], on_error="report")
    totals = np.where(table.is_valid, np.asarray(table.amounts.sum(axis=1)).ravel(), np.nan)
    return np.append(totals, np.nan)[codes]


def _partial(values, volumes, size):
    """Rank correlation of two columns at fixed size of the formula."""
    residuals = []
    for column in (values, volumes):
        ranked = rankdata(column)
        slope, intercept = np.polyfit(size, ranked, 1) if np.ptp(size) else (0.0, ranked.mean())
        residuals.append(ranked - slope * size - intercept)
    spread = np.std(residuals[0]) * np.std(residuals[1])
    if spread < 1e-9 * len(values) ** 2:
        return 0.0
    return float(abs(np.mean(residuals[0] * residuals[1]) / spread))


def _tells(codes, scores, audit):
    """Whether a column has anything of the target."""
    if not audit.target.is_class:
        return scores.skill > _TELLING
    return is_associated(codes, audit.target.values, audit.seed)


def _as_contents(column, counted, scores, audit):
    codes, reason = counted
    if column.is_text:
        # The text itself names each entry; what counts is what it counts.
        numbered = column._replace(codes=codes, n_values=int(codes.max()) + 1)
        scores = score_column(numbered, audit)
    if not _tells(codes, scores, audit):
        return _unrelated(column, reason, scores, audit)
    return _finding(column, "cell_contents", reason, scores, audit)


def _finding(column, kind, reason, scores, audit):
    """Report a known column that has something of the target."""
    target = audit.target
    severity = "leak"
    if kind != "target_formula" and target.meaning != "symmetry":
        # Symmetry is no secret where something else is predicted.
        severity = "caution"
    measure = "accuracy" if target.is_class else "R^2 of ranks"
    evidence = (
        f"{reason} Alone it gives the target with {measure} {scores.score:.3f} (chance "
        f"{target.chance:.3f})."
    )
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

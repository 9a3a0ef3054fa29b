"""What is told beside the probabilities of space groups: evidence, neighbours, novelty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._ranking import rank_table


def as_numbers(y, *, caller):
    """Return labels as International Tables numbers, or raise."""
    y = np.asarray(y)
    try:
        numbers = y.astype(np.int64)
        is_whole = (numbers == y.astype(float)).all()
    except (TypeError, ValueError):
        is_whole = False
    if not is_whole or y.ndim != 1 or ((numbers < 1) | (numbers > 230)).any():
        wrong = next((v for v in y.ravel().tolist() if not _is_number(v)), y.shape)
        raise InvalidInputError(
            f"{caller}: y must hold space-group numbers from 1 to 230, one per row, got "
            f"{wrong!r}; spacegroup_number turns symbols into them."
        )
    return numbers


def _is_number(value):
    try:
        return 1 <= float(value) <= 230 and float(value) == int(float(value))
    except (TypeError, ValueError):
        return False


def entry_table(X, y):
    """Keep of the training rows what an explanation shows."""
    names = [name for name in ("formula", *CELL_COLUMNS) if name in getattr(X, "columns", ())]
    if names:
        kept = X[names].copy()
    else:
        kept = pd.DataFrame({"formula": list(X)} if np.ndim(X) == 1 else np.asarray(X))
    index = X.index if hasattr(X, "index") else np.arange(len(y))
    kept.insert(0, "spacegroup_number", y)
    kept.insert(0, "entry", np.asarray(index))
    return kept.reset_index(drop=True)


def with_log_likelihood(probabilities, classes, log_likelihood, *, caller):
    """Multiply outside evidence in."""
    evidence = _aligned(log_likelihood, classes, probabilities.shape, caller)
    if np.isnan(evidence).any() or (evidence == np.inf).any():
        raise InvalidInputError(
            f"{caller}: log_likelihood holds NaN or infinity; give finite logarithms, or -inf "
            "for what is impossible."
        )
    with np.errstate(divide="ignore"):
        joint = np.log(probabilities) + evidence
    top = joint.max(axis=1, keepdims=True)
    if np.isinf(top).any():
        row = int(np.flatnonzero(np.isinf(top[:, 0]))[0])
        raise InvalidInputError(
            f"{caller}: log_likelihood excludes every space group that was learned (first: row "
            f"{row}). Leave some evidence uncertain, or fit on data with other groups."
        )
    joint = np.exp(joint - top)
    return joint / joint.sum(axis=1, keepdims=True)


def _aligned(log_likelihood, classes, shape, caller):
    """Bring evidence into the order of the classes; what is not named is impossible."""
    if isinstance(log_likelihood, (Mapping, pd.Series)):
        log_likelihood = pd.DataFrame([dict(log_likelihood)] * shape[0])
    if isinstance(log_likelihood, pd.DataFrame):
        log_likelihood = log_likelihood.reindex(columns=classes, fill_value=-np.inf)
    evidence = np.asarray(log_likelihood, dtype=float)
    if evidence.shape != shape:
        raise InvalidInputError(
            f"{caller}: log_likelihood has shape {evidence.shape}; give {shape}, or a dict from "
            "space-group numbers to logarithms."
        )
    return evidence


def evidence_table(found, log_prior, classes, k, index):
    """List the best groups of each row with what speaks for each."""
    table = rank_table(found.probabilities, classes, k, index=index)
    n_rows, n_listed = len(found.probabilities), len(table) // max(len(found.probabilities), 1)
    rows = np.repeat(np.arange(n_rows), n_listed)
    columns = np.searchsorted(classes, table["spacegroup_number"])
    sums = found.votes.tables[1].sum(axis=1)[rows]
    votes = found.votes.tables[1][rows, columns]
    table["frequency"] = np.exp(log_prior)[columns]
    table["by_forest"] = found.forest[rows, columns]
    table["share_of_votes"] = np.divide(votes, sums, out=np.zeros(len(rows)), where=sums > 0)
    for name, values in zip(found.fits.names, found.fits.tables, strict=True):
        if name == "log_strain":
            table["metric_strain"] = np.exp(values[rows, columns])
        elif name == "feasible":
            table["feasible_units"] = values[rows, columns]
    return table


def neighbour_table(found, entries, n_neighbours, index):
    """List the known crystals most likely to have the same group as each row."""
    pairs = pd.DataFrame(
        {
            "position": found.pairs.query,
            "known": found.pairs.reference,
            "probability": found.pair_probabilities,
        }
    )
    # A crystal may be met both by its stoichiometry and by its lattice.
    pairs = pairs.sort_values(["position", "probability"], ascending=[True, False], kind="stable")
    pairs = pairs.drop_duplicates(["position", "known"]).groupby("position").head(n_neighbours)
    known = entries.iloc[pairs["known"]].reset_index(drop=True)
    known.insert(0, "row", np.asarray(index)[pairs["position"]])
    known["probability"] = pairs["probability"].to_numpy()
    return known


def unfamiliarity(found):
    """Tell how like the nearest known crystals are, and how many share the stoichiometry."""
    return pd.DataFrame(
        {
            "best_likeness": found.votes.tables[0].max(axis=1),
            "n_same_stoichiometry": found.votes.n_alike.astype(int),
        }
    )

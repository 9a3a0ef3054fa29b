"""What is told beside the probabilities of space groups: evidence, neighbours, novelty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.symmetry._labels import spacegroup_numbers
from crystalml.symmetry._ranking import rank_table


def entry_table(table, numbers):
    """Keep of the training rows what an explanation shows."""
    names = [name for name in ("formula", *CELL_COLUMNS) if name in table.columns]
    kept = table[names].reset_index(drop=True)
    if "formula" in names:  # of one kind, whatever pandas thinks of text, for saved models
        kept["formula"] = kept["formula"].astype(object)
    kept.insert(0, "spacegroup_number", numbers)
    kept.insert(0, "entry", table.index.to_numpy())
    return kept


def with_log_likelihood(probabilities, numbers, log_likelihood, *, caller):
    """Multiply outside evidence in.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_groups)
        Zero for groups that are not allowed.
    numbers : ndarray of int of shape (n_groups,)
        Space group of each column.
    log_likelihood : mapping, Series, DataFrame or array
        As in `SpaceGroupClassifier.rank`.
    caller : str
        Who asks, for messages.

    Raises
    ------
    InvalidInputError
        If the evidence has another shape, is not a logarithm, or excludes everything.
    """
    evidence = _aligned(log_likelihood, numbers, probabilities.shape, caller)
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
            f"{caller}: log_likelihood excludes every space group that was learned and is allowed "
            f"(first: row {row}). Leave some evidence uncertain, or fit on data with other groups."
        )
    joint = np.exp(joint - top)
    return joint / joint.sum(axis=1, keepdims=True)


def _aligned(log_likelihood, numbers, shape, caller):
    """Bring evidence into the order of the columns; what is not named is impossible."""
    if isinstance(log_likelihood, (Mapping, pd.Series)):
        evidence = _named(dict(log_likelihood), numbers, caller)
        return np.broadcast_to(evidence, shape)
    if isinstance(log_likelihood, pd.DataFrame):
        columns = {name: log_likelihood[name].to_numpy() for name in log_likelihood.columns}
        evidence = _named(columns, numbers, caller, n_rows=len(log_likelihood))
    else:
        evidence = _as_floats(log_likelihood, caller)
    if evidence.shape != shape:
        raise InvalidInputError(
            f"{caller}: log_likelihood has shape {evidence.shape}; give {shape}, or a dict from "
            "space-group numbers to logarithms."
        )
    return evidence


def _named(evidence, numbers, caller, n_rows=None):
    """Put evidence by name of the space group into the order of `numbers`."""
    try:
        names = spacegroup_numbers(list(evidence)).tolist()
    except SpaceGroupError as error:
        raise InvalidInputError(
            f"{caller}: log_likelihood: {error}. Name groups by their numbers."
        ) from None
    found = np.full((len(numbers),) if n_rows is None else (n_rows, len(numbers)), -np.inf)
    for name, values in zip(names, evidence.values(), strict=True):
        found[..., numbers == name] = _as_floats(values, caller)[..., None]
    return found


def _as_floats(values, caller):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{caller}: log_likelihood holds what is no number; give natural logarithms."
        ) from None


def evidence_table(found, log_prior, numbers, k, index, *, caller):
    """List the best groups of each row with what speaks for each.

    Parameters
    ----------
    found : Assessment
        Answers to n rows.
    log_prior : ndarray of shape (n_groups,)
        Logarithm of the frequency of each group.
    numbers : ndarray of int of shape (n_groups,)
        Space group of each column.
    k : int
        Groups per row.
    index : sequence of length n
        Names of the rows.
    caller : str
        Who asks, for messages.
    """
    table = rank_table(found.probabilities, numbers, k, index=index, caller=caller)
    n_rows = len(found.probabilities)
    rows = np.repeat(np.arange(n_rows), len(table) // max(n_rows, 1))
    order = np.argsort(numbers)
    columns = order[np.searchsorted(numbers, table["spacegroup_number"], sorter=order)]
    votes = found.votes.tables[1]
    total = votes.sum(axis=1)[rows]
    table["frequency"] = np.exp(log_prior)[columns]
    table["by_forest"] = found.forest[rows, columns]
    table["share_of_votes"] = np.divide(
        votes[rows, columns], total, out=np.zeros(len(rows)), where=total > 0
    )
    if found.facts.lattices is not None:
        strains = found.facts.lattices.metric_strains
        table["metric_strain"] = strains[rows, found.fits.groups.family[columns]]
    if "feasible" in found.fits.names:
        feasible = found.fits.tables[found.fits.names.index("feasible")]
        table["feasible_units"] = feasible[rows, columns]
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
    known = entries.iloc[pairs["known"].to_numpy()].reset_index(drop=True)
    known.insert(0, "row", index.to_numpy()[pairs["position"].to_numpy()])
    known["probability"] = pairs["probability"].to_numpy()
    return known


def unfamiliarity_table(found):
    """Tell how like the nearest known crystals are, and how many share the stoichiometry."""
    return pd.DataFrame(
        {
            "best_likeness": found.votes.tables[0].max(axis=1),
            "n_same_stoichiometry": found.votes.n_alike.astype(int),
        }
    )

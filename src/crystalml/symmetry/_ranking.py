"""Tables of ranked space groups: restricted, weighed by outside evidence, and explained."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from crystalml._typing import NDArray
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    CRYSTAL_SYSTEMS,
    crystal_system,
    extinction_class,
    find_spacegroup,
    spacegroup_symbol,
    spacegroups_of_bravais_lattice,
    spacegroups_of_extinction_symbol,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.symmetry._labels import spacegroup_numbers

EXTINCTION = "extinction:"
# What `allowed_numbers` understands.
Allowed: TypeAlias = str | int | Iterable[str | int] | None


def allowed_numbers(allowed: Allowed, *, caller: str = "rank") -> NDArray[np.int64]:
    """Turn a restriction into the numbers of the space groups it allows.

    Parameters
    ----------
    allowed : None, str, int or iterable of str and int
        - None: every space group;
        - a Bravais lattice, such as ``"oI"``;
        - a crystal system, such as ``"tetragonal"`` (``"trigonal"`` and ``"hexagonal"`` are the
          crystal systems; for the hexagonal lattice say ``"hP"``, for the rhombohedral ``"hR"``);
        - ``"extinction:P n a -"``: the groups with this extinction symbol, before which the
          Laue class may stand, as in ``"extinction:4/mmm P - 21 -"``; or, named by any
          Hermann-Mauguin or Hall symbol, those with the Laue class and the systematic absences
          of a group, as in ``"extinction:P n a 21"``;
        - a space group: its number, 1-230, or its symbol in any spelling, ``"P n a 21"``;
        - several of these: what any of them allows.
    caller : str, default="rank"
        Who asks, for messages.

    Returns
    -------
    ndarray of int64
        International Tables numbers, ascending, each once.

    Raises
    ------
    InvalidInputError
        If `allowed`, or an entry of it, is none of these, or nothing is allowed.
    """
    if allowed is None:
        return np.arange(1, 231)
    if isinstance(allowed, str) or not isinstance(allowed, Iterable):
        allowed = [allowed]
    entries = list(allowed)
    if not entries:
        raise InvalidInputError(
            f"{caller}: allowed is empty, so that no space group is left; give None to allow all."
        )
    numbers = [number for entry in entries for number in _numbers_of(entry, caller)]
    return np.unique(np.array(numbers, dtype=np.int64))


def _numbers_of(entry: Any, caller: str) -> Iterable[int]:
    """Return the numbers that one entry of `allowed` stands for."""
    is_whole = isinstance(entry, int | np.integer) and not isinstance(entry, bool)
    if is_whole and 1 <= entry <= 230:
        return (int(entry),)
    if isinstance(entry, str):
        if entry in BRAVAIS_LATTICES:
            return spacegroups_of_bravais_lattice(entry)
        if entry in CRYSTAL_SYSTEMS:
            return np.flatnonzero(crystal_system(np.arange(1, 231)) == entry) + 1
        if entry.startswith(EXTINCTION):
            return _extinction_numbers(entry, caller)
        setting = find_spacegroup(entry)
        if setting is not None:
            return (setting.number,)
    raise InvalidInputError(
        f"{caller}: allowed has {entry!r}; give a Bravais lattice ({', '.join(BRAVAIS_LATTICES)}), "
        f"a crystal system ({', '.join(CRYSTAL_SYSTEMS)}), 'extinction:' followed by an extinction "
        "symbol or a space group, a space-group symbol or number from 1 to 230, or a list of "
        "these."
    )


def _extinction_numbers(entry, caller):
    """Return the groups with the extinction symbol, or the absences of the group, named."""
    symbol = entry.removeprefix(EXTINCTION).strip()
    setting = find_spacegroup(symbol)
    if setting is not None:
        return extinction_class(setting.number)
    try:
        return spacegroups_of_extinction_symbol(symbol)
    except SpaceGroupError as error:
        reason = str(error).removeprefix("spacegroups_of_extinction_symbol: ")
        raise InvalidInputError(
            f"{caller}: allowed is {entry!r}, which names no absences: {reason} Any space group "
            "that has them may be named instead, such as 'extinction:P n a 21'."
        ) from None


def restrict_probabilities(probabilities, classes, allowed, *, caller="rank"):
    """Set the groups that are not allowed to zero and scale each row to a sum of one.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Probability of each space group.
    classes : array-like of int of shape (n_classes,)
        International Tables number of each column.
    allowed : see `allowed_numbers`
        What is allowed.
    caller : str, default="rank"
        Who asks, for messages.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        The probabilities themselves where `allowed` is None; else exactly zero outside
        `allowed`. A row that gave nothing to any group allowed is NaN in
        the columns allowed: its probability given `allowed` is not defined.

    Raises
    ------
    InvalidInputError
        If no column is allowed.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if allowed is None:
        return probabilities
    inside = np.isin(classes, allowed_numbers(allowed, caller=caller))
    if not inside.any():
        raise InvalidInputError(
            f"{caller}: none of the {len(inside)} space groups that were learned is allowed by "
            f"allowed={allowed!r}. Allow more, or fit on data that has such groups."
        )
    restricted = np.where(inside, probabilities, 0.0)
    total = restricted.sum(axis=1, keepdims=True)
    share = np.full_like(restricted, np.nan)
    np.divide(restricted, total, out=share, where=total > 0)
    share[:, ~inside] = 0.0
    return share


def rank_table(probabilities, classes, k=5, allowed=None, index=None, *, caller="rank"):
    """List the most probable space groups of each row in one table.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Probability of each space group.
    classes : array-like of int of shape (n_classes,)
        International Tables number of each column.
    k : int, default=5
        Groups to list for each row; all that are allowed where they are fewer.
    allowed : see `allowed_numbers`, default=None
        Groups to choose from; their probabilities are made to sum to one.
    index : array-like of shape (n_samples,), default=None
        Name of each row; 0, 1, ... by default.
    caller : str, default="rank"
        Who asks, for messages.

    Returns
    -------
    DataFrame of shape (n_samples * k, 6)
        ``row``, ``rank`` (from 1), ``spacegroup_number``, ``spacegroup_hm``, ``probability``
        and ``crystal_system``. Equal probabilities rank in the order of `classes`.

    Raises
    ------
    InvalidInputError
        If `k` is no whole number >= 1, or no column is allowed.
    """
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise InvalidInputError(f"{caller}: k must be a whole number >= 1, got {k!r}.")
    classes = np.asarray(classes, dtype=np.int64)
    share = restrict_probabilities(probabilities, classes, allowed, caller=caller)
    # Groups that are not allowed are left out of the list.
    columns = np.flatnonzero(np.isin(classes, allowed_numbers(allowed, caller=caller)))
    share, numbers = share[:, columns], classes[columns]
    k = min(int(k), len(columns))
    # Sorting the negative, stably: NaN goes last, equals keep their order.
    best = np.argsort(-share, axis=1, kind="stable")[:, :k]
    listed = numbers[best].ravel()
    rows = np.arange(len(share)) if index is None else np.asarray(index)
    return pd.DataFrame(
        {
            "row": np.repeat(rows, k),
            "rank": np.tile(np.arange(1, k + 1), len(share)),
            "spacegroup_number": listed,
            "spacegroup_hm": spacegroup_symbol(listed),
            "probability": np.take_along_axis(share, best, axis=1).ravel(),
            "crystal_system": crystal_system(listed),
        }
    )


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
    # The logarithm of zero, -inf, keeps what is not allowed at zero.
    with np.errstate(divide="ignore"):
        joint = np.log(probabilities) + evidence
    top = joint.max(axis=1, keepdims=True)
    if np.isinf(top).any():
        row = int(np.flatnonzero(np.isinf(top[:, 0]))[0])
        raise InvalidInputError(
            f"{caller}: log_likelihood excludes every space group that was learned and is allowed "
            f"(first: row {row}). Leave some evidence uncertain, or fit on data with other groups."
        )
    # Without the largest, the exponentials of all groups could underflow to zero.
    joint = np.exp(joint - top)
    return joint / joint.sum(axis=1, keepdims=True)


def _aligned(log_likelihood, numbers, shape, caller):
    """Bring evidence into the order of the columns; groups that are not named are impossible."""
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
        # A group that was not learned has no column, and is passed over.
        found[..., numbers == name] = _as_floats(values, caller)[..., None]
    return found


def _as_floats(values, caller):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{caller}: log_likelihood has values that are not numbers; give natural logarithms."
        ) from None


def evidence_table(found, log_prior, numbers, k, index, *, caller):
    """List the most probable groups of each row with the evidence for each.

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
    # The table has equally many lines for each row.
    rows = np.repeat(np.arange(n_rows), len(table) // max(n_rows, 1))
    # Labels may be text, whose order is not that of the numbers.
    order = np.argsort(numbers)
    columns = order[np.searchsorted(numbers, table["spacegroup_number"], sorter=order)]
    # Rows without neighbours have no votes to share.
    votes = found.votes.sums
    total = votes.sum(axis=1)[rows]
    table["frequency"] = np.exp(log_prior)[columns]
    table["by_forest"] = found.forest[rows, columns]
    table["share_of_votes"] = np.divide(
        votes[rows, columns], total, out=np.zeros(len(rows)), where=total > 0
    )
    compatibility = found.compatibility
    if found.rows.lattices is not None:
        strains = found.rows.lattices.metric_strains
        table["metric_strain"] = strains[rows, compatibility.groups.family[columns]]
    if "feasible" in compatibility.tables:
        table["feasible_units"] = compatibility.tables["feasible"][rows, columns]
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
    """List how similar the nearest known crystals are, and how many share the stoichiometry."""
    return pd.DataFrame(
        {
            "best_likeness": found.votes.best.max(axis=1),
            "n_same_stoichiometry": found.votes.n_same_stoichiometry.astype(int),
        }
    )

"""The evidence for every candidate group of a row, as columns for the ranker."""

from typing import NamedTuple

import numpy as np

N_VOTES = 6  # best pair, all pairs, and four plain counts
_SMALL = 1e-3
_NEIGHBOURS_SHARE = 1e-2
# What metric a group's crystals may have, and how many of them have another one nevertheless.
_LARGEST_LOG_STRAIN, _SHARE_OF_STRAINED = np.log(0.01), 0.02
_LARGEST_EXCESS, _SHARE_OF_EXCESSIVE = 1.5, 0.3


class FirstAnswers(NamedTuple):
    """Probabilities of the groups from the descriptions of the rows alone, (n, n_groups)."""

    forest: np.ndarray
    net: np.ndarray

    @property
    def mean(self):
        """Mean of both."""
        return (self.forest + self.net) / 2


class Votes(NamedTuple):
    """What the neighbours of each row say for each group, arrays of shape (n, n_groups)."""

    tables: np.ndarray
    """Shape (6, n, n_groups): highest probability of a pair, their sum, four plain counts."""
    n_alike: np.ndarray
    """Neighbours of the same stoichiometry that each row has."""


def count_votes(pairs, probabilities, plain, codes, n_rows, n_groups):
    """Add up the votes of all neighbours.

    Parameters
    ----------
    pairs : Neighbours
        Pairs of rows.
    probabilities : ndarray of shape (n_pairs,)
        That the two have the same group.
    plain : ndarray of shape (n_pairs, 4)
        Weights of the plain counts.
    codes : ndarray of int
        Group of each known row.
    """
    cell = pairs.query * n_groups + codes[pairs.reference]
    tables = np.zeros((N_VOTES, n_rows * n_groups), dtype=np.float32)
    np.maximum.at(tables[0], cell, probabilities.astype(np.float32))
    for row, weights in enumerate([probabilities, *plain.T], start=1):
        tables[row] = np.bincount(cell, weights, minlength=n_rows * n_groups)
    n_alike = np.bincount(pairs.query, pairs.is_alike, minlength=n_rows)
    return Votes(tables.reshape(N_VOTES, n_rows, n_groups), n_alike)


def blend(probabilities, votes):
    """Return a first score of every group, to choose the candidates by."""
    best = votes.tables[0]
    return probabilities + best / (best.sum(axis=1, keepdims=True) + _NEIGHBOURS_SHARE)


def best_candidates(score, n_candidates):
    """Columns of the highest scores of each row, in the order of the columns."""
    n_candidates = min(n_candidates, score.shape[1])
    found = np.argpartition(-score, n_candidates - 1, axis=1)[:, :n_candidates]
    return np.sort(found, axis=1)


def unforeseen(fits, log_prior, candidates):
    """Probabilities of the groups that are no candidates, should it be one of them.

    It is mostly a rare one then: they share in the square root of their frequencies, and less
    where the metric of the cell does not go with the group.
    """
    n_rows = len(candidates)
    weights = np.tile(np.exp(0.5 * log_prior), (n_rows, 1))
    if "excess" in fits.names:
        tables = dict(zip(fits.names, fits.tables, strict=True))
        weights[tables["log_strain"] > _LARGEST_LOG_STRAIN] *= _SHARE_OF_STRAINED
        weights[tables["excess"] > _LARGEST_EXCESS] *= _SHARE_OF_EXCESSIVE
    np.put_along_axis(weights, candidates, 0.0, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=weights, where=total > 0)


def candidate_columns(facts, fits, first, votes, log_prior, candidates):
    """Columns of the ranker, shape (n, n_candidates, n_columns), float32.

    Parameters
    ----------
    facts : RowFacts
        The rows.
    fits : GroupFits
        How they fit each group.
    first : FirstAnswers
        From forest and net.
    votes : Votes
        Of the neighbours.
    log_prior : ndarray of shape (n_groups,)
        Logarithm of each group's frequency.
    candidates : ndarray of int of shape (n, n_candidates)
        Columns of the groups looked at.
    """
    parts = [
        np.log(np.take_along_axis(answer, candidates, axis=1) + _SMALL)
        for answer in (first.mean, first.forest, first.net)
    ]
    parts.append(log_prior[candidates])
    for table in votes.tables:
        share = table / (table.sum(axis=1, keepdims=True) + _NEIGHBOURS_SHARE)
        taken = np.take_along_axis(table, candidates, axis=1)
        parts += [np.log(taken + _SMALL), np.take_along_axis(share, candidates, axis=1)]
    parts += [np.take_along_axis(table, candidates, axis=1) for table in fits.tables]
    parts += [column[candidates] for column in fits.groups.columns.T]
    parts += [
        np.broadcast_to(column[:, None], candidates.shape) for column in _row_columns(facts, votes)
    ]
    if facts.units is not None:
        parts += _multiplicity_columns(facts, fits, candidates)
    return np.stack(parts, axis=2).astype(np.float32)


def _row_columns(facts, votes):
    """Facts on the rows, the same for each candidate."""
    columns = [np.log1p(votes.n_alike)]
    columns += [np.log(table.sum(axis=1) + _SMALL) for table in votes.tables]
    if facts.compositions is not None:
        sites = facts.compositions.sites
        columns += [np.log(sites.n_atoms), (sites.counts > 0).sum(axis=1), sites.is_merged]
    if facts.lattices is not None:
        columns.append(facts.lattices.log_volumes)
    if facts.units is not None:
        columns += [facts.log_units, facts.log_units - np.log(facts.units[:, 0])]
        columns.append(facts.unit_weights[:, 0])
    return columns


def _multiplicity_columns(facts, fits, candidates):
    """Hold formula units and atoms in the cell against the multiplicity of a general position."""
    general = np.log(fits.groups.general_multiplicity)[candidates]
    log_units = np.log(facts.units[:, 0])[:, None]
    log_atoms = log_units + np.log(facts.compositions.sites.n_atoms)[:, None]
    return [log_units - general, log_atoms - general]

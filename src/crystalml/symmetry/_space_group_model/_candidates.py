"""The candidate groups of each row, with the evidence for each as columns for the ranker."""

from typing import NamedTuple

import numpy as np

N_VOTES = 6  # best pair, all pairs, and four plain counts
_SMALL = 1e-3
_NEIGHBOURS_SHARE = 1e-2
# What metric a group's crystals may have, and how many of them have another one nevertheless.
_LARGEST_LOG_STRAIN, _SHARE_OF_STRAINED = np.log(0.01), 0.02
_LARGEST_EXCESS, _SHARE_OF_EXCESSIVE = 1.5, 0.3


class FirstAnswers(NamedTuple):
    """Probabilities of the groups from the descriptors of the rows alone, (n, n_groups)."""

    forest: np.ndarray
    net: np.ndarray

    @property
    def mean(self):
        """Mean of both."""
        return (self.forest + self.net) / 2


class Votes(NamedTuple):
    """Votes of the neighbours of each row for each group."""

    tables: np.ndarray
    """Shape (6, n, n_groups): highest probability of a pair, their sum, four plain counts."""
    n_same_stoichiometry: np.ndarray
    """Neighbours of the same stoichiometry that each row has, shape (n,)."""

    @property
    def best(self):
        """Highest probability that a neighbour with the group has the group of the row."""
        return self.tables[0]

    @property
    def sums(self):
        """Sum of these probabilities over all neighbours with the group."""
        return self.tables[1]


class Candidates(NamedTuple):
    """The groups that the ranker scores, and the probabilities of the others."""

    groups: np.ndarray
    """Column numbers of the candidates, ascending, shape (n, n_candidates)."""
    columns: np.ndarray
    """Evidence for each, float32 of shape (n, n_candidates, n_columns)."""
    others: np.ndarray
    """Probability of each other group, should the true one be among them, (n, n_groups)."""

    def spread(self, of_candidates, others_share):
        """Give `others_share` of the probability to the other groups, the rest to candidates."""
        found = others_share * self.others
        # Where all groups are candidates, there are no others to take their share.
        rest = 1.0 - found.sum(axis=1, keepdims=True)
        np.put_along_axis(found, self.groups, rest * of_candidates, axis=1)
        return found


def find_candidates(rows, compatibility, first, votes, log_prior, n_candidates):
    """Choose candidates by the first answers and the votes, and list the evidence for them.

    Parameters
    ----------
    rows : RowDescriptors
        The rows.
    compatibility : GroupCompatibility
        How they agree with each group.
    first : FirstAnswers
        From forest and net.
    votes : Votes
        Of the neighbours.
    log_prior : ndarray of shape (n_groups,)
        Logarithm of each group's frequency.
    n_candidates : int
        Groups per row, at most.
    """
    score = first.mean + votes.best / (votes.best.sum(axis=1, keepdims=True) + _NEIGHBOURS_SHARE)
    n_candidates = min(n_candidates, score.shape[1])
    # Only the set matters here, which the ranker then puts in order.
    groups = np.argpartition(-score, n_candidates - 1, axis=1)[:, :n_candidates]
    groups = np.sort(groups, axis=1)
    columns = _evidence_columns(rows, compatibility, first, votes, log_prior, groups)
    return Candidates(groups, columns, other_groups(compatibility, log_prior, groups))


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
    # One very similar crystal may say more than the sum over many less similar ones.
    np.maximum.at(tables[0], cell, probabilities.astype(np.float32))
    for row, weights in enumerate([probabilities, *plain.T], start=1):
        tables[row] = np.bincount(cell, weights, minlength=n_rows * n_groups)
    n_same = np.bincount(pairs.query, pairs.is_alike, minlength=n_rows)
    return Votes(tables.reshape(N_VOTES, n_rows, n_groups), n_same)


def other_groups(compatibility, log_prior, candidates):
    """Return the probabilities of the groups that are not candidates, should it be one of them.

    It is mostly a rare one then, so that they are in proportion to the square root of their
    frequencies; they are less where the metric of the cell contradicts the group.
    """
    n_rows = len(candidates)
    weights = np.tile(np.exp(0.5 * log_prior), (n_rows, 1))
    tables = compatibility.tables
    if "excess" in tables:
        weights[tables["log_strain"] > _LARGEST_LOG_STRAIN] *= _SHARE_OF_STRAINED
        weights[tables["excess"] > _LARGEST_EXCESS] *= _SHARE_OF_EXCESSIVE
    # Candidates get their probabilities from the ranker.
    np.put_along_axis(weights, candidates, 0.0, axis=1)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=weights, where=total > 0)


def _evidence_columns(rows, compatibility, first, votes, log_prior, candidates):
    """Return the columns of the ranker, shape (n, n_candidates, n_columns), float32."""
    parts = [
        np.log(np.take_along_axis(answer, candidates, axis=1) + _SMALL)
        for answer in (first.mean, first.forest, first.net)
    ]
    # Rare groups need more evidence.
    parts.append(log_prior[candidates])
    for table in votes.tables:
        # The sums say how much evidence there is, the shares how the groups divide it.
        share = table / (table.sum(axis=1, keepdims=True) + _NEIGHBOURS_SHARE)
        taken = np.take_along_axis(table, candidates, axis=1)
        parts += [np.log(taken + _SMALL), np.take_along_axis(share, candidates, axis=1)]
    parts += [
        np.take_along_axis(table, candidates, axis=1) for table in compatibility.tables.values()
    ]
    parts += [column[candidates] for column in compatibility.groups.columns.T]
    parts += [
        np.broadcast_to(column[:, None], candidates.shape) for column in _row_columns(rows, votes)
    ]
    if rows.formula_units is not None:
        parts += _multiplicity_columns(rows.formula_units, compatibility.groups, candidates)
    return np.stack(parts, axis=2).astype(np.float32)


def _row_columns(rows, votes):
    """Descriptors of the rows, the same for each candidate."""
    columns = [np.log1p(votes.n_same_stoichiometry)]
    columns += [np.log(table.sum(axis=1) + _SMALL) for table in votes.tables]
    if rows.compositions is not None:
        sites = rows.compositions.sites
        columns += [np.log(sites.n_atoms), (sites.counts > 0).sum(axis=1), sites.is_merged]
    if rows.lattices is not None:
        columns.append(rows.lattices.log_volumes)
    if rows.formula_units is not None:
        log_units, best = rows.formula_units.log_units, rows.formula_units.candidates[:, 0]
        columns += [log_units, log_units - np.log(best), rows.formula_units.weights[:, 0]]
    return columns


def _multiplicity_columns(formula_units, groups, candidates):
    """Compare formula units and atoms in the cell with the multiplicity of a general position."""
    general = np.log(groups.general_multiplicity)[candidates]
    log_units = np.log(formula_units.candidates[:, 0])[:, None]
    log_atoms = log_units + formula_units.log_atoms_per_unit[:, None]
    return [log_units - general, log_atoms - general]

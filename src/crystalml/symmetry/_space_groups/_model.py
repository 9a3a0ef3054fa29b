"""A forest and a net, the votes of neighbours, and a ranker of candidates that weighs them.

Every stage is fitted on answers that the stage before gave to rows it had not seen, with whole
groups of rows (chemical systems, say) held out together.
"""

from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from crystalml.known_crystals._index import CrystalIndex
from crystalml.known_crystals._neighbours import find_neighbours
from crystalml.model_selection import apply_temperature, fit_temperature, jitter_cells
from crystalml.symmetry._space_groups._evidence import (
    FirstAnswers,
    best_candidates,
    blend,
    candidate_columns,
    count_votes,
    unforeseen,
)
from crystalml.symmetry._space_groups._facts import FactFinder
from crystalml.symmetry._space_groups._leaf_forest import LeafForest
from crystalml.symmetry._space_groups._list_ranker import ListRanker
from crystalml.symmetry._space_groups._pair_model import PairModel
from crystalml.symmetry._space_groups._pairs import pair_columns
from crystalml.symmetry._space_groups._small_net import SmallNet

# Least and largest share of the groups that are no candidates.
_OTHERS_SHARE = (1e-3, 0.1)
# Largest standard errors that training cells are given: relative of lengths, and in degrees.
_LENGTH_SU, _ANGLE_SU = 3e-4, 0.03
# More pairs teach the model of pairs nothing that shows.
_MOST_PAIRS = 300_000
# With more leaves the ranker learns the training rows' answers by heart.
_RANKER_LEAVES = 15


class Assessment(NamedTuple):
    """Answers to n rows, and what they rest on."""

    probabilities: np.ndarray
    """Shape (n, n_groups)."""
    forest: np.ndarray
    """Probabilities by the forest alone."""
    votes: object
    fits: object
    facts: object
    pairs: object
    pair_probabilities: np.ndarray


class SpaceGroupModel:
    """All stages together; entries in, probabilities out.

    Parameters
    ----------
    classes : ndarray of int
        Space groups, ascending.
    options : dict
        ``n_trees``, ``n_rounds``, ``n_candidates``, ``n_jobs``, and what is known of the
        entries: ``with_composition``, ``with_cell``, ``with_atoms``.
    seed : int
        Of everything random.
    """

    def __init__(self, classes, options, seed):
        self.classes = classes
        self.options = options
        self.seed = seed
        known = {name: options[name] for name in ("with_composition", "with_cell", "with_atoms")}
        self.finder = FactFinder(classes, **known, random_state=seed, n_threads=self._n_threads)

    @staticmethod
    def n_steps(folds):
        """Count the steps of a fit, for a progress bar."""
        return 3 * (folds.max() + 2) + 4

    def fit(self, entries, codes, folds, sample_weight, tell):
        """Fit all stages.

        Parameters
        ----------
        entries : Entries
            Training rows.
        codes : ndarray of int
            Column of each row's group.
        folds : ndarray of int
            Rows of one fold are held out together.
        sample_weight : ndarray or None
            Weights of the rows.
        tell : callable
            Called after each step.

        Returns
        -------
        probabilities : ndarray of shape (n_held_out, n_groups)
            Answers to the rows of the last fold by a ranker that had not seen them.
        rows : ndarray of int
            Those rows.
        """
        facts = self.finder.fit(self._as_measured(entries), folds, codes)
        tell()
        self.known = facts
        fits = self.finder.fits(facts)
        counts = np.bincount(codes, sample_weight, minlength=len(self.classes)) + 0.5
        self.log_prior = np.log(counts / counts.sum())
        first = self._fit_first(facts, codes, folds, sample_weight, tell)
        votes = self._fit_pairs(facts, fits, codes, folds, tell)
        candidates = best_candidates(blend(first.mean, votes), self.options["n_candidates"])
        columns = candidate_columns(facts, fits, first, votes, self.log_prior, candidates)
        self.known = facts.only_compared()
        missed = (candidates != codes[:, None]).all(axis=1)
        share = np.average(missed, weights=sample_weight)
        self.others_share = float(np.clip(share, *_OTHERS_SHARE))
        others = unforeseen(fits, self.log_prior, candidates)
        return self._fit_ranker(columns, candidates, others, codes, folds, sample_weight, tell)

    def _as_measured(self, entries):
        """Give refined training cells the errors of indexed ones, from none to the largest."""
        if entries.cells is None:
            return entries
        blurred = jitter_cells(
            entries.cells, length_su=_LENGTH_SU, angle_su=_ANGLE_SU, random_state=self.seed
        )
        share = np.random.RandomState(self.seed).uniform(size=(len(blurred), 1))
        return replace(entries, cells=entries.cells + share * (blurred - entries.cells))

    def assess(self, entries):
        """Answer to new entries."""
        facts = self.finder.transform(entries)
        fits = self.finder.fits(facts)
        columns = facts.columns(self.finder.present)
        first = FirstAnswers(self.forest.predict_proba(columns), self.net.predict_proba(columns))
        pairs = find_neighbours(facts.crystals(), self._index)
        columns, plain = pair_columns(pairs, facts, self.known, fits)
        likeness = self.pair_model.probabilities(columns)
        votes = self._votes(pairs, likeness, plain, len(entries))
        candidates = best_candidates(blend(first.mean, votes), self.options["n_candidates"])
        columns = candidate_columns(facts, fits, first, votes, self.log_prior, candidates)
        others = unforeseen(fits, self.log_prior, candidates)
        found = self._spread(self.ranker.probabilities(columns), candidates, others)
        found = apply_temperature(found, self.temperature)
        return Assessment(found, first.forest, votes, fits, facts, pairs, likeness)

    def _fit_first(self, facts, codes, folds, sample_weight, tell):
        """Fit forest and net; return their answers to rows of folds they had not seen."""
        options = self.options
        forest = LeafForest(
            n_trees=options["n_trees"], random_state=self.seed, n_jobs=options["n_jobs"]
        )
        net = SmallNet(random_state=self.seed)
        columns = facts.columns(self.finder.present)
        found = []
        for model in (forest, net):
            found.append(self._held_out(model, columns, codes, folds, sample_weight, tell))
            model.fit(columns, codes, len(self.classes), sample_weight=sample_weight)
            tell()
        self.forest, self.net = forest, net
        return FirstAnswers(*found)

    def _held_out(self, model, columns, codes, folds, sample_weight, tell):
        """Return answers to the rows of each fold by a copy fitted to the others."""
        found = np.zeros((len(codes), len(self.classes)), dtype=np.float32)
        for fold in np.unique(folds):
            held_out = folds == fold
            weight = None if sample_weight is None else sample_weight[~held_out]
            fitted = clone(model).fit(
                columns[~held_out], codes[~held_out], len(self.classes), sample_weight=weight
            )
            found[held_out] = fitted.predict_proba(columns[held_out])
            tell()
        return found

    def _fit_pairs(self, facts, fits, codes, folds, tell):
        """Fit the model of pairs; return the votes of neighbours in other folds, held out."""
        crystals = facts.crystals()
        pairs = find_neighbours(crystals, CrystalIndex(crystals))
        columns, plain = pair_columns(pairs, facts, facts, fits)
        tell()
        same = codes[pairs.query] == codes[pairs.reference]
        fold = folds[pairs.query]
        # The last model sees all folds.
        held_out = [fold == number for number in np.unique(folds)] + [np.zeros(len(fold), bool)]
        models = self._in_threads(
            self._fitted_pair_model, [(columns, same, ~rows) for rows in held_out], tell
        )
        self.pair_model = models[-1]
        likeness = np.zeros(len(same))
        for model, rows in zip(models[:-1], held_out[:-1], strict=True):
            likeness[rows] = model.probabilities(columns[rows])
        return self._votes(pairs, likeness, plain, len(codes))

    def _fitted_pair_model(self, columns, same, rows):
        """Fit a model of pairs to some of them; so many are enough, and quick."""
        rows = np.flatnonzero(rows)
        if len(rows) > _MOST_PAIRS:
            rows = np.random.RandomState(self.seed).choice(rows, _MOST_PAIRS, replace=False)
            rows.sort()
        return PairModel(random_state=self.seed).fit(columns[rows], same[rows])

    def _in_threads(self, function, arguments, tell):
        """Call a function that lets go of the interpreter with each list of arguments."""
        run = Parallel(n_jobs=self.options["n_jobs"], prefer="threads", return_as="generator")
        found = []
        for result in run(delayed(function)(*some) for some in arguments):
            found.append(result)
            tell()
        return found

    @cached_property
    def _index(self):
        """The training rows to be searched; made when a new row first asks, not kept in files."""
        return CrystalIndex(self.known.crystals())

    @property
    def _n_threads(self):
        return effective_n_jobs(self.options["n_jobs"])

    def _votes(self, pairs, likeness, plain, n_rows):
        return count_votes(pairs, likeness, plain, self.known.codes, n_rows, len(self.classes))

    def _fit_ranker(self, columns, candidates, others, codes, folds, sample_weight, tell):
        """Fit the ranker; calibrate on a fold that another one, fitted for it, had not seen."""
        hit = candidates == codes[:, None]
        held_out = folds == folds.max()
        every = np.ones(len(folds), dtype=bool)
        part, self.ranker = self._in_threads(
            self._fitted_ranker,
            [(columns, hit, sample_weight, rows) for rows in (~held_out, every)],
            tell,
        )
        found = part.probabilities(columns[held_out])
        found = self._spread(found, candidates[held_out], others[held_out])
        weight = None if sample_weight is None else sample_weight[held_out]
        self.temperature = fit_temperature(
            codes[held_out], found, labels=np.arange(len(self.classes)), sample_weight=weight
        )
        return apply_temperature(found, self.temperature), np.flatnonzero(held_out)

    def _fitted_ranker(self, columns, hit, sample_weight, rows):
        """Fit a ranker to some rows."""
        weight = None if sample_weight is None else sample_weight[rows]
        ranker = ListRanker(
            n_rounds=self.options["n_rounds"],
            max_leaves=_RANKER_LEAVES,
            random_state=self.seed,
        )
        return ranker.fit(columns[rows], hit[rows], sample_weight=weight)

    def _spread(self, of_candidates, candidates, others):
        """Give the groups that are no candidates as much as they had in training."""
        found = self.others_share * others
        rest = 1.0 - found.sum(axis=1, keepdims=True)
        np.put_along_axis(found, candidates, rest * of_candidates, axis=1)
        return found

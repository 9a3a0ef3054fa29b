"""A forest, the votes of neighbours, and a ranker of candidates that weighs both.

Every stage is fitted on answers that the stage before gave to rows it had not seen, with whole
groups of rows (chemical systems, say) held out together.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from crystalml.model_selection import apply_temperature, fit_temperature, jitter_cells
from crystalml.symmetry._space_groups._evidence import (
    best_candidates,
    blend,
    candidate_columns,
    count_votes,
)
from crystalml.symmetry._space_groups._facts import FactFinder
from crystalml.symmetry._space_groups._leaf_forest import LeafForest
from crystalml.symmetry._space_groups._list_ranker import ListRanker
from crystalml.symmetry._space_groups._neighbours import find_neighbours
from crystalml.symmetry._space_groups._pair_model import PairModel
from crystalml.symmetry._space_groups._pairs import pair_columns

# Share of the forest's answer in the final one, so that nothing seen in training is impossible.
_FLOOR_SHARE = 0.005
_FLOOR = 1e-6
# Largest standard errors that training cells are given: relative of lengths, and in degrees.
_LENGTH_SU, _ANGLE_SU = 3e-4, 0.03
# More pairs teach the model of pairs nothing that shows.
_MOST_PAIRS = 300_000


class Assessment(NamedTuple):
    """Answers to n rows, and what they rest on."""

    probabilities: np.ndarray
    """Shape (n, n_groups)."""
    forest: np.ndarray
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
        return 2 * (folds.max() + 2) + 4

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
        forest = self._fit_forest(facts, codes, folds, sample_weight, tell)
        votes = self._fit_pairs(facts, fits, codes, folds, tell)
        candidates = best_candidates(blend(forest, votes), self.options["n_candidates"])
        columns = candidate_columns(facts, fits, forest, votes, self.log_prior, candidates)
        self.known = facts.only_compared()
        return self._fit_ranker(columns, candidates, forest, codes, folds, sample_weight, tell)

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
        forest = self.forest.predict_proba(facts.columns(self.finder.present))
        pairs = find_neighbours(facts.side(), self.known.side())
        columns, plain = pair_columns(pairs, facts, self.known, fits)
        likeness = self.pair_model.probabilities(columns)
        votes = self._votes(pairs, likeness, plain, len(entries))
        candidates = best_candidates(blend(forest, votes), self.options["n_candidates"])
        columns = candidate_columns(facts, fits, forest, votes, self.log_prior, candidates)
        found = self._spread(self.ranker.probabilities(columns), candidates, forest)
        found = apply_temperature(found, self.temperature)
        return Assessment(found, forest, votes, fits, facts, pairs, likeness)

    def _fit_forest(self, facts, codes, folds, sample_weight, tell):
        """Fit the forest on all rows; return its answers to rows of folds it had not seen."""
        columns = facts.columns(self.finder.present)
        found = np.zeros((len(codes), len(self.classes)), dtype=np.float32)
        for fold in np.unique(folds):
            held_out = folds == fold
            weight = None if sample_weight is None else sample_weight[~held_out]
            forest = self._new_forest().fit(
                columns[~held_out], codes[~held_out], len(self.classes), sample_weight=weight
            )
            found[held_out] = forest.predict_proba(columns[held_out])
            tell()
        self.forest = self._new_forest().fit(
            columns, codes, len(self.classes), sample_weight=sample_weight
        )
        tell()
        return found

    def _new_forest(self):
        options = self.options
        return LeafForest(
            n_trees=options["n_trees"], random_state=self.seed, n_jobs=options["n_jobs"]
        )

    def _fit_pairs(self, facts, fits, codes, folds, tell):
        """Fit the model of pairs; return the votes of neighbours in other folds, held out."""
        side = facts.side()
        pairs = find_neighbours(side, side)
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

    @property
    def _n_threads(self):
        return effective_n_jobs(self.options["n_jobs"])

    def _votes(self, pairs, likeness, plain, n_rows):
        return count_votes(pairs, likeness, plain, self.known.codes, n_rows, len(self.classes))

    def _fit_ranker(self, columns, candidates, forest, codes, folds, sample_weight, tell):
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
        found = self._spread(found, candidates[held_out], forest[held_out])
        weight = None if sample_weight is None else sample_weight[held_out]
        self.temperature = fit_temperature(
            codes[held_out], found, labels=np.arange(len(self.classes)), sample_weight=weight
        )
        return apply_temperature(found, self.temperature), np.flatnonzero(held_out)

    def _fitted_ranker(self, columns, hit, sample_weight, rows):
        """Fit a ranker to some rows."""
        weight = None if sample_weight is None else sample_weight[rows]
        ranker = ListRanker(n_rounds=self.options["n_rounds"], random_state=self.seed)
        return ranker.fit(columns[rows], hit[rows], sample_weight=weight)

    def _spread(self, of_candidates, candidates, forest):
        """Put the candidates' probabilities among those of all groups."""
        floor = forest + _FLOOR * np.exp(self.log_prior)
        found = _FLOOR_SHARE * floor / floor.sum(axis=1, keepdims=True)
        taken = np.take_along_axis(found, candidates, axis=1)
        np.put_along_axis(found, candidates, taken + (1 - _FLOOR_SHARE) * of_candidates, axis=1)
        return found

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
from crystalml.known_crystals._neighbours import Neighbours, find_neighbours
from crystalml.model_selection import apply_temperature, fit_temperature, jitter_cells
from crystalml.symmetry._space_group_model._candidates import (
    Candidates,
    FirstAnswers,
    Votes,
    count_votes,
    find_candidates,
)
from crystalml.symmetry._space_group_model._featurizer import (
    Featurizer,
    GroupCompatibility,
    RowDescriptors,
)
from crystalml.symmetry._space_group_model._forest import LeafForest
from crystalml.symmetry._space_group_model._pairs import pair_columns
from crystalml.symmetry._space_group_model._rankers import ListRanker, PairModel
from crystalml.symmetry._space_group_model._small_net import SmallNet

# Least and largest share of the groups that are no candidates.
_OTHERS_SHARE = (1e-3, 0.1)
# Largest standard errors that training cells are given: relative of lengths, and in degrees.
_LENGTH_SU, _ANGLE_SU = 3e-4, 0.03
# More pairs teach the model of pairs nothing that shows.
_MOST_PAIRS = 300_000


class Assessment(NamedTuple):
    """Probabilities of all groups for n rows, and the evidence."""

    probabilities: np.ndarray
    """Shape (n, n_groups)."""
    forest: np.ndarray
    """Probabilities by the forest alone."""
    votes: Votes
    compatibility: GroupCompatibility
    rows: RowDescriptors
    pairs: Neighbours
    pair_probabilities: np.ndarray
    """That the two crystals of each pair have the same group."""


class SpaceGroupModel:
    """From entries to probabilities of space groups, through all stages.

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
        parts = {name: options[name] for name in ("with_composition", "with_cell", "with_atoms")}
        self.featurizer = Featurizer(classes, **parts, random_state=seed, n_threads=self._n_threads)

    @staticmethod
    def n_steps(folds):
        """Count the steps of a fit, for a progress bar."""
        return 3 * (folds.max() + 2) + 4

    def fit(self, entries, codes, folds, sample_weight, on_step):
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
        on_step : callable
            Called after each step.

        Returns
        -------
        probabilities : ndarray of shape (n_held_out, n_groups)
            Answers to the rows of the last fold by a ranker that had not seen them.
        rows : ndarray of int
            Those rows.
        """
        rows = self.featurizer.fit(self._as_measured(entries), folds, codes)
        on_step()
        compatibility = self.featurizer.compatibility(rows)
        # Half a row more each, so that no group of weight 0 has a logarithm of zero.
        counts = np.bincount(codes, sample_weight, minlength=len(self.classes)) + 0.5
        self.log_prior = np.log(counts / counts.sum())
        first = self._fit_first(rows, sample_weight, on_step)
        # Votes and first answers to a row come from models that have not seen its fold.
        votes = self._fit_pairs(rows, compatibility, on_step)
        candidates = self._candidates(rows, compatibility, first, votes)
        # A saved model keeps no more than new rows are compared with.
        self.references = rows.only_compared()
        return self._fit_ranker(candidates, codes, folds, sample_weight, on_step)

    def _as_measured(self, entries):
        """Give refined training cells the errors of indexed ones, from none to the largest."""
        if entries.cells is None:
            return entries
        blurred = jitter_cells(
            entries.cells, length_su=_LENGTH_SU, angle_su=_ANGLE_SU, random_state=self.seed
        )
        # What users ask about is anything from a refined cell to a roughly indexed one.
        share = np.random.RandomState(self.seed).uniform(size=(len(blurred), 1))
        return replace(entries, cells=entries.cells + share * (blurred - entries.cells))

    def assess(self, entries):
        """Return the probabilities of all groups for new entries, with the evidence."""
        rows = self.featurizer.transform(entries)
        compatibility = self.featurizer.compatibility(rows)
        columns = rows.columns(self.featurizer.present)
        first = FirstAnswers(self.forest.predict_proba(columns), self.net.predict_proba(columns))
        pairs = find_neighbours(rows.crystals(), self._index)
        columns, plain = pair_columns(pairs, rows, self.references, compatibility)
        likeness = self.pair_model.probabilities(columns)
        votes = self._votes(pairs, likeness, plain, self.references.codes, len(entries))
        candidates = self._candidates(rows, compatibility, first, votes)
        found = self.ranker.probabilities(candidates.columns)
        found = candidates.spread(found, self.others_share)
        found = apply_temperature(found, self.temperature)
        return Assessment(found, first.forest, votes, compatibility, rows, pairs, likeness)

    def _fit_first(self, rows, sample_weight, on_step):
        """Fit forest and net; return their answers to rows of folds they had not seen."""
        options = self.options
        forest = LeafForest(
            n_trees=options["n_trees"], random_state=self.seed, n_jobs=options["n_jobs"]
        )
        net = SmallNet(random_state=self.seed)
        columns = rows.columns(self.featurizer.present)
        found = []
        for model in (forest, net):
            found.append(self._held_out(model, columns, rows, sample_weight, on_step))
            model.fit(columns, rows.codes, len(self.classes), sample_weight=sample_weight)
            on_step()
        self.forest, self.net = forest, net
        return FirstAnswers(*found)

    def _held_out(self, model, columns, rows, sample_weight, on_step):
        """Return answers to the rows of each fold by a copy fitted to the others."""
        codes, folds = rows.codes, rows.folds
        found = np.zeros((len(codes), len(self.classes)), dtype=np.float32)
        for fold in np.unique(folds):
            held_out = folds == fold
            weight = None if sample_weight is None else sample_weight[~held_out]
            # A clone with the same seed, so that only the rows differ.
            fitted = clone(model).fit(
                columns[~held_out], codes[~held_out], len(self.classes), sample_weight=weight
            )
            found[held_out] = fitted.predict_proba(columns[held_out])
            on_step()
        return found

    def _fit_pairs(self, rows, compatibility, on_step):
        """Fit the model of pairs; return the votes of neighbours in other folds, held out."""
        codes, folds = rows.codes, rows.folds
        crystals = rows.crystals()
        pairs = find_neighbours(crystals, CrystalIndex(crystals))
        columns, plain = pair_columns(pairs, rows, rows, compatibility)
        on_step()
        same = codes[pairs.query] == codes[pairs.reference]
        fold = folds[pairs.query]
        # The last model sees all folds.
        held_out = [fold == number for number in np.unique(folds)] + [np.zeros(len(fold), bool)]
        models = self._in_threads(
            self._fitted_pair_model, [(columns, same, ~part) for part in held_out], on_step
        )
        self.pair_model = models[-1]
        likeness = np.zeros(len(same))
        for model, part in zip(models[:-1], held_out[:-1], strict=True):
            likeness[part] = model.probabilities(columns[part])
        return self._votes(pairs, likeness, plain, codes, len(codes))

    def _fitted_pair_model(self, columns, same, rows):
        """Fit a model of pairs to a sample of them."""
        rows = np.flatnonzero(rows)
        if len(rows) > _MOST_PAIRS:
            rows = np.random.RandomState(self.seed).choice(rows, _MOST_PAIRS, replace=False)
            rows.sort()
        return PairModel(random_state=self.seed).fit(columns[rows], same[rows])

    def _in_threads(self, function, arguments, on_step):
        """Call a function that lets go of the interpreter with each list of arguments."""
        # LightGBM lets go of the interpreter's lock while it grows trees.
        run = Parallel(n_jobs=self.options["n_jobs"], prefer="threads", return_as="generator")
        found = []
        for result in run(delayed(function)(*some) for some in arguments):
            found.append(result)
            on_step()
        return found

    @cached_property
    def _index(self):
        """The training rows to be searched; made when a new row first asks, not kept in files."""
        return CrystalIndex(self.references.crystals())

    @property
    def _n_threads(self):
        return effective_n_jobs(self.options["n_jobs"])

    def _votes(self, pairs, likeness, plain, codes, n_rows):
        return count_votes(pairs, likeness, plain, codes, n_rows, len(self.classes))

    def _candidates(self, rows, compatibility, first, votes):
        n_candidates = self.options["n_candidates"]
        return find_candidates(rows, compatibility, first, votes, self.log_prior, n_candidates)

    def _fit_ranker(self, candidates, codes, folds, sample_weight, on_step):
        """Fit the ranker; calibrate on a fold that another one, fitted for it, had not seen."""
        is_true, columns = candidates.groups == codes[:, None], candidates.columns
        # How often the true group is not a candidate: the probability of all other groups.
        share = np.average(~is_true.any(axis=1), weights=sample_weight)
        self.others_share = float(np.clip(share, *_OTHERS_SHARE))
        # Any fold would do: the temperature is all that is fitted to it.
        held_out = folds == folds.max()
        every = np.ones(len(folds), dtype=bool)
        part, self.ranker = self._in_threads(
            self._fitted_ranker,
            [(columns, is_true, sample_weight, rows) for rows in (~held_out, every)],
            on_step,
        )
        of_fold = Candidates(*(values[held_out] for values in candidates))
        found = of_fold.spread(part.probabilities(of_fold.columns), self.others_share)
        weight = None if sample_weight is None else sample_weight[held_out]
        self.temperature = fit_temperature(
            codes[held_out], found, labels=np.arange(len(self.classes)), sample_weight=weight
        )
        return apply_temperature(found, self.temperature), np.flatnonzero(held_out)

    def _fitted_ranker(self, columns, is_true, sample_weight, rows):
        """Fit a ranker to some rows."""
        weight = None if sample_weight is None else sample_weight[rows]
        ranker = ListRanker(n_rounds=self.options["n_rounds"], random_state=self.seed)
        return ranker.fit(columns[rows], is_true[rows], sample_weight=weight)

"""Fit the models of a stage, with the weights and groups of their rows."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from crystalml._progress import progress_bar
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import out_of_fold_probabilities
from crystalml.symmetry._inner_estimators import InnerClassifier, take_rows


def study_net(seed):
    """Return the net that both stages are by default, behind a scaler."""
    # Imported here, since torch is needed by the default only.
    from crystalml.neural import MLPNetClassifier

    net = MLPNetClassifier(
        (128, 64),
        dropout=0.2,
        batch_normalization=True,
        learning_rate=1e-3,
        batch_size=128,
        patience=10,
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), net)


class StageFitter:
    """Fits classifiers on all or on parts of the rows.

    Parameters
    ----------
    caller : str
        Who fits, for messages.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row.
    groups : ndarray of int of shape (n_samples,) or None
        Group of each row.
    balanced : bool
        Whether to weigh labels inversely to their frequency.
    n_jobs : int or None
        Fits at a time.
    progress : bool or "auto"
        Whether to show them.
    """

    def __init__(self, caller, sample_weight, groups, *, balanced, n_jobs, progress):
        self.caller = caller
        self.sample_weight = sample_weight
        self.groups = groups
        self.balanced = balanced
        self.n_jobs = n_jobs
        self.progress = progress

    def inner(self, estimator, *, oversample, seed):
        """Wrap an estimator so that it takes weights and groups, and any number of labels."""
        return InnerClassifier(
            estimator,
            balanced=self.balanced,
            oversample=oversample,
            random_state=seed,
            caller=self.caller,
        )

    def fit_parts(self, inner, X, y, parts, description):
        """Fit on each part of the rows, an array of positions; None where no row counts."""
        weight = np.ones(len(y)) if self.sample_weight is None else self.sample_weight
        counts = [bool(weight[part].any()) for part in parts]
        tasks = (
            delayed(inner.fitted_on)(take_rows(X, part), y[part], **self._metadata(part))
            for part, fits in zip(parts, counts, strict=True)
            if fits
        )
        results = progress_bar(
            Parallel(n_jobs=self.n_jobs, return_as="generator")(tasks),
            enabled=self.progress,
            description=description,
            total=sum(counts),
            unit="fit",
        )
        fitted = iter(list(results))
        return [next(fitted) if fits else None for fits in counts]

    def out_of_fold(self, inner, X, y, classes, cv):
        """Return the probabilities of `classes` by models that have not seen the row's group."""
        if len(classes) == 1:
            return np.ones((len(y), 1))
        if isinstance(cv, int | np.integer):
            cv = min(int(cv), self._n_units(y))
        held_out = out_of_fold_probabilities(
            inner,
            X,
            y,
            groups=self.groups,
            cv=cv,
            n_jobs=self.n_jobs,
            fit_params=self._metadata(slice(None)),
        )
        left_out = held_out.fold < 0
        if left_out.any():
            raise InvalidInputError(
                f"{self.caller}: cv holds out {(~left_out).sum()} of {len(y)} rows (not row "
                f"{left_out.argmax()}); every row must be held out once, as in KFold and "
                "GroupKFold."
            )
        aligned = np.zeros((len(y), len(classes)))
        aligned[:, np.searchsorted(classes, held_out.labels)] = held_out.y_proba
        return aligned

    def _metadata(self, rows):
        """Weights and groups of some rows, as far as there are any."""
        metadata = {"sample_weight": self.sample_weight, "groups": self.groups}
        return {name: values[rows] for name, values in metadata.items() if values is not None}

    def _n_units(self, y):
        """Count the rows, or the groups, that folds can be made of."""
        units = len(y) if self.groups is None else len(np.unique(self.groups))
        if units < 2:
            raise InvalidInputError(
                f"{self.caller}: all {len(y)} rows belong to one group, so that no row can be "
                "predicted by a model that has not seen its group. Give more groups, or none."
            )
        return units

"""What all net classifiers share."""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import Bunch
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, FloatArray, NDArray, RandomState
from crystalml._validation import StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._modules import ClassificationLoss
from crystalml.neural._uncertainty import dropout_passes, probability_uncertainty


class BaseNetClassifier(ClassifierMixin, BaseNetEstimator):
    """Any labels in, probabilities in the order of ``classes_`` out."""

    _y_checks: ClassVar[dict[str, Any]] = {}
    classes_: NDArray[Any]
    _own_constraints = {  # noqa: RUF012
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Pass once over some rows, going on from the net as it is.

        There is no validation and no scheduler here. The first call fixes the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss, relative to the others of this call.

        Returns
        -------
        self : object
            The estimator.
        """
        if self.class_weight == "balanced":
            raise InvalidInputError(
                f"{type(self).__name__}: class_weight='balanced' needs all rows at once; give "
                "partial_fit a dict of class weights instead."
            )
        if classes is None and not hasattr(self, "net_"):
            raise InvalidInputError(
                f"{type(self).__name__}: the first call of partial_fit must name all labels that "
                "will ever come, as classes=[...]."
            )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        codes = self._apply(X, _largest)
        return self.classes_[codes]

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.
        """
        return self._apply(X, _probabilities)

    def predict_log_proba(self, X: ArrayLike) -> FloatArray:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; finite also where the probability is not.
        """
        return self._apply(X, _log_probabilities)

    def sample_predictions(
        self, X: ArrayLike, n_samples: int = 50, random_state: RandomState = None
    ) -> FloatArray:
        """Predict probabilities several times with dropout switched on (Monte-Carlo dropout [1]_).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        n_samples : int, default=50
            Number of samples.
        random_state : int, RandomState or None, default=None
            Decides the dropped units. The global generators are left as they are.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, n_classes)
            What `predict_proba` would give, once per sample. Batch normalisation keeps the
            averages of the training. `dropout_uncertainty` sums the samples up without holding
            them all.

        References
        ----------
        .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation", ICML (2016).
        """
        # All samples were asked for, so they are held at once; dropout_uncertainty never does that.
        return np.stack(list(self._dropout_samples(X, n_samples, random_state)))

    def dropout_uncertainty(
        self, X: ArrayLike, n_samples: int = 50, random_state: RandomState = None
    ) -> Bunch:
        """Return how uncertain the classes are, from samples with dropout switched on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        n_samples : int, default=50
            Number of samples.
        random_state : int, RandomState or None, default=None
            Decides the dropped units. The global generators are left as they are.

        Returns
        -------
        sklearn.utils.Bunch
            As `NetEnsembleClassifier.predict_uncertainty` has them: of each row the
            ``predictive_entropy``, ``expected_entropy`` and ``mutual_information`` in nats, and
            ``probability`` and ``spread`` of shape (n_samples, n_classes). Rank rows by the
            ``predictive_entropy`` to reject errors: the mutual information does it much worse.
        """
        return probability_uncertainty(self._dropout_samples(X, n_samples, random_state))

    def _dropout_samples(self, X, n_samples, random_state):
        """Yield probabilities with other units dropped in each pass."""
        check_is_fitted(self)
        yield from dropout_passes(
            self.net_,
            self._inputs(X),
            lambda output: _probabilities(self._logits(output)),
            n_samples=n_samples,
            random_state=random_state,
            n_threads=self.n_threads,
            caller=type(self).__name__,
        )

    def _logits(self, output):
        """Return the logits among the outputs of the net."""
        return output

    @property
    def _criterion(self):
        return ClassificationLoss

    @property
    def _n_outputs(self):
        return len(self.classes_)

    def _encode_target(self, y, weight, warm, classes=None):  # noqa: ARG002
        """Fix ``classes_``, or hold the labels against them, and return the codes of `y`."""
        check_classification_targets(y)
        name = type(self).__name__
        if not warm:
            # All labels, those of rows of weight 0 too: members of an ensemble that draw other rows
            # must agree on the columns of predict_proba.
            self.classes_ = np.unique(y if classes is None else classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise InvalidInputError(
                f"{name}: classes {np.unique(classes)!r} differ from those of the fit before, "
                f"{self.classes_!r}."
            )
        # A label beyond the last class has no position; clipped, it differs from what is found
        # there.
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[codes] != y
        if unknown.any():
            row = int(unknown.argmax())
            raise InvalidInputError(
                f"{name}: label {y.tolist()[row]!r} of row {row} is not among the classes known so "
                f"far, {self.classes_!r}. Name all labels in the first partial_fit "
                "(classes=...), or fit anew with warm_start=False."
            )
        return codes.astype(np.int64)

    def _strata(self, target):
        return target

    def _check_learnable(self, target):
        present = np.unique(target)
        if len(present) < 2:
            label = self.classes_.tolist()[present[0]]
            raise InvalidInputError(
                f"{type(self).__name__}: there is only one class, {label!r}, among the rows that "
                "count. Give rows of at least two classes."
            )

    def _loss_weights(self, y, weight):
        if self.class_weight is None:
            return weight
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        # Multiplied with the weights of the rows, as in scikit-learn's own classifiers.
        by_row = by_class[np.searchsorted(self.classes_, y)]
        return by_row if weight is None else weight * by_row


def _largest(logits):
    # The largest logit has the largest probability: predict needs no softmax.
    return logits.argmax(dim=1).cpu().numpy()


def _probabilities(logits):
    # In double precision, as the rounding of many small probabilities adds up in the sum of a row.
    return torch.softmax(logits.double(), dim=1).cpu().numpy()


def _log_probabilities(logits):
    # Not the logarithm of the softmax: that underflows to 0 and gives minus infinity.
    return torch.log_softmax(logits.double(), dim=1).cpu().numpy()

"""Scorers for GridSearchCV and cross_validate that know the label of each probability."""

from collections.abc import Callable
from typing import Any

from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, Estimator, MatrixLike
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._metrics import evaluate_probabilities

__all__ = ["ProbabilityScorer", "evaluation_scorer"]


def _probabilities(estimator, X):
    """Return the probabilities of `estimator` and the label of each column."""
    check_is_fitted(estimator)
    # A classifier without classes_ cannot say to which label a column belongs.
    if not (hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_")):
        raise InvalidInputError(
            f"{type(estimator).__name__} has no predict_proba with classes_, which a scorer of "
            "probabilities needs; wrap it, for instance in CalibratedClassifierCV."
        )
    return estimator.predict_proba(X), estimator.classes_


class ProbabilityScorer:
    """Turn a metric of probabilities into a scorer ``(estimator, X, y) -> float``.

    ``sklearn.metrics.make_scorer`` does not tell the metric which column of ``predict_proba``
    belongs to which label, so a fold that lacks a class raises or returns NaN. This scorer
    passes ``labels=estimator.classes_``.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_proba, *, labels, sample_weight, **kwargs) -> float``, such as
        `top_k_accuracy`, `floored_log_loss` or `expected_calibration_error`.
    greater_is_better : bool, default=True
        False negates the value, as scikit-learn's ``neg_...`` scorers do.
    **kwargs
        Further arguments of `metric`, such as ``k=5``.

    See Also
    --------
    evaluation_scorer : All metrics from one call of ``predict_proba``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from crystalml.model_selection import ProbabilityScorer, floored_log_loss
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = ProbabilityScorer(floored_log_loss, greater_is_better=False)
    >>> scorer
    ProbabilityScorer(floored_log_loss, greater_is_better=False)

    The rows are sorted by class: each fold holds one class that was never seen.

    >>> cross_val_score(KNeighborsClassifier(), X, y, cv=KFold(3), scoring=scorer).round(2)
    array([-9.21, -9.21, -9.21])
    """

    def __init__(
        self, metric: Callable[..., float], *, greater_is_better: bool = True, **kwargs: Any
    ) -> None:
        self.metric = metric
        self.greater_is_better = greater_is_better
        self.kwargs = kwargs

    def __call__(
        self,
        estimator: Estimator,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Score `estimator` on rows `X` with true labels `y`; greater is better."""
        y_proba, labels = _probabilities(estimator, X)
        value = self.metric(y, y_proba, labels=labels, sample_weight=sample_weight, **self.kwargs)
        return value if self.greater_is_better else -value

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.kwargs.items())
        sign = "" if self.greater_is_better else ", greater_is_better=False"
        return f"{type(self).__name__}({self.metric.__name__}{sign}{arguments})"


def evaluation_scorer(
    estimator: Estimator, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[str, float]:
    """Score by every metric of `evaluate_probabilities` from one call of ``predict_proba``.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier with ``predict_proba`` and ``classes_``.
    X : array-like of shape (n_samples, ...)
        Rows to score.
    y : array-like of shape (n_samples,)
        True labels, seen in training or not.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    dict of str to float
        ``top_1_accuracy``, ``top_5_accuracy``, ``macro_f1``, ``neg_log_loss`` and
        ``neg_calibration_error``: greater is better for each, as scikit-learn's searches need.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from crystalml.model_selection import evaluation_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = cross_validate(KNeighborsClassifier(), X, y, scoring=evaluation_scorer)
    >>> print(scores["test_top_1_accuracy"].round(3))
    [0.967 1.    0.933 0.967 1.   ]
    """
    y_proba, labels = _probabilities(estimator, X)
    scores = evaluate_probabilities(y, y_proba, labels=labels, sample_weight=sample_weight)
    # Searches take the greatest score for the best, so losses change their sign.
    for loss in ("log_loss", "calibration_error"):
        scores[f"neg_{loss}"] = -scores.pop(loss)
    return scores

"""Six classical classifiers in pipelines, and grids to search their parameters."""

from typing import Any

from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from crystalml._typing import Estimator, RandomState
from crystalml.model_selection._decision_softmax import DecisionSoftmaxClassifier
from crystalml.model_selection._temperature import TemperatureScaledClassifier

__all__ = ["classical_grids", "classical_models", "imputing_pipeline"]


def imputing_pipeline(classifier: Estimator, *, scale: bool) -> Pipeline:
    """Impute medians, add columns that mark missing values, and scale, before a classifier."""
    steps = [
        ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    ]
    if scale:
        steps.append(("scale", StandardScaler()))
    return Pipeline([*steps, ("classify", classifier)])


def classical_models(
    random_state: RandomState = None, n_jobs: int | None = None
) -> dict[str, Pipeline]:
    """Make the six classical classifiers of studies of crystal symmetry, ready to compare.

    Each is a pipeline over numeric columns, so that medians, means and scales are those of the
    training rows of each fold alone. Steps are named ``impute``, ``scale`` and ``classify``.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of tree, forest and AdaBoost.
    n_jobs : int, default=None
        Trees of the forest, and queries of nearest neighbours, at the same time, as in joblib.

    Returns
    -------
    dict of str to Pipeline
        Unfitted classifiers with ``predict_proba``, in this order:

        - ``decision_tree`` and ``random_forest`` (100 trees), with at least two rows in a leaf.
          Trees do not depend on scales, and take missing values as they are.
        - ``logistic_regression``: multinomial, with ``C=0.1`` for many correlated columns.
          Scaled.
        - ``svm``: radial basis functions, scaled. The softmax of its scores is calibrated by a
          temperature found out of fold, which makes it four fits in place of one. Time grows with
          the square of the rows.
        - ``adaboost``: 50 trees of depth 10. The usual stumps have two leaves, too few for 200
          classes.
        - ``k_nearest_neighbours``: five, weighted by inverse distance. Scaled.

        All but the trees replace a missing value by the median of the training rows, and add a
        column of zeros and ones that marks it.

    See Also
    --------
    classical_grids : Values of their parameters to search.
    compare_models : Scores of all of them on the same folds, with baselines.

    Examples
    --------
    >>> from crystalml.model_selection import classical_models
    >>> models = classical_models(random_state=0)
    >>> for name, model in models.items():
    ...     print(name, list(model.named_steps))
    decision_tree ['classify']
    random_forest ['classify']
    logistic_regression ['impute', 'scale', 'classify']
    svm ['impute', 'scale', 'classify']
    adaboost ['impute', 'classify']
    k_nearest_neighbours ['impute', 'scale', 'classify']
    """
    tree = DecisionTreeClassifier(min_samples_leaf=2, random_state=random_state)
    forest = RandomForestClassifier(
        100, min_samples_leaf=2, random_state=random_state, n_jobs=n_jobs
    )
    # The square root of the columns at each split, as in forests: it makes each tree much faster.
    weak = DecisionTreeClassifier(max_depth=10, max_features="sqrt")
    machine = TemperatureScaledClassifier(DecisionSoftmaxClassifier(SVC(C=10.0)), cv=3)
    return {
        "decision_tree": Pipeline([("classify", tree)]),
        "random_forest": Pipeline([("classify", forest)]),
        "logistic_regression": imputing_pipeline(
            LogisticRegression(C=0.1, max_iter=2000), scale=True
        ),
        "svm": imputing_pipeline(machine, scale=True),
        "adaboost": imputing_pipeline(
            AdaBoostClassifier(weak, n_estimators=50, random_state=random_state), scale=False
        ),
        "k_nearest_neighbours": imputing_pipeline(
            KNeighborsClassifier(5, weights="distance", n_jobs=n_jobs), scale=True
        ),
    }


def classical_grids() -> dict[str, dict[str, list[Any]]]:
    """Return grids of parameters of `classical_models` for a search.

    Returns
    -------
    dict of str to dict of str to list
        Name of the model -> grid for scikit-learn's searches, with the defaults among its
        values. The largest has 18 points.

    See Also
    --------
    classical_models : The models themselves.

    Notes
    -----
    A score that was searched for is not a score on unseen rows. Put the search itself into
    `compare_models`, which then runs it inside each fold (and hands it the groups, for a group
    splitter as its ``cv``).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from crystalml.model_selection import classical_grids, classical_models
    >>> name = "k_nearest_neighbours"
    >>> classical_grids()[name]
    {'classify__n_neighbors': [1, 5, 15, 30], 'classify__weights': ['distance', 'uniform']}
    >>> search = GridSearchCV(classical_models()[name], classical_grids()[name], cv=3)
    >>> bool(search.fit(*load_iris(return_X_y=True)).best_score_ > 0.9)
    True
    """
    return {
        "decision_tree": {
            "classify__min_samples_leaf": [1, 2, 5, 10],
            "classify__max_features": [None, "sqrt"],
        },
        "random_forest": {
            "classify__min_samples_leaf": [1, 2, 5],
            "classify__max_features": ["sqrt", 0.2],
        },
        "logistic_regression": {"classify__C": [0.01, 0.1, 1.0, 10.0]},
        "svm": {
            "classify__estimator__estimator__C": [1.0, 10.0, 100.0],
            "classify__estimator__estimator__gamma": ["scale", 0.001, 0.01],
        },
        "adaboost": {
            "classify__estimator__max_depth": [1, 5, 10],
            "classify__n_estimators": [50, 100, 200],
            "classify__learning_rate": [0.5, 1.0],
        },
        "k_nearest_neighbours": {
            "classify__n_neighbors": [1, 5, 15, 30],
            "classify__weights": ["distance", "uniform"],
        },
    }

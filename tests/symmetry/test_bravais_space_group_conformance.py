"""scikit-learn's own checks of the two-stage classifier."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.symmetry import BravaisSpaceGroupClassifier


class InPairs:
    """The checks use labels that are no space groups: every two share a "lattice"."""

    def __call__(self, labels):
        return np.arange(len(labels)) // 2

    def __repr__(self):
        return "InPairs()"  # a function's address would differ between test processes


@parametrize_with_checks(
    [
        BravaisSpaceGroupClassifier(
            LogisticRegression(), LogisticRegression(), cv=3, bravais_of=InPairs()
        ),
        BravaisSpaceGroupClassifier(
            GaussianNB(), GaussianNB(), second_stage="one_hot", bravais_of=InPairs()
        ),
        BravaisSpaceGroupClassifier(
            GaussianNB(), GaussianNB(), second_stage="per_bravais", bravais_of=InPairs()
        ),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)

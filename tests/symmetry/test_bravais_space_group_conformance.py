"""scikit-learn's own checks of the two-stage classifier."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.symmetry import BravaisSpaceGroupClassifier


def in_pairs(labels):
    """The checks use labels that are no space groups: every two share a "lattice"."""
    return np.arange(len(labels)) // 2


@parametrize_with_checks(
    [
        BravaisSpaceGroupClassifier(
            LogisticRegression(), LogisticRegression(), cv=3, bravais_of=in_pairs
        ),
        BravaisSpaceGroupClassifier(
            GaussianNB(), GaussianNB(), second_stage="one_hot", bravais_of=in_pairs
        ),
        BravaisSpaceGroupClassifier(
            GaussianNB(), GaussianNB(), second_stage="per_bravais", bravais_of=in_pairs
        ),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)

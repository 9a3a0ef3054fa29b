"""What is left for the groups that the ranker does not look at."""

import numpy as np
import pytest

from crystalml.symmetry._space_group_model._candidates import FirstAnswers, other_groups
from crystalml.symmetry._space_group_model._featurizer import GroupCompatibility
from crystalml.symmetry._space_group_model._groups import GroupTable

NUMBERS = np.array([2, 14, 62, 225])
LOG_PRIOR = np.log([0.04, 0.16, 0.36, 0.44])


def compatibility(strain=None, excess=None):
    """Of two rows; without a cell, nothing is known."""
    tables = {}
    if strain is not None:
        tables["log_strain"] = np.log(np.asarray(strain, np.float32))
        tables["excess"] = np.asarray(excess, np.float32)
    return GroupCompatibility(GroupTable.of(NUMBERS), tables)


def test_others_share_by_the_square_root_of_their_frequency():
    found = other_groups(compatibility(), LOG_PRIOR, np.array([[0, 3], [1, 2]]))
    root = np.sqrt(0.44)
    expected = [[0.0, 0.4, 0.6, 0.0], [0.2 / (0.2 + root), 0.0, 0.0, root / (0.2 + root)]]
    np.testing.assert_allclose(found, expected)


def test_groups_that_the_metric_contradicts_have_less():
    strain = [[0.0025, 0.0025, 0.2, 0.2], [0.0025, 0.0025, 0.0025, 0.0025]]
    excess = [[2.0, 1.0, 0.5, 0.1], [24.0, 12.0, 6.0, 1.0]]
    plain = other_groups(compatibility(), LOG_PRIOR, np.array([[1], [1]]))
    found = other_groups(compatibility(strain, excess), LOG_PRIOR, np.array([[1], [1]]))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    # The lattice of the first row is monoclinic, that of the second cubic.
    assert found[0, 0] > plain[0, 0]
    assert (found[0, 2:] < plain[0, 2:]).all()
    assert found[1, 3] > plain[1, 3]
    assert (found[1, [0, 2]] < plain[1, [0, 2]]).all()


def test_nothing_is_left_where_all_are_candidates():
    found = other_groups(compatibility(), LOG_PRIOR, np.tile(np.arange(4), (2, 1)))
    np.testing.assert_array_equal(found, 0.0)


def test_mean_of_forest_and_net():
    first = FirstAnswers(np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]]))
    assert first.mean.tolist() == [[pytest.approx(0.4), pytest.approx(0.6)]]

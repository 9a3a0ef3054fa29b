import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, make_scorer

from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.model_selection import SYMMETRY_LEVELS, hierarchical_accuracy, symmetry_labels

NUMBERS = np.arange(1, 231)


def test_levels_have_the_known_number_of_labels():
    counts = {
        level: len(set(symmetry_labels(NUMBERS, level).tolist())) for level in SYMMETRY_LEVELS
    }
    assert counts == {
        "crystal_system": 7,
        "bravais_lattice": 14,
        "point_group": 32,
        "space_group": 230,
    }


@pytest.mark.parametrize("finer", ["bravais_lattice", "point_group", "space_group"])
def test_a_finer_label_decides_the_crystal_system_up_to_hexagonal_lattices(finer):
    # hP belongs to trigonal and to hexagonal groups alike; every other label to one system.
    systems = symmetry_labels(NUMBERS, "crystal_system")
    labels = symmetry_labels(NUMBERS, finer)
    shared = {
        label for label in set(labels.tolist()) if len(set(systems[labels == label].tolist())) > 1
    }
    assert shared == ({"hP"} if finer == "bravais_lattice" else set())


@given(pairs=st.lists(st.tuples(st.integers(1, 230), st.integers(1, 230)), min_size=1, max_size=40))
def test_accuracy_falls_from_system_through_point_group_to_space_group(pairs):
    y_true, y_pred = np.array(pairs).T
    system, lattice, point_group, group = (
        hierarchical_accuracy(y_true, y_pred, level=level) for level in SYMMETRY_LEVELS
    )
    assert system >= point_group >= group
    assert lattice >= group
    assert group == pytest.approx(accuracy_score(y_true, y_pred))


def test_weights_and_scorer():
    y_true, y_pred = [1, 225], [2, 62]
    assert hierarchical_accuracy(y_true, y_pred, sample_weight=[3, 1]) == 0.75

    scorer = make_scorer(hierarchical_accuracy, level="bravais_lattice")
    model = DummyClassifier(strategy="constant", constant=2).fit([[0.0]], [2])
    assert scorer(model, np.zeros((2, 1)), [1, 3]) == 0.5


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match=r"level must be one of .*, got 'space group'"):
        hierarchical_accuracy([1], [1], level="space group")
    with pytest.raises(SpaceGroupError):
        hierarchical_accuracy([231], [1], level="space_group")
    with pytest.raises(InvalidInputError, match=r"\(2,\) true and \(1,\) predicted"):
        hierarchical_accuracy([1, 2], [1])

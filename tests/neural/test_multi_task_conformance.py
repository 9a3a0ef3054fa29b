"""scikit-learn's own checks of the two-task net, which they know as a classifier.

The checks give labels in one column. What holds for two columns is tested in test_multi_task.py.
"""

from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.neural import MultiTaskNet

_EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "mini-batches, dropout and the choice of validation rows draw rows whatever their weight, "
        "so a weight of 2 equals a repeated row in expectation only (exactly so for full batches: "
        "tested in test_multi_task.py)"
    ),
}


@parametrize_with_checks(
    [MultiTaskNet((16,), head_layer_sizes=8, max_epochs=20, batch_size=16, learning_rate=2e-2)],
    expected_failed_checks=lambda estimator: _EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)

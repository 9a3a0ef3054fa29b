"""scikit-learn's own checks of the MLP estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.neural import MLPNetClassifier, MLPNetRegressor

_NOT_EQUIVALENT = (
    "mini-batches, dropout and the choice of validation rows draw rows whatever their weight, so "
    "a weight of 2 equals a repeated row in expectation only (exactly so for full batches: "
    "tested in test_mlp.py)"
)
_EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": _NOT_EQUIVALENT,
}


@parametrize_with_checks(
    [
        MLPNetClassifier(max_epochs=30, batch_size=16, learning_rate=1e-2),
        MLPNetRegressor(max_epochs=30, batch_size=16, learning_rate=1e-2),
    ],
    expected_failed_checks=lambda estimator: _EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)

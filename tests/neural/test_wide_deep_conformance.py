"""scikit-learn's own checks of the wide-and-deep estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.neural import WideDeepNetClassifier, WideDeepNetRegressor

_NOT_EQUIVALENT = (
    "mini-batches, batch normalisation, dropout and the choice of validation rows draw rows "
    "whatever their weight, so a weight of 2 equals a repeated row in expectation only"
)
_EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": _NOT_EQUIVALENT,
}
_SMALL = {"max_epochs": 10, "batch_size": 32, "learning_rate": 3e-2, "dropout": 0.0}


@parametrize_with_checks(
    [
        WideDeepNetClassifier((8,), head_layer_sizes=8, **_SMALL),
        WideDeepNetRegressor((8,), head_layer_sizes=8, **_SMALL),
    ],
    expected_failed_checks=lambda estimator: _EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)

"""The documentation of the parameters that all TabNet estimators share, written once."""

from crystalml.neural._documentation import EstimatorClass, document_common

_ENCODER_PARAMETERS = """
n_d, n_a : int, default=64
    Width of what a step decides, and of what it hands on for the next step to choose columns by.
n_steps : int, default=5
    Number of steps.
gamma : float, default=1.5
    How freely columns may be used again: with 1, a column that a step has looked at and at
    nothing else loses its say in the choice of the next steps; larger values let it come back.
mask_type : {"entmax", "sparsemax"}, default="sparsemax"
    How scores become a mask; entmax (with alpha 1.5) zeroes fewer columns.
n_independent, n_shared : int, default=2
    Gated layers of each step: its own, and those that all steps have in common.
virtual_batch_size : int, default=128
    Rows that are normalised together in training (ghost batch normalisation), at most.
momentum : float, default=0.02
    Weight of a virtual batch in the running averages that predictions are normalised with; short
    trainings need a larger one. That of the inputs is 0.01 per batch, as in pytorch-tabnet.
max_gradient_norm : float or None, default=1.0
    Longer gradients are shortened to this norm; ``None`` leaves them as they are.
categorical_features : "from_dtype", array-like or None, default="from_dtype"
    Columns whose values are names, not numbers: a truth value for each column, or positions, or
    names of columns. ``"from_dtype"`` takes columns of a DataFrame that are categorical or text.
embedding_dim : int or sequence of int, default=1
    Width of the vector that is learned for each category: one number for all categorical columns,
    or one for each of them.
""".strip("\n")

_ENCODER_ATTRIBUTES = """
feature_importances_ : ndarray of shape (n_features_in_,)
    How much the net looks at each column: `explain` summed over the training rows, with their
    weights. They sum to 1, and are 0 where no step contributes anything.
categorical_features_ : ndarray of int
    Positions of the categorical columns.
categories_ : list of ndarray
    The categories of each of them, sorted; NaN, if any value was missing, is the last.
""".strip("\n")

_PRETRAINED_PARAMETER = """
pretrained : TabNetPretrainer, FrozenEstimator or None, default=None
    A fitted `TabNetPretrainer` of the same sizes and columns, whose encoder is what `fit` starts
    from. Cloning, and so every search and cross-validation, forgets what a pretrainer has
    learned: wrap it as ``sklearn.frozen.FrozenEstimator(pretrainer)``, which clones keep. A
    pretrainer that is not fitted is refused.
""".strip("\n")


def document_tabnet(estimator_class: EstimatorClass) -> EstimatorClass:
    """Fill the shared parameters and attributes into the docstring of a TabNet estimator."""
    for mark, text in (
        ("{encoder_parameters}", _ENCODER_PARAMETERS),
        ("{encoder_attributes}", _ENCODER_ATTRIBUTES),
        ("{pretrained_parameter}", _PRETRAINED_PARAMETER),
    ):
        lines = text.replace("\n", "\n    ")
        estimator_class.__doc__ = (estimator_class.__doc__ or "").replace(mark, lines)
    return document_common(estimator_class)

"""What the TabNet estimators with a target share: their module, loss, and where they start from."""

from numbers import Real

import numpy as np
from sklearn.frozen import FrozenEstimator

from crystalml._validation import Interval
from crystalml.exceptions import InvalidInputError
from crystalml.neural._tabnet_common import TABNET_CONSTRAINTS, TabNetParameters
from crystalml.neural._tabnet_losses import PenalisedLoss
from crystalml.neural._tabnet_modules import TabNet
from crystalml.neural._tabnet_pretrainer import TabNetPretrainer

SUPERVISED_CONSTRAINTS = {
    **TABNET_CONSTRAINTS,
    "lambda_sparse": [Interval(Real, 0, None, closed="left")],
    "pretrained": [TabNetPretrainer, FrozenEstimator, None],
}
_SIZES = ("n_d", "n_a", "n_steps", "n_independent", "n_shared")


class SupervisedTabNet(TabNetParameters):
    """Turns the parameters of a TabNet estimator into its module, and starts from a pretrainer."""

    _module_class = TabNet

    @property
    def _criterion(self):
        loss = super()._criterion
        return PenalisedLoss(loss() if isinstance(loss, type) else loss)

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "lambda_sparse": self.lambda_sparse,
            **self._encoder_parameters(),
        }

    def _validated(self, X, y, goes_on, **checks):
        X, y = super()._validated(X, y, goes_on, **checks)
        if self.pretrained is not None and not goes_on:
            self._check_pretrained()
        return X, y

    def _learn_categories(self, X):
        """Learn the categories, or take those whose vectors a pretrainer has learned."""
        if self.pretrained is None:
            return super()._learn_categories(X)
        pretrainer = self._pretrainer()
        ours, theirs = self.categorical_features_, pretrainer.categorical_features_
        if not np.array_equal(ours, theirs):
            raise InvalidInputError(
                f"{type(self).__name__}: the categorical columns are {ours.tolist()}, but those "
                f"of the pretrainer are {theirs.tolist()}. Give both the same columns."
            )
        return pretrainer.categories_

    def _pretrainer(self):
        """Return the pretrainer, without what keeps it frozen."""
        pretrainer = self.pretrained
        if isinstance(pretrainer, FrozenEstimator):
            pretrainer = pretrainer.estimator
        name = type(self).__name__
        if not isinstance(pretrainer, TabNetPretrainer):
            raise InvalidInputError(
                f"{name}: pretrained must be a fitted TabNetPretrainer, got {pretrainer!r}."
            )
        if not hasattr(pretrainer, "net_"):
            raise InvalidInputError(
                f"{name}: the pretrainer is not fitted. Fit it; and as clone (in searches and "
                "cross-validation, too) forgets a fit, give "
                "pretrained=sklearn.frozen.FrozenEstimator(pretrainer)."
            )
        return pretrainer

    def _check_pretrained(self):
        """Raise if sizes or columns differ from those of the pretrainer."""
        pretrainer, name = self._pretrainer(), type(self).__name__
        theirs = pretrainer.net_.module_.encoder
        pairs = {size: (getattr(self, size), getattr(theirs, size)) for size in _SIZES}
        pairs["number of columns"] = (self.n_features_in_, pretrainer.n_features_in_)
        pairs["embedding_dim"] = (
            self._embedding_dims(),
            [part.embedding_dim for part in getattr(_embedder(pretrainer), "embeddings", ())],
        )
        differing = [f"{size} ({a} here, {b} there)" for size, (a, b) in pairs.items() if a != b]
        if differing:
            raise InvalidInputError(
                f"{name}: the pretrainer differs in {', '.join(differing)}, so that training "
                "cannot start from its weights. Give both the same sizes and columns."
            )
        names = [part.feature_names_in_ for part in (self, pretrainer) if _has_names(part)]
        if len(names) == 2 and not np.array_equal(names[0], names[1]):
            raise InvalidInputError(
                f"{name}: the columns {names[0].tolist()!r} are not those of the pretrainer, "
                f"{names[1].tolist()!r}. Give both the same columns in the same order."
            )

    def _set_initial_weights(self, module):
        if self.pretrained is not None:
            source = self._pretrainer().net_.module_
            module.embedder.load_state_dict(source.embedder.state_dict())
            module.encoder.load_state_dict(source.encoder.state_dict())


def _has_names(estimator):
    return getattr(estimator, "feature_names_in_", None) is not None


def _embedder(estimator):
    return estimator.net_.module_.embedder

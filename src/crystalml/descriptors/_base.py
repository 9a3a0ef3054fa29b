"""What the transformers share: names of their outputs, names among alternatives."""

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from crystalml._typing import ObjectArray
from crystalml.exceptions import InvalidInputError


class NamedOutputTransformer(TransformerMixin, BaseEstimator):
    """A transformer that names its outputs by `_output_names`, whatever its input is called."""

    def get_feature_names_out(self, input_features: Iterable[str] | None = None) -> ObjectArray:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Only checked against the columns seen in ``fit``; the output names do not depend
            on them.

        Returns
        -------
        ndarray of str, shape (n_features_out,)
            One name per column of the output.
        """
        if input_features is not None:
            # scikit-learn's own check asks for this even where the names make no difference.
            self._check_input_features(np.asarray(input_features, dtype=object))
        return np.array(self._output_names(), dtype=object)

    def _check_input_features(self, names):
        """Hold `input_features` against what fit saw, in scikit-learn's words."""
        seen = getattr(self, "feature_names_in_", None)
        if seen is not None and not np.array_equal(seen, names):
            raise InvalidInputError("input_features is not equal to feature_names_in_")
        # Without a fit there is nothing to compare with, and any names will do.
        width = getattr(self, "n_features_in_", len(names))
        if len(names) != width:
            raise InvalidInputError(
                f"input_features should have length equal to number of features ({width}), "
                f"got {len(names)}"
            )


class StatelessTransformer(NamedOutputTransformer):
    """A transformer whose output names follow from its parameters, so that fit learns nothing."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def expand_selection(selection, groups, names, *, caller, parameter):
    """Turn group names and single names, mixed, into a list of names without repetition.

    `groups` maps a group to its names; `names` are all single names.
    """
    entries = [selection] if isinstance(selection, str) else selection
    if not isinstance(entries, Iterable):
        raise InvalidInputError(
            f"{caller}: {parameter}={entries!r}; give a name or a list of names."
        )
    entries = list(entries)
    if not entries:
        raise InvalidInputError(f"{caller}: {parameter} is empty; name at least one.")
    # A dict keeps the order and drops repetitions.
    chosen = {}
    for entry in entries:
        if isinstance(entry, str) and entry in groups:
            chosen.update(dict.fromkeys(groups[entry]))
        elif isinstance(entry, str) and entry in names:
            chosen[entry] = None
        else:
            raise InvalidInputError(_unknown(entry, groups, names, caller, parameter))
    return list(chosen)


def _unknown(entry, groups, names, caller, parameter):
    """Say what is close to `entry`, and what is allowed."""
    close = get_close_matches(str(entry), [*groups, *names], n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
    allowed = (
        f"Groups: {', '.join(groups)}. Single names: {', '.join(names)}."
        if groups and names
        else f"Choose from {', '.join([*groups, *names])}."
    )
    return f"{caller}: {parameter} has no {entry!r}.{hint} {allowed}"

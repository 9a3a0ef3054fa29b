"""matminer's featurizers by name, and what one of them makes of one value."""

from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from inspect import isclass
from itertools import chain

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.crystallography import parse_formula
from crystalml.exceptions import InvalidInputError

_CALLER = "MatminerDescriptors"
_MODULES = ("matminer.featurizers.composition", "matminer.featurizers.structure")


def own_featurizer(featurizer):
    """Make a featurizer of a name, or a copy of an instance, so that the user's stays untouched."""
    base = import_optional("matminer.featurizers.base", needed_by=_CALLER).BaseFeaturizer
    if isinstance(featurizer, base):
        return deepcopy(featurizer)
    if isinstance(featurizer, str):
        return _build(featurizer, base)
    raise InvalidInputError(
        f"{_CALLER}: featurizer={featurizer!r} is no featurizer of matminer; give an instance, or "
        "the name of a class such as 'Stoichiometry' or 'ElementProperty:magpie'."
    )


def learns(featurizer):
    """Whether `fit` of the featurizer does something."""
    base = import_optional("matminer.featurizers.base", needed_by=_CALLER)
    if isinstance(featurizer, base.MultipleFeaturizer):
        return any(map(learns, featurizer.featurizers))
    return type(featurizer).fit is not base.BaseFeaturizer.fit


def as_input(featurizer, value):
    """Turn a value of a column into what the featurizer reads, or say why it cannot be."""
    if value is None:
        raise InvalidInputError("the value is missing")
    kind = _input_kind(featurizer)
    if isinstance(value, str | Mapping) and kind == "structure":
        raise InvalidInputError(
            f"{type(featurizer).__name__} reads structures, not compositions; give pymatgen's "
            "Structure"
        )
    if isinstance(value, str):
        # pymatgen's own reading turns 'NaCl.2H2O' into something else without a word.
        value = parse_formula(value)
    composition = import_optional("pymatgen.core", needed_by=_CALLER).Composition
    if isinstance(value, Mapping) and not isinstance(value, composition):
        return composition(value)
    if kind == "composition" and not isinstance(value, composition):
        if not hasattr(value, "composition"):
            raise InvalidInputError(
                f"it is of type {type(value).__name__}, neither a formula nor a Composition nor "
                "a Structure"
            )
        return value.composition
    return value


def featurize(featurizer, value):
    """Return the features of a value as a list; raises what the featurizer raises."""
    features = list(featurizer.featurize(as_input(featurizer, value)))
    n_labels = len(featurizer.feature_labels())
    if len(features) != n_labels:
        raise InvalidInputError(
            f"{type(featurizer).__name__} gave {len(features)} values for {n_labels} names"
        )
    return features


def featurize_or_explain(featurizer, value, compute=featurize):
    """Return the features and None, or None and why there are none."""
    try:
        return compute(featurizer, value), None
    except Exception as error:  # noqa: BLE001 - featurizers raise anything; it is reported by row
        return None, reason(error)


def reason(error):
    """Say in one line what was raised."""
    text = " ".join(str(error).split()).removeprefix("parse_formula: ")
    if isinstance(error, InvalidInputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def feature_matrix(rows, width):
    """Stack features and None (a row of NaN) in float64, or as objects if some are no numbers."""
    blank = [np.nan] * width
    filled = [blank if row is None else row for row in rows]
    try:
        return np.array(filled, dtype=np.float64).reshape(len(rows), width)
    except (TypeError, ValueError):
        values = chain.from_iterable(filled)
        return np.fromiter(values, dtype=object, count=len(rows) * width).reshape(-1, width)


def _build(name, base):
    """Build the featurizer that a name such as "ElementProperty:magpie" stands for."""
    class_name, _, preset = name.partition(":")
    classes = _classes(base)
    if class_name not in classes:
        close = get_close_matches(class_name, classes, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise InvalidInputError(
            f"{_CALLER}: featurizer={name!r}: matminer has no composition or structure featurizer "
            f"{class_name!r}.{hint} Choose from {', '.join(sorted(classes))}."
        )
    featurizer = classes[class_name]
    try:
        return featurizer.from_preset(preset) if preset else featurizer()
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{_CALLER}: featurizer={name!r} cannot be built ({reason(error)}); give "
            "'Class' for one without arguments, 'Class:preset' for one with this preset, or an "
            "instance."
        ) from error


def _classes(base):
    """Return the composition and structure featurizers of matminer by class name."""
    modules = [import_optional(module, needed_by=_CALLER) for module in _MODULES]
    return {
        name: member
        for module in modules
        for name, member in vars(module).items()
        if isclass(member) and issubclass(member, base)
    }


def _input_kind(featurizer):
    """Tell by its home whether a featurizer reads compositions or structures; None: who knows."""
    for member in getattr(featurizer, "featurizers", [featurizer]):
        for module in _MODULES:
            if any(kind.__module__.startswith(module) for kind in type(member).__mro__):
                return module.rpartition(".")[2]
    return None

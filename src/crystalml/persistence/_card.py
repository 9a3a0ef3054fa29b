"""A page about a model, made from what its file or the estimator says."""

import os
from collections.abc import Mapping
from typing import Any

from crystalml._typing import Estimator
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.persistence._files import read_manifest
from crystalml.persistence._manifest import describe
from crystalml.persistence._values import Writer

_MOST_ROWS = 20
_ESCAPED = str.maketrans({"|": r"\|", "`": "'", "<": "&lt;", ">": "&gt;"})


def model_card(
    source: str | os.PathLike[str] | Estimator,
    *,
    facts: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> str:
    """Return a page in Markdown that says what a model is and on what it was trained.

    Parameters
    ----------
    source : str, PathLike or estimator
        A file that `save` wrote, which is not loaded, or an estimator.
    facts : dict, default=None
        Further facts about the training data, as in `save`; they complete or replace those known.
        Text under ``limits``, ``intended_use`` or ``evaluation`` becomes a section.
    title : str, default=None
        Heading; by default the name of the class.

    Returns
    -------
    str
        Markdown, ending with a line break.

    Raises
    ------
    PersistenceError
        If the file is no intact model.
    InvalidInputError
        If `source` is neither.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from crystalml.persistence import model_card
    >>> model = DummyClassifier().fit([[1], [2], [3]], ["cF", "cF", "tP"])
    >>> card = model_card(model, facts={"rows": 3, "source": "three cells"}, title="A baseline")
    >>> card.splitlines()[0]
    '# A baseline'
    >>> "| source | three cells |" in card
    True
    """
    if isinstance(source, str | os.PathLike):
        manifest = read_manifest(source)
        manifest["training_data"].update(dict(facts or {}))
    elif hasattr(source, "get_params") and not isinstance(source, type):
        classes, n_nets = _contents(source)
        manifest = describe(source, classes, n_nets, facts)
    else:
        raise InvalidInputError(
            f"model_card: {source!r:.200} is neither an estimator nor the path of a model file."
        )
    return _page(manifest, title)


def _contents(estimator):
    """Return the classes that a file would hold, and its number of nets.

    An estimator that cannot be saved has a card, too.
    """
    writer = Writer(with_optimizer=False)
    try:
        writer.write(estimator)
    except PersistenceError:
        return {type(estimator)}, 0
    return writer.classes, len(writer.nets)


def _page(manifest, title):
    known = dict(manifest["training_data"])
    own = {name: known.pop(name, None) for name in ("intended_use", "evaluation", "limits")}
    counts = known.pop("label_counts", None)
    name = manifest["estimator"]
    parts = [f"# {_inline(title or name)}", _summary(manifest)]
    if own["intended_use"]:
        parts += ["## Intended use", _text(own["intended_use"])]
    parts += ["## Inputs and outputs", _inputs(manifest["input"]), _outputs(manifest["output"])]
    parts += ["## Training data", _table(known) or "Nothing is known of the training data."]
    if counts:
        parts.append(_counts(counts))
    for heading in ("evaluation", "limits"):
        if own[heading]:
            parts += [f"## {heading.capitalize()}", _text(own[heading])]
    parts += ["## Parameters", _code(manifest["parameters"])]
    parts += ["## Versions", _table(manifest["versions"])]
    return "\n\n".join(parts) + "\n"


def _summary(manifest):
    date = _inline(manifest["created"][:10])
    kind = _inline(manifest["output"]["kind"])
    return f"`{_inline(manifest['estimator'])}`, a {kind}; described on {date}."


def _inputs(schema):
    n_features, columns = schema.get("n_features"), schema.get("columns")
    if columns:
        shown = ", ".join(f"`{_inline(name)}`" for name in columns[:_MOST_ROWS])
        rest = len(columns) - _MOST_ROWS
        more = f" and {rest} more" if rest > 0 else ""
        return f"Columns ({len(columns)}): {shown}{more}."
    return "Columns: not fitted, or not known." if n_features is None else f"Columns: {n_features}."


def _outputs(schema):
    labels = schema.get("labels")
    if not labels:
        return f"Gives what a {_inline(schema['kind'])} gives."
    shown = ", ".join(f"`{_inline(label)}`" for label in labels[:_MOST_ROWS])
    more = ", ..." if schema["n_classes"] > _MOST_ROWS else ""
    return f"Labels ({schema['n_classes']}): {shown}{more}."


def _counts(counts):
    """Return the most frequent labels, and how many there are."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    rest = ordered[_MOST_ROWS:]
    shown = dict(ordered[:_MOST_ROWS])
    if rest:
        shown[f"{len(rest)} more"] = sum(count for _, count in rest)
    return _table(shown, head=("label", "rows"))


def _table(values, head=("", "")):
    if not values:
        return ""
    rows = [f"| {_inline(name)} | {_inline(_shown(value))} |" for name, value in values.items()]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *rows])


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value[:_MOST_ROWS])) + (", ..." * (len(value) > _MOST_ROWS))
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _text(value):
    return _table(value) if isinstance(value, dict) else str(value)


def _code(text):
    """Indent, so that no text can end the block."""
    return "\n".join(f"    {line}" for line in str(text).splitlines())


def _inline(value):
    """Return text that stays in its line and cell, and is no markup."""
    text = " ".join(str(value).split())
    return text.translate(_ESCAPED)

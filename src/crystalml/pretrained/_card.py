"""The model cards of ready models."""

import json
from pathlib import Path
from typing import Any

from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.persistence import model_card
from crystalml.pretrained._load import model_file
from crystalml.pretrained._locations import figures_file
from crystalml.pretrained._recipes import find_recipe

_NOT_MEASURED = "No figures on held-out rows come with this model."


def pretrained_card(name: str = "cod-inorganic") -> str:
    """Return the model card of a ready model: training data, held-out figures, limits.

    The held-out figures are those of models fitted by the same recipe without the rows that
    they answer for; the model itself has then been fitted to all rows.

    Parameters
    ----------
    name : {"cod-inorganic"}, default="cod-inorganic"
        Which model.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    InvalidInputError
        If there is no such model.
    PersistenceError
        If the model is not there yet; `load_pretrained` makes it.

    See Also
    --------
    load_pretrained : The model itself.
    crystalml.persistence.model_card : Cards of other models.

    Examples
    --------
    >>> from crystalml.pretrained import pretrained_card
    >>> try:
    ...     pretrained_card("cod-organic")
    ... except ValueError as error:
    ...     print(error)
    pretrained_card: there is no ready model 'cod-organic'; choose from 'cod-inorganic'.
    """
    path = model_file(name, caller="pretrained_card")
    if path is None:
        raise PersistenceError(
            f"pretrained_card: the model {name!r} is not there yet. "
            f"load_pretrained({name!r}) fits it, which takes "
            f"{find_recipe(name, caller='pretrained_card').duration}."
        )
    return card_of(name, path, figures_file(name))


def card_of(name: str, model: Path, figures: Path) -> str:
    """Make the card of a model file and a file of figures, which need not exist."""
    evaluation = _NOT_MEASURED
    if figures.is_file():
        evaluation = evaluation_text(read_figures(figures))
    title = find_recipe(name, caller="pretrained_card").title
    return model_card(model, facts={"evaluation": evaluation}, title=title)


def read_figures(path: Path) -> dict[str, Any]:
    """Read held-out figures from JSON.

    The file holds an object with ``protocol`` (text: which rows were held out, and how),
    ``command`` (text: what was run), ``rows`` (how many answers are counted), and ``figures``:
    an object from the name of a metric to a number, or to an object of numbers by split.

    Raises
    ------
    InvalidInputError
        If it holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"{path} is no JSON ({error}).") from error
    kinds = {"protocol": str, "command": str, "rows": int, "figures": dict}
    # All names and no others: a misspelt one would be missing on the card without a word.
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        raise InvalidInputError(f"{path}: give an object with {', '.join(kinds)}, and no more.")
    # Not isinstance, to which True is an integer.
    wrong = [name for name, kind in kinds.items() if type(content[name]) is not kind]
    if wrong or not content["figures"]:
        raise InvalidInputError(
            f"{path}: {', '.join(wrong) or 'figures'} is empty or of a wrong type; protocol and "
            "command are text, rows is a whole number, figures an object."
        )
    for name, value in content["figures"].items():
        values = list(value.values()) if isinstance(value, dict) else [value]
        if not values or any(type(number) not in (int, float) for number in values):
            raise InvalidInputError(f"{path}: the figure {name!r} is {value!r}, no number.")
    return content


def evaluation_text(content: dict[str, Any]) -> str:
    """Write held-out figures as the paragraphs of a card."""
    splits = _splits(content["figures"])
    lines = [f"| | {' | '.join(splits)} |", "|---" * (len(splits) + 1) + "|"]
    for name, value in content["figures"].items():
        by_split = value if isinstance(value, dict) else {"": value}
        numbers = [_number(by_split.get(split)) for split in splits]
        lines.append(f"| {name} | {' | '.join(numbers)} |")
    return "\n".join(
        [
            f"{content['protocol']} {content['rows']:,} answers are counted.",
            "",
            *lines,
            "",
            f"Measured by `{content['command']}`.",
        ]
    )


def _splits(figures: dict[str, Any]) -> list[str]:
    """Names of the columns, in the order in which they come up."""
    found: dict[str, None] = {}
    for value in figures.values():
        found |= dict.fromkeys(value if isinstance(value, dict) else [""])
    return list(found)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"

"""How each ready model is made: the data, the estimator, and what it is for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from crystalml.exceptions import InvalidInputError


class Recipe(NamedTuple):
    """All that decides what a ready model is."""

    name: str
    title: str
    parameters: Mapping[str, Any]
    """Those of SpaceGroupClassifier."""
    every: int
    """Fit to every n-th row of the data; 1 is all rows."""
    duration: str
    """How long fitting takes, in words."""
    facts: Mapping[str, str]
    """Sections of the model card."""


_COD_INORGANIC = Recipe(
    name="cod-inorganic",
    title="Space groups of inorganic crystals from cell and composition",
    parameters={"inputs": "composition+cell", "random_state": 0},
    every=1,
    duration="some minutes",
    facts={
        "source": "Crystallography Open Database, as packaged in "
        "crystalml.datasets.load_cod_inorganic (18,736 entries of one to three elements)",
        "intended_use": "To rank the space groups of an inorganic crystal whose cell has been "
        "indexed and whose composition is known, before its structure is. A table with the "
        "columns `formula`, `a`, `b`, `c` (Å), `alpha`, `beta` and `gamma` (degrees) goes in, "
        "standard uncertainties (`a_su` ...) where known; a probability for each space group "
        "comes out.",
        "limits": "The probabilities are those among published inorganic crystals of at most "
        "three elements: frequent structure types weigh heavily, a group that the data lack is "
        "not foreseen, and organic or metal-organic crystals are another world. The compounds of "
        "the training data are known by heart: an answer for one of them is a recollection. "
        "Cells of the training data were refined under the reported symmetry. Intensities and "
        "systematic absences are not looked at; they decide.",
    },
)

RECIPES = {recipe.name: recipe for recipe in (_COD_INORGANIC,)}


def find_recipe(name: str, *, caller: str) -> Recipe:
    """Return the recipe of a name, or say which there are."""
    # A list, say, could not even be looked up.
    if not isinstance(name, str) or name not in RECIPES:
        raise InvalidInputError(
            f"{caller}: there is no ready model {name!r}; choose from "
            f"{', '.join(map(repr, sorted(RECIPES)))}."
        )
    return RECIPES[name]

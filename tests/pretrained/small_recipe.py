"""A ready model that is fitted in seconds, for tests."""

from crystalml.pretrained._recipes import RECIPES

_PARAMETERS = {"n_trees": 5, "n_rounds": 5, "cv": 2}


def small_recipe():
    """Return the recipe of cod-inorganic with fewer rows, trees and rounds."""
    recipe = RECIPES["cod-inorganic"]
    return recipe._replace(every=40, parameters={**recipe.parameters, **_PARAMETERS})

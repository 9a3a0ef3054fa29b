"""Fit a ready model by its recipe, and write it with what is known of its training."""

from pathlib import Path
from typing import Any, Literal

import crystalml._version as package_version
from crystalml.crystallography import chemical_system
from crystalml.datasets import load_cod_inorganic
from crystalml.persistence import save, training_facts
from crystalml.pretrained._locations import sha256_of
from crystalml.pretrained._recipes import Recipe
from crystalml.symmetry import SpaceGroupClassifier

# n_atoms is for learning only: of a cell that has just been indexed it is not known, so that the
# model never needs it to predict.
_INPUTS = ("formula", "a", "b", "c", "alpha", "beta", "gamma", "n_atoms")


def build_model(
    recipe: Recipe,
    path: Path,
    *,
    n_jobs: int | None = None,
    progress: bool | Literal["auto"] = "auto",
) -> None:
    """Fit the model of a recipe and write it to `path` in one step.

    The same recipe, data and versions give the same predictions; `n_jobs` changes the time
    alone.
    """
    data = load_cod_inorganic(subset="all")
    # Each n-th row, not a random draw: the recipe alone decides what is learned from.
    table, y = data.data[list(_INPUTS)].iloc[:: recipe.every], data.target.iloc[:: recipe.every]
    model = SpaceGroupClassifier(**recipe.parameters, n_jobs=n_jobs, progress=progress)
    model.fit(table, y)
    # Processes and progress were a matter of this run; a loaded model has the defaults.
    model.set_params(n_jobs=None, progress=False)
    save(model, path, facts=_facts(recipe, table, y, data.filename))


def _facts(recipe: Recipe, table: Any, y: Any, data_file: str) -> dict[str, Any]:
    """Return the facts on the training data that the model card states."""
    systems = chemical_system(list(table["formula"]))
    facts = training_facts(table, y, groups=systems, **recipe.facts)
    return {
        **facts,
        "name": recipe.name,
        "sha256 of the data file": sha256_of(Path(data_file)),
        "crystalml": package_version.__version__,
    }

"""Ready models by name."""

import warnings
from pathlib import Path
from typing import Any, Literal

from crystalml.exceptions import CrystalmlWarning, PersistenceError
from crystalml.persistence import load
from crystalml.pretrained._locations import (
    cached_file,
    checksum_file,
    prepare_folder,
    sha256_of,
    shipped_file,
)
from crystalml.pretrained._recipes import Recipe, find_recipe


def load_pretrained(
    name: str = "cod-inorganic", *, progress: bool | Literal["auto"] = "auto"
) -> Any:
    r"""Return a fitted model that is ready to use.

    ``"cod-inorganic"`` is a `SpaceGroupClassifier` for cell and composition, fitted to all
    entries of `load_cod_inorganic`. Its file comes with the package and is compared with its
    checksum. Without the file, as in a checkout of the sources, the model is fitted once, which
    takes some minutes, and kept in the user's cache.

    Parameters
    ----------
    name : {"cod-inorganic"}, default="cod-inorganic"
        Which model.
    progress : bool or "auto", default="auto"
        Whether fitting shows a progress bar; ``"auto"`` shows it on a terminal.

    Returns
    -------
    SpaceGroupClassifier
        Fitted; each call gives a new object.

    Raises
    ------
    InvalidInputError
        If there is no such model.
    PersistenceError
        If the shipped file was changed or damaged, or the cache folder cannot be written.
    MissingDependencyError
        If the model must be fitted, and LightGBM is not installed; to predict, it is not needed.

    Warns
    -----
    CrystalmlWarning
        If the file in the cache was damaged; it is made anew.

    See Also
    --------
    pretrained_card : What the model was trained on, and how good it is.
    crystalml.load : Models from files of your own.

    Notes
    -----
    The cache is ``~/.cache/crystalml`` (or below ``XDG_CACHE_HOME``) on Linux,
    ``~/Library/Caches/crystalml`` on macOS and ``%LOCALAPPDATA%\crystalml\Cache`` on Windows; the
    environment variable ``CRYSTALML_CACHE`` names another folder. Data, recipe and versions are
    in the name of the file there, so that it is never mistaken for that of another version.

    Examples
    --------
    An unknown name is answered with those there are:

    >>> from crystalml import load_pretrained
    >>> try:
    ...     load_pretrained("cod-organic")
    ... except ValueError as error:
    ...     print(error)
    load_pretrained: there is no ready model 'cod-organic'; choose from 'cod-inorganic'.
    """
    recipe = find_recipe(name, caller="load_pretrained")
    shipped = shipped_file(name)
    if shipped.is_file():
        _check(shipped)
        return load(shipped)
    return _from_cache(recipe, progress)


def model_file(name: str, *, caller: str) -> Path | None:
    """Return the file that `load_pretrained` would read, or None if there is none yet."""
    recipe = find_recipe(name, caller=caller)
    places = (shipped_file(name), cached_file(recipe))
    return next((path for path in places if path.is_file()), None)


def _check(shipped: Path) -> None:
    """Compare a shipped file with the checksum that was shipped with it."""
    beside = checksum_file(shipped)
    # As sha256sum writes it: the sum, then the name. A missing file is a wrong sum, or whoever
    # changes the model could just delete it.
    wanted = beside.read_text(encoding="utf-8").split()[:1] if beside.is_file() else []
    if wanted != [sha256_of(shipped)]:
        raise PersistenceError(
            f"load_pretrained: {shipped} is not the file that was shipped: its checksum is wrong. "
            "Install the package anew: pip install --force-reinstall --no-deps crystalml-sklearn"
        )


def _from_cache(recipe: Recipe, progress: bool | Literal["auto"]) -> Any:
    """Load the model from the cache, fitting it first where it is missing or damaged."""
    path = cached_file(recipe)
    if path.is_file():
        try:
            return load(path)
        except PersistenceError as error:
            warnings.warn(
                f"load_pretrained: the model in the cache is damaged and is fitted anew, which "
                f"takes {recipe.duration} ({error})",
                CrystalmlWarning,
                # The line that called load_pretrained.
                stacklevel=3,
            )
    prepare_folder(path.parent, caller="load_pretrained")
    # Late, since whoever has the file has no need of what fitting needs.
    from crystalml.pretrained._build import build_model

    build_model(recipe, path, progress=progress)
    # Read back, not returned as it was fitted: the first call gives what all later ones will.
    return load(path)

"""Where the files of ready models lie: in the package, or in the user's cache."""

import hashlib
import os
import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from crystalml._version import __version__
from crystalml.exceptions import PersistenceError
from crystalml.pretrained._recipes import Recipe

CACHE_VARIABLE = "CRYSTALML_CACHE"
# What decides, beside the data and the recipe, which numbers a fit gives.
_LIBRARIES = ("lightgbm", "numpy", "scikit-learn")


def shipped_file(name: str) -> Path:
    """Path of the model file in the package, whether it is there or not."""
    return Path(str(resources.files("crystalml.pretrained") / "data" / f"{name}.crystalml"))


def checksum_file(model: Path) -> Path:
    """Path of the file with the SHA-256 of a shipped model."""
    return model.with_suffix(".sha256")


def figures_file(name: str) -> Path:
    """Path of the file with what was measured on held-out rows."""
    return shipped_file(name).with_suffix(".figures.json")


def cached_file(recipe: Recipe) -> Path:
    """Path in the cache of the model that this recipe, data and code would give."""
    return cache_folder() / "models" / f"{recipe.name}-{_fingerprint(recipe)}.crystalml"


def cache_folder() -> Path:
    """Return the user's cache folder, as the platform wants it; it need not exist."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        # A shell leaves ~ as it is in quotes and in files of settings.
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "crystalml" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "crystalml"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "crystalml"


def prepare_folder(folder: Path, *, caller: str) -> None:
    """Make a folder and see that it can be written, before minutes of work depend on it."""
    # Mode bits do not tell (read-only disks, quotas, Windows), so a file is written.
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PersistenceError(
            f"{caller}: the cache folder {str(folder)!r} cannot be written "
            f"({error.strerror or error}). Set the environment variable {CACHE_VARIABLE} to a "
            "folder that can."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fingerprint(recipe: Recipe) -> str:
    """Short text that changes with everything that changes the fitted model."""
    digest = hashlib.sha256(repr((__version__, recipe)).encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {_minor_version(library)};".encode())
    package = Path(str(resources.files("crystalml")))
    data = package / "datasets" / "data" / "cod_inorganic.csv.gz"
    # The classes of a development version change without a new number.
    for path in [data, *sorted((package / "symmetry").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# Not the patch level: a model is not fitted anew for every release that mends bugs.
def _minor_version(library: str) -> str:
    try:
        return ".".join(version(library).split(".")[:2])
    except PackageNotFoundError:
        return "none"

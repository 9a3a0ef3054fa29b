"""Estimators to one file and back: `save`, `load` and `read_manifest`."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.io._atomic import write_atomically
from crystalml.persistence._container import NUMBERS, STATE, as_json, pack, unpack
from crystalml.persistence._manifest import describe, warn_of_versions
from crystalml.persistence._values import Reader, Writer

MAX_SIZE = 2**30


def save(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, Any] | None = None,
    resumable: bool = True,
) -> None:
    """Write an estimator to one file that holds data and no code.

    The file is a zip of JSON, numbers and, for nets, safetensors, with checksums. It says with
    which versions it was written, which columns the estimator wants and what is known of the
    training data, for `model_card` and for whoever finds it in ten years. It is written aside and
    moved to `path` in one step.

    Parameters
    ----------
    estimator : estimator
        An estimator of the list that `trusted_types` gives: all of crystalml, and those of
        scikit-learn that belong around them, nested in any way.
    path : str or PathLike
        Where to write; an existing file is replaced.
    facts : dict, default=None
        What should be known of the training data, as `training_facts` makes it. They complete or
        replace what the estimator knows itself.
    resumable : bool, default=True
        Whether nets keep the state of their optimiser, so that ``partial_fit`` goes on after
        `load` as it would have done before. Without, files of nets are about a third as large.

    Returns
    -------
    None

    Raises
    ------
    PersistenceError
        If the estimator holds something that is not on the list, such as a lambda, an estimator
        of your own or LightGBM's trees; the message says where. For models that only you load,
        skops or joblib can write it.
    InvalidInputError
        If `estimator` is none, or a fact is no JSON.

    See Also
    --------
    load : The way back.
    model_card : A page about the model.
    training_facts : Facts about the training data.

    Notes
    -----
    Estimators of scikit-learn keep what they need to predict. Of a search, that is its best
    estimator with its parameters and score, without ``cv_results_`` and ``scorer_``. A cache
    (``memory`` of a pipeline) is a folder of pickles and is not saved; nor is ``n_jobs``, which
    is for the machine to say that loads the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> import crystalml
    >>> cells = [[4.6, 4.6, 3.0, 90, 90, 90], [5.6, 5.6, 5.6, 90, 90, 90]]
    >>> model = make_pipeline(
    ...     crystalml.CellDescriptors(), ExtraTreesClassifier(10, random_state=0)
    ... )
    >>> model = model.fit(cells, ["tP", "cF"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bravais.crystalml"
    ...     crystalml.save(model, path, facts={"source": "rutile and halite"})
    ...     again = crystalml.load(path)
    >>> again.predict(cells).tolist()
    ['tP', 'cF']
    """
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        raise InvalidInputError(f"save: {estimator!r:.200} is no estimator; give an instance.")
    writer = Writer(with_optimizer=resumable)
    state = writer.write(estimator)
    members = {STATE: as_json(state), NUMBERS: b"".join(writer.blocks)}
    for number, tensors in enumerate(writer.nets):
        members[f"nets/{number}.safetensors"] = _tensors_module("save").save(tensors)
    manifest = describe(estimator, writer.classes, len(writer.nets), facts)
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    write_atomically(target, pack(manifest, members), unfinished=unfinished)


def load(path: str | os.PathLike[str], *, max_size: int | None = MAX_SIZE) -> Any:
    """Read an estimator that `save` wrote. Nothing that a file says is called.

    A file names classes of a closed list (see `trusted_types`) and gives the attributes of their
    instances, each of which must be one that its class is known to have, and of its kind: an
    array of a certain type and shape, a number, text. What compiled code would read unchecked
    (children of trees, counts of support vectors) is compared with the arrays. A file of n bytes
    takes at most 16 MiB and 200 n bytes of memory. Only what the model needs is imported: torch
    for nets alone.

    Parameters
    ----------
    path : str or PathLike
        The file.
    max_size : int or None, default=2**30
        Bytes that the unpacked file may have. ``None`` sets no limit.

    Returns
    -------
    estimator
        It predicts as it did when it was saved.

    Raises
    ------
    PersistenceError
        If the file is something else, from a newer version, cut off, damaged, changed or too
        large, or if it holds what no model does.
    OSError
        If the file cannot be read.

    Warns
    -----
    CrystalmlWarning
        If the model was saved with another version of scikit-learn, or on a GPU that is not
        there.

    See Also
    --------
    save : How such files are made, with an example.
    read_manifest : What a file says of itself, without loading it.

    Notes
    -----
    A checksum tells damage and carelessness. It is no signature: who can change a file can change
    its checksums. A file by an attacker cannot act, but its numbers may be chosen to mislead.
    Take models from people you know, as you would take data.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import crystalml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "untrained.crystalml"
    ...     crystalml.save(crystalml.CellDescriptors(), path)
    ...     crystalml.load(path)
    CellDescriptors()
    """
    manifest, members = _unpacked(path, max_size, "load")
    with _one_error(path, "load"), warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)  # said once, below
        names = sorted((name for name in members if name.startswith("nets/")), key=_net_number)
        reader = Reader(members[NUMBERS], [partial(_read_tensors, members[name]) for name in names])
        estimator = reader.read(json.loads(members[STATE]))
        reader.finish()
        if not hasattr(estimator, "get_params"):
            raise PersistenceError("it holds no estimator")
    warn_of_versions(manifest, reader.classes, path)
    return estimator


def read_manifest(
    path: str | os.PathLike[str], *, max_size: int | None = MAX_SIZE
) -> dict[str, Any]:
    """Return what a model file says of itself; the model is not loaded.

    All checksums are verified.

    Parameters
    ----------
    path : str or PathLike
        A file that `save` wrote.
    max_size : int or None, default=2**30
        Bytes that the unpacked file may have. ``None`` sets no limit.

    Returns
    -------
    dict
        ``created`` (date and time, UTC), ``estimator``, ``parameters``, ``input`` (``n_features``,
        ``columns``), ``output`` (``kind``, ``n_classes``, ``labels``), ``training_data`` (facts),
        ``versions``, ``types`` (classes of which it holds instances, as `save` wrote them),
        ``n_nets``, ``format``, ``format_version`` and ``members`` (``size`` and ``sha256`` of
        each).

    Raises
    ------
    PersistenceError
        If the file is something else, from a newer version, cut off, damaged, changed or too
        large.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import crystalml
    >>> from crystalml.persistence import read_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "untrained.crystalml"
    ...     crystalml.save(crystalml.CellDescriptors(), path)
    ...     manifest = read_manifest(path)
    >>> manifest["estimator"], manifest["output"]
    ('CellDescriptors', {'kind': 'transformer'})
    """
    return _unpacked(path, max_size, "read_manifest")[0]


def _tensors_module(caller: str) -> Any:
    """Import safetensors, and with it torch, which only models with nets need."""
    return import_optional("safetensors.torch", needed_by=caller)


def _read_tensors(data: bytes) -> Any:
    return _tensors_module("load").load(data)


def _net_number(name: str) -> int:
    return int(Path(name).stem)


def _unpacked(
    path: str | os.PathLike[str], max_size: int | None, caller: str
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the file once, whole; what is checked is what is used."""
    path = Path(path)
    size = path.stat().st_size
    if max_size is not None and size > max_size:
        raise PersistenceError(
            f"{caller}: {path} has {size} bytes, more than max_size={max_size!r}."
        )
    data = path.read_bytes()
    with _one_error(path, caller):
        return unpack(data, max_size)


@contextmanager
def _one_error(path: str | os.PathLike[str], caller: str) -> Iterator[None]:
    """Turn whatever goes wrong with a stranger's file into one error that names it."""
    try:
        yield
    except PersistenceError as error:
        raise PersistenceError(
            f"{caller}: cannot read {path}: {str(error).removesuffix('.')}."
        ) from error
    except Exception as error:
        raise PersistenceError(
            f"{caller}: cannot read {path}: it is damaged or was changed "
            f"({type(error).__name__}: {str(error)[:300]})."
        ) from error

"""Estimators to one file and back: `save`, `load` and `read_manifest`."""

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sklearn.exceptions import InconsistentVersionWarning

from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.io._atomic import write_atomically
from crystalml.persistence._attributes import attributes_of, check_attributes
from crystalml.persistence._container import GRAPH, NUMBERS, as_json, pack, unpack
from crystalml.persistence._decode import Decoder, names_in, refused
from crystalml.persistence._encode import Encoder
from crystalml.persistence._manifest import describe, warn_of_versions
from crystalml.persistence._tensors import read_tensors, write_tensors

MAX_SIZE = 2**30


def save(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    facts: Mapping[str, Any] | None = None,
    resumable: bool = True,
    trusted: Iterable[str] = (),
) -> None:
    """Write an estimator to one file that holds data and no code.

    The file is a zip of JSON, numbers and, for nets, safetensors, with checksums; nothing in it
    can be run. It says with which versions it was written, which columns the estimator wants and
    what is known of the training data, for `model_card` and for whoever finds it in ten years. It
    is written aside and moved to `path` in one step.

    Parameters
    ----------
    estimator : estimator
        Any estimator of crystalml, scikit-learn or LightGBM, and what they compose: pipelines,
        searches, ensembles, nets in any depth.
    path : str or PathLike
        Where to write; an existing file is replaced.
    facts : dict, default=None
        What should be known of the training data, as `training_facts` makes it. They complete or
        replace what the estimator knows itself.
    resumable : bool, default=True
        Whether nets keep the state of their optimiser, so that ``partial_fit`` goes on after
        `load` as it would have done before. Without, files of nets are about a third as large.
    trusted : sequence of str, default=()
        Dotted names of your own classes and functions in the estimator. They must be importable
        where the file is loaded, and be named to `load` too.

    Raises
    ------
    PersistenceError
        If something in the estimator cannot be saved as data, such as a lambda, or would be
        refused by `load`; the message says where it stands.
    InvalidInputError
        If `estimator` is none, or a fact is no JSON.

    See Also
    --------
    load : The way back.
    model_card : A page about the model.
    training_facts : Facts about the training data.

    Notes
    -----
    A cache (``memory`` of a pipeline) is a folder of pickles and is not saved. Sparse arrays in
    other formats than CSR, CSC, BSR and COO, and search trees with rare distances, are refused.

    Returns
    -------
    None

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
    encoder = Encoder(_checked_names(trusted, "save"), resumable)
    encoder.slot(estimator)
    members = {GRAPH: as_json(encoder.nodes), NUMBERS: encoder.numbers}
    for number, tensors in enumerate(encoder.nets):
        members[f"nets/{number}.safetensors"] = write_tensors(tensors)
    manifest = describe(estimator, encoder.names, len(encoder.nets), facts)
    manifest["attributes"] = {
        name: attributes_of(kind) for name, kind in sorted(encoder.classes.items())
    }
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    write_atomically(target, pack(manifest, members), unfinished=unfinished)


def used_names(estimator: Any) -> tuple[set[str], int]:
    """Return the names that a file of the estimator would hold, and its number of nets."""
    encoder = Encoder(frozenset(), with_optimizer=False)
    encoder.slot(estimator)
    return encoder.names, len(encoder.nets)


def load(
    path: str | os.PathLike[str],
    *,
    trusted: Iterable[str] = (),
    max_size: int | None = MAX_SIZE,
) -> Any:
    """Read an estimator that `save` wrote, without running code from the file.

    Names of classes and functions in the file are held against a list (see `trusted_types`) before
    anything is imported, and what compiled code would read unchecked (children of trees, shapes of
    weights) is compared with the arrays. Only what the model needs is imported: torch for nets
    alone.

    Parameters
    ----------
    path : str or PathLike
        The file.
    trusted : sequence of str, default=()
        Dotted names of further classes and functions that may be imported and used. Name only what
        you know: they run.
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
        large, or if it names what is on no list; then all such names are given. Also if classes of
        crystalml keep other attributes than when it was saved.
    OSError
        If the file cannot be read.

    Warns
    -----
    CrystalmlWarning
        If the model was saved with another version of scikit-learn or LightGBM, or on a GPU that
        is not there.

    See Also
    --------
    save : How such files are made, with an example.
    read_manifest : What a file says of itself, without loading it.

    Notes
    -----
    A checksum tells damage and carelessness. It is no signature: who can change a file can change
    its checksums. A file by an attacker cannot run code of its own, but its numbers may be chosen
    to mislead. Take models from people you know, as you would take data.

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
    names = _checked_names(trusted, "load")
    manifest, members = _unpacked(path, max_size, "load")
    with _funnel(path, "load"), warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)  # said once, below
        estimator = _decoded(manifest, members, names)
        if not hasattr(estimator, "get_params"):
            raise PersistenceError("it holds no estimator")
    warn_of_versions(manifest, path)
    return estimator


def _decoded(
    manifest: Mapping[str, Any], members: Mapping[str, bytes], trusted: frozenset[str]
) -> Any:
    """Judge the names in the file, then build what it holds."""
    nodes = json.loads(members[GRAPH])
    strangers = refused(names_in(nodes), trusted)
    if strangers:
        raise PersistenceError(
            f"it names {strangers!r}, which a model has no need of or which load does not know. "
            "Only if you know them to be harmless, and why they are there, pass them as trusted"
        )
    nets: dict[int, Any] = {}

    def tensors_of(number: int) -> Any:
        if number not in nets:
            nets[number] = read_tensors(members[f"nets/{int(number)}.safetensors"])
        return nets[number]

    decoder = Decoder(nodes, members[NUMBERS], tensors_of, trusted)
    check_attributes(manifest, decoder.classes)
    return decoder.result()


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
        ``versions``, ``types`` (names that loading imports, as `save` wrote them), ``attributes``
        (what each class of crystalml among them kept at that time), ``n_nets``,
        ``format``, ``format_version`` and ``members`` (``size`` and ``sha256`` of each).

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
    ('crystalml.descriptors._cell.CellDescriptors', {'kind': 'transformer'})
    """
    return _unpacked(path, max_size, "read_manifest")[0]


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
    with _funnel(path, caller):
        return unpack(data, max_size)


class _funnel:  # noqa: N801
    """Turn whatever goes wrong with a stranger's file into one error that names it."""

    def __init__(self, path: str | os.PathLike[str], caller: str) -> None:
        self.path, self.caller = path, caller

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if isinstance(error, PersistenceError):
            raise PersistenceError(
                f"{self.caller}: cannot read {self.path}: {str(error).removesuffix('.')}."
            ) from error
        raise PersistenceError(
            f"{self.caller}: cannot read {self.path}: it is damaged or was changed "
            f"({type(error).__name__}: {str(error)[:300]})."
        ) from error


def _checked_names(trusted: Iterable[str], caller: str) -> frozenset[str]:
    """Return dotted names as a set."""
    names = [trusted] if isinstance(trusted, str) else list(trusted)
    if not all(isinstance(name, str) and "." in name for name in names):
        raise InvalidInputError(
            f"{caller}: trusted={trusted!r}; give the full names, such as "
            "['mypackage.module.MyTransformer']."
        )
    return frozenset(names)

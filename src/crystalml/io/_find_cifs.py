"""Find the single CIFs behind what users name: files, folders, globs, archives, text."""

import glob
import os
from collections.abc import Iterable
from numbers import Integral
from operator import attrgetter

from crystalml.exceptions import InvalidInputError
from crystalml.io._archives import is_cif_name, members_of
from crystalml.io._source import READ_ERRORS, Source, file_source, reason, writable_name
from crystalml.io._unpack import MAX_FILE_SIZE, read_up_to

_name = attrgetter("name")


def check_max_file_size(value, *, caller):
    """Refuse what is no size in bytes."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InvalidInputError(
            f"{caller}: max_file_size is {value!r}; give a number of bytes, at least 1."
        )


def iterate_sources(sources, *, caller, max_size=MAX_FILE_SIZE):
    """Yield a Source for each CIF that `sources` names, and at least one for each input."""
    for given in _as_list(sources, caller):
        for source in _expand(given, caller, max_size):
            yield _finished(source, max_size)


def count_sources(sources, *, caller):
    """Count the CIFs that `sources` names, opening none; None where that cannot be told."""
    inputs = _as_list(sources, caller)
    if not hasattr(inputs, "__len__"):
        return None  # walking an iterator would use it up
    counts = [_count(source) for source in inputs]
    return None if None in counts else sum(counts)


def _count(source):
    if not _is_path(source):
        return 1
    path = os.fsdecode(os.fspath(source))
    if os.path.isdir(path):
        return sum(1 for _ in _paths_below(path)) or 1
    # A file may be called data[1].cif: what exists is no pattern.
    is_pattern = glob.has_magic(path) and not os.path.exists(path)
    names = glob.glob(path, recursive=True) if is_pattern else [path]
    counts = [
        sum(1 for _ in _paths_below(name))
        if os.path.isdir(name)
        else (1 if members_of(name, MAX_FILE_SIZE) is None else None)
        for name in names
    ]
    return None if None in counts else sum(counts) or 1


def single_source(source, *, caller, max_size=MAX_FILE_SIZE):
    """Return the one Source that a path, bytes, text or a file object is."""
    if isinstance(source, bytes | bytearray | memoryview):
        found = Source("<bytes>", data=bytes(source))
    elif isinstance(source, str) and is_cif_text(source):
        found = Source("<text>", data=_encoded(source))
    elif hasattr(source, "read"):
        found = _read_file_object(source, max_size)
    elif isinstance(source, str | os.PathLike):
        found = file_source(os.fsdecode(os.fspath(source)))
    else:
        raise InvalidInputError(
            f"{caller}: a source must be a path, bytes, CIF text or a file object, got "
            f"{type(source).__name__} ({source!r})."
        )
    return _finished(found, max_size)


def _finished(source, max_size):
    """Return a Source with the limit of the caller and a name that can be written anywhere."""
    if source.max_size == max_size and source.name.isascii():  # nearly all
        return source
    return source._replace(name=writable_name(source.name), max_size=max_size)


def _encoded(text):
    """Return the bytes that a text was read from, as far as there are such bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, as no bytes give it
        return text.encode("utf-8", "backslashreplace")


def is_cif_text(text):
    """Tell CIF text from a path: it has a line end, or words after a data_ header."""
    if "\n" in text or "\r" in text:
        return True
    # A file may well be called data_1.cif, so a header alone is a path.
    return text.lstrip().lower().startswith("data_") and len(text.split()) > 1


def _as_list(sources, caller):
    # Before it is asked whether they can be iterated, as text and bytes can.
    is_single = isinstance(sources, str | os.PathLike | bytes | bytearray | memoryview)
    if is_single or hasattr(sources, "read"):
        return [sources]
    if not isinstance(sources, Iterable):
        raise InvalidInputError(
            f"{caller}: sources must be a folder, glob, archive, file or a list of these, got "
            f"{type(sources).__name__} ({sources!r})."
        )
    return sources


def _read_file_object(file, max_size):
    # Of a file that is opened by its descriptor, the name is a number.
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "<file>"
    try:
        return Source(name, data=read_up_to(file, max_size))
    except READ_ERRORS as error:
        return Source(name, error=reason(error))


def _is_path(source):
    return isinstance(source, os.PathLike) or (isinstance(source, str) and not is_cif_text(source))


def _expand(source, caller, max_size):
    """Yield the CIFs behind one input."""
    if not _is_path(source):
        yield single_source(source, caller=caller, max_size=max_size)
        return
    path = os.fsdecode(os.fspath(source))
    if os.path.isdir(path):
        yield from _or_error(_walk(path), path, "the folder has no .cif or .cif.gz file")
    elif glob.has_magic(path) and not os.path.exists(path):
        # Sorted, as the order of a folder's entries differs between file systems.
        matches = sorted(glob.glob(path, recursive=True))
        found = (item for match in matches for item in _expand_match(match, max_size))
        yield from _or_error(found, path, "no file matches this pattern")
    else:
        yield from _open(path, max_size)


def _expand_match(path, max_size):
    """Yield the CIFs of one match of a glob; a folder that holds none is passed over."""
    yield from _walk(path) if os.path.isdir(path) else _open(path, max_size)


def _or_error(found, name, message):
    """Yield from `found`; if it is empty, one Source that says so."""
    empty = True
    for source in found:
        empty = False
        yield source
    if empty:
        yield Source(name, error=message)


def _walk(folder):
    """Yield every CIF below `folder`, by sorted names; links to folders are not followed."""
    for found in _paths_below(folder):
        yield found if isinstance(found, Source) else file_source(found)


def _paths_below(folder):
    """Yield the path of every CIF, and a Source for a folder that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            # Sorted, so that a table has the same rows in the same order everywhere.
            found = sorted(entries, key=_name)
    except OSError as error:
        # A row of its own: nobody should believe that a folder without permission was empty.
        yield Source(folder, error=reason(error))
        return
    for entry in found:
        # A link may lead back to a folder above it, without end.
        if entry.is_dir(follow_symlinks=False):
            yield from _paths_below(entry.path)
        elif is_cif_name(entry.name):
            yield entry.path


def _open(path, max_size):
    """Yield the file itself, or the CIFs in it if it is an archive."""
    members = members_of(path, max_size)
    if members is None:
        yield file_source(path)
    else:
        yield from _or_error(members, path, "the archive has no .cif or .cif.gz member")

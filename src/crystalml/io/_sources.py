"""From what users name (files, folders, globs, archives, text) to single CIFs."""

import glob
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Sized
from numbers import Integral
from typing import NamedTuple

from crystalml.exceptions import InvalidInputError
from crystalml.io._unpack import (
    MAX_FILE_SIZE,
    FileTooLargeError,
    ForwardFile,
    open_unpacked,
    read_up_to,
    unpack,
)

_CIF_SUFFIXES = (".cif", ".cif.gz")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

# What reading or unpacking bytes of unknown origin raises.
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # zipfile: a member is encrypted
    NotImplementedError,  # zipfile: an unknown method of compression
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)


class Source(NamedTuple):
    """One CIF: its name, and its bytes, or the path to read them from, or why it has none."""

    name: str
    path: str | None = None
    data: bytes | None = None
    error: str | None = None
    max_size: int = MAX_FILE_SIZE

    def read(self):
        """Return the bytes of the CIF, unpacked; raises one of READ_ERRORS."""
        data = self.data
        if data is None:
            with open(self.path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                data = read_up_to(file, self.max_size, expected=size)
        return unpack(data, self.max_size)

    @property
    def size(self):
        """Size in bytes before unpacking; 0 if it cannot be told."""
        if self.data is not None:
            return len(self.data)
        try:
            return os.path.getsize(self.path) if self.path else 0
        except OSError:
            return 0


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
            yield source if source.max_size == max_size else source._replace(max_size=max_size)


def count_sources(sources, *, caller):
    """Count the CIFs that `sources` names, opening none; None where that cannot be told."""
    inputs = _as_list(sources, caller)
    if not isinstance(inputs, Sized):
        return None  # walking an iterator would use it up
    counts = [_count(source) for source in inputs]
    return None if None in counts else sum(counts)


def _count(source):
    if not _is_path(source):
        return 1
    path = os.fsdecode(os.fspath(source))
    if os.path.isdir(path):
        return sum(1 for _ in _walk(path)) or 1
    is_pattern = glob.has_magic(path) and not os.path.exists(path)
    names = glob.glob(path, recursive=True) if is_pattern else [path]
    counts = [
        sum(1 for _ in _walk(name))
        if os.path.isdir(name)
        else (None if name.lower().endswith((".zip", *_TAR_SUFFIXES)) else 1)
        for name in names
    ]
    return None if None in counts else sum(counts) or 1


def single_source(source, *, caller, max_size=MAX_FILE_SIZE):
    """Return the one Source that a path, bytes, text or a file object is."""
    if isinstance(source, bytes | bytearray | memoryview):
        return Source("<bytes>", data=bytes(source))
    if isinstance(source, str) and is_cif_text(source):
        return Source("<text>", data=source.encode("utf-8", "surrogateescape"))
    if hasattr(source, "read"):
        return _read_file_object(source, max_size)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return Source(str(os.fsdecode(path)), path=path)
    raise InvalidInputError(
        f"{caller}: a source must be a path, bytes, CIF text or a file object, got "
        f"{type(source).__name__} ({source!r})."
    )


def is_cif_text(text):
    """Tell CIF text from a path: it has a line end, or words after a data_ header."""
    if "\n" in text or "\r" in text:
        return True
    return text.lstrip().lower().startswith("data_") and len(text.split()) > 1


def reason(error):
    """Say in a few words what went wrong in reading."""
    if isinstance(error, FileTooLargeError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the file cannot be read: {detail or type(error).__name__}"


def _as_list(sources, caller):
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
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Source(folder, error=reason(error))
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif _is_cif_name(entry.name):
            yield Source(entry.path, path=entry.path)


def _open(path, max_size):
    """Yield the file itself, or the CIFs in it if it is an archive."""
    name = path.lower()
    members = None
    if name.endswith(".zip"):
        members = _zip_members(path, max_size)
    elif name.endswith(_TAR_SUFFIXES):
        members = _tar_members(path, max_size)
    if members is None:
        yield Source(path, path=path)
    else:
        yield from _or_error(members, path, "the archive has no .cif or .cif.gz member")


def _tar_members(path, max_size):
    """Yield the CIFs of a tar archive in one pass, nothing written to disk."""
    try:
        with (
            open(path, "rb") as raw,
            open_unpacked(raw) as unpacked,
            tarfile.open(fileobj=ForwardFile(unpacked, max_size), mode="r:") as archive,
        ):
            while (member := archive.next()) is not None:
                archive.members = []  # tarfile would remember every member
                if not member.isfile() or not _is_cif_name(member.name):
                    continue
                if member.size > max_size:
                    yield _member(path, member.name, error=str(FileTooLargeError(max_size)))
                else:
                    yield _member(path, member.name, archive.extractfile(member).read())
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _zip_members(path, max_size):
    """Yield the CIFs of a zip archive; a damaged member does not hide the others."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.is_dir() or not _is_cif_name(member.filename):
                    continue
                try:
                    with archive.open(member) as file:
                        data = read_up_to(file, max_size)
                except READ_ERRORS as error:
                    yield _member(path, member.filename, error=reason(error))
                else:
                    yield _member(path, member.filename, data)
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _member(archive, name, data=None, *, error=None):
    return Source(f"{archive}/{name.removeprefix('./')}", data=data, error=error)


def _is_cif_name(name):
    """Tell a CIF by its name; ``._x.cif`` is what macOS adds to archives."""
    base = os.path.basename(name)
    return base.lower().endswith(_CIF_SUFFIXES) and not base.startswith("._")

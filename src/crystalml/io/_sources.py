"""From what users name (files, folders, globs, archives, text) to single CIFs."""

import bz2
import glob
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from crystalml.exceptions import InvalidInputError

_CIF_SUFFIXES = (".cif", ".cif.gz")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_GZIP, _XZ, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh"
_PACKED = (_GZIP, _XZ, _BZIP2)
_DECOMPRESS = {_GZIP: gzip.decompress, _XZ: lzma.decompress, _BZIP2: bz2.decompress}

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

    def read(self):
        """Return the bytes of the CIF, unpacked; raises one of READ_ERRORS."""
        data = self.data
        if data is None:
            with open(self.path, "rb") as file:
                data = file.read()
        if data.startswith(_PACKED):
            for signature, decompress in _DECOMPRESS.items():
                if data.startswith(signature):
                    return decompress(data)
        return data

    @property
    def size(self):
        """Size in bytes before unpacking; 0 if it cannot be told."""
        if self.data is not None:
            return len(self.data)
        try:
            return os.path.getsize(self.path) if self.path else 0
        except OSError:
            return 0


def iterate_sources(sources, *, caller):
    """Yield a Source for each CIF that `sources` names, and at least one for each input."""
    for source in _as_list(sources, caller):
        yield from _expand(source, caller)


def single_source(source, *, caller):
    """Return the one Source that a path, bytes, text or a file object is."""
    if isinstance(source, bytes | bytearray | memoryview):
        return Source("<bytes>", data=bytes(source))
    if isinstance(source, str) and is_cif_text(source):
        return Source("<text>", data=source.encode("utf-8", "surrogateescape"))
    if hasattr(source, "read"):
        return _read_file_object(source)
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


def _read_file_object(file):
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "<file>"
    try:
        data = file.read()
    except READ_ERRORS as error:
        return Source(name, error=reason(error))
    return Source(name, data=data.encode() if isinstance(data, str) else bytes(data))


def _expand(source, caller):
    """Yield the CIFs behind one input."""
    is_path = isinstance(source, os.PathLike) or (
        isinstance(source, str) and not is_cif_text(source)
    )
    if not is_path:
        yield single_source(source, caller=caller)
        return
    path = os.fsdecode(os.fspath(source))
    if os.path.isdir(path):
        yield from _or_error(_walk(path), path, "the folder has no .cif or .cif.gz file")
    elif not os.path.exists(path) and glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        found = (item for match in matches for item in _expand_match(match))
        yield from _or_error(found, path, "no file matches this pattern")
    else:
        yield from _open(path)


def _expand_match(path):
    """Yield the CIFs of one match of a glob; a folder that holds none is passed over."""
    yield from _walk(path) if os.path.isdir(path) else _open(path)


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


def _open(path):
    """Yield the file itself, or the CIFs in it if it is an archive."""
    name = path.lower()
    members = None
    if name.endswith(".zip"):
        members = _zip_members(path)
    elif name.endswith(_TAR_SUFFIXES):
        members = _tar_members(path)
    if members is None:
        yield Source(path, path=path)
    else:
        yield from _or_error(members, path, "the archive has no .cif or .cif.gz member")


def _tar_members(path):
    """Yield the CIFs of a tar archive in one pass, nothing written to disk."""
    try:
        with tarfile.open(path, mode="r|*") as archive:
            for member in archive:
                if member.isfile() and _is_cif_name(member.name):
                    yield _member(path, member.name, archive.extractfile(member).read())
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _zip_members(path):
    """Yield the CIFs of a zip archive; a damaged member does not hide the others."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.is_dir() or not _is_cif_name(member.filename):
                    continue
                try:
                    yield _member(path, member.filename, archive.read(member))
                except READ_ERRORS as error:
                    yield Source(f"{path}/{member.filename}", error=reason(error))
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _member(archive, name, data):
    return Source(f"{archive}/{name.removeprefix('./')}", data=data)


def _is_cif_name(name):
    """Tell a CIF by its name; ``._x.cif`` is what macOS adds to archives."""
    base = os.path.basename(name)
    return base.lower().endswith(_CIF_SUFFIXES) and not base.startswith("._")

"""The file: a zip of a few members of known names, each with its size and checksum."""

import hashlib
import io
import json
import re
import zipfile
import zlib

from crystalml.exceptions import PersistenceError

FORMAT = "crystalml model"
FORMAT_VERSION = 2
_OLDEST_VERSION = 2
MANIFEST = "manifest.json"
STATE = "state.json"
NUMBERS = "numbers.bin"
NET = re.compile(r"nets/(0|[1-9]\d{0,5})\.safetensors", re.ASCII)

_MARK = "crystalml model, SHA-256 of manifest.json: "
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes, but for its date
_LARGEST_MANIFEST = 2**26
# A file of n bytes takes at most _FREE + _MOST_PER_BYTE * n bytes of memory to decode: each number
# of its arrays is read once, and a value of its JSON takes at most _BYTES_PER_VALUE.
_FREE, _MOST_PER_BYTE, _BYTES_PER_VALUE = 2**24, 200, 100


def as_json(value):
    """Return compact JSON as bytes."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def pack(manifest, members):
    """Return the bytes of a model file.

    Parameters
    ----------
    manifest : dict
        What the file says of itself; format and checksums are added.
    members : dict of str to bytes
        Everything else.
    """
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **manifest,
        "members": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
    }
    text = json.dumps(manifest, indent=1, allow_nan=False).encode("ascii")
    members = {MANIFEST: text, **members}
    comment = (_MARK + hashlib.sha256(text).hexdigest()).encode("ascii")
    packed, small = _zipped(members, comment, stored=())
    needed = {name: _memory(name, data) for name, data in members.items()}
    if sum(needed.values()) > _FREE + _MOST_PER_BYTE * sum(small.values()):
        # `unpack` refuses files that take too much memory for their size; what compresses too
        # well for that is stored as it is.
        stored = [name for name in members if needed[name] > _MOST_PER_BYTE * small[name]]
        packed, _ = _zipped(members, comment, stored)
    return packed


def _zipped(members, comment, stored):
    """Return a zip of the members, and their compressed sizes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
        archive.comment = comment
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
    return buffer.getvalue(), sizes


def unpack(data, max_size):
    """Return the manifest and the members of a model file, all of which are as they were written.

    Parameters
    ----------
    data : bytes
        The file.
    max_size : int or None
        Bytes that its members may have together.

    Raises
    ------
    PersistenceError
        If the file is something else, newer, damaged, changed or too large.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise PersistenceError(_foreign(data)) from error
    if not archive.comment.startswith(_MARK.encode("ascii")):
        raise PersistenceError("it is a zip file, but no model that save has written")
    infos = _checked_infos(archive, max_size)
    text = _read(archive, infos[MANIFEST])
    if archive.comment != (_MARK + hashlib.sha256(text).hexdigest()).encode("ascii"):
        raise PersistenceError(f"the checksum of {MANIFEST} is wrong: it was changed or damaged")
    manifest = _checked_manifest(text)
    members = manifest["members"]
    if members.keys() != infos.keys() - {MANIFEST}:
        odd = sorted(members.keys() ^ (infos.keys() - {MANIFEST}))
        raise PersistenceError(f"members {odd!r} are missing, or do not belong to it")
    found = {name: _checked(archive, infos[name], members[name]) for name in members}
    memory = len(text) + sum(_memory(name, member) for name, member in found.items())
    if memory > _FREE + _MOST_PER_BYTE * len(data):
        raise PersistenceError(
            f"it has {len(data)} bytes and would take {memory} bytes of memory, which no file "
            "that save has written does"
        )
    return manifest, found


def _memory(name, data):
    """Return how many bytes a member takes at most when it is decoded."""
    if not name.endswith(".json"):
        return len(data)
    return _BYTES_PER_VALUE * sum(data.count(sign) for sign in (b",", b"[", b"{", b":")) + 4 * len(
        data
    )


def _foreign(data):
    """Say what a file is that cannot be opened."""
    if data[:2] == b"PK":
        return "it is cut off or damaged: the end of the zip file is missing. Copy it again"
    if data[:1] == b"\x80":
        return (
            "it is a pickle, which could run any code and is not read. Load it where it was made "
            "(joblib.load), and save it there with crystalml.save"
        )
    return "it is no model that save has written"


def _checked_infos(archive, max_size):
    """Judge names and declared sizes before anything is decompressed."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    strange = [n for n in names if n not in (MANIFEST, STATE, NUMBERS) and not NET.fullmatch(n)]
    if strange:
        raise PersistenceError(f"it has members that no model has: {strange[:5]!r}")
    if len(set(names)) != len(names) or not {MANIFEST, STATE, NUMBERS} <= set(names):
        raise PersistenceError("a member is missing or there twice")
    if any(info.compress_type not in _METHODS or info.flag_bits & 1 for info in infos):
        raise PersistenceError("a member is encrypted, or compressed by another method")
    size = sum(info.file_size for info in infos)
    if max_size is not None and size > max_size:
        raise PersistenceError(
            f"its members have {size} bytes together, more than max_size={max_size!r}. If you know "
            "that the model is so large, give a larger max_size"
        )
    return dict(zip(names, infos, strict=True))


def _read(archive, info):
    """Decompress one member, to its declared size at most."""
    try:
        with archive.open(info) as stream:
            data = stream.read(info.file_size)
            if len(data) != info.file_size or stream.read(1):
                raise PersistenceError(f"{info.filename} has not the size it declares")
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError) as error:
        if isinstance(error, PersistenceError):
            raise
        raise PersistenceError(f"{info.filename} is damaged ({error})") from error
    return data


def _checked_manifest(text):
    """Parse the manifest, and refuse what this version cannot read."""
    if len(text) > _LARGEST_MANIFEST:
        raise PersistenceError(f"{MANIFEST} is too large")
    manifest = json.loads(text)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PersistenceError("it is no model that save has written")
    version = manifest.get("format_version")
    if type(version) is not int or version < 1:
        raise PersistenceError(f"its format version is {version!r}")
    if version < _OLDEST_VERSION:
        raise PersistenceError(
            f"it has format version {version}, of a crystalml before its first release. Fit and "
            "save the model anew"
        )
    if version > FORMAT_VERSION:
        raise PersistenceError(
            f"it has format version {version}, and this crystalml reads versions up to "
            f"{FORMAT_VERSION}. Update: pip install -U crystalml-sklearn"
        )
    return manifest


def _checked(archive, info, wanted):
    """Read a member and compare it with its checksum."""
    data = _read(archive, info)
    if len(data) != wanted["size"] or hashlib.sha256(data).hexdigest() != wanted["sha256"]:
        raise PersistenceError(
            f"the checksum of {info.filename} is wrong: it was changed or damaged. Get the file "
            "again from where it came"
        )
    return data

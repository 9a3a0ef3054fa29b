"""One CIF before it is read: where it lies, or its bytes, or why it has none."""

import lzma
import os
import tarfile
import zipfile
import zlib
from typing import NamedTuple

from crystalml.io._unpack import MAX_FILE_SIZE, FileTooLargeError, read_up_to, unpack

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
_ZIP_HEADER, _ZIP_SIGNATURE = 30, b"PK\x03\x04"


class Source(NamedTuple):
    """One CIF: its name, and its bytes, or where to read them, or why it has none."""

    name: str
    path: str | None = None  # of the file, or of the archive of a member
    data: bytes | None = None
    error: str | None = None
    max_size: int = MAX_FILE_SIZE
    n_bytes: int | None = None  # as stored; None where that cannot be told without reading
    mtime_ns: int | None = None  # of a file
    member: "Member | None" = None

    def read(self):
        """Return the bytes of the CIF, unpacked; raises one of READ_ERRORS."""
        return unpack(self.stored(), self.max_size)

    def stored(self):
        """Return the bytes as they lie in the folder or archive; raises one of READ_ERRORS."""
        if self.data is not None:
            return self.data
        # What has neither data nor error has a path.
        with open(self.path, "rb", buffering=0) as file:  # type: ignore[arg-type]
            if self.member is None:
                size = os.fstat(file.fileno()).st_size
                return read_up_to(file, self.max_size, expected=size)
            return self.member.read(file, self.max_size)

    def loaded(self):
        """Return this Source with its bytes in memory, or with the reason why not."""
        if self.data is not None or self.error is not None:
            return self
        try:
            return self._replace(data=self.stored())
        except READ_ERRORS as error:
            return self._replace(error=reason(error))

    @property
    def size(self):
        """Size in bytes before unpacking; 0 if it cannot be told."""
        return len(self.data) if self.data is not None else self.n_bytes or 0


class Member(NamedTuple):
    """Where a member lies in a zip archive, or in a tar archive that is not compressed."""

    offset: int  # of its bytes; in a zip archive, of its header
    size: int
    packed_size: int | None = None  # this and what follows: in a zip archive only
    checksum: int | None = None
    method: int | None = None  # stored or deflated

    def read(self, file, limit):
        """Return the unpacked bytes from the open archive; raises one of READ_ERRORS."""
        if self.size > limit:
            raise FileTooLargeError(limit)
        file.seek(self.offset)
        return _exactly(file, self.size) if self.method is None else self._unzip(file)

    def _unzip(self, file):
        header = _exactly(file, _ZIP_HEADER)
        if not header.startswith(_ZIP_SIGNATURE):
            raise zipfile.BadZipFile("there is no member where the directory says")
        n_name, n_extra = header[26:28], header[28:30]
        file.seek(int.from_bytes(n_name, "little") + int.from_bytes(n_extra, "little"), 1)
        # What cannot be packed takes a little more room; what claims much more is an attack.
        packed_size = self.size if self.packed_size is None else self.packed_size
        data = _exactly(file, min(packed_size, self.size + self.size // 8 + 1000))
        if self.method == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, self.size + 1)
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            raise zipfile.BadZipFile("the member is not what the directory says")
        return data


class SourceList(list):
    """Sources on their way to another process, which as plain values they reach much faster."""

    def __reduce__(self):
        columns = dict(zip(Source._fields, zip(*self, strict=True), strict=True)) if self else {}
        if columns:
            columns["member"] = tuple(found and tuple(found) for found in columns["member"])
        return _sources_of, (columns,)


def _sources_of(columns):
    """Undo what SourceList.__reduce__ did."""
    if not columns:
        return SourceList()
    columns["member"] = [found and Member._make(found) for found in columns["member"]]
    return SourceList(map(Source._make, zip(*columns.values(), strict=True)))


def file_source(path):
    """Return the Source that a path is, with its size and time where there is such a file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null byte
        return Source(path, path=path)
    return Source(path, path=path, n_bytes=found.st_size, mtime_ns=found.st_mtime_ns)


def reason(error):
    """Say in a few words what went wrong in reading."""
    if isinstance(error, FileTooLargeError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the file cannot be read: {detail or type(error).__name__}"


def _exactly(file, size):
    """Read so many bytes; fewer are an error."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    if len(data) < size:
        raise EOFError("the archive ends in the middle of a member")
    return data

"""One CIF before it is read: where it lies, or its bytes, or why it has none."""

import errno
import lzma
import os
import re
import stat
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
# What is no regular file: opening or reading some of these never ends.
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Both slashes, as archives come from Windows, too.
_PARENT = re.compile(r"(?:(?<=[/\\])|\A)\.\.(?=[/\\]|\Z)")
_PARENT_WRITTEN = r"\x2e\x2e"
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
        # Unbuffered: the whole file is asked for at once, and a buffer would copy it.
        with open_regular(self.path, buffering=0) as file:
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
        # The directory's word is enough to refuse, and is checked below where it is believed.
        if self.size > limit:
            raise FileTooLargeError(limit)
        file.seek(self.offset)
        return _exactly(file, self.size) if self.method is None else self._unzip(file)

    def _unzip(self, file):
        header = _exactly(file, _ZIP_HEADER)
        if not header.startswith(_ZIP_SIGNATURE):
            raise zipfile.BadZipFile("there is no member where the directory says")
        n_name, n_extra = header[26:28], header[28:30]
        # The name and extra field lie between header and data, and may differ from the directory's.
        file.seek(int.from_bytes(n_name, "little") + int.from_bytes(n_extra, "little"), 1)
        # What cannot be packed takes a little more room; what claims much more is an attack.
        packed_size = self.size if self.packed_size is None else self.packed_size
        data = _exactly(file, min(packed_size, self.size + self.size // 8 + 1000))
        if self.method == zipfile.ZIP_DEFLATED:
            # One byte more than announced, to notice a bomb without unpacking it.
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


class NoRegularFileError(OSError):
    """What is there under the name of a file has no end, or waits for ever."""

    def __init__(self, mode):
        kind = next((word for is_kind, word in _KINDS if is_kind(mode)), "something else")
        super().__init__(errno.EINVAL, f"it is {kind}, not a regular file")


def open_regular(path, buffering=-1):
    """Open a file for reading; raises NoRegularFileError for a pipe, a socket or a device.

    Without waiting: a named pipe that nobody writes to would stop the reading of all files.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise NoRegularFileError(mode)
    file = open(path, "rb", buffering=buffering, opener=_open_at_once)  # noqa: SIM115
    mode = os.fstat(file.fileno()).st_mode  # it may have been exchanged in between
    if not stat.S_ISREG(mode):
        file.close()
        raise NoRegularFileError(mode)
    return file


def _open_at_once(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has neither


def file_source(path):
    """Return the Source that a path is, with its size and time where there is such a file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null byte
        return Source(path, path=path)
    if not stat.S_ISREG(found.st_mode):
        return Source(path, error=reason(NoRegularFileError(found.st_mode)))
    return Source(path, path=path, n_bytes=found.st_size, mtime_ns=found.st_mtime_ns)


def writable_name(name):
    r"""Name of a source as every table file can hold it.

    Bytes of a file name that are no UTF-8 become escapes such as ``\udce4``, by which the file is
    found again (`named_file`).
    """
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def named_file(name):
    """Undo `writable_name` where only so there is a file of that name."""
    if "\\udc" not in name or os.path.lexists(name):
        return name
    return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), name)


def member_name(archive, name):
    r"""Name of a member of an archive: below the archive, whatever the archive says.

    Steps up become ``\x2e\x2e``, so that nobody who takes the name for a path leaves the folder.
    """
    inside = _PARENT.sub(lambda _: _PARENT_WRITTEN, name.removeprefix("./").lstrip("/"))
    return f"{archive}/{inside}"


def reason(error):
    """Say in a few words what went wrong in reading."""
    if isinstance(error, FileTooLargeError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    # Without the path that Python appends: the row names the file already.
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the file cannot be read: {detail or type(error).__name__}"


def _exactly(file, size):
    """Read so many bytes; fewer are an error."""
    data = file.read(size)
    # An unbuffered read may give less than was asked for.
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    if len(data) < size:
        raise EOFError("the archive ends in the middle of a member")
    return data

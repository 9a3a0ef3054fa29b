"""Bytes of unknown origin, read and unpacked up to a limit."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from typing import Any

# As many bytes as CODClient downloads for one entry.
MAX_FILE_SIZE = 256 * 2**20

_GZIP, _XZ, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh"
_PACKED = (_GZIP, _XZ, _BZIP2)
_OPEN: dict[bytes, Callable[..., Any]] = {_GZIP: gzip.open, _XZ: lzma.open, _BZIP2: bz2.open}
# Pieces grow with what was read, so that small files need little memory and large ones few calls.
_FIRST_PIECE, _LARGEST_PIECE = 2**16, 2**22


class FileTooLargeError(ValueError):
    """A file with more bytes, as it is or unpacked, than the caller allows."""

    def __init__(self, limit):
        super().__init__(
            f"the file has more than {limit} bytes; raise max_file_size if you trust it"
        )


def read_up_to(file, limit, *, expected=0):
    """Read a file object to its end; raises FileTooLargeError beyond `limit` bytes.

    Of a file that has the `expected` size nothing is copied a second time.
    """
    # One byte more than is allowed, to notice at once that a file has it.
    pieces, size, ask = [], 0, max(min(expected, limit) + 1, _FIRST_PIECE)
    while piece := file.read(ask):
        # A file that was opened as text is taken as well.
        piece = piece.encode() if isinstance(piece, str) else piece
        size += len(piece)
        if size > limit:
            raise FileTooLargeError(limit)
        pieces.append(piece)
        ask = min(max(size, _FIRST_PIECE), _LARGEST_PIECE)
    return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)


def unpack(data, limit):
    """Unpack gzip, xz or bzip2 data, at most to `limit` bytes; other data is returned as it is."""
    if len(data) > limit:
        raise FileTooLargeError(limit)
    # By the bytes, as the name may say something else.
    if data.startswith(_PACKED):
        for signature, open_packed in _OPEN.items():
            if data.startswith(signature):
                with open_packed(io.BytesIO(data)) as file:
                    return read_up_to(file, limit)
    return data


def open_unpacked(raw):
    """Wrap an open binary file so that reading it gives unpacked bytes, strictly forward."""
    start = raw.read(max(map(len, _PACKED)))
    raw.seek(0)
    for signature, open_packed in _OPEN.items():
        if start.startswith(signature):
            return open_packed(raw)
    return raw


class GuardedFile:
    """What tarfile needs of an archive that is not compressed.

    It refuses to read more than `limit` bytes (and some megabytes) at once: a header that
    claims to be that long is an attack on the memory.
    """

    def __init__(self, file, limit):
        self._file, self._limit = file, max(limit, _LARGEST_PIECE)

    def read(self, size):
        """Return up to `size` bytes."""
        if size > self._limit:
            raise tarfile.ReadError(f"an item of the archive claims {size} bytes")
        return self._file.read(size)

    def seek(self, position):
        """Move to `position`."""
        return self._file.seek(position)

    def tell(self):
        """Position in the archive."""
        return self._file.tell()


class ForwardFile(GuardedFile):
    """What tarfile needs to walk an archive once from its start to its end.

    It never seeks back in the packed stream, which would unpack it again from the start.
    """

    def __init__(self, file, limit):
        super().__init__(file, limit)
        self._position, self._last, self._kept = 0, b"", b""

    def read(self, size):
        """Return up to `size` bytes."""
        data = super().read(size - len(self._kept))
        if self._kept:
            data, self._kept = self._kept + data, b""
        if data:
            self._last = data[-1:]
        self._position += len(data)
        return data

    def seek(self, position):
        """Move on to `position`; one step back is allowed, as tarfile looks for the end so."""
        if position == self._position - 1 and not self._kept:
            self._kept, self._position = self._last, position
        while self._position < position:
            step = min(position - self._position, _LARGEST_PIECE)
            # Read and forget: a packed stream cannot jump.
            if not self.read(step):
                break
        if position < self._position:
            raise tarfile.ReadError("the archive cannot be read in one pass")
        return self._position

    def tell(self):
        """Position in the unpacked archive."""
        return self._position

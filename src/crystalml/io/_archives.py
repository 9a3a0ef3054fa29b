"""The CIFs of an archive, by one pass over it and without unpacking to disk.

Members that can be read where they lie, by whoever has the archive, are only named here. The
others come with their bytes.
"""

import os
import tarfile
import zipfile
from typing import Any

from crystalml.io._source import (
    READ_ERRORS,
    Member,
    Source,
    member_name,
    open_regular,
    reason,
)
from crystalml.io._unpack import (
    FileTooLargeError,
    ForwardFile,
    GuardedFile,
    open_unpacked,
    read_up_to,
)

# Compared in lower case: Windows programs write .CIF.
_CIF_SUFFIXES = (".cif", ".cif.gz")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_READ_IN_PLACE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Bits of a member's flags, as the zip specification numbers them: their bytes are no file as
# they lie, so zipfile must say what is wrong.
_ENCRYPTED_OR_PATCHED = 0x1 | 0x20 | 0x40
# Where a header of 512 bytes has these fields, in the ustar format.
_CHECKSUM, _SIZE, _PREFIX = slice(148, 156), slice(124, 136), slice(345, 500)


def members_of(path, max_size):
    """Return an iterator of the CIFs in an archive as Sources; None if `path` names no archive."""
    name = path.lower()
    if name.endswith(".zip"):
        return _zip_members(path, max_size)
    return _tar_members(path, max_size) if name.endswith(_TAR_SUFFIXES) else None


def is_cif_name(name):
    """Tell a CIF by its name; ``._x.cif`` is what macOS adds to archives."""
    base = os.path.basename(name)
    return base.lower().endswith(_CIF_SUFFIXES) and not base.startswith("._")


def _tar_members(path, max_size):
    """Yield the CIFs of a tar archive."""
    try:
        with open_regular(path) as raw, open_unpacked(raw) as unpacked:
            # Members of a packed archive have no place where they could be read later, so that
            # their bytes come along.
            is_packed = unpacked is not raw
            end = None if is_packed else os.fstat(raw.fileno()).st_size
            stream: Any = (ForwardFile if is_packed else GuardedFile)(unpacked, max_size)
            with tarfile.open(fileobj=stream, mode="r:", tarinfo=_TarHeader) as archive:
                while (member := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined]  # or it remembers them all
                    if not member.isfile() or not is_cif_name(member.name):
                        continue
                    source = _source(path, member.name)
                    if member.size > max_size:
                        yield source._replace(error=str(FileTooLargeError(max_size)))
                    # A sparse file is stored in pieces; only tarfile puts them together.
                    elif is_packed or member.issparse():
                        yield source._replace(data=_data(archive, member, stream))
                    # tarfile jumps over a member without reading it, and does not notice that the
                    # file was cut off.
                    elif end is not None and member.offset_data + member.size > end:
                        raise tarfile.ReadError("unexpected end of data")
                    else:
                        place = Member(member.offset_data, member.size)
                        yield source._replace(n_bytes=member.size, member=place)
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _data(archive, member, stream):
    """Return the bytes of a member of a tar archive that is read in one pass."""
    if member.issparse():
        return archive.extractfile(member).read()
    stream.seek(member.offset_data)
    data = stream.read(member.size)
    if len(data) < member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


class _TarHeader(tarfile.TarInfo):
    """The part of a header that is of use; tarfile spends most of its time on the rest."""

    @classmethod
    def frombuf(cls, buf, encoding, errors, **options):
        """Read a header: a plain file's at once, any other as tarfile does."""
        header = cls._plain_file(buf, encoding, errors)
        if header is not None:
            return header
        try:
            return super().frombuf(buf, encoding, errors, **options)
        except tarfile.HeaderError as error:
            if buf.strip(b"\0"):  # tarfile would take damage for the end, and hide what follows
                raise tarfile.ReadError(f"the archive is damaged: {error}") from error
            raise

    @classmethod
    def _plain_file(cls, buf, encoding, errors):
        """Return the header of a plain file, None if it is another or does not add up."""
        if len(buf) != tarfile.BLOCKSIZE or buf[156:157] != tarfile.REGTYPE:
            return None
        try:
            checksum = int(_field(buf[_CHECKSUM]) or b"0", 8)
            size = int(_field(buf[_SIZE]) or b"0", 8)
        except ValueError:  # a very long file: its size is a binary number
            return None
        # The checksum counts its own eight bytes as blanks.
        if sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" ") != checksum or size < 0:
            return None
        prefix = _field(buf[_PREFIX])
        name = _field(buf[:100])
        header = cls((prefix + b"/" + name if prefix else name).decode(encoding, errors))
        header.size = size
        return header


def _field(buf):
    return buf.partition(b"\0")[0]


def _zip_members(path, max_size):
    """Yield the CIFs of a zip archive; a damaged member does not hide the others."""
    try:
        with open_regular(path) as raw, zipfile.ZipFile(raw) as archive:
            for member in archive.infolist():
                if member.is_dir() or not is_cif_name(member.filename):
                    continue
                source = _source(path, member.filename)
                # What a worker can read by itself is only named here: no bytes have to be sent.
                is_usual = not member.flag_bits & _ENCRYPTED_OR_PATCHED
                if is_usual and member.compress_type in _READ_IN_PLACE:
                    place = Member(
                        member.header_offset,
                        member.file_size,
                        member.compress_size,
                        member.CRC,
                        member.compress_type,
                    )
                    yield source._replace(n_bytes=member.compress_size, member=place)
                else:
                    yield _unzipped(archive, member, source, max_size)
    except READ_ERRORS as error:
        yield Source(path, error=reason(error))


def _unzipped(archive, member, source, max_size):
    """Return the Source with the bytes of the member, as zipfile reads it."""
    try:
        with archive.open(member) as file:
            return source._replace(data=read_up_to(file, max_size))
    except READ_ERRORS as error:
        return source._replace(error=reason(error))


def _source(archive, name):
    return Source(member_name(archive, name), path=archive)

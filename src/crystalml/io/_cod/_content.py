"""Is this body the CIF that was asked for: not an error page, not another entry, not a part."""

import re
import zlib

import gemmi

# Blanks of one line only: over the ends of lines, a body of them would take quadratic time.
_BLOCK = re.compile(rb"^[ \t]*data_(\S+)", re.MULTILINE | re.IGNORECASE)
_CODE = re.compile(rb"^[ \t]*_cod_database_code\s+['\"]?(\d+)", re.MULTILINE | re.IGNORECASE)
_PIECE = 1 << 16


class BodyError(Exception):
    """Bytes that cannot be what was asked for; the message says why."""


class BodyTooLargeError(BodyError):
    """More bytes than the size limit allows."""


def gunzip(body, *, max_size):
    """Decompress a gzip body whole, with its checksums, and never beyond `max_size` bytes.

    Like ``gzip -d``, it takes several members after one another, and zeros as padding.
    """
    pieces, size = [], 0
    try:
        while True:
            decoder = zlib.decompressobj(wbits=31)
            while body and not decoder.eof:
                piece = decoder.decompress(body, max_size - size + 1)
                size += len(piece)
                if size > max_size:
                    raise BodyTooLargeError(f"unpacks to more than {max_size} bytes")
                pieces.append(piece)
                body = decoder.unconsumed_tail
            if not decoder.eof:
                raise BodyError("truncated gzip stream")
            body = decoder.unused_data.lstrip(b"\0")
            if not body:
                return b"".join(pieces)
    except zlib.error as error:
        raise BodyError(f"damaged gzip stream ({error})") from error


def cif_problem(body, cod_id, *, syntax=True):
    """Say why `body` is not the complete CIF of entry `cod_id`, or return None.

    With `syntax`, the whole file must parse, which a file cut off inside a loop row or a text
    field does not.
    """
    if not body.strip():
        return "empty body"
    body = body.removeprefix(b"\xef\xbb\xbf")
    start = body[:_PIECE].lstrip()
    if start.startswith(b"<"):
        return "an HTML or XML page, not a CIF"
    if b"\0" in start:
        return "binary content, not a CIF"
    if _first_word(start)[:5].lower() != b"data_":
        return "does not start like a CIF (no data_ block)"
    names, codes = _identifiers_parsed(body) if syntax else _identifiers_seen(body)
    if isinstance(names, str):
        return names
    found = codes or names
    if str(cod_id) not in found:
        return f"is entry {', '.join(sorted(found))[:60]!r}, not {cod_id}"
    return None


def _first_word(start):
    """First bytes of the first line that is neither blank nor a comment."""
    for line in start.splitlines():
        text = line.strip()
        if text and not text.startswith(b"#"):
            return text
    return b""


def _identifiers_seen(body):
    """First block name and first database code, by their looks."""
    name, code = _BLOCK.search(body), _CODE.search(body)
    return (
        {name[1].decode("latin-1")} if name else set(),
        {code[1].decode("ascii")} if code else set(),
    )


def _identifiers_parsed(body):
    """Block names and database codes of the parsed file; a reason in place of both if none."""
    try:
        blocks = gemmi.cif.read_string(body.decode("latin-1"))
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        return f"truncated or damaged CIF ({reason[:120]})", None
    codes = (gemmi.cif.as_string(b.find_value("_cod_database_code") or "") for b in blocks)
    return {block.name for block in blocks}, {code for code in codes if code}


def printable(text):
    """Replace characters that would move the cursor or colour a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

"""From the bytes of a file to UTF-8 text with one kind of line end."""

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def to_utf8(data):
    """Turn `data` into UTF-8 without a mark; also tell whether it was something else.

    Latin-1 gives every byte a meaning, so nothing fails; the names that CIFs write in it
    (authors, minerals) come out right.
    """
    if data.startswith(_UTF16_MARKS):
        return data.decode("utf-16", "replace").encode(), True
    data = data.removeprefix(_UTF8_MARK)
    if data.isascii() or _is_utf8(data):
        return data, False
    return data.decode("latin-1").encode(), True


def with_line_feeds(data):
    """Turn the line ends of Windows and of the old Macintosh into line feeds."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

"""From the bytes of a file to UTF-8 with one kind of line end."""

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def normalise(data):
    """Turn `data` into UTF-8 with line feeds; also tell whether it was something else.

    Latin-1 gives every byte a meaning, so nothing fails; the names that CIFs write in it
    (authors, minerals) come out right.
    """
    other_encoding = False
    if data.startswith(_UTF8_MARK):
        data = data[len(_UTF8_MARK) :]
    elif data.startswith(_UTF16_MARKS):
        data, other_encoding = data.decode("utf-16", "replace").encode(), True
    if not data.isascii() and not _is_utf8(data):
        data, other_encoding = data.decode("latin-1").encode(), True
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data, other_encoding


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

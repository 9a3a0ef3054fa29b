"""Checks of the client's parameters."""

from numbers import Integral
from urllib.parse import urlsplit

from crystalml.exceptions import InvalidInputError

COD_URL = "https://www.crystallography.net/cod/"


def check_number(name, value, kind, low, high=float("inf")):
    """Return the number, or raise one sentence."""
    good = isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high
    if not good:
        what = "an integer" if kind is Integral else "a number"
        bounds = f">= {low}" if high == float("inf") else f"from {low} to {high}"
        raise InvalidInputError(f"CODClient: {name} is {value!r}; give {what} {bounds}.")
    return value


def check_choice(name, value, allowed):
    """Raise one sentence unless `value` is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(map(repr, allowed))
        raise InvalidInputError(f"CODClient: {name} is {value!r}; choose one of {options}.")


def check_url(url):
    """Return the address with a slash at its end."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise InvalidInputError(
            f"CODClient: base_url is {url!r}; give an http or https address, such as {COD_URL!r}."
        )
    return url if url.endswith("/") else url + "/"


def check_user_agent(text):
    """Return the text if it can stand in a header."""
    if not isinstance(text, str) or not (text.isascii() and text.isprintable()):
        raise InvalidInputError(
            f"CODClient: user_agent is {text!r}; give a line of printable ASCII characters."
        )
    return text

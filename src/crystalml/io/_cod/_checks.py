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
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(
            f"CODClient: base_url is {url!r}; give an http or https address, such as {COD_URL!r}."
        )
    return url if url.endswith("/") else url + "/"

"""COD identifiers: what is one, and where its file lies. Nothing else makes a path or a URL."""

import re
from collections.abc import Iterable
from numbers import Integral, Real

from crystalml.exceptions import InvalidInputError

FIRST_ID, LAST_ID = 1_000_000, 9_999_999

# Not \d, which takes the digits of other scripts, too.
_DIGITS = re.compile(r"[1-9][0-9]{6}", re.ASCII)


def parse_cod_id(value):
    """Return the identifier as an int, or None where `value` is none."""
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    # A column with missing values holds its ids as floats.
    if not isinstance(value, Integral) and not float(value).is_integer():
        return None
    number = int(value)  # type: ignore[call-overload]  # all real numbers can be converted
    return number if FIRST_ID <= number <= LAST_ID else None


def split_cod_ids(ids):
    """Split `ids` into unique identifiers, in order, and (position, value) of what is none."""
    if hasattr(ids, "columns"):
        ids = ids["cod_id"]
    # A text can be iterated, but its characters are no ids.
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        ids = [ids]
    known, refused = {}, []
    for position, value in enumerate(ids):
        number = parse_cod_id(value)
        if number is None:
            refused.append((position, value))
        else:
            # A dict, since a set would lose the order asked for.
            known[number] = None
    return list(known), refused


def check_cod_ids(ids, *, caller):
    """Return the unique identifiers, in order, or raise one sentence about what is none."""
    known, refused = split_cod_ids(ids)
    if refused:
        position, value = refused[0]
        values = (
            "1 value that is no COD id"
            if len(refused) == 1
            else (f"{len(refused)} values that are no COD ids")
        )
        raise InvalidInputError(
            f"{caller}: ids has {values} (first: position {position}, {value!r}). A COD id "
            f"has seven digits, {FIRST_ID} to {LAST_ID}; nothing was requested."
        )
    return known


def cod_relative_path(cod_id):
    """Path of the CIF inside a COD mirror, ``N/NN/NN/NNNNNNN.cif``, with forward slashes.

    Only an identifier that parses gives a path, so no path can leave the folder.
    """
    number = parse_cod_id(cod_id)
    if number is None:
        raise InvalidInputError(f"cod_relative_path: {cod_id!r} is no COD id of seven digits.")
    digits = str(number)
    return f"{digits[0]}/{digits[1:3]}/{digits[3:5]}/{digits}.cif"

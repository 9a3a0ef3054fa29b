"""The formula of a block that gives none: what its atom sites add up to in the cell."""

import re
from math import gcd, isnan

import numpy as np

from crystalml.crystallography import ELEMENTS, lattice_vectors
from crystalml.crystallography._site_expansion import expand_sites, merge_sites
from crystalml.exceptions import CIFError
from crystalml.io._remember import remember
from crystalml.io._tags import (
    ATTACHED_HYDROGEN_TAG,
    CALCULATION_TAG,
    FRACTION_TAGS,
    LABEL_TAG,
    MULTIPLICITY_TAGS,
    OCCUPANCY_TAG,
    TYPE_TAG,
)
from crystalml.io._values import number, text

_SYMBOLS = frozenset({*ELEMENTS, "D"})
# How `_atom_site_calc_flag` marks a dummy, a site without an atom.
_DUMMY = frozenset({b"dum", b"'dum'", b'"dum"'})
_LETTERS = re.compile(r"[A-Za-z]*")
# Atoms in the cell, special positions counted as general ones: more would take too long.
_MOST_IMAGES = 200_000
# Occupancies are written with three or four digits, and so add up to nearly whole numbers.
_WHOLE = 0.005


def has_places(atoms):
    """Tell whether sites are listed with fractional coordinates or multiplicities.

    Without, as in many mmCIF, nobody expects them to give a formula.
    """
    return atoms.keys() >= set(FRACTION_TAGS) or not atoms.keys().isdisjoint(MULTIPLICITY_TAGS)


def formula_of_sites(atoms, cell, symmetry, formula_units):
    """Add up the atoms of the cell, each by its occupancy and the multiplicity of its position.

    Parameters
    ----------
    atoms : dict
        Canonical tag -> raw values, one for each listed site.
    cell : sequence of 6 floats
        In Å and degrees.
    symmetry : list of gemmi.Op or None
        Operations of the space group, None if they are not known.
    formula_units : float
        Z as reported, or NaN.

    Returns
    -------
    formula : str or None
        In the order of Hill, for one of the Z formula units; None where the sites do not tell:
        an atom of no known element, an occupancy or a place that is no number, occupancies of
        one place that add up to more than 1, or neither operations nor multiplicities.
    formula_units : float
        Z as reported, else the largest common factor of the contents of the cell, or 1.
    """
    listed = _counted(atoms)
    if listed is None:
        return None, formula_units
    content = _placed(listed, cell, symmetry) if symmetry else _multiplied(listed)
    return _write(content, formula_units) if content else (None, formula_units)


def contents_as_formula(contents):
    """Write amounts by symbol in the order of Hill, as a formula of CIF: ``C2 H6 O``."""
    first = {"C": 0, "H": 1} if "C" in contents else {}
    symbols = sorted(contents, key=lambda symbol: (first.get(symbol, 2), symbol))
    # %.6f drops the noise of sums of rounded occupancies.
    texts = [f"{contents[symbol]:.6f}".rstrip("0").rstrip(".") for symbol in symbols]
    pairs = zip(symbols, texts, strict=True)
    return " ".join(symbol + ("" if amount == "1" else amount) for symbol, amount in pairs)


def _counted(atoms):
    """Sites that count: symbol, occupancy, attached hydrogens, multiplicity and place of each.

    None where something of them is not known. Dummies and empty sites do not count.
    """
    n_sites = len(next(iter(atoms.values())))
    missing = (b"?",) * n_sites
    names = atoms.get(TYPE_TAG) or atoms.get(LABEL_TAG) or missing
    element = _element_of_type if TYPE_TAG in atoms else _element_of_label
    calculated = atoms.get(CALCULATION_TAG, missing)
    occupancies = [_or(1.0, raw) for raw in atoms.get(OCCUPANCY_TAG, missing)]
    counts = np.array([
        kind not in _DUMMY and occupancy != 0.0
        for kind, occupancy in zip(calculated, occupancies, strict=True)
    ])  # fmt: skip
    hydrogens = [_or(0.0, raw) for raw in atoms.get(ATTACHED_HYDROGEN_TAG, missing)]
    given = next((atoms[tag] for tag in MULTIPLICITY_TAGS if tag in atoms), missing)
    columns = [occupancies, hydrogens, [_or(np.nan, raw) for raw in given]]
    columns += [[_or(np.nan, raw) for raw in atoms.get(tag, missing)] for tag in FRACTION_TAGS]
    # One value that is no number makes the sum a guess, so there is none.
    if any(None in column for column in columns):
        return None
    numbers = np.array(columns)[:, counts]
    symbols = [element(name) for name, taken in zip(names, counts, strict=True) if taken]
    if not symbols or None in symbols or (numbers[:2] < 0).any():
        return None
    return symbols, *numbers[:3], numbers[3:].T


def _or(default, raw):
    """Return a number, the default where it is missing, None where it is none."""
    found = number(raw)
    if found is None:
        return None
    return default if isnan(found[0]) else found[0]


def _placed(listed, cell, operations):
    """Contents of the cell by applying the operations, or None."""
    symbols, occupancies, hydrogens, _, places = listed
    vectors = lattice_vectors(np.array(cell, dtype=float))
    if np.isnan(places).any() or np.isnan(vectors).any():
        return None
    # Too many to expand in time; and coordinates that large have lost the digits that would tell a
    # special position.
    if len(symbols) * len(operations) > _MOST_IMAGES or np.abs(places).max() > 1e6:
        return None
    fractions, images = expand_sites(places, occupancies, operations, vectors)
    try:
        _, species = merge_sites(fractions, images, symbols, occupancies, vectors)
    # Atoms that overlap to more than one: the list is not what is in the cell.
    except CIFError:
        return None
    content = {}
    for site in species:
        for symbol, amount in site.items():
            content[symbol] = content.get(symbol, 0.0) + amount
    # Hydrogens without places of their own, as older files give them.
    attached = float((occupancies * hydrogens)[images].sum())
    if attached:
        content["H"] = content.get("H", 0.0) + attached
    return content


def _multiplied(listed):
    """Contents of the cell by the multiplicities that are listed, or None.

    Older programs wrote there by how many operations a site is mapped onto itself: where all
    are 1, that may be meant.
    """
    symbols, occupancies, hydrogens, multiplicities, _ = listed
    whole = np.isfinite(multiplicities) & (multiplicities == np.round(multiplicities))
    if not (whole & (multiplicities >= 1)).all() or multiplicities.max() == 1:
        return None
    if occupancies.max() > 1.0:
        return None
    content = {}
    for symbol, amount in zip(symbols, occupancies * multiplicities, strict=True):
        content[symbol] = content.get(symbol, 0.0) + float(amount)
    attached = float((occupancies * multiplicities * hydrogens).sum())
    if attached:
        content["H"] = content.get("H", 0.0) + attached
    return content


def _write(content, formula_units):
    """Divide the contents of the cell by Z, or by their largest common factor."""
    # Sums of rounded occupancies: 3.9996 atoms in a cell are four.
    near = {symbol: round(amount) for symbol, amount in content.items()}
    content = {
        symbol: near[symbol] if abs(amount - near[symbol]) < _WHOLE and near[symbol] else amount
        for symbol, amount in content.items()
    }
    units = formula_units
    if not units > 0:  # also where it is NaN
        units = 1.0
        # Amounts that are not whole have no common factor: then the formula is the whole content.
        if all(isinstance(amount, int) for amount in content.values()):
            units = float(gcd(*content.values()))
    shares = {symbol: amount / units for symbol, amount in content.items()}
    return contents_as_formula(shares), units


@remember(4096)
def _element_of_type(raw):
    """Element of a type symbol such as ``Fe3+`` or ``O2-``; None of ``Wat`` or ``M``."""
    letters = _LETTERS.match(text(raw) or "")[0].capitalize()  # type: ignore[index]
    return letters if letters in _SYMBOLS else None


@remember(4096)
def _element_of_label(raw):
    """Element of a label such as ``Fe1``, ``FeT`` or ``OA2``; None where it may mean several.

    ``CA1`` may be calcium or an alpha carbon, ``Wat`` and ``Ow`` are molecules.
    """
    letters = _LETTERS.match(text(raw) or "")[0]  # type: ignore[index]
    symbol = letters[:2] if letters[1:2].islower() else letters[:1]
    rest = letters[len(symbol) :]
    if symbol not in _SYMBOLS or rest[:1].islower():
        return None
    is_ambiguous = len(symbol) == 1 and (len(rest) > 1 or (symbol + rest.lower()) in _SYMBOLS)
    return None if rest and is_ambiguous else symbol

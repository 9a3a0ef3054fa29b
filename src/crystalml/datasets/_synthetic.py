"""Synthetic crystals of any number whose symmetry is right by construction."""

from functools import lru_cache
from numbers import Integral
from typing import Literal, NamedTuple, overload

import gemmi
import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml._typing import Integers, RandomState
from crystalml.crystallography import (
    bravais_lattice,
    cell_volume,
    crystal_system,
    lattice_system,
    spacegroup_symbol,
)
from crystalml.crystallography._wyckoff import (
    GRID,
    encode_points,
    grid_operations,
    orbit,
    wyckoff_positions,
)
from crystalml.datasets._atomic_volumes import element_table
from crystalml.datasets._cod_inorganic import TARGET, load_cod_inorganic
from crystalml.exceptions import InvalidInputError

__all__ = ["make_crystals"]

# Standard deviation of ln(volume / sum of atomic volumes).
_VOLUME_SPREAD = 0.1
# b/a and c/a are as often above as below one.
_AXIS_RATIO_RANGE = (0.5, 2.0)
_BETA_RANGE = (91.0, 125.0)
# All three angles of a triclinic cell; any choice among them encloses a volume.
_TRICLINIC_RANGE = (70.0, 110.0)
# Noise beyond these could leave no cell at all.
_LARGEST_LENGTH_SU, _LARGEST_ANGLE_SU = 0.05, 1.0

N_TEMPLATES = 12
# How often a structure has one, two, three or four chemical species.
_SPECIES_WEIGHTS = (0.05, 0.3, 0.45, 0.2)

# Point groups of the lattices: the symmetry that a structure could have in its cell.
_HOLOHEDRIES = {
    "triclinic": "P -1",
    "monoclinic": "P 1 2/m 1",
    "orthorhombic": "P m m m",
    "tetragonal": "P 4/m m m",
    "rhombohedral": "R -3 m:H",
    "hexagonal": "P 6/m m m",
    "cubic": "P m -3 m",
}

_DESCRIPTION = """Synthetic crystals
------------------

Space groups are drawn first, then orbits of the group that leave no further symmetry, elements,
a volume from the atoms in the cell and a cell of the group's crystal system. See
crystalml.datasets.make_crystals.
"""


@overload
def make_crystals(
    n_samples: int = ...,
    *,
    space_groups: Literal["uniform", "cod"] | Integers = ...,
    length_su: float = ...,
    angle_su: float = ...,
    return_X_y: Literal[False] = ...,
    random_state: RandomState = ...,
) -> Bunch: ...
@overload
def make_crystals(
    n_samples: int = ...,
    *,
    space_groups: Literal["uniform", "cod"] | Integers = ...,
    length_su: float = ...,
    angle_su: float = ...,
    return_X_y: Literal[True],
    random_state: RandomState = ...,
) -> tuple[pd.DataFrame, pd.Series]: ...
def make_crystals(
    n_samples: int = 1000,
    *,
    space_groups: Literal["uniform", "cod"] | Integers = "uniform",
    length_su: float = 0.0,
    angle_su: float = 0.0,
    return_X_y: bool = False,
    random_state: RandomState = None,
) -> Bunch | tuple[pd.DataFrame, pd.Series]:
    """Draw cells and formulas of crystals whose space group is right by construction.

    A crystal is a space group, atoms on some of its special and general positions, elements,
    and a cell. Multiplicities, formula, number of atoms, volume and cell all fit together, and
    the positions are such that the structure belongs to no supergroup of the drawn group. The
    chemistry is random: nothing says that such a compound could exist.

    The first call takes some seconds, for choosing positions in all groups that it draws.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of crystals.
    space_groups : {"uniform", "cod"} or array-like of int, default="uniform"
        How to draw space groups: all 230 alike, as often as in `load_cod_inorganic`, or all
        listed numbers alike (a number that is listed twice comes twice as often).
    length_su : float, default=0.0
        Standard deviation of normal noise in the cell lengths, relative to the length, from 0
        to 0.05.
    angle_su : float, default=0.0
        Standard deviation of normal noise in the cell angles in degrees, from 0 to 1.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same crystals in every call.

    Returns
    -------
    sklearn.utils.Bunch
        data : DataFrame of shape (n_samples, 10)
            ``formula`` (reduced, in the order of Hill); the cell ``a``, ``b``, ``c`` (Å),
            ``alpha``, ``beta``, ``gamma`` (degrees) in the standard setting: unique axis b,
            hexagonal axes for rhombohedral lattices; ``volume`` (Å^3); ``n_atoms`` and
            ``formula_units`` in the cell. With noise, volumes are those of the noisy cells, and
            the columns ``a_su`` to ``gamma_su`` follow.
        target : Series of shape (n_samples,)
            ``spacegroup_number``: International Tables number, 1-230.
        feature_names : list of str
            Columns of `data`.
        target_names : ndarray of str
            Hermann-Mauguin symbols of the sorted numbers in `target`.
        frame : DataFrame
            `data`, `target`, and the ``crystal_system`` and ``bravais_lattice`` of the target.
        DESCR : str
            Short description.

        With ``return_X_y=True``, the tuple ``(data, target)``.

    Raises
    ------
    InvalidInputError
        If `n_samples` is no integer above zero, or a standard deviation is out of range.
    SpaceGroupError
        If `space_groups` lists a number outside 1-230.

    Notes
    -----
    Positions are found by applying the operations of the group, as gemmi tabulates them
    (International Tables for Crystallography, vol. A), to points of all site symmetries. Each
    group has 12 sets of occupied positions, so stoichiometries repeat in a large sample.
    Elements come as often as in `load_cod_inorganic`; the volume is the sum of atomic volumes
    fitted to its cells, times a log-normal factor with a spread of 0.1.

    Examples
    --------
    >>> from crystalml.datasets import make_crystals
    >>> crystals = make_crystals(100, space_groups=[62, 225], random_state=0)
    >>> crystals.data.shape
    (100, 10)
    >>> cubic = crystals.target == 225
    >>> bool((crystals.data["a"] == crystals.data["c"])[cubic].all())
    True
    """
    _check_arguments(n_samples, length_su, angle_su)
    # A seeded generator of our own: None must not draw from NumPy's global one.
    if not isinstance(random_state, np.random.RandomState):
        random_state = np.random.RandomState(random_state)
    numbers = _draw_groups(space_groups, n_samples, random_state)
    amounts = _draw_amounts(numbers, random_state)
    elements = _draw_elements(amounts.shape, random_state)
    volumes = (amounts * element_table().volumes[elements]).sum(axis=1)
    volumes *= np.exp(random_state.normal(0, _VOLUME_SPREAD, n_samples))
    cells = _draw_cells(numbers, volumes, random_state)
    frame = _as_frame(amounts, elements, cells)
    if length_su or angle_su:
        _add_noise(frame, length_su, angle_su, random_state)
    data, target = frame.copy(), pd.Series(numbers, name=TARGET)
    if return_X_y:
        return data, target
    frame[TARGET] = numbers
    frame["crystal_system"] = crystal_system(numbers)
    frame["bravais_lattice"] = bravais_lattice(numbers)
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=list(data.columns),
        target_names=spacegroup_symbol(np.unique(numbers)),
        DESCR=_DESCRIPTION,
    )


def _check_arguments(n_samples, length_su, angle_su):
    """Refuse a number of samples or noise that makes no crystals."""
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise InvalidInputError(
            f"make_crystals: n_samples must be an integer above zero, got {n_samples!r}."
        )
    limits = {"length_su": _LARGEST_LENGTH_SU, "angle_su": _LARGEST_ANGLE_SU}
    for name, value in {"length_su": length_su, "angle_su": angle_su}.items():
        if not 0 <= value <= limits[name]:
            raise InvalidInputError(
                f"make_crystals: {name} must lie in [0, {limits[name]}], got {value!r}."
            )


def _draw_groups(space_groups, n_samples, random_state):
    """Draw the number of a space group for each sample."""
    if not isinstance(space_groups, str):
        numbers = np.asarray(space_groups)
        # For its error, where a number is no space group.
        crystal_system(numbers)
    elif space_groups == "uniform":
        numbers = np.arange(1, 231)
    elif space_groups == "cod":
        numbers = load_cod_inorganic(subset="all").target.to_numpy()
    else:
        raise InvalidInputError(
            "make_crystals: space_groups must be 'uniform', 'cod' or numbers from 1 to 230, "
            f"got {space_groups!r}."
        )
    if numbers.ndim != 1 or not len(numbers):
        raise InvalidInputError(
            f"make_crystals: space_groups must list at least one number, got {space_groups!r}."
        )
    return random_state.choice(numbers.astype(np.int64), n_samples)


def _draw_amounts(numbers, random_state):
    """Draw how many atoms of each species are in each cell; shape (n, most species)."""
    drawn = np.unique(numbers)
    templates = [[t.amounts for t in structure_templates(int(number))] for number in drawn]
    widest = max(len(amounts) for group in templates for amounts in group)
    table = np.array(
        [[a + (0,) * (widest - len(a)) for a in group] for group in templates], dtype=np.int64
    )
    which = random_state.randint(table.shape[1], size=len(numbers))
    return table[np.searchsorted(drawn, numbers), which]


def _draw_elements(shape, random_state):
    """Draw distinct elements, frequent ones more often; indices into the element table."""
    weights = np.log(element_table().frequencies)
    # The largest of Gumbel-distributed keys are a weighted draw without replacement.
    keys = weights + random_state.gumbel(size=(shape[0], len(weights)))
    chosen = np.argpartition(keys, -shape[1], axis=1)[:, -shape[1] :]
    # argpartition's order is arbitrary: shuffle which species gets which element.
    order = random_state.uniform(size=shape).argsort(axis=1)
    return np.take_along_axis(np.sort(chosen, axis=1), order, axis=1)


def _draw_cells(numbers, volumes, random_state):
    """Draw cells that fulfil the constraints of the lattice system and have the given volumes."""
    ratios = np.exp(random_state.uniform(*np.log(_AXIS_RATIO_RANGE), (2, len(numbers))))
    triclinic = random_state.uniform(*_TRICLINIC_RANGE, (3, len(numbers)))
    beta = random_state.uniform(*_BETA_RANGE, len(numbers))
    system = lattice_system(numbers)
    on_hexagonal_axes = (system == "hexagonal") | (system == "rhombohedral")
    free_b = np.isin(system.astype(str), ["triclinic", "monoclinic", "orthorhombic"])
    is_triclinic = system == "triclinic"
    shape = np.column_stack(
        [
            np.ones(len(numbers)),
            np.where(free_b, ratios[0], 1),
            # Layers repeat three times in an R lattice.
            np.where(system == "cubic", 1, ratios[1]) * np.where(system == "rhombohedral", 3, 1),
            np.where(is_triclinic, triclinic[0], 90),
            np.where(is_triclinic, triclinic[1], np.where(system == "monoclinic", beta, 90)),
            np.where(is_triclinic, triclinic[2], np.where(on_hexagonal_axes, 120, 90)),
        ]
    )
    shape[:, :3] *= np.cbrt(volumes / cell_volume(shape))[:, None]
    return shape


def _as_frame(amounts, elements, cells):
    """Collect the columns of `data`."""
    formula_units = np.gcd.reduce(amounts, axis=1)
    frame = pd.DataFrame(cells, columns=list(CELL_COLUMNS))
    frame.insert(0, "formula", _hill_formulas(amounts // formula_units[:, None], elements))
    frame["volume"] = cell_volume(cells)
    frame["n_atoms"] = amounts.sum(axis=1).astype(float)
    frame["formula_units"] = formula_units.astype(float)
    return frame


def _hill_formulas(amounts, elements):
    """Write formulas in the order of Hill: carbon, hydrogen, then alphabetically."""
    symbols = element_table().symbols
    rank = np.argsort(np.argsort(symbols.astype(str))) + 2
    keys = rank[elements]
    present = amounts > 0
    has_carbon = ((symbols[elements] == "C") & present).any(axis=1)[:, None]
    keys = np.where(has_carbon & (symbols[elements] == "C"), 0, keys)
    keys = np.where(has_carbon & (symbols[elements] == "H"), 1, keys)
    order = np.argsort(keys, axis=1)
    texts = np.array(["", "", *map(str, range(2, amounts.max() + 1))], dtype=object)
    parts = np.where(present, symbols[elements] + texts[amounts], "")
    return np.take_along_axis(parts, order, axis=1).sum(axis=1)


def _add_noise(frame, length_su, angle_su, random_state):
    """Perturb the cells as a measurement does, and state its standard uncertainties."""
    lengths, angles = list(CELL_COLUMNS[:3]), list(CELL_COLUMNS[3:])
    uncertainties = np.full((len(frame), 6), float(angle_su))
    uncertainties[:, :3] = length_su * frame[lengths].to_numpy()
    frame[[*lengths, *angles]] += uncertainties * random_state.normal(size=uncertainties.shape)
    frame["volume"] = cell_volume(frame[list(CELL_COLUMNS)].to_numpy())
    frame[list(CELL_SU_COLUMNS)] = uncertainties


class Template(NamedTuple):
    """Orbits of one space group, distributed over chemical species."""

    species: tuple[tuple[int, ...], ...]
    """Per species, the indices of its positions in ``wyckoff_positions(number)``."""
    amounts: tuple[int, ...]
    """Per species, the number of atoms in the conventional cell."""


@lru_cache(maxsize=230)
def structure_templates(number):
    """Return `N_TEMPLATES` choices of orbits whose structures belong to this very group.

    The draw depends on the group alone. Positions of small multiplicity are preferred, so that
    most cells have as few atoms as those of real inorganic crystals.
    """
    generator = np.random.default_rng(number)
    found = {}
    while len(found) < N_TEMPLATES:
        template = _grow_template(number, generator)
        if template is not None:
            found[template] = None
    return tuple(found)


def _grow_template(number, generator):
    """Add orbits until nothing but the symmetry of the group is left; None if that takes long."""
    available = wyckoff_positions(number)
    weights = np.array([1 / position.multiplicity for position in available])
    n_species = generator.choice(len(_SPECIES_WEIGHTS), p=_SPECIES_WEIGHTS) + 1
    species, points = [[] for _ in range(n_species)], [[] for _ in range(n_species)]
    n_wanted = n_species + generator.poisson(1.5)
    for n_orbits in range(1, n_wanted + 8):
        if not weights.any():
            return None
        chosen = int(generator.choice(len(available), p=weights / weights.sum()))
        if not available[chosen].n_free:
            # A fixed point has room for one atom.
            weights[chosen] = 0
        # First one orbit for each species, then more for any of them.
        receiver = n_orbits - 1 if n_orbits <= n_species else generator.integers(n_species)
        species[receiver].append(chosen)
        points[receiver].append(_draw_orbit(number, available[chosen], generator))
        if n_orbits >= n_wanted and has_exact_symmetry(number, [*map(np.concatenate, points)]):
            return _as_template(species, available)
    return None


def _draw_orbit(number, position, generator):
    """Draw the free coordinates of a position and return all its points."""
    free_vector = generator.integers(0, GRID, 3)
    return orbit(number, position.anchor + position.directions @ free_vector)


def _as_template(species, available):
    """Freeze a choice of orbits and count its atoms."""
    amounts = (sum(available[i].multiplicity for i in indices) for indices in species)
    return Template(tuple(tuple(sorted(indices)) for indices in species), tuple(amounts))


def has_exact_symmetry(number, points_of_species):
    """Tell whether a structure, built from orbits of a group, has no symmetry beyond it.

    Any further operation combines a rotation of the lattice, one for each coset of the point
    group, with a translation that takes some atom to an atom of its species. All of them are
    tried, for a cell with no more symmetry than the crystal system asks for.
    """
    # The species with the fewest atoms first: it leaves the fewest translations to be tried.
    by_size = sorted(points_of_species, key=len)
    centrings = encode_points(_centrings(number))
    for rotation in _lattice_rotations_beyond(number):
        # Its first atom has to land on one of its atoms, so that no other translation is possible.
        shifts = (by_size[0] - rotation @ by_size[0][0]) % GRID
        if np.array_equal(rotation, np.eye(3)):
            # Without a rotation, a centring of the cell is no further symmetry.
            shifts = shifts[~np.isin(encode_points(shifts), centrings)]
        for points in by_size:
            images = encode_points((points @ rotation.T + shifts[:, None]) % GRID)
            # Coordinates are integers of a grid: equality is exact and needs no tolerance.
            kept = (np.sort(images, axis=1) == np.sort(encode_points(points))).all(axis=1)
            shifts = shifts[kept]
        if len(shifts):
            return False
    return True


def _centrings(number):
    """Return the translations of the conventional cell, the null vector included."""
    rotations, translations = grid_operations(number)
    return translations[(rotations == np.eye(3)).all(axis=(1, 2))]


@lru_cache(maxsize=230)
def _lattice_rotations_beyond(number):
    """Return one rotation of the lattice for each coset of the group's point group."""
    lattice_group = gemmi.SpaceGroup(_HOLOHEDRIES[lattice_system(number)]).operations()
    own = {rotation.tobytes(): rotation for rotation in grid_operations(number)[0]}
    representatives, covered = [], set()
    for op in lattice_group:
        rotation = np.array(op.rot, dtype=np.int64) // gemmi.Op.DEN
        if rotation.tobytes() not in covered:
            representatives.append(rotation)
            covered.update((rotation @ other).tobytes() for other in own.values())
    return representatives

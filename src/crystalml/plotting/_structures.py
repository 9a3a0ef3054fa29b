"""Crystal structures, drawn by ASE."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.descriptors._structure_input import as_crystal
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import OKABE_ITO, axes_grid_or_new, typeset_formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crystalml._typing import ArrayLike

__all__ = ["plot_structures", "read_crystals"]

_CALLER = "plot_structures"
# Atoms have a black rim, so that black, white and yellow serve as well.
_COLORS = (*OKABE_ITO, "#F0E442", "#999999", "#000000", "#FFFFFF")
_TITLES = {"unit_cell": "unit cell", "supercell": "supercell", "top": "top view, along c"}
# From the view along c: c points up, a towards the reader and to the left.
_OBLIQUE = "-65z,-78x"
# In covalent radii: atoms touch seldom, and none is hidden in small cells.
_RADIUS = 0.55
_ON_BOUNDARY = 1e-3  # Å
_BARS = (1, 2, 5, 10, 20, 50)  # Å
# ASE knows no symbols of isotopes.
_ISOTOPES = {"D": "H", "T": "H"}


def plot_structures(
    structures: Any,
    *,
    names: Sequence[str] | None = None,
    views: Sequence[Literal["unit_cell", "supercell", "top"]] = ("unit_cell", "supercell", "top"),
    repeats: Sequence[int] = (2, 2, 2),
    axes: ArrayLike | None = None,
) -> np.ndarray:
    """Draw crystal structures, a row for each and a column for each view.

    Parameters
    ----------
    structures : structure, path of a CIF, or sequence of these
        Each a pymatgen Structure, ASE Atoms (periodic in all directions) or the path of a CIF.
    names : sequence of str, default=None
        Name of each structure. By default the reduced formula.
    views : sequence of {"unit_cell", "supercell", "top"}, default=all three
        ``"unit_cell"``: the given cell from an oblique direction. ``"supercell"``: several cells,
        from the same direction. ``"top"``: the cell along c.
    repeats : tuple of 3 int, default=(2, 2, 2)
        Cells of the supercell along a, b and c.
    axes : array-like of matplotlib.axes.Axes, default=None
        Where to draw, as many as structures times views; a new figure by default.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_structures, n_views)
        One unit of an Axes is one Å, and a bar tells how long some are. Atoms on faces, edges
        and corners are drawn wherever the cell has them. The legend at the right names the
        elements of each row; a crystal of more than ten elements repeats colours.

    Raises
    ------
    InvalidInputError
        If a structure cannot be read, a view is unknown, or there are not as many names as
        structures or Axes as pictures.
    MissingDependencyError
        If pymatgen or ASE is not installed.

    Notes
    -----
    A site that elements share is drawn as its most abundant one, and one that is partly occupied
    as if it were full. Discs have 0.55 times the covalent radius.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from crystalml.plotting import plot_structures
    >>> axes = plot_structures([bulk("NaCl", "rocksalt", a=5.64, cubic=True), bulk("Si")])
    >>> axes.shape
    (2, 3)
    >>> [ax.get_ylabel() for ax in axes[:, 0]]
    ['NaCl', 'Si']
    >>> [ax.get_xlabel() for ax in axes[0]]
    ['unit cell', '2 x 2 x 2 supercell', 'top view, along c']
    """
    views, repeats = tuple(views), tuple(repeats)
    if not views or set(views) - set(_TITLES):
        raise InvalidInputError(f"{_CALLER}: views must be among {tuple(_TITLES)}, got {views!r}.")
    if len(repeats) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in repeats):
        raise InvalidInputError(f"{_CALLER}: repeats must be three numbers > 0, got {repeats!r}.")
    crystals = [_as_atoms(crystal) for crystal in read_crystals(structures, caller=_CALLER)]
    names = [_name(atoms) for atoms in crystals] if names is None else list(names)
    if len(names) != len(crystals):
        raise InvalidInputError(
            f"{_CALLER}: got {len(names)} names of {len(crystals)} structures; give one each."
        )
    size = (3.0 * len(views) + 0.8, 2.9 * len(crystals))
    shape = (len(crystals), len(views))
    axes = axes_grid_or_new(axes, shape, needed_by=_CALLER, figsize=size)
    colors = _element_colors([sorted(set(atoms.symbols)) for atoms in crystals])
    for row, (atoms, name, own) in enumerate(zip(crystals, names, colors, strict=True)):
        for ax, view in zip(axes[row], views, strict=True):
            _draw(ax, atoms, view, repeats, own)
            ax.set_ylabel(name, visible=ax is axes[row, 0])
        _add_legend(axes[row, -1], own)
    return axes


def read_crystals(structures, *, caller):
    """Read one structure, or several in any of their forms; name the first that cannot be."""
    # A path, ASE Atoms and a pymatgen Structure are sequences too: of letters, atoms and sites.
    one = isinstance(structures, str | os.PathLike) or hasattr(structures, "get_scaled_positions")
    values = [structures] if one or hasattr(structures, "frac_coords") else list(structures)
    if not values:
        raise InvalidInputError(f"{caller}: got no structures; pass at least one.")
    crystals = []
    for position, value in enumerate(values):
        try:
            crystals.append(as_crystal(value))
        except InvalidInputError as error:
            which = repr(value) if isinstance(value, str) else f"structure {position}"
            raise InvalidInputError(f"{caller}: cannot read {which}: {error}.") from error
    return crystals


def _as_atoms(crystal):
    """Return ASE Atoms with c along z and a in the plane of x and z, a right-handed frame."""
    ase = import_optional("ase", needed_by=_CALLER)
    majority = [max(here, key=lambda pair: pair[1])[0] for here in crystal.species]
    a, _, c = crystal.vectors
    z = c / np.linalg.norm(c)
    y = np.cross(c, a) / np.linalg.norm(np.cross(c, a))
    frame = np.array([np.cross(y, z), y, z])
    return ase.Atoms(
        [_ISOTOPES.get(symbol, symbol) for symbol in majority],
        cell=crystal.vectors @ frame.T,
        scaled_positions=crystal.fractions,
        pbc=True,
        info={"species": crystal.species},
    )


def _name(atoms):
    """Write the reduced formula, occupancies counted."""
    core = import_optional("pymatgen.core", needed_by=_CALLER)
    amounts: dict[str, float] = {}
    for symbol, occupancy in (pair for here in atoms.info["species"] for pair in here):
        amounts[symbol] = amounts.get(symbol, 0.0) + occupancy
    # Sums of occupancies such as 3 x 0.3333 would give formulas with as many digits.
    rounded = {symbol: round(amount, 3) for symbol, amount in amounts.items()}
    return typeset_formula(core.Composition(rounded).reduced_formula)


def _element_colors(rows):
    """Choose a colour for each element, the same in all rows unless two would be alike in one."""
    distinct = dict.fromkeys(element for elements in rows for element in elements)
    preferred = {e: _COLORS[i % len(_COLORS)] for i, e in enumerate(distinct)}
    chosen = []
    for elements in rows:
        own: dict[str, str] = {}
        for element in elements:
            free = [color for color in _COLORS if color not in own.values()]
            color = preferred[element]
            own[element] = color if color in free or not free else free[0]
        chosen.append(own)
    return chosen


def _draw(ax, atoms, view, repeats, colors):
    """Draw one view, with a bar for the scale and no other axes."""
    plot = import_optional("ase.visualize.plot", needed_by=_CALLER)
    shown = _with_boundary(atoms.repeat(repeats) if view == "supercell" else atoms)
    # Axes of the user may hold patches of their own, which stay as they are.
    first = len(ax.patches)
    plot.plot_atoms(
        shown,
        ax,
        radii=_RADIUS,
        colors=[colors[symbol] for symbol in shown.symbols],
        rotation="" if view == "top" else _OBLIQUE,
    )
    # Axes stay, without lines: their labels name the picture.
    ax.set_axis_on()
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    for patch in ax.patches[first:]:
        patch.set_linewidth(0.7)
    title = _TITLES[view]
    ax.set_xlabel(f"{' x '.join(map(str, repeats))} {title}" if view == "supercell" else title)
    _add_scale(ax)


def _with_boundary(atoms):
    """Repeat atoms on a face, an edge or a corner at the opposite ones."""
    fractions = atoms.get_scaled_positions(wrap=True)
    tolerance = _ON_BOUNDARY / atoms.cell.lengths()
    # An atom that rounding left a hair below 1 lies on the face at 0.
    fractions[fractions > 1.0 - tolerance] -= 1.0
    symbols = np.array(atoms.get_chemical_symbols())
    # Copies are copied along the next axes: an atom on an edge comes 4 times, at a corner 8 times.
    for axis in range(3):
        on_face = np.abs(fractions[:, axis]) < tolerance[axis]
        fractions = np.vstack([fractions, fractions[on_face] + np.eye(3)[axis]])
        symbols = np.append(symbols, symbols[on_face])
    return type(atoms)(symbols.tolist(), cell=atoms.cell, scaled_positions=fractions, pbc=True)


def _add_scale(ax):
    """Draw a bar of some Å below the crystal."""
    width, height = ax.get_xlim()[1], ax.get_ylim()[1]
    length = max((bar for bar in _BARS if bar <= 0.45 * width), default=_BARS[0])
    below = -0.07 * max(width, height)
    ax.plot([0, length], [below, below], color="black", linewidth=2, solid_capstyle="butt")
    ax.annotate(f"{length} Å", (length, below), (4, 0), textcoords="offset points", va="center")
    ax.set_ylim(1.6 * below, height)


def _add_legend(ax, colors):
    """Name the elements of a row at its right."""
    lines = import_optional("matplotlib.lines", needed_by=_CALLER)
    style = {"marker": "o", "linestyle": "", "markeredgecolor": "black", "markersize": 9}
    # Made by hand: ASE draws atoms as patches without labels.
    handles = [lines.Line2D([], [], markerfacecolor=colors[e], label=e, **style) for e in colors]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

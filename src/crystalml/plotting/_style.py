"""What all pictures share: where they are drawn, and colours that everybody can tell apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color), told apart with any colour vision.
# Ordered so that neighbours differ in lightness too; black and yellow serve other purposes, but
# for black as the seventh colour of groups, of which the crystal systems are seven.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GROUP_COLORS = (*OKABE_ITO, "#000000")
REFERENCE_GREY = "#666666"
MARKERS = ("o", "s", "^", "D", "v", "P")


def axes_or_new(
    ax: Axes | None, *, needed_by: str, figsize: tuple[float, float] | None = None
) -> Axes:
    """Return `ax`, or the Axes of a new figure without spare margins."""
    pyplot = import_optional("matplotlib.pyplot", needed_by=needed_by)
    if ax is None:
        _, ax = pyplot.subplots(figsize=figsize, layout="compressed")
    return ax


def axes_grid_or_new(
    axes: ArrayLike | None, shape: tuple[int, int], *, needed_by: str, figsize: tuple[float, float]
) -> np.ndarray:
    """Return `axes` as an array of `shape`, or the Axes of a new figure."""
    pyplot = import_optional("matplotlib.pyplot", needed_by=needed_by)
    if axes is None:
        _, axes = pyplot.subplots(*shape, figsize=figsize, layout="compressed", squeeze=False)
    grid = np.asarray(axes, dtype=object)
    if grid.size != np.prod(shape):
        raise InvalidInputError(
            f"{needed_by}: axes must be {shape[0]} x {shape[1]} Axes, got {grid.size}; make them "
            f"with pyplot.subplots({shape[0]}, {shape[1]})."
        )
    return grid.reshape(shape)


def annotate_cells(ax, image, shares, texts):
    """Write a text into each cell of a heat map, dark on light and light on dark."""
    for (row, column), text in np.ndenumerate(texts):
        if not text:
            continue
        red, green, blue, _ = image.cmap(image.norm(shares[row, column]))
        # The weights of ITU-R BT.601: the eye is most sensitive to green.
        luminance = 0.299 * red + 0.587 * green + 0.114 * blue
        color = "black" if luminance > 0.5 else "white"
        ax.text(column, row, text, ha="center", va="center", fontsize="small", color=color)


def plain_log_ticks(axis, steps=(1.0, 2.0, 5.0)):
    """Write 10, not a power of ten, at some steps of each decade of a logarithmic axis."""
    ticker = import_optional("matplotlib.ticker", needed_by="plain_log_ticks")
    axis.set_major_locator(ticker.LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    # On short axes matplotlib labels minor ticks too, in the way of these.
    axis.set_minor_formatter(ticker.NullFormatter())


def enlarge_markers(handles):
    """Make the markers of a legend visible where those of the picture are small or pale."""
    for handle in handles:
        handle.set(alpha=1, sizes=[30])


def cycle(values, index):
    """Return the item of `values` at `index`, starting over at the end."""
    return values[index % len(values)]


def typeset_spacegroup(symbol):
    """Typeset a Hermann-Mauguin symbol as IUCr does: letters in italics, screw axes lowered."""
    lattice, *directions = symbol.split()
    # The short monoclinic symbol names the unique axis alone: P 1 21/c 1 is P2_1/c.
    if len(directions) == 3 and directions[0] == directions[2] == "1":
        directions = directions[1:2]
    # A digit after a digit is that of a screw axis.
    text = re.sub(r"(?<=\d)(\d)", r"_{\1}", " ".join([lattice, *directions]))
    return typeset_point_group(text.replace(" ", ""))


def typeset_point_group(symbol):
    """Typeset a Hermann-Mauguin point group: a bar over the number instead of a minus."""
    return "$" + re.sub(r"-(\d)", r"\\overline{\1}", symbol) + "$"


def typeset_formula(formula):
    """Typeset a chemical formula: amounts are lowered."""
    # After an element or a bracket only: the 2 of 2H2O stays on the line.
    return re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"$_{\1}$", plain_text(formula))


def typeset_unit(unit):
    """Typeset a unit such as ``"Å^3"``: powers are raised."""
    return re.sub(r"\^(-?\d+)", r"$^{\1}$", unit)


def plain_text(text):
    """Keep dollar signs of strangers' text from being read as mathematics."""
    return text.replace("$", r"\$")

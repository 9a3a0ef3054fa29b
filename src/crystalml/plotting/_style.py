"""What all pictures share: where they are drawn, and colours that everybody can tell apart."""

import re

from crystalml._dependencies import import_optional

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color), told apart with any colour vision.
# Ordered so that neighbours differ in lightness too; black and yellow serve other purposes.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
REFERENCE_GREY = "#666666"
MARKERS = ("o", "s", "^", "D", "v", "P")


def axes_or_new(ax, *, needed_by, figsize=None):
    """Return `ax`, or the Axes of a new figure without spare margins."""
    pyplot = import_optional("matplotlib.pyplot", needed_by=needed_by)
    if ax is None:
        _, ax = pyplot.subplots(figsize=figsize, layout="compressed")
    return ax


def cycle(values, index):
    """Return the item of `values` at `index`, starting over at the end."""
    return values[index % len(values)]


def typeset_spacegroup(symbol):
    """Typeset a Hermann-Mauguin symbol as IUCr does: letters in italics, screw axes lowered."""
    lattice, *directions = symbol.split()
    # The short monoclinic symbol names the unique axis alone: P 1 21/c 1 is P2_1/c.
    if len(directions) == 3 and directions[0] == directions[2] == "1":
        directions = directions[1:2]
    text = re.sub(r"(?<=\d)(\d)", r"_{\1}", " ".join([lattice, *directions]))
    return typeset_point_group(text.replace(" ", ""))


def typeset_point_group(symbol):
    """Typeset a Hermann-Mauguin point group: a bar over the number instead of a minus."""
    return "$" + re.sub(r"-(\d)", r"\\overline{\1}", symbol) + "$"

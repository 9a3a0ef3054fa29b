"""How much room an atom of each element takes, fitted to the cells of the COD data set."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from crystalml.crystallography import parse_formulas
from crystalml.datasets._cod_inorganic import load_cod_inorganic

# Elements with fewer entries have no reliable volume.
_FEWEST_ENTRIES = 50
# Cells that are this far off have wrong contents or big voids, and must not pull the fit.
_PLAUSIBLE_RATIOS = (0.7, 1.4)


class ElementTable(NamedTuple):
    """What the data set says of the common elements."""

    symbols: np.ndarray
    """Element symbols, shape (n_elements,)."""
    frequencies: np.ndarray
    """Share of each element among the elements of all formulas."""
    volumes: np.ndarray
    """Volume of one atom in Å^3."""


@cache
def element_table():
    """Fit non-negative atomic volumes whose sums match the volumes of the ordered cells."""
    frame = load_cod_inorganic().frame
    formulas = parse_formulas(frame["formula"])
    amounts = formulas.amounts.toarray()
    entries = (amounts > 0).sum(axis=0)
    common = entries >= _FEWEST_ENTRIES
    rows = ~(amounts[:, ~common] > 0).any(axis=1)
    formula_units = frame["n_atoms"].to_numpy() / amounts.sum(axis=1)
    per_volume = formula_units / frame["volume"].to_numpy()
    # Divided by the volume of the cell, so that relative errors count: large cells weigh no more.
    shares = (amounts * per_volume[:, None])[rows][:, common]
    return ElementTable(
        np.array(formulas.elements, dtype=object)[common],
        entries[common] / entries[common].sum(),
        _fit_volumes(shares),
    )


def _fit_volumes(shares):
    """Solve ``shares @ volumes = 1`` by least squares over the plausible rows."""
    kept = np.ones(len(shares), dtype=bool)
    for _ in range(4):
        # The normal equations: some dozen unknowns instead of thousands of rows.
        gram, right_side = shares[kept].T @ shares[kept], shares[kept].sum(axis=0)
        factor = np.linalg.cholesky(gram)
        volumes, _ = nnls(factor.T, np.linalg.solve(factor, right_side))
        ratios = shares @ volumes
        kept = (ratios > _PLAUSIBLE_RATIOS[0]) & (ratios < _PLAUSIBLE_RATIOS[1])
    return volumes

"""Columns for pictures: numbers from tables, descriptors of cells, and their names with units."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crystalml._schema import TABLE_COLUMNS
from crystalml._typing import ArrayLike, FloatArray
from crystalml.descriptors import CellDescriptors
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import typeset_unit

# Names of the table and of CellDescriptors -> text on an axis.
_LABELS = {
    "a": "cell length a / Å",
    "b": "cell length b / Å",
    "c": "cell length c / Å",
    "alpha": r"cell angle $\alpha$ / degrees",
    "beta": r"cell angle $\beta$ / degrees",
    "gamma": r"cell angle $\gamma$ / degrees",
    "cos_alpha": r"cos $\alpha$",
    "cos_beta": r"cos $\beta$",
    "cos_gamma": r"cos $\gamma$",
    "b_over_a": "axis ratio b/a",
    "c_over_a": "axis ratio c/a",
    "c_over_b": "axis ratio c/b",
    "anisotropy": "anisotropy |a - c| / (a + c)",
    "edge_product": "edge product abc / Å^3",
    "shape_factor": "shape factor abc / V",
    "alpha_deviation": r"|$\alpha$ - 90°| / degrees",
    "beta_deviation": r"|$\beta$ - 90°| / degrees",
    "gamma_deviation": r"|$\gamma$ - 90°| / degrees",
    "volume": "cell volume V / Å^3",
    "v_formula": "cell volume V / Å^3",
    "inverse_volume": "inverse volume 1/V / Å^-3",
    "n_atoms": "atoms in the cell",
}


def quantity_label(name: object) -> str:
    """Return the text on the axis of a column: what it is, and its unit."""
    name = str(name)
    if name.startswith("niggli_"):
        return f"{quantity_label(name.removeprefix('niggli_'))}, reduced cell"
    if name in _LABELS:
        return typeset_unit(_LABELS[name])
    unit = TABLE_COLUMNS[name].unit if name in TABLE_COLUMNS else None
    text = name.replace("_", " ")
    return text if unit is None else f"{text} / {typeset_unit(unit)}"


def cell_quantities(
    cells: ArrayLike, names: Sequence[str], *, caller: str
) -> tuple[pd.DataFrame, int]:
    """Return descriptors of the cells, indexed by position, and how many rows are no cell."""
    # The seventh column of an array may be anything, and is not taken for a volume. Rows that are
    # no cell become NaN, so that they can be counted; by default the first would raise.
    describe = CellDescriptors(list(names), volume=False, on_error="nan")
    table = describe.set_output(transform="pandas").fit_transform(cells).reset_index(drop=True)
    is_cell = table.notna().all(axis=1)
    if not is_cell.any():
        raise InvalidInputError(
            f"{caller}: none of the {len(table)} rows is a unit cell; CellDescriptors with "
            "on_error='raise' says what is wrong with the first."
        )
    return table[is_cell], int((~is_cell).sum())


def numbers_of(values: ArrayLike, name: str, *, caller: str) -> FloatArray:
    """Return `values` as a float array of shape (n,), n > 0."""
    # By way of pandas, which turns None, NA and nullable numbers into floats.
    array = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(array).any():
        raise InvalidInputError(
            f"{caller}: {name} has no finite number among its {len(array)} values; there is "
            "nothing to draw."
        )
    return array


def check_lengths(caller, **columns):
    """Raise where columns of one row each differ in length."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        text = " and ".join(f"{length} of {name}" for name, length in lengths.items())
        raise InvalidInputError(f"{caller}: got {text}; give one of each per row.")


def entries_label(n_left_out, why, *, what="entries"):
    """Name the axis of counts, with the rows that could not be drawn."""
    return what if not n_left_out else f"{what} ({n_left_out:,} {why} left out)"


def central_range(*arrays: FloatArray, share: float = 0.99) -> tuple[float, float]:
    """Return lower and upper end of the central `share` of all values together."""
    tail = 50.0 * (1.0 - share)
    low, high = np.percentile(np.concatenate(arrays), (tail, 100.0 - tail))
    # Equal values would span a picture of no width.
    return (low, high) if low < high else (low - 0.5, high + 0.5)

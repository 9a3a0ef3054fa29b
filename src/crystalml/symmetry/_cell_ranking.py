"""Which lattices and space groups a formula may have, and tables of the cells predicted."""

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import BRAVAIS_LATTICES, bravais_lattice, spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._cell_shapes import lattice_codes
from crystalml.symmetry._input_tables import take_rows

_NUMBERS = np.arange(1, 231)


def group_probabilities(estimator, rows, *, caller):
    """Ask a classifier for space groups, and keep to what is known of the rows.

    Parameters
    ----------
    estimator : classifier
        Gives probabilities of International Tables numbers to a table of formulas.
    rows : CrystalRows
        The formulas; a known lattice or space group excludes all others.
    caller : str
        Who asks, for messages.

    Returns
    -------
    lattices : ndarray of shape (n, 14)
        Probabilities of the Bravais lattices.
    groups : ndarray of shape (n, 231)
        Probabilities of the space groups, by number.
    """
    found = estimator.predict_proba(pd.DataFrame({"formula": rows.formulas}))
    classes = np.asarray(estimator.classes_)
    if not np.isin(classes, _NUMBERS).all():
        raise InvalidInputError(
            f"{caller}: the classes of space_group_estimator are {classes!r}; they must be "
            "International Tables numbers, 1 to 230."
        )
    groups = np.zeros((len(found), len(_NUMBERS) + 1))
    groups[:, classes.astype(np.int64)] = found
    codes = lattice_codes(bravais_lattice(_NUMBERS))
    of_lattice = np.zeros((len(_NUMBERS) + 1, len(BRAVAIS_LATTICES)))
    of_lattice[_NUMBERS, codes] = 1.0
    known = np.flatnonzero(rows.lattices >= 0)
    # What is known to be so has a chance even where the classifier has never met it.
    groups[known] = (groups[known] + 1e-12) * of_lattice[:, rows.lattices[known]].T
    known = np.flatnonzero(rows.numbers > 0)
    groups[known] = np.eye(len(_NUMBERS) + 1)[rows.numbers[known]]
    groups /= groups.sum(axis=1, keepdims=True)
    return groups @ of_lattice, groups


def ranked_symmetries(lattices, groups, k, space_groups):
    """List the most probable lattices and, within each, space groups.

    Parameters
    ----------
    lattices : ndarray of shape (n, 14)
        Probabilities of Bravais lattices.
    groups : ndarray of shape (n, 231) or None
        Probabilities of space groups by number, where there are any.
    k, space_groups : int
        How many lattices of each row, and groups of each lattice.

    Returns
    -------
    DataFrame
        The columns ``row``, ``rank``, ``lattice`` (code) and those of ``predict_cells``.
    """
    order = np.argsort(-lattices, axis=1, kind="stable")[:, :k]
    parts: list[tuple] = []
    for place in range(order.shape[1]):
        code = order[:, place]
        if groups is None:
            parts.append((place, 0, code, None))
            continue
        codes = np.append(-1, lattice_codes(bravais_lattice(_NUMBERS)))
        within = np.where(codes == code[:, None], groups, -1.0)
        numbers = np.argsort(-within, axis=1, kind="stable")[:, :space_groups]
        parts += [(place, nth, code, numbers[:, nth]) for nth in range(numbers.shape[1])]
    table = pd.concat([_part(lattices, groups, *part) for part in parts])
    table = table[table.pop("possible")].sort_values(["row", "place", "nth"])
    table.insert(1, "rank", table.groupby("row").cumcount() + 1)
    return table.drop(columns=["place", "nth"]).reset_index(drop=True)


def listed(rows, ranked):
    """Return a row for each entry of what `ranked_symmetries` listed of `rows`."""
    chosen = ranked["row"].to_numpy()
    return rows._replace(
        formulas=[rows.formulas[row] for row in chosen],
        table=take_rows(rows.table, chosen),
        lattices=ranked["lattice"].to_numpy(),
        numbers=ranked["spacegroup_number"].fillna(0).to_numpy(dtype=np.int64),
        n_atoms=rows.n_atoms[chosen],
    )


def answers(formulas, crystals, prediction):
    """Put cells and their spread into a table."""
    volumes = np.exp(prediction.log_volumes)
    table = pd.DataFrame({"formula": pd.Series(formulas, dtype=object)})
    table["bravais_lattice"] = np.array(BRAVAIS_LATTICES, dtype=object)[crystals.lattices]
    table["n_atoms"] = crystals.n_atoms
    columns = [*CELL_COLUMNS, "volume", *(f"{name}_std" for name in CELL_COLUMNS), "volume_std"]
    numbers = np.column_stack(
        [prediction.cells, volumes, prediction.stds, volumes * prediction.log_volume_stds]
    )
    return pd.concat([table, pd.DataFrame(numbers, columns=columns)], axis=1)


def _part(lattices, groups, place, nth, code, numbers):
    """Return the rows of one rank, of all formulas."""
    rows = np.arange(len(lattices))
    probability = lattices[rows, code]
    table = pd.DataFrame({"row": rows, "place": place, "nth": nth, "lattice": code})
    table["bravais_lattice"] = np.array(BRAVAIS_LATTICES, dtype=object)[code]
    table["bravais_probability"] = probability
    if numbers is None:
        table["spacegroup_number"] = pd.array([pd.NA] * len(rows), dtype="Int64")
        table["spacegroup_symbol"] = None
        table["spacegroup_probability"] = np.nan
        return table.assign(possible=probability > 0)
    # Beyond the groups of the lattice come those of others: not possible, and dropped below.
    numbers = np.maximum(numbers, 1)
    fits = lattice_codes(bravais_lattice(numbers)) == code
    table["spacegroup_number"] = pd.array(numbers, dtype="Int64")
    table["spacegroup_symbol"] = spacegroup_symbol(numbers)
    table["spacegroup_probability"] = groups[rows, numbers]
    return table.assign(possible=fits & (groups[rows, numbers] > 0))

"""The rows of the study: what it fitted, what it should have fitted, and two ways to split."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from sklearn.preprocessing import OrdinalEncoder

from crystalml.crystallography import find_spacegroup, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, handle_rare_classes

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
# What an indexed powder pattern gives, and no more.
HONEST_COLUMNS = [*CELL, "volume"]
# The space group under two other names.
LEAKING_COLUMNS = ["spacegroup_number", "hall_code"]
TEST_SHARE = 0.2
N_GROUPS = 100
MIN_COUNT = 5  # five folds need five entries of a group


class StudyRows(NamedTuple):
    """A table with honest and leaking columns, its space groups, and its chemical systems."""

    table: pd.DataFrame
    y: np.ndarray
    systems: np.ndarray


def load_rows(n_rows=None, seed=0):
    """Load ordered COD entries of the most frequent groups; `n_rows` takes whole systems."""
    table, y = load_cod_inorganic(return_X_y=True)
    systems = composition_groups(table["formula"], by="chemical_system")
    if n_rows:
        order = np.random.default_rng(seed).permutation(np.unique(systems))
        place = pd.Series(np.arange(len(order)), index=order)[systems].to_numpy()
        rows = np.sort(np.argsort(place, kind="stable")[:n_rows])
        table, y, systems = table.iloc[rows], y.iloc[rows], systems[rows]
    counts = y.value_counts()
    least = max(counts.iloc[:N_GROUPS].min(), MIN_COUNT)
    kept = handle_rare_classes(y, min_count=int(least), policy="drop")
    table = table[kept.mask].reset_index(drop=True)
    return StudyRows(_with_leaks(table, kept.y), kept.y, systems[kept.mask])


def _with_leaks(table, numbers):
    """Add the space-group number and the encoded Hall symbol, as tables of COD have them."""
    halls = {n: find_spacegroup(spacegroup_symbol(int(n))).hall for n in np.unique(numbers)}
    symbols = np.array([halls[n] for n in numbers], dtype=object)
    codes = OrdinalEncoder().fit_transform(symbols[:, None])[:, 0]
    return table.assign(spacegroup_number=numbers, hall_symbol=symbols, hall_code=codes)


def random_split(rows, seed):
    """Hold out single rows, as the study did: relatives stand on both sides."""
    numbers = np.arange(len(rows.y))
    return tuple(
        train_test_split(numbers, test_size=TEST_SHARE, stratify=rows.y, random_state=seed)
    )


def system_split(rows, seed):
    """Hold out whole chemical systems, as new compounds of new combinations of elements are."""
    splitter = StratifiedGroupKFold(round(1 / TEST_SHARE), shuffle=True, random_state=seed)
    return next(splitter.split(rows.table, rows.y, rows.systems))

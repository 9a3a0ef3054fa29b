"""Tables with known leaks, shared by the tests of the audit."""

from functools import cache

import gemmi
import numpy as np
import pandas as pd

from crystalml import CellDescriptors
from crystalml.crystallography import (
    bravais_lattice,
    crystal_system,
    is_centrosymmetric,
    parse_formulas,
    point_group,
    reduced_formula,
)
from crystalml.datasets import load_cod_inorganic

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
N_ROWS = 2000
# Of each kind of cell descriptor some, those nearest to symmetry among them.
DESCRIPTORS = [
    *("gamma_deviation", "c_over_a", "anisotropy", "shape_factor", "v_formula", "niggli_gamma"),
    *("niggli_c_over_a", "distance_oP", "distance_tP", "distance_hR", "distance_hP", "distance_cP"),
]


@cache
def cod():
    """Honest columns of a part of the COD data, space groups, and everything that leaks."""
    frame = load_cod_inorganic(subset="all").frame.sample(N_ROWS, random_state=0)
    frame = frame.reset_index(drop=True)
    numbers = frame["spacegroup_number"].to_numpy()
    cells = (
        CellDescriptors(features=DESCRIPTORS)
        .set_output(transform="pandas")
        .fit_transform(frame[CELL])
    )
    honest = pd.concat(
        [
            frame[["formula", *CELL, "volume", "cod_id", "ordered"]],
            composition_columns(frame["formula"]),
            cells,
        ],
        axis=1,
    )
    return honest, numbers, leaking_columns(numbers, frame)


def composition_columns(formulas):
    """Honest columns of the composition, some of the type of Magpie's."""
    table = parse_formulas(formulas.tolist())
    fractions = table.fractions()
    elemental_group = np.random.default_rng(5).integers(1, 231, 118)
    return pd.DataFrame(
        {
            "MagpieData mean SpaceGroupNumber": fractions @ elemental_group,
            "MagpieData maximum SpaceGroupNumber": [
                elemental_group[row.indices].max() for row in table.amounts
            ],
            "mean_number": fractions @ np.arange(1, 119),
            "n_elements": np.diff(table.amounts.indptr),
            "has_oxygen": (table.amounts[:, [7]].toarray().ravel() > 0).astype(int),
        }
    )


def leaking_columns(numbers, frame):
    """Columns that follow from the space group or need the structure, in many encodings."""
    random = np.random.RandomState(1)
    groups = {n: gemmi.find_spacegroup_by_number(int(n)) for n in np.unique(numbers)}
    reduced = parse_formulas(reduced_formula(frame["formula"].tolist())).amounts
    units = frame["n_atoms"].to_numpy() / np.asarray(reduced.sum(axis=1)).ravel()
    atoms = parse_formulas(frame["formula"].tolist()).amounts
    totals = np.asarray(atoms.sum(axis=1)).ravel()
    return pd.DataFrame(
        {
            "sgNumber": numbers,
            "q_hashed": random.permutation(100_000)[numbers],
            "q_scaled": (numbers - numbers.mean()) / numbers.std(),
            "q_hall": [groups[n].hall for n in numbers],
            "q_hm_code": pd.factorize(np.array([groups[n].hm for n in numbers]))[0],
            "q_point_group": point_group(numbers),
            "q_point_group_code": random.permutation(32)[pd.factorize(point_group(numbers))[0]],
            "q_centring": [groups[n].hm[0] for n in numbers],
            "q_operations": [len(groups[n].operations()) for n in numbers],
            "q_system": pd.factorize(crystal_system(numbers))[0],
            "q_bravais": bravais_lattice(numbers),
            "q_inversion": is_centrosymmetric(numbers),
            "n_atoms": frame["n_atoms"],
            "q_atoms_log": np.log(frame["n_atoms"]),
            "q_units": units,
            "q_contents": [
                f"({formula}){round(n / total, 4):g}"
                for formula, n, total in zip(
                    frame["formula"], frame["n_atoms"], totals, strict=True
                )
            ],
        }
    )

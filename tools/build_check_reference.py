"""Measure what ``crystalml.io.check_table`` compares with, and write it as JSON.

Run from the root of the repository::

    python tools/build_check_reference.py ARCHIVE src/crystalml/io/data/check_reference.json

ARCHIVE is a folder or archive of CIFs from the COD; from it come the rates of flags on what
only CIFs tell (reported volume, Z, density, several sources of the space group). All else comes
from ``load_cod_inorganic(subset="all")`` and from the operations of the space groups.

Chemical systems whose SHA-1, first 8 hex digits, leaves the remainder 4 when divided by 5 are
kept out, for testing; those with the remainder 0 are in no data set of the project.
"""

import argparse
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog, nnls

from crystalml.crystallography import ELEMENTS, chemical_system, parse_formulas
from crystalml.crystallography._wyckoff import wyckoff_multiplicities
from crystalml.datasets import load_cod_inorganic
from crystalml.io import check_table, read_cifs
from crystalml.io._check._reference import check_reference, read_reference
from crystalml.io._check._table import CHECK_FLAGS
from crystalml.io._check._volume import MUCH, SOME, formula_volumes, salts, smallest_volumes

ABOUT = (
    "Measured by tools/build_check_reference.py on entries of the Crystallography Open Database "
    "(public domain). volumes: of an atom in Å^3, by non-negative least squares. floors: the same "
    "by quantile regression, so that 5 % of the crystals have less. densest: smallest but one "
    "volume per atom of each element alone. limits: of ln(volume / sum of volumes) for "
    "volume_too_large, of ln(sum of floors / volume) for volume_too_small. rates: share of rows "
    "with a flag. tails: exponents of the fall of that share with the deviation. "
    "multiplicities: of the Wyckoff "
    "positions of each space group in its reference setting (rhombohedral: hexagonal axes), "
    "those without free coordinates and those with."
)
ANIONS = ("N", "O", "F", "S", "Cl", "Se", "Br", "I")
SALT_FRACTION = 0.25
FLOOR_SHARE = 0.05
DENSEST = {"C": 5.674}  # diamond, a = 3.567 Å; the data have no row of carbon alone
FEWEST_IN_KIND, FEWEST = 20, 5
PLAUSIBLE_RATIOS = (0.7, 1.4)
# Shares of reference rows beyond the limits; crystals with voids are sound, and not rare.
TAIL_SHARES = {"volume_too_small": 0.01, "volume_too_large": 0.0035}
CIF_FLAGS = ("volume_contradicts_cell", "contradictory_spacegroup", "formula_units_not_integer")
CIF_FLAGS += ("density_contradicts_contents", "cell_contradicts_setting")
CIF_FLAGS += ("contents_contradict_spacegroup", "formula_is_cell_content")


def remainders(formulas):
    """Remainder of each formula's chemical system, which decides on its use."""
    systems = chemical_system(formulas)
    digests = (hashlib.sha1(s.encode(), usedforsecurity=False).hexdigest() for s in systems)
    return np.array([int(digest[:8], 16) % 5 for digest in digests])


def fit_volumes(amounts, volumes, is_salt, is_good):
    """Fit volumes and floors of atoms, each of shape (2, 118): alloys and salts apart."""
    entries = np.array(
        [((amounts > 0) & kind[:, None]).sum(axis=0) for kind in (~is_salt, is_salt)]
    )
    apart = (entries >= FEWEST_IN_KIND).all(axis=0)
    design = np.hstack(
        [amounts * (~is_salt[:, None] | ~apart), amounts * (is_salt[:, None] & apart)]
    )
    design = design / volumes[:, None]
    kept = is_good.copy()
    for _ in range(8):
        used = design[kept].any(axis=0)
        fitted = np.full(design.shape[1], np.nan)
        fitted[used] = nnls(design[kept][:, used], np.ones(kept.sum()), maxiter=10_000)[0]
        ratios = design @ np.nan_to_num(fitted)
        kept = is_good & (ratios > PLAUSIBLE_RATIOS[0]) & (ratios < PLAUSIBLE_RATIOS[1])
    found = []
    for both in (fitted.reshape(2, -1), fit_floors(design[is_good]).reshape(2, -1)):
        both[1, ~apart] = both[0, ~apart]
        both[:, entries.sum(axis=0) < FEWEST] = np.nan
        found.append(both)
    # Where an element was never seen in one kind of compound, there is no floor for it either.
    found[1][np.isnan(found[0])] = np.nan
    return found


def fit_floors(design):
    """Fit volumes of atoms whose sum is more than the volume in a share of the rows.

    Quantile regression (Koenker and Bassett, Econometrica 46 (1978) 33) as a linear program: what
    is left of each volume costs `FLOOR_SHARE`, what it lacks costs the rest.
    """
    used = design.any(axis=0)
    matrix = sparse.csr_array(design[:, used])
    n_rows, n_used = matrix.shape
    costs = np.repeat([0.0, FLOOR_SHARE, 1.0 - FLOOR_SHARE], [n_used, n_rows, n_rows])
    left = sparse.eye_array(n_rows)
    equations = sparse.hstack([matrix, left, -left]).tocsc()
    found = linprog(costs, A_eq=equations, b_eq=np.ones(n_rows), method="highs")
    floors = np.full(design.shape[1], np.nan)
    floors[used] = found.x[:n_used]
    return floors


def densest_elements(frame):
    """Smallest but one volume per atom of each element alone, by symbol; one alone may be wrong."""
    alone = frame[frame["formula"].isin(ELEMENTS)]
    per_atom = (alone["volume"] / alone["n_atoms"]).groupby(alone["formula"])
    found = {symbol: v.nsmallest(2).iloc[-1] for symbol, v in per_atom if len(v) > 1}
    return DENSEST | {symbol: round(float(volume), 3) for symbol, volume in found.items()}


def volume_model(frame):
    """Volumes and floors by kind and symbol, fitted to the ordered rows of `frame`."""
    formulas = parse_formulas(frame["formula"])
    is_salt = salts(formulas.amounts, np.isin(ELEMENTS, ANIONS), SALT_FRACTION)
    amounts = formulas.amounts.toarray()
    amounts *= (frame["n_atoms"].to_numpy() / amounts.sum(axis=1))[:, None]
    good = (frame["ordered"] & frame["cell_matches_spacegroup"]).to_numpy()
    fitted = fit_volumes(amounts, frame["volume"].to_numpy(), is_salt, good)
    return [
        {
            kind: {s: round(v, 3) for s, v in zip(ELEMENTS, row, strict=True) if not math.isnan(v)}
            for kind, row in zip(("alloy", "salt"), both, strict=True)
        }
        for both in fitted
    ]


def tail_exponent(excess):
    """Hill's estimator of the exponent of the tail above 1."""
    return round(float(1.0 / np.mean(np.log(np.minimum(excess[excess > 1.0], 1e3)))), 3)


def write(content, target):
    """Write the reference and forget what was read of the old one."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    # One line per innermost list.
    Path(target).write_text(_compact(text) + "\n", encoding="utf-8")
    check_reference.cache_clear()


def _compact(text):
    lines, depth = [], 0
    for line in text.splitlines():
        inside = depth > 0
        depth += line.count("[") - line.count("]")
        if inside:
            lines[-1] += line.strip() if lines[-1].endswith("[") else " " + line.strip()
            lines[-1] = lines[-1].replace(" ]", "]")
        else:
            lines.append(line)
    return "\n".join(lines)


def measure_limits(content, frame, folds, target):
    """Set the limits so that the wanted share of ordered rows lies beyond, out of fold."""
    residuals, crowding = [], []
    for fold in np.unique(folds):
        volumes, floors = volume_model(frame[folds != fold])
        densest = densest_elements(frame[folds != fold])
        fitted = {"volumes": volumes, "floors": floors, "densest": densest}
        reference = read_reference(content | fitted)
        left_out = frame[(folds == fold) & frame["ordered"]]
        amounts = parse_formulas(left_out["formula"]).amounts
        per_atom = left_out["volume"] / left_out["n_atoms"] * amounts.sum(axis=1)
        residuals.append(np.log(per_atom / formula_volumes(amounts, reference)).dropna())
        crowding.append(np.log(smallest_volumes(amounts, reference) / per_atom).dropna())
    residuals = pd.concat(residuals)
    crowding = pd.concat(crowding)
    low = crowding.quantile(1.0 - TAIL_SHARES["volume_too_small"])
    high = residuals.quantile(1.0 - TAIL_SHARES["volume_too_large"])
    content["limits"] = {
        "volume_too_small": round(float(low), 3),
        "volume_too_large": round(float(high), 3),
    }
    write(content, target)
    both = np.minimum(crowding / low, -residuals / SOME)  # elements alone are too few to matter
    return float((np.maximum(both, -residuals / MUCH) >= 1.0).mean())


def measure_rates(content, frame, cifs, target):
    """Measure how often each flag is raised, and how its deviations fall off."""
    checks = {"frame": check_table(frame), "cifs": check_table(cifs)}
    for flag in CHECK_FLAGS:
        deviations = checks["cifs" if flag in CIF_FLAGS else "frame"].deviations[flag].dropna()
        flagged = deviations[deviations >= 1.0]
        # One more of each: never seen does not mean impossible.
        content["rates"][flag] = round((len(flagged) + 1) / (len(deviations) + 1), 6)
        if (flagged > 1.0).sum() >= 10:
            content["tails"][flag] = tail_exponent(flagged.to_numpy())
    write(content, target)


def build(archive, target):
    """Write the reference `target`."""
    frame = load_cod_inorganic(subset="all").frame
    folds = remainders(frame["formula"])
    frame, folds = frame[np.isin(folds, (1, 2, 3))], folds[np.isin(folds, (1, 2, 3))]
    cifs = read_cifs(archive)
    # Files without a formula are mostly idealised structures, and tell little of slips.
    cifs = cifs[~cifs["flags"].str.contains("formula_from_sites")]
    readable = parse_formulas(cifs["formula"], on_error="report").is_valid
    cifs = cifs[readable & (cifs["status"] != "error").to_numpy()]
    cifs = cifs[np.isin(remainders(cifs["formula"]), (1, 2, 3))]
    volumes, floors = volume_model(frame)
    content = {
        "about": ABOUT,
        "anions": list(ANIONS),
        "salt_fraction": SALT_FRACTION,
        "limits": dict.fromkeys(TAIL_SHARES, 0.5),
        "rates": dict.fromkeys(CHECK_FLAGS, 0.01),
        "tails": {},
        "volumes": volumes,
        "floors": floors,
        "densest": densest_elements(frame),
        "multiplicities": {number: wyckoff_multiplicities(number) for number in range(1, 231)},
    }
    write(content, target)
    too_small = measure_limits(content, frame, folds, target)
    measure_rates(content, frame, cifs, target)
    # The rows that the floors were fitted to are crowded less often than others.
    content["rates"]["volume_too_small"] = round(too_small, 6)
    write(content, target)
    print(pd.Series(content["rates"]).to_string(), content["limits"], content["tails"], sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    build(arguments.archive, arguments.target)

"""
Which columns know the answer
=============================

A table of crystals often holds the space group a second time: as a Hall symbol, as a code that
an encoder made of it, as a point group or a centring letter. Names do not tell, for an encoder
forgets them. Two figures do: how well the target is predicted from a column alone, and how far
the column follows from the target.
"""

# %%
# A table with leaks in it
# ------------------------
# Descriptors of the cell and of the composition are honest inputs. Beside them stand columns
# derived from the space group, hidden behind codes, and what is counted in the cell.

import gemmi
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml.crystallography import (
    bravais_lattice,
    crystal_system,
    parse_formulas,
    point_group,
    reduced_formula,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import audit_leakage

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
frame = load_cod_inorganic(subset="all").frame.sample(5000, random_state=0, ignore_index=True)
numbers = frame["spacegroup_number"].to_numpy()
random = np.random.default_rng(0)
groups = {n: gemmi.find_spacegroup_by_number(int(n)) for n in np.unique(numbers)}
reduced = parse_formulas(reduced_formula(frame["formula"].tolist()))
atoms_per_formula = np.asarray(reduced.amounts.sum(axis=1)).ravel()


def coded(values):
    """Replace labels by codes without order, as a hash does."""
    codes, distinct = pd.factorize(np.asarray(values))
    return random.permutation(10 * len(distinct))[codes]


leaks = pd.DataFrame(
    {
        "space group, hashed": coded(numbers),
        "Hall symbol": [groups[n].hall for n in numbers],
        "point group, coded": coded(point_group(numbers)),
        "crystal system, coded": coded(crystal_system(numbers)),
        "Bravais lattice": bravais_lattice(numbers),
        "centring, coded": coded([groups[n].hm[0] for n in numbers]),
        "number of operations": [len(groups[n].operations()) for n in numbers],
        "atoms in the cell": frame["n_atoms"],
        "Z": frame["n_atoms"] / atoms_per_formula,
    }
)
describe_cells = CellDescriptors().set_output(transform="pandas")
describe_formulas = CompositionDescriptors("magpie").set_output(transform="pandas")
honest = pd.concat(
    [
        frame[["formula", "cod_id", "volume"]],
        describe_cells.fit_transform(frame[CELL]),
        describe_formulas.fit_transform(frame[["formula"]]),
    ],
    axis=1,
)

# %%
# Audit it
# --------
# Every leak is named, and nothing else. The first lines of the report say why.

report = audit_leakage(pd.concat([honest, leaks], axis=1), numbers)
print("named:", report.columns)
print("\n".join(str(report).splitlines()[:4]))
print("and nothing else:", set(report.columns) == set(leaks))

# %%
# Look at the two figures
# -----------------------
# A label that is finer than the target, or a relabelling of it, lies on the right; a coarser one
# lies at the top. Honest columns stay below both lines; the highest of them repeat the metric of
# the cell, which was refined under the space group. Z and the number of atoms lie among the
# honest columns. They are found by what they count: at equal size of the formula, they grow with
# the volume of the cell.

scores = report.scores[report.scores["columns"].map(len) == 1].copy()
scores.index = [names[0] for names in scores["columns"]]
# Columns of which next to nothing follows have no figure.
scores["follows"] = scores["follows"].fillna(0.0).clip(lower=0)
contents = ["atoms in the cell", "Z"]
labels = [name for name in leaks if name not in contents]
kinds = {
    "honest columns": (scores.index.difference(leaks.columns), "o", "#56B4E9"),
    "follow from the space group": (labels, "D", "#D55E00"),
    "count what is in the cell": (contents, "s", "#009E73"),
}

figure, ax = plt.subplots(figsize=(9, 6), layout="constrained")
for kind, (names, marker, color) in kinds.items():
    part = scores.loc[names]
    ax.scatter(
        part["skill"],
        part["follows"],
        marker=marker,
        s=45,
        color=color,
        edgecolor="black",
        linewidth=0.5,
        alpha=0.85,
        label=f"{kind} ({len(part)})",
        zorder=3,
    )
ax.axvline(0.75, color="#666666", linestyle="--", linewidth=1)
ax.axhline(0.9, color="#666666", linestyle="--", linewidth=1)
ax.text(0.755, 0.45, "determines the target", rotation=90, va="center", color="#666666")
ax.text(0.62, 0.91, "follows from the target", ha="center", color="#666666")
named = [*labels, *contents, "gamma", "distance_cP"]
for k, name in enumerate(sorted(named, key=lambda name: scores.loc[name, "skill"])):
    x, y = scores.loc[name, ["skill", "follows"]]
    above = y > 0.95
    offset = (0, 14 + 13 * (k % 4)) if above else (20, 0) if y > 0.7 else (9, 0)
    ax.annotate(
        name,
        (x, y),
        offset,
        textcoords="offset points",
        ha="center" if above else "left",
        va="bottom" if above else "center",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": "#666666", "lw": 0.6} if above else None,
    )
ax.set(
    xlim=(-0.07, 1.08),
    ylim=(-0.03, 1.22),
    xlabel="accuracy from the column alone, cross-validated, from chance (0) to certainty (1)",
    ylabel="share of the column's variety that follows from the target",
    title="Columns of a table of 5,000 crystals, target: space group",
)
ax.set_yticks(np.linspace(0, 1, 6))
ax.legend(loc="center", bbox_to_anchor=(0.5, 0.45), frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

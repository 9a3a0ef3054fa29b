"""
Faults in a table, found and ranked
===================================

:func:`crystalml.check_table` holds every row of a table against itself and against what is known
of crystals. Here we plant faults in real entries of the Crystallography Open Database, as they
happen in typing, copying and exporting, and see which come to light: how many of each kind are
flagged, and how far down the ranking a person has to read to meet them.
"""

# %%
# Plant faults
# ------------
# Of the ordered entries we take 3,000 at random and plant one fault in each of 210, thirty of
# every kind. The others stay as they were published. The last kind is one that stays plausible.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from crystalml import check_table
from crystalml.crystallography import bravais_lattice
from crystalml.datasets import load_cod_inorganic

N_ROWS, N_EACH = 3000, 30
LENGTHS = ["a", "b", "c"]
COLUMNS = ["cod_id", "formula", "spacegroup_number", "n_atoms"]
COLUMNS += [*LENGTHS, "alpha", "beta", "gamma", "volume"]
PUBLISHED = "as published"

rng = np.random.default_rng(0)
table = load_cod_inorganic().frame[COLUMNS].sample(N_ROWS, random_state=0, ignore_index=True)
hexagonal = (table["gamma"] == 120).to_numpy()
fixed = ~np.isin(bravais_lattice(table["spacegroup_number"].to_numpy()), ["aP", "mP", "mS"])
planted = pd.Series(PUBLISHED, index=table.index)


def choose(rows, fault):
    """Pick rows that have no fault yet, and note which they get."""
    free = np.flatnonzero(rows & (planted == PUBLISHED).to_numpy())
    chosen = np.sort(rng.choice(free, N_EACH, replace=False))
    planted.loc[chosen] = fault
    return chosen


every = np.ones(N_ROWS, dtype=bool)
rows = choose(hexagonal, "gamma 90°, not 120°")
table.loc[rows, "gamma"] = 90.0

rows = choose(fixed, "beta off by 1°")
table.loc[rows, "beta"] += 1.0

digits = table["volume"].map("{:.2f}".format)
rows = choose((digits.str[0] != digits.str[1]).to_numpy(), "two digits of V swapped")
table.loc[rows, "volume"] = [float(v[1] + v[0] + v[2:]) for v in digits[rows]]

rows = choose(every, "nm instead of Å")
table.loc[rows, LENGTHS] /= 10
table.loc[rows, "volume"] /= 1000

rows = choose(every, "c halved, V with it")
table.loc[rows, ["c", "volume"]] /= 2

rows = choose(every, "a neighbour's formula")
table.loc[rows, "formula"] = table["formula"].to_numpy()[(rows + 1) % N_ROWS]

rows = choose(every, "edges 2% too long")
table.loc[rows, LENGTHS] *= 1.02
table.loc[rows, "volume"] *= 1.02**3

# %%
# Check the table
# ---------------
# ``suspects`` has the flagged rows, the most surprising first.

check = check_table(table)
suspects = check.suspects.assign(planted=planted)
print(check)
print(suspects[["score", "formula", "flags", "planted"]].head(8).round(1).to_string())

# %%
# Count what was found
# --------------------
# Rows as published are flagged too: some of them are wrong in the literature or in the data base,
# and some are unusual. (The limits were measured on data that include most of these rows.)

flagged = check.rows["flags"] != ""
found = flagged.groupby(planted).sum()
print(pd.DataFrame({"rows": planted.value_counts(), "flagged": found}).to_string())

# %%
# Draw both
# ---------
# Left, what was found. Right, every suspect at its place in the ranking: who reads from the left
# meets planted faults, and the most surprising of the published rows among them.

PLANTED, OTHER, MISSED = "#D55E00", "#0072B2", "#DDDDDD"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12.5, 4.6), layout="constrained", width_ratios=(1, 1.35)
)
bars = found.drop(PUBLISHED).sort_values()
left.barh(bars.index, N_EACH, color=MISSED, label="missed")
left.barh(bars.index, bars, color=PLANTED, label="flagged")
for place, count in enumerate(bars):
    inside = count > 3
    left.text(
        count - 0.4 if inside else count + 0.4,
        place,
        str(count),
        ha="right" if inside else "left",
        va="center",
        color="white" if inside else "black",
    )
left.tick_params(axis="y", length=0)
left.set(
    xlim=(0, N_EACH),
    xlabel=f"rows, of {N_EACH} with this fault",
    ylabel="planted fault",
    title=f"Planted faults: {bars.sum()} of {N_EACH * len(bars)} are flagged",
)

suspects["rank"] = np.arange(1, len(suspects) + 1)
is_planted = suspects["planted"] != PUBLISHED
for rows, color, label in (
    (suspects[is_planted], PLANTED, "planted"),
    (suspects[~is_planted], OTHER, PUBLISHED),
):
    right.vlines(rows["rank"], 0, rows["score"], color=color, linewidth=1.6)
    right.plot([], [], color=color, linewidth=5, label=f"{label}: {len(rows)} suspects")
right.legend(frameon=False)
right.set(
    xlim=(0, len(suspects) + 1),
    ylim=(0, None),
    xlabel="place in the ranking",
    ylabel="score: -log$_{10}$ of the share of such rows",
    title=f"{len(suspects)} suspects among {N_ROWS} rows",
)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

"""All that is known of rows before any of them is compared with another."""

from typing import Any, NamedTuple

import numpy as np

from crystalml.crystallography import ELEMENTS
from crystalml.datasets._atomic_volumes import element_table
from crystalml.known_crystals._descriptions import (
    SMALLEST_STRAIN,
    Compositions,
    ElementTable,
    Lattices,
)
from crystalml.known_crystals._index import Crystals
from crystalml.symmetry._space_groups._formula_units import FormulaUnitPrior
from crystalml.symmetry._space_groups._groups import GroupTable
from crystalml.symmetry._space_groups._volume_trees import VolumeTrees
from crystalml.symmetry._space_groups._wyckoff import WyckoffTable


class RowFacts(NamedTuple):
    """Descriptions of n rows; None where the classifier does not look at that part."""

    lattices: Lattices | None
    compositions: Compositions | None
    log_units: np.ndarray | None
    """Logarithm of the number of formula units in the cell, from the atoms or the volume."""
    units: np.ndarray | None
    """Candidate numbers of formula units, most probable first, shape (n, k)."""
    unit_weights: np.ndarray | None
    folds: np.ndarray
    """Fold of each training row, -1 for new rows."""
    codes: np.ndarray | None = None
    """Group of each training row, as a column number."""

    def crystals(self):
        """Return what is compared when neighbours are looked for."""
        return Crystals(self.compositions, self.lattices, self.log_units, self.folds)

    @property
    def log_atoms(self):
        """Logarithm of the number of atoms in the cell."""
        compositions: Any = self.compositions  # who has units has both parts
        return self.log_units + np.log(compositions.sites.n_atoms)

    def only_compared(self):
        """Leave out what new rows are not compared with: a model keeps the rest."""
        lattices, compositions = self.lattices, self.compositions
        if lattices is not None:
            lattices = lattices._replace(strains=lattices.strains[:0], cosines=lattices.cosines[:0])
        if compositions is not None:
            compositions = compositions._replace(statistics=compositions.statistics[:0])
        # New rows belong to no fold.
        return self._replace(
            lattices=lattices, compositions=compositions, units=None, unit_weights=None
        )

    def columns(self, present):
        """Columns for the forest."""
        parts = []
        if self.compositions is not None:
            parts.append(self.compositions.columns(present))
        if self.lattices is not None:
            parts.append(self.lattices.columns())
        if self.units is not None:
            # Who has units has what they were found by.
            log_units: Any = self.log_units
            compositions: Any = self.compositions
            weights: Any = self.unit_weights
            best = self.units[:, 0]
            log_best = np.log(best)
            divides = [best % number == 0 for number in (2, 3, 4)]
            parts.append(
                np.column_stack(
                    [
                        log_units,
                        log_best,
                        *divides,
                        log_units - log_best,
                        log_best + np.log(compositions.sites.n_atoms),
                        weights[:, 0],
                    ]
                )
            )
        return np.hstack(parts).astype(np.float32)


class GroupFits(NamedTuple):
    """How n rows fit each group by metric and by multiplicities."""

    groups: GroupTable
    tables: list
    """Arrays of shape (n, n_groups)."""
    names: list
    """What each of the tables holds."""


class FactFinder:
    """Describe entries; the volumes of atoms and the likely Z are learned from training rows.

    Parameters
    ----------
    classes : ndarray of int
        Space groups that are to be told apart.
    with_composition, with_cell, with_atoms : bool
        What is known of the entries.
    random_state : int
        Seed of the volume model.
    n_threads : int
        Threads of fitting it.
    """

    def __init__(
        self, classes, *, with_composition, with_cell, with_atoms, random_state, n_threads
    ):
        self.with_composition, self.with_cell = with_composition, with_cell
        self.with_atoms = with_atoms
        self.random_state, self.n_threads = random_state, n_threads
        self.groups = GroupTable.of(classes)
        self.elements = ElementTable.read() if with_composition else None
        self.wyckoff = WyckoffTable.of(classes) if with_composition and with_cell else None

    def fit(self, entries, folds, codes):
        """Learn from training entries and describe them, each as if it were new to its fold."""
        lattices = Lattices.of(entries.cells) if self.with_cell else None
        compositions: Any = None
        if self.with_composition:
            compositions = Compositions.of(entries.amounts, self.elements)
        log_units = units = weights = None
        if self.wyckoff is not None:
            log_units, units, weights = self._fit_units(entries, lattices, compositions, folds)
        self.present = None
        if self.with_composition:
            n_entries = np.diff(compositions.fractions.tocsc().indptr)
            self.present = np.flatnonzero(n_entries)
        return RowFacts(lattices, compositions, log_units, units, weights, folds, codes)

    def transform(self, entries):
        """Describe new entries."""
        lattices = Lattices.of(entries.cells) if self.with_cell else None
        compositions = None
        if self.with_composition:
            compositions = Compositions.of(entries.amounts, self.elements)
        log_units = units = weights = None
        if self.wyckoff is not None:
            log_units = self._estimated_log_units(entries, lattices, compositions)
            units, weights = self.unit_prior.candidates(log_units)
            log_units, units, weights = self._with_known(
                entries, compositions, log_units, units, weights
            )
        folds = np.full(len(entries), -1)
        return RowFacts(lattices, compositions, log_units, units, weights, folds)

    def fits(self, facts):
        """Hold every row against every group."""
        tables, names = [], []
        if facts.lattices is not None:
            strain, excess, _ = self.groups.metric_fit(facts.lattices.metric_strains)
            tables += [
                np.log(np.maximum(strain, SMALLEST_STRAIN)).astype(np.float32),
                excess.astype(np.float32),
            ]
            names += ["log_strain", "excess"]
        if self.wyckoff is not None:
            counts = facts.compositions.sites.counts
            tables += self.wyckoff.feasibility(counts, facts.units, facts.unit_weights)
            names += ["feasible", "orbits", "fixed"]
        return GroupFits(self.groups, tables, names)

    def _fit_units(self, entries, lattices, compositions, folds):
        """Learn volumes and Z; return those of the training rows from models that missed them."""
        n_atoms = _known_atoms(entries, lattices)
        volumes = np.exp(lattices.log_volumes) / n_atoms
        log_volumes = np.empty(len(volumes))
        for fold in np.unique(folds):
            held_out = folds == fold
            model = self._volume_model(entries, compositions, volumes, ~held_out)
            log_volumes[held_out] = _predicted(model, entries, compositions, held_out)
        everything = np.ones(len(volumes), dtype=bool)
        self.volume_model = self._volume_model(entries, compositions, volumes, everything)
        per_unit = np.log(compositions.sites.n_atoms)
        log_units = lattices.log_volumes - log_volumes - per_unit
        true_units = n_atoms / compositions.sites.n_atoms
        self.unit_prior = FormulaUnitPrior().fit(log_units, true_units)
        units, weights = self.unit_prior.candidates(log_units)
        return self._with_known(entries, compositions, log_units, units, weights)

    def _volume_model(self, entries, compositions, volumes, rows):
        model = VolumeTrees(random_state=self.random_state, n_threads=self.n_threads)
        return model.fit(entries.amounts[rows], compositions.statistics[rows], volumes[rows])

    def _estimated_log_units(self, entries, lattices, compositions):
        everything = np.ones(len(entries), dtype=bool)
        log_volumes = _predicted(self.volume_model, entries, compositions, everything)
        return lattices.log_volumes - log_volumes - np.log(compositions.sites.n_atoms)

    def _with_known(self, entries, compositions, log_units, units, weights):
        """Put the true Z in place of the estimate where it is known and asked for."""
        if not self.with_atoms:
            return log_units, units, weights
        true_units = entries.n_atoms / compositions.sites.n_atoms
        known = np.isfinite(true_units)
        log_units, units, weights = log_units.copy(), units.copy(), weights.copy()
        log_units[known] = np.log(true_units[known])
        exact, sure = self.unit_prior.exact(true_units[known])
        units[known], weights[known] = exact, 0.0
        weights[known, :1] = sure
        return log_units, units, weights


def _predicted(model, entries, compositions, rows):
    return model.predict_log(entries.amounts[rows], compositions.statistics[rows])


def _known_atoms(entries, lattices):
    """Return the atoms in the cells; where not given, of the whole Z nearest to the volumes."""
    per_formula = entries.amounts.sum(axis=1)
    table = element_table()
    volumes = np.full(len(ELEMENTS), np.average(table.volumes, weights=table.frequencies))
    volumes[[ELEMENTS.index(symbol) for symbol in table.symbols]] = table.volumes
    units = np.exp(lattices.log_volumes) / np.maximum(entries.amounts @ volumes, 1e-9)
    estimated = np.maximum(np.rint(units), 1.0) * per_formula
    if entries.n_atoms is None:
        return estimated
    return np.where(np.isnan(entries.n_atoms), estimated, entries.n_atoms)

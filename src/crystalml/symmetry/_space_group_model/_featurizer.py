"""Entries as descriptors, and how they agree with each space group, before any are compared."""

from typing import NamedTuple

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
from crystalml.symmetry._space_group_model._formula_units import (
    FormulaUnitPrior,
    FormulaUnits,
    VolumeTrees,
)
from crystalml.symmetry._space_group_model._groups import GroupTable
from crystalml.symmetry._space_group_model._wyckoff import WyckoffTable


class RowDescriptors(NamedTuple):
    """Descriptors of n rows; None for inputs that the classifier does not use."""

    lattices: Lattices | None
    compositions: Compositions | None
    formula_units: FormulaUnits | None
    """Of rows with lattice and composition."""
    folds: np.ndarray
    """Fold of each training row, -1 for new rows."""
    codes: np.ndarray
    """Column number of each training row's space group, -1 for new rows."""

    def crystals(self):
        """Return what is compared when neighbours are looked for."""
        units = self.formula_units
        log_units = None if units is None else units.log_units
        return Crystals(self.compositions, self.lattices, log_units, self.folds)

    def only_compared(self):
        """Return the part with which new rows are compared, which a fitted model keeps."""
        lattices, compositions, units = self.lattices, self.compositions, self.formula_units
        if lattices is not None:
            lattices = lattices._replace(strains=lattices.strains[:0], cosines=lattices.cosines[:0])
        if compositions is not None:
            compositions = compositions._replace(statistics=compositions.statistics[:0])
        if units is not None:
            units = units._replace(candidates=units.candidates[:0], weights=units.weights[:0])
        return self._replace(lattices=lattices, compositions=compositions, formula_units=units)

    def columns(self, present):
        """Columns for forest and net; `present` are the elements of the training rows."""
        parts = []
        if self.compositions is not None:
            parts.append(self.compositions.columns(present))
        if self.lattices is not None:
            parts.append(self.lattices.columns())
        if self.formula_units is not None:
            parts.append(self.formula_units.columns())
        return np.hstack(parts).astype(np.float32)


class GroupCompatibility(NamedTuple):
    """How n rows agree with each space group by metric and by multiplicities."""

    groups: GroupTable
    tables: dict[str, np.ndarray]
    """Arrays of shape (n, n_groups): ``log_strain`` and ``excess`` of cells; ``feasible``,
    ``orbits`` and ``fixed`` of cells with a composition."""


class Featurizer:
    """Turn entries into descriptors; volumes of atoms and likely Z are learned from training rows.

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
        # Contents of cells can be compared with multiplicities only where both parts are known.
        self.wyckoff = WyckoffTable.of(classes) if with_composition and with_cell else None

    def fit(self, entries, folds, codes):
        """Learn from training entries and describe them, each as if it were new to its fold."""
        lattices, compositions = self._described(entries)
        units, self.present = None, None
        if self.wyckoff is not None:
            units = self._fit_units(entries, lattices, compositions, folds)
        if self.with_composition:
            # Elements that no training row has would be columns of zeros.
            n_entries = np.diff(compositions.fractions.tocsc().indptr)
            self.present = np.flatnonzero(n_entries)
        return RowDescriptors(lattices, compositions, units, folds, codes)

    def transform(self, entries):
        """Describe new entries."""
        lattices, compositions = self._described(entries)
        units = None
        if self.wyckoff is not None:
            everything = np.ones(len(entries), dtype=bool)
            log_volumes = _predicted(self.volume_model, entries, compositions, everything)
            log_units = _log_units(log_volumes, lattices, compositions)
            units = self._units(entries, compositions, log_units)
        # Being of no fold, they see all references.
        new = np.full(len(entries), -1)
        return RowDescriptors(lattices, compositions, units, folds=new, codes=new)

    def compatibility(self, rows):
        """Compare every row with every group."""
        tables = {}
        if rows.lattices is not None:
            strain, excess = self.groups.metric_compatibility(rows.lattices.metric_strains)
            # Smaller strains are what errors of measurement make of none.
            tables["log_strain"] = np.log(np.maximum(strain, SMALLEST_STRAIN)).astype(np.float32)
            tables["excess"] = excess.astype(np.float32)
        if self.wyckoff is not None:
            units = rows.formula_units
            tables["feasible"], tables["orbits"], tables["fixed"] = self.wyckoff.feasibility(
                rows.compositions.sites.counts, units.candidates, units.weights
            )
        return GroupCompatibility(self.groups, tables)

    def _described(self, entries):
        """Return the lattices and the compositions, None for inputs that are not used."""
        lattices = Lattices.of(entries.cells) if self.with_cell else None
        if not self.with_composition:
            return lattices, None
        return lattices, Compositions.of(entries.amounts, self.elements)

    def _fit_units(self, entries, lattices, compositions, folds):
        """Learn volumes and Z; return those of the training rows from models that missed them."""
        n_atoms = _known_atoms(entries, lattices)
        volumes = np.exp(lattices.log_volumes) / n_atoms
        log_volumes = np.empty(len(volumes))
        # A volume from a model that has seen the row would be better than any for a new one.
        for fold in np.unique(folds):
            held_out = folds == fold
            model = self._volume_model(entries, compositions, volumes, ~held_out)
            log_volumes[held_out] = _predicted(model, entries, compositions, held_out)
        everything = np.ones(len(volumes), dtype=bool)
        self.volume_model = self._volume_model(entries, compositions, volumes, everything)
        log_units = _log_units(log_volumes, lattices, compositions)
        self.unit_prior = FormulaUnitPrior().fit(log_units, n_atoms / compositions.sites.n_atoms)
        return self._units(entries, compositions, log_units)

    def _volume_model(self, entries, compositions, volumes, rows):
        model = VolumeTrees(random_state=self.random_state, n_threads=self.n_threads)
        return model.fit(entries.amounts[rows], compositions.statistics[rows], volumes[rows])

    def _units(self, entries, compositions, log_units):
        """Return the formula units by the volume, or by the atoms where these are to be used."""
        atoms_per_unit = compositions.sites.n_atoms
        candidates, weights = self.unit_prior.candidates(log_units)
        if self.with_atoms:
            true_units = entries.n_atoms / atoms_per_unit
            # Rows without the atoms keep the estimate from their volume.
            known = np.isfinite(true_units)
            log_units[known] = np.log(true_units[known])
            exact, sure = self.unit_prior.exact(true_units[known])
            candidates[known], weights[known] = exact, 0.0
            weights[known, :1] = sure
        return FormulaUnits(log_units, np.log(atoms_per_unit), candidates, weights)


def _predicted(model, entries, compositions, rows):
    return model.predict_log(entries.amounts[rows], compositions.statistics[rows])


def _log_units(log_volumes_per_atom, lattices, compositions):
    """Return the logarithm of the formula units that fill the volume of each cell."""
    return lattices.log_volumes - log_volumes_per_atom - np.log(compositions.sites.n_atoms)


def _known_atoms(entries, lattices):
    """Return the atoms in the cells; where not given, of the whole Z nearest to the volumes."""
    per_formula = entries.amounts.sum(axis=1)
    # Volumes of atoms from the package's own data: those of these rows need their Z first.
    table = element_table()
    volumes = np.full(len(ELEMENTS), np.average(table.volumes, weights=table.frequencies))
    volumes[[ELEMENTS.index(symbol) for symbol in table.symbols]] = table.volumes
    units = np.exp(lattices.log_volumes) / np.maximum(entries.amounts @ volumes, 1e-9)
    # At least one formula unit, however small the cell is.
    estimated = np.maximum(np.rint(units), 1.0) * per_formula
    # Some data sets have the atoms of no row, others those of most rows.
    if entries.n_atoms is None:
        return estimated
    return np.where(np.isnan(entries.n_atoms), estimated, entries.n_atoms)

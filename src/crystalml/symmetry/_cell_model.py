"""The model behind `LatticeParameterRegressor`, on arrays: memory, trees, net and calibration."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.crystallography import BRAVAIS_LATTICES
from crystalml.descriptors import CompositionDescriptors
from crystalml.neural._cell_net import CellNet
from crystalml.symmetry._atomic_volume_model import AtomicVolumeModel
from crystalml.symmetry._cell_memory import N_CANDIDATES, N_CONTEXT, CellMemory
from crystalml.symmetry._cell_shapes import FREE_NUMBERS, constrain, family_codes, shapes_to_cells
from crystalml.symmetry._isostructural_neighbours import Compounds

# By crystal family: how much each number of a shape counts in the loss, and which share of the
# scale of a mixture's component falls on it.
_COUNTS = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 1, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 1.5, 0, 0, 0],
        [0, 0, 1.5, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
)
_SHARES = np.array(
    [
        [2 / 3, 2 / 3, 2 / 3, 1, 1, 1],
        [2 / 3, 2 / 3, 2 / 3, 0, 1, 0],
        [2 / 3, 2 / 3, 2 / 3, 0, 0, 0],
        [1 / 3, 1 / 3, 2 / 3, 0, 0, 0],
        [1 / 3, 1 / 3, 2 / 3, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
)
_ONE_SIGMA = 0.6827  # share of a normal distribution within one standard deviation
# Share of the net, beside the trees, in the volume that knows the lattice, and in the other.
_NET_WITH_LATTICE, _NET_ALONE = 0.65, 0.5
# Slower and larger than the defaults of the volume model, and more accurate.
_TREES = {"learning_rate": 0.12, "max_leaf_nodes": 255}
_FEWEST_CALIBRATION_ROWS = 20
_LEAST_WEIGHT = 1e-3  # components with less are not chosen
_HIDDEN_NUMBERS = 0.5  # of the training rows, so that the net learns to do without


class Crystals(NamedTuple):
    """Crystals whose lattice and contents are known, or assumed."""

    amounts: sparse.csr_array
    compounds: Compounds
    lattices: np.ndarray
    numbers: np.ndarray  # 0 where unknown
    n_atoms: np.ndarray


class Prediction(NamedTuple):
    """Cells, and standard deviations of their parameters and of the logarithm of their volume."""

    cells: np.ndarray
    stds: np.ndarray
    log_volumes: np.ndarray
    log_volume_stds: np.ndarray


class CellModel:
    """Volume by trees and a net, shape by the net's choice among candidates from a memory.

    Parameters
    ----------
    net_parameters : dict
        Given to `CellNet`.
    max_iter : int
        Trees of the volume model.
    calibration_fraction : float
        Share of the rows, by chemical systems, from which the spread is calibrated.
    random_state : RandomState
        Seeds all that is drawn.
    """

    def __init__(self, net_parameters, max_iter, calibration_fraction, random_state):
        self.net_parameters = net_parameters
        self.max_iter = max_iter
        self.calibration_fraction = calibration_fraction
        self.seeds = random_state.randint(np.iinfo(np.int32).max, size=4)

    def fit(self, crystals, table, shapes, volumes, weight):
        """Learn from crystals with known shapes and volumes (Å^3)."""
        self.memory = CellMemory(
            table,
            crystals.lattices,
            crystals.numbers,
            crystals.n_atoms,
            shapes,
            volumes,
            weight,
        )
        descriptors = CompositionDescriptors().transform(crystals.amounts)
        self.mean = descriptors.mean(axis=0)
        scale = descriptors.std(axis=0)
        self.scale = np.where(scale > 1e-9, scale, 1.0)
        generator = np.random.RandomState(self.seeds[0])
        held_out = self._held_out(crystals.compounds.systems, generator)
        learned = np.flatnonzero(~held_out)
        per_atom = volumes / crystals.n_atoms
        trees = AtomicVolumeModel(self.max_iter, random_state=self.seeds[1], **_TREES)
        self.trees = trees.fit(
            crystals.amounts[learned],
            per_atom[learned],
            weight[learned],
            descriptors=descriptors[learned],
        )
        hidden = generator.random_sample(len(weight)) < _HIDDEN_NUMBERS
        seen = crystals._replace(numbers=np.where(hidden, 0, crystals.numbers))
        inputs = self._inputs(seen, descriptors, apart=True)
        self.net = CellNet(
            N_CONTEXT,
            N_CANDIDATES,
            len(BRAVAIS_LATTICES),
            random_state=int(self.seeds[2]),
            **self.net_parameters,
        )
        target = self._targets(crystals, shapes, volumes)
        self.net.fit(inputs[learned], target[learned], sample_weight=weight[learned])
        self._calibrate(held_out, crystals, descriptors, inputs, shapes, volumes)
        return self

    def predict(self, crystals):
        """Predict cells of crystals whose lattices and contents are known."""
        descriptors = CompositionDescriptors().transform(crystals.amounts)
        inputs = self._inputs(crystals, descriptors)
        return self._predict(crystals, descriptors, inputs)

    def predict_log_volumes(self, table):
        """Predict ln of the volume per atom (Å^3), and its standard deviation, by composition."""
        # What is said of lattice and contents does not reach this output of the net.
        lattices, numbers = np.zeros((2, len(table)), dtype=np.int64)
        n_atoms = np.ones(len(table))
        crystals = Crystals(table.amounts, Compounds(table), lattices, numbers, n_atoms)
        descriptors = CompositionDescriptors().transform(crystals.amounts)
        found = self.net.predict_distributions(self._inputs(crystals, descriptors))
        return self._volume(crystals, descriptors, found.volume, _NET_ALONE, "volume")

    def _predict(self, crystals, descriptors, inputs):
        """Predict from prepared inputs."""
        found = self.net.predict_distributions(inputs)
        logs, log_stds = self._volume(
            crystals, descriptors, found.lattice_volume, _NET_WITH_LATTICE, "lattice_volume"
        )
        logs = logs + np.log(crystals.n_atoms)
        shapes, stds = choose_shapes(found, crystals.lattices)
        cells = shapes_to_cells(shapes, np.exp(logs), crystals.lattices)
        own_std = log_stds / self.factors["lattice_volume"]
        lengths = np.sqrt(stds[:, :3] ** 2 + (own_std[:, None] / 3.0) ** 2)
        lengths *= self.factors["lengths"] * cells[:, :3]
        angles = np.degrees(stds[:, 3:]) * self.factors["angles"]
        return Prediction(cells, np.concatenate([lengths, angles], axis=1), logs, log_stds)

    def _volume(self, crystals, descriptors, laplace, share, factor):
        """Mix net and trees; the spread is that of the net, calibrated for the mixture."""
        net = laplace[:, 0] + self.memory.log_sums(crystals.amounts)
        trees = self.trees.predict_log(crystals.amounts, descriptors=descriptors)
        std = np.sqrt(2.0) * np.exp(laplace[:, 1]) * self.factors[factor]
        return share * net + (1.0 - share) * trees, std

    def _inputs(self, crystals, descriptors, *, apart=False):
        """Return the matrix for the net; with `apart`, no compound of the same elements helps."""
        fractions = sparse.diags_array(1.0 / crystals.amounts.sum(axis=1)) @ crystals.amounts
        candidates = self.memory.candidates(
            crystals.compounds,
            crystals.amounts,
            crystals.lattices,
            crystals.numbers,
            crystals.n_atoms,
            apart=apart,
        )
        smallest = np.minimum.reduceat(fractions.data, fractions.indptr[:-1])
        rarest = np.log(crystals.n_atoms * smallest)
        n_rows = len(crystals.n_atoms)
        parts = [
            np.clip((descriptors - self.mean) / self.scale, -6.0, 6.0),
            5.0 * fractions.toarray(),
            self.memory.volume_features(crystals.compounds, apart=apart),
            self.memory.log_sums(crystals.amounts) - 3.0,
            np.log(crystals.n_atoms) - 3.0,
            np.clip(rarest, -3.0, 6.0) - 1.0,
            crystals.lattices,
            candidates.features.reshape(n_rows, -1),
            candidates.shapes.reshape(n_rows, -1),
        ]
        return np.column_stack(parts).astype(np.float32)

    def _targets(self, crystals, shapes, volumes):
        """Return the 14 columns that `CellLoss` asks for."""
        family = family_codes(crystals.lattices)
        log_volumes = np.log(volumes / crystals.n_atoms) - self.memory.log_sums(crystals.amounts)
        return np.column_stack([log_volumes, FREE_NUMBERS[family], _COUNTS[family], shapes])

    def _held_out(self, systems, generator):
        """Set rows aside by chemical systems; none where there are too few."""
        names, codes = np.unique(systems.astype(str), return_inverse=True)
        count = round(self.calibration_fraction * len(names))
        chosen = np.isin(codes, generator.permutation(len(names))[:count])
        enough = _FEWEST_CALIBRATION_ROWS <= chosen.sum() <= 0.5 * len(codes)
        return chosen if enough else np.zeros(len(codes), dtype=bool)

    def _calibrate(self, held_out, crystals, descriptors, inputs, shapes, volumes):
        """Scale each kind of spread so that it holds the usual share of the held-out errors."""
        self.factors = dict.fromkeys(("volume", "lattice_volume", "lengths", "angles"), 1.0)
        rows = np.flatnonzero(held_out)
        if not len(rows):
            return
        crystals = select(crystals, rows)
        descriptors, inputs = descriptors[rows], inputs[rows]
        found = self.net.predict_distributions(inputs)
        truth = np.log(volumes[rows] / crystals.n_atoms)
        alone = self._volume(crystals, descriptors, found.volume, _NET_ALONE, "volume")
        prediction = self._predict(crystals, descriptors, inputs)
        cells = shapes_to_cells(shapes[rows], volumes[rows], crystals.lattices)
        off = np.abs(prediction.cells - cells)
        log_volumes = prediction.log_volumes - np.log(crystals.n_atoms)
        self.factors = {
            "volume": _one_sigma(np.abs(alone[0] - truth), alone[1]),
            "lattice_volume": _one_sigma(np.abs(log_volumes - truth), prediction.log_volume_stds),
            "lengths": _one_sigma(off[:, :3], prediction.stds[:, :3]),
            "angles": _one_sigma(off[:, 3:], prediction.stds[:, 3:]),
        }


def select(crystals, rows):
    """Return some rows of crystals."""
    compounds = crystals.compounds.take(rows)
    amounts = crystals.amounts[rows]
    parts = (crystals.lattices, crystals.numbers, crystals.n_atoms)
    return Crystals(amounts, compounds, *(part[rows] for part in parts))


def choose_shapes(found, lattices):
    """Return the most central shape of each mixture, and the spread around it.

    The most central is the component to which the others, by their weights, are nearest: between
    two unlike candidates a mean would be like neither.
    """
    weights = np.exp(found.log_weights)
    shapes = found.shapes.copy()
    shapes[:, -1] = constrain(shapes[:, -1], lattices)
    costs = np.zeros_like(weights)
    for other in range(weights.shape[1]):  # some components, all rows at once
        apart = np.abs(shapes - shapes[:, other, None]).sum(axis=2)
        costs += weights[:, other, None] * apart
    costs[weights < _LEAST_WEIGHT] = np.inf
    rows = np.arange(len(shapes))
    chosen = shapes[rows, costs.argmin(axis=1)]
    between = (weights[..., None] * (shapes - chosen[:, None]) ** 2).sum(axis=1)
    within = 2.0 * (weights * found.scales**2).sum(axis=1)
    shares = _SHARES[family_codes(lattices)]
    return chosen, np.sqrt(np.where(shares > 0, between, 0.0) + shares**2 * within[:, None])


def _one_sigma(errors, stds):
    """Return the factor that makes `stds` hold 68% of the errors; 1 where nothing is free."""
    free = stds > 0
    return float(np.quantile(errors[free] / stds[free], _ONE_SIGMA)) if free.any() else 1.0

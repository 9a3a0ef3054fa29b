"""The model behind `LatticeParameterRegressor`, on arrays: known cells, trees, net, calibration."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.crystallography import BRAVAIS_LATTICES
from crystalml.descriptors import CompositionDescriptors
from crystalml.symmetry._cell_model._neighbours import (
    N_CANDIDATES,
    N_CONTEXT,
    CellContents,
    KnownCells,
)
from crystalml.symmetry._cell_model._net import CellNet
from crystalml.symmetry._cell_model._shapes import (
    FREE_NUMBERS,
    constrain,
    family_codes,
    shapes_to_cells,
)
from crystalml.symmetry._cell_model._volume import AtomicVolumeModel

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


class Prediction(NamedTuple):
    """Cells, and standard deviations of their parameters and of the logarithm of their volume."""

    cells: np.ndarray
    stds: np.ndarray
    log_volumes: np.ndarray
    log_volume_stds: np.ndarray


class CellModel:
    """Volume by trees and a net, shape by the net's choice among those of known crystals.

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
        # All at once, so that a change in one part leaves the draws of the others alone.
        self.seeds = random_state.randint(np.iinfo(np.int32).max, size=4)

    def fit(self, contents, systems, shapes, volumes, weight):
        """Learn from crystals with known shapes and volumes (Å^3).

        `systems` are the codes of their chemical systems: what is said of a training row must
        come from other systems, as it will for new ones.
        """
        # Also the rows held out below: the inputs hide each system from itself anyway.
        self.known = KnownCells(contents, systems, shapes, volumes, weight)
        descriptors = CompositionDescriptors().transform(contents.amounts)
        self.mean = descriptors.mean(axis=0)
        scale = descriptors.std(axis=0)
        # A descriptor may be constant in the training rows.
        self.scale = np.where(scale > 1e-9, scale, 1.0)
        generator = np.random.RandomState(self.seeds[0])
        held_out = self._held_out(systems, generator)
        learned = np.flatnonzero(~held_out)
        per_atom = volumes / contents.n_atoms
        trees = AtomicVolumeModel(self.max_iter, random_state=self.seeds[1], **_TREES)
        self.trees = trees.fit(
            contents.amounts[learned],
            per_atom[learned],
            weight[learned],
            descriptors=descriptors[learned],
        )
        hidden = generator.random_sample(len(weight)) < _HIDDEN_NUMBERS
        seen = contents._replace(numbers=np.where(hidden, 0, contents.numbers))
        inputs = self._inputs(seen, descriptors, systems)
        self.net = CellNet(
            N_CONTEXT,
            N_CANDIDATES,
            len(BRAVAIS_LATTICES),
            random_state=int(self.seeds[2]),
            **self.net_parameters,
        )
        target = self._targets(contents, shapes, volumes)
        self.net.fit(inputs[learned], target[learned], sample_weight=weight[learned])
        self._calibrate(held_out, contents, descriptors, inputs, shapes, volumes)
        return self

    def predict(self, contents):
        """Predict cells of crystals whose lattices and contents are known."""
        descriptors = CompositionDescriptors().transform(contents.amounts)
        inputs = self._inputs(contents, descriptors)
        return self._predict(contents, descriptors, inputs)

    def predict_log_volumes(self, table):
        """Predict ln of the volume per atom (Å^3), and its standard deviation, by composition."""
        # What is said of lattice and contents does not reach this output of the net.
        lattices, numbers = np.zeros((2, len(table)), dtype=np.int64)
        contents = CellContents.of(table.amounts, lattices, numbers, np.ones(len(table)))
        descriptors = CompositionDescriptors().transform(contents.amounts)
        found = self.net.predict_distributions(self._inputs(contents, descriptors))
        return self._volume(contents, descriptors, found.volume, _NET_ALONE, "volume")

    def _predict(self, contents, descriptors, inputs):
        """Predict from prepared inputs."""
        found = self.net.predict_distributions(inputs)
        logs, log_stds = self._volume(
            contents, descriptors, found.lattice_volume, _NET_WITH_LATTICE, "lattice_volume"
        )
        logs = logs + np.log(contents.n_atoms)
        shapes, stds = choose_shapes(found, contents.lattices)
        cells = shapes_to_cells(shapes, np.exp(logs), contents.lattices)
        # Without the factor of the volume: lengths have a factor of their own.
        own_std = log_stds / self.factors["lattice_volume"]
        # A length goes with the cube root of the volume, hence a third of its relative spread.
        lengths = np.sqrt(stds[:, :3] ** 2 + (own_std[:, None] / 3.0) ** 2)
        lengths *= self.factors["lengths"] * cells[:, :3]
        angles = np.degrees(stds[:, 3:]) * self.factors["angles"]
        return Prediction(cells, np.concatenate([lengths, angles], axis=1), logs, log_stds)

    def _volume(self, contents, descriptors, laplace, share, factor):
        """Mix net and trees; the spread is that of the net, calibrated for the mixture."""
        net = laplace[:, 0] + self.known.log_sums(contents.amounts)
        trees = self.trees.predict_log(contents.amounts, descriptors=descriptors)
        # The standard deviation of a Laplace distribution is sqrt(2) times its scale.
        std = np.sqrt(2.0) * np.exp(laplace[:, 1]) * self.factors[factor]
        return share * net + (1.0 - share) * trees, std

    def _inputs(self, contents, descriptors, systems=None):
        """Return the matrix for the net; compounds of the given `systems` do not help their own."""
        fractions = sparse.diags_array(1.0 / contents.amounts.sum(axis=1)) @ contents.amounts
        crystals = contents.crystals(systems)
        candidates = self.known.candidates(crystals, contents.numbers, contents.n_atoms)
        smallest = np.minimum.reduceat(fractions.data, fractions.indptr[:-1])
        # Less than one atom of the rarest element in a cell tells of a disordered site.
        rarest = np.log(contents.n_atoms * smallest)
        n_rows = len(contents.n_atoms)
        parts = [
            # Compositions unlike all training rows must not carry the net to absurd cells.
            np.clip((descriptors - self.mean) / self.scale, -6.0, 6.0),
            5.0 * fractions.toarray(),
            self.known.volume_features(crystals),
            self.known.log_sums(contents.amounts) - 3.0,
            np.log(contents.n_atoms) - 3.0,
            np.clip(rarest, -3.0, 6.0) - 1.0,
            contents.lattices,
            candidates.features.reshape(n_rows, -1),
            candidates.shapes.reshape(n_rows, -1),
        ]
        return np.column_stack(parts).astype(np.float32)

    def _targets(self, contents, shapes, volumes):
        """Return the 14 columns that `CellLoss` asks for."""
        family = family_codes(contents.lattices)
        log_volumes = np.log(volumes / contents.n_atoms) - self.known.log_sums(contents.amounts)
        return np.column_stack([log_volumes, FREE_NUMBERS[family], _COUNTS[family], shapes])

    def _held_out(self, systems, generator):
        """Set rows aside by chemical systems; none where there are too few."""
        n_systems = systems.max() + 1
        count = round(self.calibration_fraction * n_systems)
        chosen = np.isin(systems, generator.permutation(n_systems)[:count])
        # Few errors give no quantile worth having, and half of the rows is much to learn without.
        enough = _FEWEST_CALIBRATION_ROWS <= chosen.sum() <= 0.5 * len(systems)
        return chosen if enough else np.zeros(len(systems), dtype=bool)

    def _calibrate(self, held_out, contents, descriptors, inputs, shapes, volumes):
        """Scale each kind of spread so that it holds the usual share of the held-out errors."""
        self.factors = dict.fromkeys(("volume", "lattice_volume", "lengths", "angles"), 1.0)
        rows = np.flatnonzero(held_out)
        if not len(rows):
            return
        # Whatever else is known of the rows is in the prepared inputs.
        contents = contents._replace(
            amounts=contents.amounts[rows],
            lattices=contents.lattices[rows],
            n_atoms=contents.n_atoms[rows],
        )
        descriptors, inputs = descriptors[rows], inputs[rows]
        found = self.net.predict_distributions(inputs)
        truth = np.log(volumes[rows] / contents.n_atoms)
        alone = self._volume(contents, descriptors, found.volume, _NET_ALONE, "volume")
        prediction = self._predict(contents, descriptors, inputs)
        cells = shapes_to_cells(shapes[rows], volumes[rows], contents.lattices)
        off = np.abs(prediction.cells - cells)
        log_volumes = prediction.log_volumes - np.log(contents.n_atoms)
        self.factors = {
            "volume": _one_sigma(np.abs(alone[0] - truth), alone[1]),
            "lattice_volume": _one_sigma(np.abs(log_volumes - truth), prediction.log_volume_stds),
            "lengths": _one_sigma(off[:, :3], prediction.stds[:, :3]),
            "angles": _one_sigma(off[:, 3:], prediction.stds[:, 3:]),
        }


def choose_shapes(found, lattices):
    """Return the most central shape of each mixture, and the spread around it.

    The most central is the component to which the others, by their weights, are nearest: between
    two unlike candidates a mean would be like neither.
    """
    weights = np.exp(found.log_weights)
    shapes = found.shapes.copy()
    # The candidates come from crystals of the lattice; only the own shape of the net can break it.
    shapes[:, -1] = constrain(shapes[:, -1], lattices)
    costs = np.zeros_like(weights)
    for other in range(weights.shape[1]):  # some components, all rows at once
        apart = np.abs(shapes - shapes[:, other, None]).sum(axis=2)
        costs += weights[:, other, None] * apart
    # Absent candidates are rows of zeros, which could be the most central by chance.
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

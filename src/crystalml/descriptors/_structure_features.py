"""The descriptors of structures: their names, their groups and how one crystal is described."""

import warnings
from itertools import pairwise
from math import floor, log10
from typing import NamedTuple

import gemmi
import numpy as np
from scipy import constants

from crystalml._dependencies import import_optional
from crystalml.crystallography import CRYSTAL_SYSTEMS, crystal_system, is_centrosymmetric
from crystalml.descriptors._structure_neighbours import (
    bond_angles,
    bonded_pairs,
    coordination_numbers,
    pairs_within,
    refuse_coinciding,
    voronoi_faces,
)
from crystalml.exceptions import InvalidInputError

_GRAM_PER_CUBIC_CENTIMETRE = constants.atomic_mass * 1e27  # one dalton per Å^3

_STATISTICS = ("minimum", "maximum", "mean", "std_dev")
_VARIATION = ("minimum", "maximum", "range", "mean", "avg_dev")
RDF = "rdf"

SYMMETRY_NAMES = (
    "spacegroup_number",
    "crystal_system",
    "point_group_order",
    "is_centrosymmetric",
    "n_orbits",
)


def _statistics_of(quantity):
    return tuple(f"{quantity}_{statistic}" for statistic in _STATISTICS)


# Group -> names, but for those of the radial distribution function, which depend on its bins.
_GROUPS = {
    "packing": ("density", "volume_per_atom", "packing_fraction"),
    "bond_lengths": _statistics_of("bond_length"),
    "coordination": _statistics_of("coordination"),
    "bond_angles": _statistics_of("bond_angle"),
    "voronoi": (
        "voronoi_volume_avg_dev",
        "voronoi_length_avg_dev",
        "voronoi_length_minimum",
        "voronoi_length_maximum",
        *(f"voronoi_variation_{statistic}" for statistic in _VARIATION),
        *_statistics_of("voronoi_coordination"),
        *_statistics_of("voronoi_sphericity"),
        "voronoi_packing_efficiency",
    ),
}


# What tells of symmetry or of the choice of the cell: never part of "default".
_NAMED_ONLY = {"contents": ("n_sites", "n_atoms"), "symmetry": SYMMETRY_NAMES}


class Options(NamedTuple):
    """How to describe: the names of the output, and the checked parameters behind them."""

    names: tuple
    rdf_cutoff: float
    rdf_bin_width: float
    bonds: str
    bond_tolerance: float
    symmetry_tolerance: float


def rdf_edges(cutoff, bin_width):
    """Return the edges of the bins in Å."""
    return np.arange(round(cutoff / bin_width) + 1) * bin_width


def groups_of(cutoff, bin_width):
    """Return group -> names; "default" is all that neither symmetry nor the cell enters."""
    decimals = max(2, 1 - floor(log10(bin_width)))
    edges = [f"{edge:.{decimals}f}" for edge in rdf_edges(cutoff, bin_width)]
    rdf = tuple(f"rdf_{lower}_{upper}" for lower, upper in pairwise(edges))
    free = {**_GROUPS, RDF: rdf}
    default = tuple(name for names in free.values() for name in names)
    return {"default": default, **free, **_NAMED_ONLY}


def describe_crystal(crystal, options):
    """Return the descriptors of one crystal, in the order of the names."""
    groups = groups_of(options.rdf_cutoff, options.rdf_bin_width)
    wanted = set(options.names)
    # Only what somebody asked for is computed: Voronoi cells and symmetry are slow.
    needed = {
        group for group, names in groups.items() if group != "default" and wanted & set(names)
    }
    # First, as much of what follows divides by distances.
    refuse_coinciding(crystal)
    values = {}
    if "packing" in needed:
        values.update(_packing(crystal))
    if "contents" in needed:
        values.update(n_sites=len(crystal.occupancy), n_atoms=crystal.occupancy.sum())
    if needed & {"bond_lengths", "coordination", "bond_angles", RDF}:
        values.update(_from_pairs(crystal, options, needed, groups[RDF]))
    if "voronoi" in needed:
        values.update(_voronoi(crystal))
    if "symmetry" in needed:
        values.update(detected_symmetry(crystal, options.symmetry_tolerance))
    return np.array([values[name] for name in options.names], dtype=np.float64)


def _packing(crystal):
    """Density in g/cm^3, volume per atom in Å^3, and the share of the volume that spheres fill."""
    return {
        "density": crystal.mass.sum() / crystal.volume * _GRAM_PER_CUBIC_CENTIMETRE,
        "volume_per_atom": crystal.volume / crystal.occupancy.sum(),
        "packing_fraction": 4.0 * np.pi / 3.0 * crystal.sphere.sum() / crystal.volume,
    }


def _from_pairs(crystal, options, needed, rdf_names):
    """Describe what follows from distances between atoms."""
    values, pairs, radius = {}, None, 0.0
    if RDF in needed:
        radius = options.rdf_cutoff
        # The widest search first, so that bonds are chosen from its pairs.
        pairs = pairs_within(crystal, radius)
        values.update(zip(rdf_names, _radial_distribution(crystal, pairs, options), strict=True))
    if needed <= {RDF}:
        return values
    bonded = bonded_pairs(
        crystal, pairs, radius, bonds=options.bonds, tolerance=options.bond_tolerance
    )
    occupancy = crystal.occupancy
    if "bond_lengths" in needed:
        weights = occupancy[bonded.first] * occupancy[bonded.second]
        values.update(_statistics("bond_length", bonded.distance, weights))
    if "coordination" in needed:
        numbers = coordination_numbers(crystal, bonded)
        values.update(_statistics("coordination", numbers, occupancy))
    if "bond_angles" in needed:
        values.update(_statistics("bond_angle", *bond_angles(crystal, bonded)))
    return values


def _radial_distribution(crystal, pairs, options):
    """Return the mean density around an atom over the mean density of the crystal, by shell."""
    edges = rdf_edges(options.rdf_cutoff, options.rdf_bin_width)
    occupancy = crystal.occupancy
    weights = occupancy[pairs.first] * occupancy[pairs.second]
    counts, _ = np.histogram(pairs.distance, edges, weights=weights)
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    n_atoms = occupancy.sum()
    return counts / n_atoms / shells / (n_atoms / crystal.volume)


def _voronoi(crystal):
    """Describe the Voronoi cells; all quantities change continuously with the atoms."""
    faces = voronoi_faces(crystal)
    n = len(crystal.occupancy)
    area = np.bincount(faces.owner, faces.area, n)
    # Pyramids with the atom as apex: a third of base times height, which is half the distance.
    volume = np.bincount(faces.owner, faces.area * faces.distance / 6.0, n)
    length = np.bincount(faces.owner, faces.area * faces.distance, n) / area
    deviation = np.abs(faces.distance - length[faces.owner])
    variation = np.bincount(faces.owner, faces.area * deviation, n) / area / length
    nearest = np.full(n, np.inf)
    np.minimum.at(nearest, faces.owner, faces.distance)
    relative = length / length.mean()
    # A face counts by its share of the area: tiny faces come and go with rounding.
    effective = area**2 / np.bincount(faces.owner, faces.area**2, n)
    values = {
        "voronoi_volume_avg_dev": _avg_dev(volume) / volume.mean(),
        "voronoi_length_avg_dev": _avg_dev(relative),
        "voronoi_length_minimum": relative.min(),
        "voronoi_length_maximum": relative.max(),
        "voronoi_variation_minimum": variation.min(),
        "voronoi_variation_maximum": variation.max(),
        "voronoi_variation_range": np.ptp(variation),
        "voronoi_variation_mean": variation.mean(),
        "voronoi_variation_avg_dev": _avg_dev(variation),
        "voronoi_packing_efficiency": np.pi / 6.0 * (nearest**3).sum() / crystal.volume,
    }
    sphericity = 36.0 * np.pi * volume**2 / area**3
    values.update(_statistics("voronoi_coordination", effective, np.ones(n)))
    values.update(_statistics("voronoi_sphericity", sphericity, np.ones(n)))
    return values


def _avg_dev(values):
    return np.abs(values - values.mean()).mean()


def _statistics(quantity, values, weights):
    """Minimum, maximum, weighted mean and standard deviation; NaN where there are no values."""
    if not len(values):
        return dict.fromkeys(_statistics_of(quantity), np.nan)
    mean = np.average(values, weights=weights)
    spread = np.sqrt(np.average((values - mean) ** 2, weights=weights))
    statistics = (values.min(), values.max(), mean, spread)
    return dict(zip(_statistics_of(quantity), statistics, strict=True))


def detected_symmetry(crystal, tolerance):
    """Return what spglib, by way of pymatgen, finds within `tolerance` in Å."""
    core = import_optional("pymatgen.core", needed_by="StructureDescriptors")
    symmetry = import_optional("pymatgen.symmetry.analyzer", needed_by="StructureDescriptors")
    structure = core.Structure(
        core.Lattice(crystal.vectors), [dict(here) for here in crystal.species], crystal.fractions
    )
    with warnings.catch_warnings():
        # What spglib asks of its callers, here pymatgen.
        warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
        try:
            found = symmetry.SpacegroupAnalyzer(structure, tolerance).get_symmetry_dataset()
        except symmetry.SymmetryUndeterminedError as error:
            raise InvalidInputError(f"no space group is found within {tolerance} Å") from error
    number = int(found.number)
    operations = gemmi.get_spacegroup_reference_setting(number).operations()
    values = (
        number,
        CRYSTAL_SYSTEMS.index(crystal_system(number)) + 1,
        len(operations.sym_ops),
        is_centrosymmetric(number),
        len(np.unique(found.equivalent_atoms)),
    )
    return dict(zip(SYMMETRY_NAMES, map(float, values), strict=True))

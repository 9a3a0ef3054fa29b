"""Descriptors of crystal structures."""

from collections.abc import Iterable
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.utils.validation import validate_data

from crystalml._typing import Transformed
from crystalml._validation import Interval, StrOptions, check_parameters
from crystalml.descriptors._base import StatelessTransformer, expand_selection
from crystalml.descriptors._object_column import (
    column_values,
    distinct_objects,
    error_report,
    first_error,
    map_objects,
    object_column,
)
from crystalml.descriptors._structure_features import Options, describe_crystal, groups_of
from crystalml.descriptors._structure_input import as_crystal
from crystalml.exceptions import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

_CALLER = "StructureDescriptors"
_COLUMNS = ("structure", "source")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_CONSTRAINTS = {
    "rdf_cutoff": [_POSITIVE],
    "rdf_bin_width": [_POSITIVE],
    "bonds": [StrOptions({"nearest", "covalent"})],
    "bond_tolerance": [Interval(Real, 0, None, closed="left")],
    "disorder": [StrOptions({"average", "error"})],
    "hydrogens": [StrOptions({"keep", "drop"})],
    "symmetry_tolerance": [_POSITIVE],
    "on_error": [StrOptions({"raise", "nan"})],
    "n_jobs": [Integral, None],
}
_WHOLE = 1e-6  # by how much the cutoff may miss a whole number of bins


class StructureDescriptors(StatelessTransformer):
    """Turn crystal structures into descriptors of their packing, bonds and shape.

    The transformer is stateless: ``transform`` works without ``fit``, and the result for a row
    depends on that row alone.

    Parameters
    ----------
    features : "default", str or list of str, default="default"
        Which descriptors, by name of a group or of a single descriptor, in any mixture. The
        groups of ``"default"``, which see neither symmetry nor the choice of the cell, are

        - ``"packing"``: `density` in g/cm^3, `volume_per_atom` in Å^3, and `packing_fraction`,
          the share of the volume that spheres of Slater's atomic radii would fill;
        - ``"bond_lengths"``, ``"bond_angles"``, ``"coordination"``: `..._minimum`,
          `..._maximum`, `..._mean` and `..._std_dev` of `bond_length` in Å, of `bond_angle`
          between two bonds of one atom in degrees, and of `coordination`, the number of bonds
          of an atom. NaN for a crystal without bonds, or without two at one atom;
        - ``"voronoi"``: of the Voronoi cells (see Notes) `voronoi_volume_avg_dev`;
          `voronoi_length_...`, mean distance to the neighbours of an atom relative to all
          atoms; `voronoi_variation_...`, how far these distances differ around one atom;
          `voronoi_coordination_...`, effective coordination numbers;
          `voronoi_sphericity_...`, ``36 pi V^2 / A^3``, 1 for a sphere; and
          `voronoi_packing_efficiency`;
        - ``"rdf"``: `rdf_0.00_0.10` and so on, the radial distribution function: mean density
          of atoms in a shell around an atom, relative to the mean density of the crystal.

        Those that are had by name only are

        - ``"contents"``: `n_sites` and `n_atoms` (occupancies counted) of the given cell;
        - ``"symmetry"``: of the space group that is detected, `spacegroup_number`,
          `crystal_system` (1 triclinic to 7 cubic), `point_group_order`,
          `is_centrosymmetric`, and `n_orbits`, the number of sites that are not equivalent by
          symmetry.
    rdf_cutoff, rdf_bin_width : float, default=10.0, 0.1
        Reach and width of the shells of the radial distribution function, in Å.
    bonds : {"nearest", "covalent"}, default="nearest"
        Which pairs are bonded. ``"nearest"``: from each atom to all that are not farther than
        its nearest one by more than the tolerance (pymatgen's ``MinimumDistanceNN``), which
        knows no chemistry, and finds the coordination polyhedra of minerals.
        ``"covalent"``: nearer than the sum of the covalent radii times one plus the tolerance
        (ASE's ``natural_cutoffs``), which suits molecules and frameworks, and finds bonds
        between cations of salts.
    bond_tolerance : float, default=0.1
        Relative tolerance of the bonds.
    disorder : {"average", "error"}, default="average"
        What to do about partly occupied sites and those that elements share. ``"average"``:
        every atom, pair and angle counts by its occupancies, and radii of a shared site are
        averaged. Two partly occupied sites nearer than 0.75 times the sum of their radii, with
        occupancies that add up to at most 1.05, are alternatives to each other and no pair.
        Voronoi cells take each site for occupied. ``"error"``: such a row is an error.
    hydrogens : {"keep", "drop"}, default="keep"
        Whether hydrogen counts. X-rays hardly see it, so that about half of the published
        structures with it list it at calculated positions or not at all: ``"drop"`` makes
        these comparable. `report` tells which CIFs lack hydrogen that their formula has.
    symmetry_tolerance : float, default=0.01
        Tolerance of the search for symmetry in Å, for the group ``"symmetry"`` only.
    on_error : {"raise", "nan"}, default="raise"
        What to do about rows that cannot be described: raise one sentence that names the first,
        or give a row of NaN. See `report` for the reasons row by row.
    n_jobs : int, default=None
        Number of parallel workers, by joblib. None is 1 outside of a
        ``joblib.parallel_config``, -1 all cores.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of structures.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column. Defined only if ``fit`` saw a table.

    See Also
    --------
    MatminerDescriptors : Any structure featurizer of matminer.
    CellDescriptors : Descriptors of the unit cell alone.

    Notes
    -----
    Input is a column: a list, an array of shape (n,) or (n, 1), a Series, or a table with one
    column or with one named ``"structure"`` or ``"source"``. A structure is a pymatgen
    Structure, ASE Atoms (periodic in all directions), or the path of a CIF, of which the first
    data block that lists atoms is read with gemmi and completed by its symmetry operations or
    symbol. D and T are hydrogen with masses of their own.

    **Why symmetry is kept apart.** A deposited structure was refined under the space group that
    was reported for it, and a search finds that group again: as a descriptor beside a target of
    symmetry it gives the answer away, and no structure without a known group can ever be asked
    about. So neither reported nor detected symmetry enters ``"default"``. `n_sites` is a quieter
    leak of the same kind: the conventional cell of a centred lattice holds two to four times
    the sites of the primitive one. All descriptors but ``"contents"`` are the same for every cell
    of one crystal, primitive, conventional or larger, and for every choice of axes and origin.
    That atoms on special positions make bonds exactly equal remains visible in them: spreads
    of zero are real in a perfect crystal, and as sharp as the refinement in a measured one.

    **Voronoi cells** are computed by Qhull from as many images of the atoms as their faces
    need. Weights are areas of faces, so that the small faces which come and go with every
    displacement do not matter, and all is continuous. The first nine, and
    `voronoi_packing_efficiency`, follow Ward et al. [1]_ and equal those of matminer's
    ``StructuralHeterogeneity`` and ``MaximumPackingEfficiency``. The effective coordination
    number is ``(sum A)^2 / sum A^2`` over the faces of an atom.

    **The radial distribution function** tends to 1 at large distances. matminer's
    ``RadialDistributionFunction`` is larger by a factor, the number of sites in the given cell.

    References
    ----------
    .. [1] L. Ward et al., "Including crystal structure attributes in machine learning models of
       formation energies via Voronoi tessellations", Physical Review B 96 (2017) 024104,
       https://doi.org/10.1103/PhysRevB.96.024104.
    .. [2] J. C. Slater, "Atomic radii in crystals", Journal of Chemical Physics 41 (1964)
       3199-3204.
    .. [3] B. Cordero et al., "Covalent radii revisited", Dalton Transactions (2008) 2832-2838,
       https://doi.org/10.1039/b801115j.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from crystalml.descriptors import StructureDescriptors
    >>> describe = StructureDescriptors(["density", "bond_length_mean", "coordination_mean"])
    >>> describe.fit_transform([bulk("NaCl", "rocksalt", a=5.64), bulk("Si")]).round(3)
    array([[2.164, 2.82 , 6.   ],
           [2.33 , 2.351, 4.   ]])
    """

    def __init__(
        self,
        features: str | Iterable[str] = "default",
        *,
        rdf_cutoff: float = 10.0,
        rdf_bin_width: float = 0.1,
        bonds: Literal["nearest", "covalent"] = "nearest",
        bond_tolerance: float = 0.1,
        disorder: Literal["average", "error"] = "average",
        hydrogens: Literal["keep", "drop"] = "keep",
        symmetry_tolerance: float = 0.01,
        on_error: Literal["raise", "nan"] = "raise",
        n_jobs: int | None = None,
    ) -> None:
        self.features = features
        self.rdf_cutoff = rdf_cutoff
        self.rdf_bin_width = rdf_bin_width
        self.bonds = bonds
        self.bond_tolerance = bond_tolerance
        self.disorder = disorder
        self.hydrogens = hydrogens
        self.symmetry_tolerance = symmetry_tolerance
        self.on_error = on_error
        self.n_jobs = n_jobs

    def fit(self, X: Iterable[Any], y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters and the shape of X; there is nothing to learn.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Structures, or paths of CIFs.
        y : None
            Ignored.

        Returns
        -------
        StructureDescriptors
            The transformer itself.

        Raises
        ------
        InvalidInputError
            If a parameter has a value that is not allowed, or a descriptor is unknown.
        SchemaError
            If X is not one column.
        """
        self._output_names()
        self._column(X, reset=True)
        return self

    def transform(self, X: Iterable[Any]) -> Transformed:
        """Compute the descriptors.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Structures, or paths of CIFs.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The descriptors in float64, in the order of ``get_feature_names_out``; a DataFrame
            after ``set_output``.

        Raises
        ------
        InvalidInputError
            If a row cannot be described and `on_error` is ``"raise"``.
        SchemaError
            If X is not one column.
        MissingDependencyError
            If pymatgen or ASE is not installed.
        """
        names = tuple(self._output_names())
        values, rows_of = distinct_objects(column_values(self._column(X, reset=False)))
        options = Options(
            names,
            self.rdf_cutoff,
            self.rdf_bin_width,
            self.bonds,
            self.bond_tolerance,
            self.symmetry_tolerance,
        )
        # Plain parameters, not the estimator: less to pickle for each chunk.
        work = partial(_describe, self.hydrogens, self.disorder, options)
        results = map_objects(work, values, self.n_jobs)
        # Workers return the reason as text, in the place of the numbers.
        errors = {row: result for row, result in enumerate(results) if isinstance(result, str)}
        if errors and self.on_error == "raise":
            raise InvalidInputError(
                f"{_CALLER}: cannot describe {first_error(errors, values, rows_of)}. Correct or "
                "drop these rows, or set on_error='nan' for rows of NaN."
            )
        block = np.full((len(values), len(names)), np.nan)
        for row, result in enumerate(results):
            if row not in errors:
                block[row] = result
        return block[rows_of]

    def report(self, X: Iterable[Any]) -> "pd.DataFrame":
        """Say row by row what was noticed in reading, without raising.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Structures, or paths of CIFs.

        Returns
        -------
        DataFrame
            One row per row of X, with the columns `error` (None, or why the structure cannot be
            used), `is_disordered` (whether some site is partly occupied or shared) and
            `lacks_hydrogen` (whether the formula of a CIF has clearly more hydrogen than its
            atoms; None for other structures, which have no formula but their atoms).

        Examples
        --------
        >>> from ase.build import bulk
        >>> from crystalml.descriptors import StructureDescriptors
        >>> StructureDescriptors().report([bulk("Si"), "nowhere.cif"])["error"].tolist()
        [None, 'there is no such file']
        """
        self._output_names()
        values, rows_of = distinct_objects(column_values(self._column(X, reset=False)))
        notes = map_objects(partial(_notice, self.hydrogens, self.disorder), values, self.n_jobs)
        errors = {row: note for row, (note, _, _) in enumerate(notes) if note is not None}
        table = error_report(X, errors, rows_of)
        for position, name in enumerate(("is_disordered", "lacks_hydrogen"), start=1):
            table[name] = np.array([notes[row][position] for row in rows_of], dtype=object)
        return table

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        return tags

    def _output_names(self):
        """Names of the columns of the output; also the check of the parameters behind them."""
        check_parameters(self, _CONSTRAINTS)
        # 10 / 0.1 is not quite 100 in binary.
        n_bins = self.rdf_cutoff / self.rdf_bin_width
        if abs(n_bins - round(n_bins)) > _WHOLE or round(n_bins) == 0:
            raise InvalidInputError(
                f"{_CALLER}: rdf_cutoff={self.rdf_cutoff!r} is no multiple of "
                f"rdf_bin_width={self.rdf_bin_width!r}; choose a cutoff of whole bins."
            )
        groups = groups_of(self.rdf_cutoff, self.rdf_bin_width)
        single = {name for names in groups.values() for name in names}
        return expand_selection(
            self.features, groups, sorted(single), caller=_CALLER, parameter="features"
        )

    def _column(self, X, *, reset):
        """Pick the one column of structures, and hold it against what fit saw."""
        column = object_column(X, _COLUMNS, caller=_CALLER, kind="structures")
        if reset or hasattr(self, "n_features_in_"):
            validate_data(self, column, reset=reset, skip_check_array=True)
        return column


def _describe(hydrogens, disorder, options, value):
    """Return the descriptors of one structure, or why there are none."""
    try:
        crystal = as_crystal(value, hydrogens=hydrogens, disorder=disorder)
        return describe_crystal(crystal, options)
    except InvalidInputError as error:
        return str(error)


def _notice(hydrogens, disorder, value):
    """Return what `report` tells of one structure."""
    try:
        crystal = as_crystal(value, hydrogens=hydrogens, disorder=disorder)
    except InvalidInputError as error:
        return str(error), None, None
    return None, crystal.is_disordered, crystal.lacks_hydrogen

# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.symmetry._bravais_space_group import (
    BravaisSpaceGroupClassifier as BravaisSpaceGroupClassifier,
)
from crystalml.symmetry._lattice_parameters import (
    LatticeParameterRegressor as LatticeParameterRegressor,
)
from crystalml.symmetry._log_volume import log_volume as log_volume
from crystalml.symmetry._space_group_classifier import SpaceGroupClassifier as SpaceGroupClassifier

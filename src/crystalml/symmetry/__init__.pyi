# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._bravais_space_group import BravaisSpaceGroupClassifier as BravaisSpaceGroupClassifier
from ._lattice_parameters import LatticeParameterRegressor as LatticeParameterRegressor
from ._log_volume import log_volume as log_volume
from ._space_group_classifier import SpaceGroupClassifier as SpaceGroupClassifier

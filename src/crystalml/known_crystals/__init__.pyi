# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._known_crystals import KnownCrystals as KnownCrystals

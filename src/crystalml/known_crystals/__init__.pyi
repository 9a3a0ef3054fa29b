# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.known_crystals._known_crystals import KnownCrystals as KnownCrystals

# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.datasets._cod_inorganic import load_cod_inorganic as load_cod_inorganic
from crystalml.datasets._fetch_cod import fetch_cod as fetch_cod
from crystalml.datasets._synthetic import make_crystals as make_crystals

# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._cod_inorganic import load_cod_inorganic as load_cod_inorganic
from ._fetch_cod import fetch_cod as fetch_cod
from ._synthetic import make_crystals as make_crystals

# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._card import pretrained_card as pretrained_card
from ._load import load_pretrained as load_pretrained

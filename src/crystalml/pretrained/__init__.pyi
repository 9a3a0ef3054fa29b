# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.pretrained._card import pretrained_card as pretrained_card
from crystalml.pretrained._load import load_pretrained as load_pretrained

# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.persistence._card import model_card as model_card
from crystalml.persistence._estimators import trusted_types as trusted_types
from crystalml.persistence._files import load as load
from crystalml.persistence._files import read_manifest as read_manifest
from crystalml.persistence._files import save as save
from crystalml.persistence._manifest import training_facts as training_facts
from crystalml.persistence._onnx import export_onnx as export_onnx

# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._card import model_card as model_card
from ._estimators import trusted_types as trusted_types
from ._files import load as load
from ._files import read_manifest as read_manifest
from ._files import save as save
from ._manifest import training_facts as training_facts
from ._onnx import export_onnx as export_onnx

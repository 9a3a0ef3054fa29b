"""Weights of nets as safetensors; torch and safetensors load with the first net."""

from crystalml._dependencies import import_optional


def write_tensors(tensors):
    """Return the bytes of a safetensors file."""
    return import_optional("safetensors.torch", needed_by="save").save(tensors)


def read_tensors(data):
    """Return the tensors of a safetensors file."""
    return import_optional("safetensors.torch", needed_by="load").load(data)

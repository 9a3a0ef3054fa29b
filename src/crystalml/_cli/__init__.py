"""The command ``crystalml``: one module per command, imported when the command runs."""

import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from crystalml._cli._parser import make_parser
from crystalml.exceptions import (
    CIFError,
    CrystalmlError,
    CrystalmlWarning,
    InvalidInputError,
    SchemaError,
)

__all__ = ["main"]

# argparse ends with 2 by itself; values that are found wrong later do the same.
OK, FINDINGS, USAGE = 0, 1, 2
# What shells report of a command that SIGINT (2) ended: 128 + 2.
_INTERRUPTED = 130
# The function or class that complains, such as "SpaceGroupClassifier.rank: ": of no use to those
# who do not write Python.
_PYTHON_NAME = re.compile(r"([A-Za-z]\w*)(?:\.\w+)?: ")
_PUBLIC = ("crystallography", "io", "descriptors", "datasets", "model_selection", "symmetry",
           "persistence", "pretrained")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0: everything was done and nothing found; 1: something could not be read, or was found; 2: the
    command line cannot be used.
    """
    options = make_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            _show_warnings_in_one_line(options.command)
            # The module of this command alone: wrong usage and --help do not wait for pandas.
            code: int = import_module(f"crystalml._cli._{options.command}").run(options)
        # At exit Python would flush too, but there nobody could catch the broken pipe.
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output (head, say) has enough; Python must not complain when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    except KeyboardInterrupt:
        print("crystalml: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (CrystalmlError, OSError) as error:
        print(f"crystalml {options.command}: {_sentence(error)}", file=sys.stderr)
        return _code_of(error)
    return code


def _show_warnings_in_one_line(command: str) -> None:
    """Write warnings of the library as errors are written, without file and line of Python."""
    show_others = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, CrystalmlWarning):
            print(f"crystalml {command}: {_sentence(message)}", file=sys.stderr)
        else:
            show_others(message, category, *where, **more)

    # Whatever PYTHONWARNINGS asks for: these lines are part of what the command says.
    warnings.simplefilter("always", CrystalmlWarning)
    warnings.showwarning = show


def _sentence(error: Exception) -> str:
    """Say what went wrong in one line."""
    # Python writes "[Errno 2] ..." and the path in quotes; errors of the library are sentences.
    if isinstance(error, OSError) and not isinstance(error, CrystalmlError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    name = _PYTHON_NAME.match(text)
    return text[name.end() :] if name and _is_public(name[1]) else text


def _is_public(name: str) -> bool:
    """Whether this is a function or class of the library, and not a file that is called so."""
    if os.path.exists(name):
        return False
    return any(name in import_module(f"crystalml.{package}").__all__ for package in _PUBLIC)


def _code_of(error: Exception) -> int:
    """Return 2 if the command line is wrong, and 1 if a file is."""
    # To Python both are invalid input, but here the file is at fault, not the command line.
    in_a_file = isinstance(error, CIFError | SchemaError)
    return USAGE if isinstance(error, InvalidInputError) and not in_a_file else FINDINGS

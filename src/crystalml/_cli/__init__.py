"""The command ``crystalml``: one module per command, imported when the command runs."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from crystalml._cli._parser import make_parser
from crystalml.exceptions import CIFError, CrystalmlError, InvalidInputError, SchemaError

__all__ = ["main"]

OK, FINDINGS, USAGE = 0, 1, 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0: everything was done and nothing found; 1: something could not be read, or was found; 2: the
    command line cannot be used.
    """
    options = make_parser().parse_args(arguments)
    try:
        code: int = import_module(f"crystalml._cli._{options.command}").run(options)
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


def _sentence(error: Exception) -> str:
    """Say what went wrong in one line."""
    if isinstance(error, OSError) and not isinstance(error, CrystalmlError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _code_of(error: Exception) -> int:
    """Tell values of the command line that cannot be used from files that cannot."""
    in_a_file = isinstance(error, CIFError | SchemaError)
    return USAGE if isinstance(error, InvalidInputError) and not in_a_file else FINDINGS

"""Arguments of all commands; nothing is imported here that takes time."""

import argparse
import textwrap
from collections.abc import Callable
from typing import Any

from crystalml._version import __version__

_CODES = """exit codes:
  0  done, and nothing to complain of
  1  something could not be read, or was found
  2  the command line cannot be used
"""
_PICTURE_OF_SOURCES = "folder, glob pattern, archive (.zip, .tar.gz, ...) or CIF file"
# A space that lines are not broken at; it is written as any other.
_FIXED = "\N{NO-BREAK SPACE}"
_EXAMPLES = {
    "read": """examples:
  crystalml read folder_of_cifs
  crystalml read archive.tar.xz "more/*.cif" -o table.csv.gz
""",
    "rank": """examples:
  crystalml rank --formula NdGaO3 --cell 5.426 5.502 7.706 90 90 90
  crystalml rank --formula SiO2 --cell "4.91(1)" "4.91(1)" "5.40(2)" 90 90 120
  crystalml rank folder_of_cifs --top 3 --allowed orthorhombic
  crystalml rank mine.cif --allowed "P n m a" --allowed "extinction:P n a -"
""",
    "check": """examples:
  crystalml check folder_of_cifs --top 5
  crystalml check table.parquet --flag volume_contradicts_cell --json
""",
    "compare": """examples:
  crystalml compare table.parquet --target crystal_system
  crystalml compare table.csv --models all --max-rows 2000
""",
}


# argparse itself breaks lines at hyphens, which splits --n-jobs, and joins those of examples.
class _HelpFormatter(argparse.HelpFormatter):
    """Wrap text between words, never inside one; leave what has lines of its own as it is."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        words = " ".join(text.split(" "))
        lines = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
        return [line.replace(_FIXED, " ") for line in lines]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines() if "\n" in text else self._split_lines(text, width)
        return "\n".join(indent + line for line in lines)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of ``crystalml``."""
    parser = argparse.ArgumentParser(
        prog="crystalml",
        description="Read CIF files, check them, and rank the space groups of an indexed cell. "
        "'crystalml COMMAND --help' lists the options of a command.",
        epilog=_CODES,
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"crystalml {__version__}")
    # Without a metavar, usage would be a list of all commands in braces.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, add in _COMMANDS.items():
        command = add(commands)
        command.add_argument("--json", action="store_true", help="write JSON instead of text")
        command.epilog = f"{_EXAMPLES[name]}\n{_CODES}"
        command.formatter_class = _HelpFormatter
    return parser


def _add_read(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "read",
        help="CIF files to one table",
        description="Read CIF files into one table: cell, space group, formula, conditions. A "
        "file that cannot be read has a row that says why, and makes the exit code 1.",
    )
    command.add_argument("sources", nargs="+", metavar="SOURCE", help=_PICTURE_OF_SOURCES)
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="table.parquet, table.csv or table.csv.gz; a name without suffix is the folder of "
        "a Parquet data set, written in constant memory and continued if interrupted (default: "
        "print the table)",
    )
    _add_jobs(command, "processes")
    return command


def _add_rank(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "rank",
        help="the likely space groups of a cell and a formula",
        description="Rank the space groups of an indexed cell of known composition, given on the "
        "command line, in CIF files or in a table. A space group that a file declares is shown "
        "with its rank.",
    )
    command.add_argument(
        "sources", nargs="*", metavar="FILE", help=f"{_PICTURE_OF_SOURCES}; or one table"
    )
    command.add_argument("--formula", help="composition, such as Na4Ge9O20; overrides that of FILE")
    command.add_argument(
        "--cell",
        nargs=6,
        metavar=("A", "B", "C", "ALPHA", "BETA", "GAMMA"),
        help="edges in Å and angles in degrees, each with its standard uncertainty or without: "
        "5.64 or 5.64(1)",
    )
    command.add_argument(
        "--su",
        nargs=6,
        type=float,
        metavar=("A", "B", "C", "ALPHA", "BETA", "GAMMA"),
        help="standard uncertainties of --cell, if it has none in brackets (default: exact)",
    )
    command.add_argument(
        "--top", type=_at_least(1), default=10, metavar="K", help="groups to list (default: 10)"
    )
    command.add_argument(
        "--allowed",
        action="append",
        metavar="WHAT",
        help="only groups of a Bravais lattice (oI) or crystal system (cubic), with the absences "
        f'"extinction:P{_FIXED}n{_FIXED}a{_FIXED}-", or these groups, by symbol '
        f'("P{_FIXED}n{_FIXED}m{_FIXED}a") or number (33,62); may be repeated, and is then any of '
        "them (default: all)",
    )
    command.add_argument(
        "--explain", action="store_true", help="add the known crystals most like each"
    )
    command.add_argument(
        "--model",
        metavar="FILE",
        help="a model of your own, as crystalml.save writes it (default: the ready model "
        "cod-inorganic)",
    )
    return command


def _add_check(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "check",
        help="which entries contradict themselves or what is known of crystals",
        description="Check CIF files, or the rows of a table, and list the most suspicious first. "
        "Any finding makes the exit code 1.",
    )
    command.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help=f"{_PICTURE_OF_SOURCES}; or one table (.parquet, .csv)",
    )
    command.add_argument(
        "--flag",
        action="append",
        metavar="FLAG",
        help="look for this only, such as volume_contradicts_cell; may be repeated (default: all)",
    )
    command.add_argument(
        "--top", type=_at_least(1), default=20, metavar="N", help="suspects to list (default: 20)"
    )
    _add_jobs(command, "processes")
    return command


def _add_compare(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "compare",
        help="classical classifiers on a table, beside baselines",
        description="Cross-validate classical classifiers on the cells and formulas of a table, "
        "with whole chemical systems held out, beside two baselines.",
    )
    command.add_argument(
        "table", metavar="TABLE", help="table.parquet or table.csv, as 'crystalml read' writes it"
    )
    command.add_argument(
        "--target",
        default="bravais_lattice",
        metavar="COLUMN",
        help="column to predict: bravais_lattice, crystal_system or spacegroup_number (default: "
        "bravais_lattice)",
    )
    command.add_argument(
        "--models",
        default="decision_tree,random_forest",
        metavar="NAMES",
        help="of decision_tree, random_forest, logistic_regression, svm, adaboost, "
        "k_nearest_neighbours, with commas between them; or all (default: "
        "decision_tree,random_forest)",
    )
    command.add_argument(
        "--folds",
        type=_at_least(2),
        default=5,
        metavar="N",
        help="parts, each of which is predicted by models fitted on the others (default: 5)",
    )
    command.add_argument(
        "--max-rows",
        type=_at_least(2),
        metavar="N",
        help="fit on at most so many rows (default: all)",
    )
    command.add_argument(
        "--seed",
        type=_at_least(0),
        default=0,
        metavar="N",
        help="starts the random numbers of folds and models (default: 0)",
    )
    _add_jobs(command, "fits at the same time")
    return command


_COMMANDS = {"read": _add_read, "rank": _add_rank, "check": _add_check, "compare": _add_compare}


def _add_jobs(command: argparse.ArgumentParser, what: str) -> None:
    """Add the option of parallel work."""
    command.add_argument(
        "--n-jobs", type=_jobs, metavar="N", help=f"{what}; -1 is one for each core (default: 1)"
    )


def _at_least(smallest: int) -> Callable[[str], int]:
    """Return what turns text into a whole number from `smallest`."""

    def whole_number(text: str) -> int:
        # Not by int() alone, which takes 1_000 and spaces.
        if not text.lstrip("+").isdecimal() or int(text) < smallest:
            # Of a ValueError argparse would show the name of this function, and not the text.
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number >= {smallest}")
        return int(text)

    return whole_number


def _jobs(text: str) -> int:
    """Turn text into a number of processes: not zero, negative counts from all cores."""
    if not text.removeprefix("-").isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number >= 1, or -1 for all cores")
    return int(text)

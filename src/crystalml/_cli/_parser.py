"""Arguments of all commands; nothing is imported here that takes time."""

import argparse
from typing import Any

from crystalml._version import __version__

_CODES = """exit codes:
  0  done, and nothing to complain of
  1  something could not be read, or was found
  2  the command line cannot be used
"""
_PICTURE_OF_SOURCES = "folder, glob pattern, archive (.zip, .tar.gz, ...) or CIF file"


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of ``crystalml``."""
    parser = argparse.ArgumentParser(
        prog="crystalml",
        description="Read CIF files, check them, and rank the space groups of an indexed cell.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"crystalml {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_add_read, _add_rank, _add_check, _add_compare):
        command = add(commands)
        command.add_argument("--json", action="store_true", help="write JSON instead of text")
        command.epilog = _CODES
        command.formatter_class = argparse.RawDescriptionHelpFormatter
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
        "a Parquet data set, written in constant memory and continued if interrupted",
    )
    command.add_argument("--n-jobs", type=int, metavar="N", help="processes; -1 is all cores")
    return command


def _add_rank(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "rank",
        help="the likely space groups of a cell and a formula",
        description="Rank the space groups of an indexed cell of known composition, given on the "
        "command line or in CIF files, whose declared space group is shown beside.",
    )
    command.add_argument("sources", nargs="*", metavar="FILE", help=_PICTURE_OF_SOURCES)
    command.add_argument("--formula", help='such as "Na4Ge9O20"; overrides that of a file')
    command.add_argument(
        "--cell",
        nargs=6,
        type=float,
        metavar=("A", "B", "C", "ALPHA", "BETA", "GAMMA"),
        help="edges in Å and angles in degrees",
    )
    command.add_argument(
        "--su",
        nargs=6,
        type=float,
        metavar=("A", "B", "C", "ALPHA", "BETA", "GAMMA"),
        help="standard uncertainties of --cell",
    )
    command.add_argument("--top", type=int, default=10, metavar="K", help="groups to list")
    command.add_argument(
        "--allowed",
        action="append",
        metavar="WHAT",
        help="only groups of a Bravais lattice (oI), a crystal system (cubic), with the absences "
        '"extinction:P n a -", or by number (33,62); may be repeated, and is then any of them',
    )
    command.add_argument(
        "--explain", action="store_true", help="add the known crystals most like each"
    )
    command.add_argument(
        "--model",
        metavar="FILE",
        help="a model that crystalml.save has written; default: the ready model cod-inorganic",
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
    command.add_argument("--flag", action="append", metavar="FLAG", help="look for this only")
    command.add_argument("--top", type=int, default=20, metavar="N", help="suspects to list")
    command.add_argument("--n-jobs", type=int, metavar="N", help="processes; -1 is all cores")
    return command


def _add_compare(commands: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "compare",
        help="classical classifiers on a table, beside baselines",
        description="Cross-validate classical classifiers on the cells and formulas of a table, "
        "with whole chemical systems held out, beside two baselines.",
    )
    command.add_argument("table", metavar="TABLE", help="table.parquet or table.csv, as by read")
    command.add_argument(
        "--target",
        default="bravais_lattice",
        help="column to predict: bravais_lattice (default), crystal_system, spacegroup_number",
    )
    command.add_argument(
        "--models",
        default="decision_tree,random_forest",
        metavar="NAMES",
        help="comma-separated names of crystalml.model_selection.classical_models, or all",
    )
    command.add_argument("--folds", type=int, default=5, metavar="N")
    command.add_argument("--max-rows", type=int, metavar="N", help="fit on at most so many rows")
    command.add_argument("--seed", type=int, default=0, metavar="N")
    command.add_argument("--n-jobs", type=int, metavar="N", help="fits at the same time")
    return command

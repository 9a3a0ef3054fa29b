"""``crystalml rank``: the likely space groups of cells of known composition."""

import argparse
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd

from crystalml._cli._output import (
    line_width,
    plain,
    print_json,
    records,
    text_table,
)
from crystalml._cli._tables import cells_of, check_columns, is_table, read_table
from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml._validation import warn
from crystalml.crystallography import (
    cell_problems,
    parse_formula,
    parse_formulas,
    spacegroup_symbol,
)
from crystalml.exceptions import (
    FormulaError,
    ImplausibleCellWarning,
    InvalidInputError,
    PersistenceError,
)
from crystalml.io import read_cifs
from crystalml.io._values import number
from crystalml.symmetry._implausible_cells import (
    complaint_about_cells,
    doubts_about_cells,
    exchange_hint,
)
from crystalml.symmetry._ranking import allowed_numbers

_DEFAULT_MODEL = "cod-inorganic"
_CANDIDATE = ("rank", "spacegroup_number", "spacegroup_hm", "probability", "crystal_system")
_HEADER = ("rank", "number", "space group", "probability", "crystal system")
# What stands for the source of a cell that was typed.
_TYPED = "--cell"
_DECLARED = ("spacegroup_number", "spacegroup_hm")
_N_NEIGHBOURS = 5


def run(options: argparse.Namespace) -> int:
    """Rank, and show the space group that a file declares beside the candidates."""
    # Before files are read and the model is loaded, which takes seconds.
    _check(options)
    table = _entries(options)
    problems = _problems(table)
    usable = table[[problem is None for problem in problems]].reset_index(drop=True)
    # Without a usable row the model is not even loaded.
    answers = _answers(usable, options) if len(usable) else []
    unranked = [
        {"source": row["source"], "block": row["block"], "reason": problem}
        for row, problem in zip(records(table), problems, strict=True)
        if problem is not None
    ]
    if options.json:
        model = options.model or _DEFAULT_MODEL
        print_json({"model": model, "answers": answers, "not_ranked": unranked})
    else:
        for answer in answers:
            _tell(answer)
        for row in unranked:
            print(f"not ranked: {row['source']}: {row['reason']}")
        if len(unranked) > 1:
            print(f"{len(unranked):,} of {len(table):,} rows are not ranked")
    return int(len(unranked) > 0)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together, and values that cannot be used."""
    if bool(options.sources) == (options.cell is not None):
        raise InvalidInputError("give either CIF files or --cell with --formula.")
    if options.cell is not None and options.formula is None:
        raise InvalidInputError("--cell needs --formula: the composition is half of the evidence.")
    if options.su is not None and options.cell is None:
        raise InvalidInputError("--su belongs to --cell; a file has its own s.u.")
    # NaN, which --su accepts as a number, fails this comparison.
    if options.su is not None and not all(0 <= su < np.inf for su in options.su):
        raise InvalidInputError(f"--su {options.su}: give six numbers >= 0.")
    if options.formula is not None:
        try:
            parse_formula(options.formula)
        except FormulaError as error:
            reason = str(error).removeprefix("parse_formula: ")
            raise InvalidInputError(f"--formula: {reason}") from None
    # For its error alone; the value is made again where it is used.
    _allowed(options.allowed)


def _entries(options: argparse.Namespace) -> pd.DataFrame:
    """Make one table of what was given."""
    if options.cell is not None:
        return _typed_entry(options)
    tables = [source for source in options.sources if is_table(source)]
    if tables and len(options.sources) > 1:
        raise InvalidInputError(
            f"{tables[0]} is a table; rank one table alone, or any number of CIF files."
        )
    table = _given_table(tables[0], options) if tables else read_cifs(options.sources)
    if options.formula is not None:
        table["formula"] = options.formula
    return table


def _given_table(path: str, options: argparse.Namespace) -> pd.DataFrame:
    """Read a table of formulas and cells; other columns that it lacks are filled with None."""
    table = read_table(path).reset_index(drop=True)
    needed = CELL_COLUMNS if options.formula is not None else (*CELL_COLUMNS, "formula")
    check_columns(table, needed, path)
    table[list(CELL_COLUMNS)] = cells_of(table, path)
    # Rows have no file to be named by: they are counted from 1.
    if "source" not in table:
        table["source"] = [f"{path}, row {row}" for row in range(1, len(table) + 1)]
    missing = [name for name in ("block", "error", *_DECLARED) if name not in table]
    return table.assign(**dict.fromkeys(missing))


def _typed_entry(options: argparse.Namespace) -> pd.DataFrame:
    """Make a table of the typed cell; one that cannot be a cell is wrong usage."""
    cell, su = _typed_cell(options)
    problem = cell_problems(np.array(cell))
    if problem is not None:
        raise InvalidInputError(f"--cell: {problem}. {exchange_hint([cell])}".rstrip())
    row: dict[str, Any] = dict(zip(CELL_COLUMNS, cell, strict=True))
    row |= dict(zip(CELL_SU_COLUMNS, su, strict=True))
    row |= {"formula": options.formula, **dict.fromkeys(_DECLARED)}
    # The columns that `read_cifs` gives, so that later steps know one kind of table.
    return pd.DataFrame([row | {"source": _TYPED, "block": None, "error": None}])


def _typed_cell(options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Read --cell, whose numbers may have their s.u. in brackets, as a CIF has."""
    # The reader's own function, so that brackets mean here what they mean in a CIF.
    numbers = [number(text.encode()) for text in options.cell]
    wrong = [
        text
        for text, value in zip(options.cell, numbers, strict=True)
        if value is None or np.isnan(value[0])
    ]
    if wrong:
        raise InvalidInputError(f"--cell: {wrong[0]!r} is no number; write 5.64 or 5.64(1).")
    cell, su = (list(values) for values in zip(*numbers, strict=True))
    if options.su is None:
        # A number without brackets is exact.
        return cell, np.nan_to_num(su).tolist()
    if not np.isnan(su).all():
        raise InvalidInputError("--su: --cell has s.u. in brackets already; give them once.")
    return cell, options.su


def _problems(table: pd.DataFrame) -> list[str | None]:
    """Say of each row why it cannot be ranked, or None."""
    # A missing formula must not reach the parser, nor be taken for sodium nitride, NaN.
    formulas = ["H" if not isinstance(text, str) else text for text in table["formula"]]
    unparsed = parse_formulas(formulas, on_error="report").errors
    cells = cell_problems(table[list(CELL_COLUMNS)].to_numpy(dtype=float))
    found: list[str | None] = []
    for row, cell, formula in zip(records(table), cells, unparsed, strict=True):
        missing = None if row["formula"] is not None else "no formula; give one with --formula"
        # The reader's reason first: what it could not read is missing in the other columns.
        found.append(next((p for p in (row["error"], cell, missing, formula) if p), None))
    return found


def _answers(table: pd.DataFrame, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rank all rows, and find the declared group of each among its candidates."""
    model = _model(options.model)
    _warn_of_implausible_cells(table)
    with warnings.catch_warnings():
        # The warning above has the names of files, which the model does not know.
        warnings.simplefilter("ignore", ImplausibleCellWarning)
        # All groups, since the declared one may be far down; the list is cut afterwards.
        ranked = model.rank(table, k=len(model.classes_), allowed=_allowed(options.allowed))
        neighbours = (
            model.explain(table, k=1, n_neighbours=_N_NEIGHBOURS)[1] if options.explain else None
        )
    by_row = dict(tuple(ranked.groupby("row")))
    answers = []
    for number_of_row, row in enumerate(records(table)):
        candidates = by_row[number_of_row]
        answer = {name: row[name] for name in ("source", "block", "formula")}
        answer["cell"] = {name: row[name] for name in CELL_COLUMNS}
        answer["declared"] = _declared(row, candidates)
        answer["candidates"] = records(candidates.head(options.top)[list(_CANDIDATE)])
        if neighbours is not None:
            mine = neighbours[neighbours["row"] == number_of_row]
            answer["known_crystals"] = records(mine.drop(columns="row"))
        answers.append(answer)
    return answers


def _warn_of_implausible_cells(table: pd.DataFrame) -> None:
    """Warn of cells that cannot be right, by the names of their files."""
    cells = table[list(CELL_COLUMNS)].to_numpy(dtype=float)
    formulas = table["formula"].tolist()
    amounts = parse_formulas(formulas).amounts
    doubts = doubts_about_cells(cells, amounts)
    complaint = complaint_about_cells(doubts, cells, amounts, table["source"].tolist(), formulas)
    if complaint is not None:
        warn(complaint, ImplausibleCellWarning)


def _model(path: str | None) -> Any:
    """Load the ready model, or that of a file."""
    if path is None:
        # Here, since whoever has a model of their own does not need the ready one.
        from crystalml.pretrained import load_pretrained

        return load_pretrained(_DEFAULT_MODEL)
    from crystalml.persistence import load

    model = load(path)
    # Duck typing: whatever ranks a table of formulas and cells will do.
    if not hasattr(model, "rank") or not hasattr(model, "explain"):
        raise PersistenceError(
            f"{path} holds a {type(model).__name__}; give a file with a SpaceGroupClassifier."
        )
    return model


def _allowed(given: list[str] | None) -> list[str | int] | None:
    """Turn the words of --allowed into what `rank` takes, and refuse those that mean nothing."""
    if given is None:
        return None
    words = [word.strip() for text in given for word in text.split(",")]
    allowed = [int(word) if word.isdecimal() else word for word in words]
    try:
        # Asked without a caller, so that the option's name can stand in its place.
        allowed_numbers(allowed, caller="")
    except InvalidInputError as error:
        reason = re.sub(r"^: allowed (?:has|is) ", "", str(error))
        raise InvalidInputError(f"--allowed {reason}") from None
    return allowed


def _declared(row: dict[str, Any], candidates: pd.DataFrame) -> dict[str, Any] | None:
    """Where the group that a file declares stands; None without one."""
    number = row["spacegroup_number"]
    # None where a file has no group; NaN, which a table has instead, fails the comparison.
    if not isinstance(number, int | float) or not 1 <= number <= 230:
        return None
    found = records(candidates[candidates["spacegroup_number"] == number])
    place = found[0] if found else {"rank": None, "probability": None}
    symbol = row["spacegroup_hm"] or spacegroup_symbol(int(number))
    return {
        "spacegroup_number": plain(number),
        "spacegroup_hm": symbol,
        "rank": place["rank"],
        "probability": place["probability"],
    }


def _tell(answer: dict[str, Any]) -> None:
    """Write the answer for one crystal."""
    edges = "  ".join(f"{name} {answer['cell'][name]:g}" for name in CELL_COLUMNS[:3])
    angles = "  ".join(f"{name} {answer['cell'][name]:g}" for name in CELL_COLUMNS[3:])
    if answer["source"] != _TYPED:
        print("   ".join(text for text in (answer["source"], answer["block"]) if text))
    parts = (answer["formula"], f"{edges} Å", f"{angles} degrees")
    together = "   ".join(parts)
    print(together if len(together) <= line_width() else "\n".join(parts))
    if answer["declared"]:
        print(_declared_line(answer["declared"]))
    rows = (
        (*(c[name] for name in _CANDIDATE[:3]), f"{c['probability']:.4f}", c["crystal_system"])
        for c in answer["candidates"]
    )
    print("\n" + text_table(_HEADER, rows) + "\n")
    if "known_crystals" in answer:
        _tell_neighbours(answer["known_crystals"])


def _declared_line(declared: dict[str, Any]) -> str:
    """Write where the declared group stands."""
    name = f"declared: {declared['spacegroup_hm']} ({declared['spacegroup_number']})"
    if declared["rank"] is None:
        return f"{name}, not among the candidates"
    return f"{name}, rank {declared['rank']}, probability {declared['probability']:.4f}"


def _tell_neighbours(known: list[dict[str, Any]]) -> None:
    """Write the known crystals that are most likely to have the same group."""
    header = ("formula", "number", *CELL_COLUMNS, "same group")
    rows = (
        (
            crystal.get("formula"),
            crystal["spacegroup_number"],
            *(f"{crystal[name]:g}" for name in CELL_COLUMNS),
            f"{crystal['probability']:.2f}",
        )
        for crystal in known
    )
    print("known crystals most likely to have the same group:\n" + text_table(header, rows) + "\n")

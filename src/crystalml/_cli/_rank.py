"""``crystalml rank``: the likely space groups of cells of known composition."""

import argparse
from typing import Any

import numpy as np
import pandas as pd

from crystalml._cli._output import plain, print_json, records, text_table
from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml.crystallography import (
    cell_problems,
    parse_formula,
    parse_formulas,
    spacegroup_symbol,
)
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.io import read_cifs

_DEFAULT_MODEL = "cod-inorganic"
_CANDIDATE = ("rank", "spacegroup_number", "spacegroup_hm", "probability", "crystal_system")
_HEADER = ("rank", "number", "space group", "probability", "crystal system")
_N_NEIGHBOURS = 5


def run(options: argparse.Namespace) -> int:
    """Rank, and show what a file declares beside."""
    _check(options)
    table = _entries(options)
    problems = _problems(table)
    usable = table[[problem is None for problem in problems]].reset_index(drop=True)
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
    return int(len(unranked) > 0)


def _check(options: argparse.Namespace) -> None:
    """Refuse combinations that mean nothing."""
    if bool(options.sources) == (options.cell is not None):
        raise InvalidInputError("give either CIF files or --cell with --formula.")
    if options.cell is not None and options.formula is None:
        raise InvalidInputError("--cell needs --formula: the composition is half of the evidence.")
    if options.su is not None and options.cell is None:
        raise InvalidInputError("--su belongs to --cell; a file has its own s.u.")
    if options.top < 1:
        raise InvalidInputError(f"--top {options.top}: give a number >= 1.")
    if options.su is not None and not all(0 <= su < np.inf for su in options.su):
        raise InvalidInputError(f"--su {options.su}: give six numbers >= 0.")


def _entries(options: argparse.Namespace) -> pd.DataFrame:
    """Make one table of what was given."""
    if options.cell is not None:
        return _typed_entry(options)
    table = read_cifs(options.sources)
    if options.formula is not None:
        parse_formula(options.formula)
        table["formula"] = options.formula
    return table


def _typed_entry(options: argparse.Namespace) -> pd.DataFrame:
    """Check formula and cell of the command line at once: there they are wrong usage."""
    parse_formula(options.formula)
    problem = cell_problems(np.array(options.cell))
    if problem is not None:
        raise InvalidInputError(f"--cell: {problem}.")
    row: dict[str, Any] = dict(zip(CELL_COLUMNS, options.cell, strict=True))
    row |= dict(zip(CELL_SU_COLUMNS, options.su or [0.0] * 6, strict=True))
    row |= {"formula": options.formula, "spacegroup_number": None, "spacegroup_hm": None}
    return pd.DataFrame([row | {"source": "command line", "block": None, "error": None}])


def _problems(table: pd.DataFrame) -> list[str | None]:
    """Say of each row why it cannot be ranked, or None."""
    # A missing formula must not reach the parser, nor be taken for sodium nitride, NaN.
    formulas = ["H" if not isinstance(text, str) else text for text in table["formula"]]
    unparsed = parse_formulas(formulas, on_error="report").errors
    cells = cell_problems(table[list(CELL_COLUMNS)].to_numpy(dtype=float))
    found: list[str | None] = []
    for row, cell, formula in zip(records(table), cells, unparsed, strict=True):
        missing = None if row["formula"] is not None else "no formula; give one with --formula"
        found.append(next((p for p in (row["error"], cell, missing, formula) if p), None))
    return found


def _answers(table: pd.DataFrame, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rank all rows, and find the declared group of each among its candidates."""
    model = _model(options.model)
    ranked = model.rank(table, k=len(model.classes_), allowed=_allowed(options.allowed))
    neighbours = (
        model.explain(table, k=1, n_neighbours=_N_NEIGHBOURS)[1] if options.explain else None
    )
    by_row = dict(tuple(ranked.groupby("row")))
    answers = []
    for number, row in enumerate(records(table)):
        candidates = by_row[number]
        answer = {name: row[name] for name in ("source", "block", "formula")}
        answer["cell"] = {name: row[name] for name in CELL_COLUMNS}
        answer["declared"] = _declared(row, candidates)
        answer["candidates"] = records(candidates.head(options.top)[list(_CANDIDATE)])
        if neighbours is not None:
            mine = neighbours[neighbours["row"] == number]
            answer["known_crystals"] = records(mine.drop(columns="row"))
        answers.append(answer)
    return answers


def _model(path: str | None) -> Any:
    """Load the ready model, or that of a file."""
    if path is None:
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
    """Turn the words of --allowed into what `rank` takes."""
    if given is None:
        return None
    words = [word.strip() for text in given for word in text.split(",")]
    return [int(word) if word.isdecimal() else word for word in words]


def _declared(row: dict[str, Any], candidates: pd.DataFrame) -> dict[str, Any] | None:
    """Where the group that a file declares stands; None without one."""
    number = row["spacegroup_number"]
    if number is None:
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
    if answer["block"] is not None:
        print(f"{answer['source']}   {answer['block']}")
    print(f"{answer['formula']}   {edges} Å   {angles} degrees")
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
    """Write the known crystals that speak most for the answer."""
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

"""What was measured, kept in one small file per part, and the table made of all parts."""

import json
from typing import NamedTuple

HEADER = ("quantity", "the study", "ours, mistakes on", "ours, mistakes off", "baseline")


class Finding(NamedTuple):
    """One line of the table; figures are texts, since not all of them are numbers."""

    quantity: str
    study: str
    with_mistakes: str
    without: str
    baseline: str


def figure(value):
    """Write a figure with three digits; R^2 very near to one needs four, a wild one its power."""
    if abs(value) >= 100:
        return f"{value:.1e}"
    return f"{value:.4f}" if 0.99 < value < 1 else f"{value:.3f}"


class Report:
    """The parts in a folder: each is written when it is done, and replaces its older self."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, part, findings, notes, extra=()):
        """Keep one part: its lines of the table, notes, and further blocks of Markdown."""
        about = {"findings": findings, "notes": notes, "extra": list(extra)}
        text = json.dumps(about, indent=1, ensure_ascii=False)
        (self.folder / f"{part}.json").write_text(text, encoding="utf-8")

    def write(self, parts):
        """Write `study.md` from the parts that are there, in this order; return its path."""
        files = [self.folder / f"{part}.json" for part in parts]
        done = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
        lines = [HEADER, ["---", *["---:"] * 3, "---"]]
        lines += [row for part in done for row in part["findings"]]
        blocks = ["# The study, reproduced", "\n".join(f"| {' | '.join(row)} |" for row in lines)]
        blocks.append("\n".join(f"- {note}" for part in done for note in part["notes"]))
        blocks += [block for part in done for block in part["extra"]]
        path = self.folder / "study.md"
        path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        return path


def markdown_table(header, rows):
    """Write rows of texts as a table."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

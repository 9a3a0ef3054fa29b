"""Run the benchmarks: ``python benchmarks [name ...]`` prints one table of ratios."""

import argparse
import importlib
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from _harness import to_markdown  # noqa: E402


def main():
    """Run the named benchmark files, or all of them, and print the table."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one or more of {names}")
    chosen = parser.parse_args().names or names
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        parser.error(f"unknown benchmark {unknown}; choose from {names}")
    rows = []
    for name in chosen:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        rows.extend(importlib.import_module(f"bench_{name}").benchmarks())
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(to_markdown(rows))


if __name__ == "__main__":
    main()

"""Run the COD client and the CIF reader for long, against all that goes wrong.

Run from the root of the repository, on Linux or macOS::

    python tools/soak.py --minutes 10

Each round downloads from a server on this machine that misbehaves on purpose, and reads damaged
files into a Parquet data set; both are interrupted, killed, and find their files damaged before
they may finish. After every round each input has a row or a reason, no partial file is left, the
manifest tells the truth, and a second run does nothing. Over the rounds, memory, open files and
threads of the process stay level. A failing round leaves its folder and its number, which
``--first`` repeats.
"""

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
from _soak_checks import SoakError
from _soak_rounds import download_round, generator, reading_round
from joblib.externals.loky import get_reusable_executor

# Growth per round, above which something leaks in a long run; a round handles some 240 inputs.
LIMITS = {"memory_kb": 64.0, "open_files": 0.05, "threads": 0.05}
# What comes and goes between two rounds whatever their number: the allocator's reserve, a worker.
NOISE = {"memory_kb": 8192.0, "open_files": 3.0, "threads": 3.0}
_FEWEST = 12  # rounds, without which a slope says nothing
_WARM_UP = 0.25  # of the rounds, while caches fill and modules load


class Levels(NamedTuple):
    """What the process holds between two rounds."""

    memory_kb: float
    open_files: int
    threads: int


def levels():
    """Measure this process without the bounded caches, which new texts fill, and its workers."""
    modules = [module for name, module in sys.modules.items() if name.startswith("crystalml.io")]
    for part in (part for module in modules for part in vars(module).values()):
        if hasattr(part, "cache_parameters") and part.cache_parameters()["maxsize"]:
            part.cache_clear()
    get_reusable_executor().shutdown(wait=True)  # joblib's, which interrupts end now and then
    gc.collect()
    process = psutil.Process()
    with process.oneshot():
        memory = process.memory_info().rss / 1024
        return Levels(memory, process.num_fds(), process.num_threads())


def slopes(history):
    """Return the growth of each level per round: the median over all pairs of rounds.

    Single rounds that hold more, for whatever reason, do not count; steady growth does.
    """
    settled = history[int(_WARM_UP * len(history)) :]
    pairs = [(i, j) for j in range(len(settled)) for i in range(j)]
    return {
        name: median((settled[j][k] - settled[i][k]) / (j - i) for i, j in pairs)
        for k, name in enumerate(Levels._fields)
    }


def limits(history):
    """Return the largest growth per round that so many rounds may show."""
    n_rounds = len(history) - int(_WARM_UP * len(history))
    return {name: max(limit, NOISE[name] / n_rounds) for name, limit in LIMITS.items()}


def leaks(history):
    """Say which levels grow; nothing where the rounds are too few to tell."""
    if len(history) < _FEWEST:
        return []
    found = slopes(history)
    return [
        f"{name} grows by {found[name]:.3g} per round, more than {limit:.3g}"
        for name, limit in limits(history).items()
        if found[name] > limit
    ]


def soak_round(folder, seed, number):
    """Do one round; return what was done, by name."""
    chance, done = generator(seed, number), Counter()
    for name, work in (("downloads", download_round), ("reading", reading_round)):
        room = folder / name
        room.mkdir()
        done.update(work(room, chance))
    return done


def soak(minutes, seed, first, keep):
    """Do rounds until the time is over; return (what was done, levels after each round)."""
    done, history, number = Counter(), [], first
    start = told = time.monotonic()
    while number == first or time.monotonic() - start < 60 * minutes:
        folder = Path(tempfile.mkdtemp(prefix=f"soak-{number}-", dir=keep))
        try:
            done.update(soak_round(folder, seed, number))
        except SoakError as error:
            raise SystemExit(f"round {number} of seed {seed}, kept in {folder}: {error}") from error
        shutil.rmtree(folder)
        history.append(levels())
        number += 1
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{number - first} rounds: {history[-1]}", flush=True)
    return done, history


def main(arguments=None):
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--keep", type=Path, help="folder for those of the rounds")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    done, history = soak(options.minutes, options.seed, options.first, options.keep)
    print(f"{len(history)} rounds in {time.monotonic() - start:.0f} s without a failure")
    print(", ".join(f"{count:,} {name}" for name, count in sorted(done.items())))
    for name in Levels._fields:
        values = [getattr(level, name) for level in history]
        print(f"{name}: {values[0]:,.0f} at first, {values[-1]:,.0f} at last", end="")
        told = f", {slopes(history)[name]:+.3g} per round" if len(history) >= _FEWEST else ""
        print(f"{told} (limit {limits(history)[name]:.3g})")
    problems = leaks(history)
    print(*problems, sep="\n", end="\n" if problems else "")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())

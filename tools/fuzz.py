"""Throw damaged and hostile inputs at the CIF reader, the formula parser and the model loader.

Run from the root of the repository::

    python tools/fuzz.py --inputs 100000                # all four, a quarter each
    python tools/fuzz.py --inputs 20000 --targets cif   # one of them
    python tools/fuzz.py --inputs 200000 --targets gemmi  # the reader against plain gemmi
    python tools/fuzz.py --replay tests/fuzz_corpus     # only what was found before

Each input follows from its target, the seed and its number. It fails where anything but the
documented error is raised, where it takes more than two seconds of CPU time, where the interpreter
dies, or where a model file causes what no data may cause (a process, a written file, an import of
something new). Failing inputs are written to ``--crashes``; what was mended moves to
``tests/fuzz_corpus``, where the test suite replays it.
"""

import argparse
import hashlib
import multiprocessing
import random
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path
from time import perf_counter, sleep

from _fuzz_targets import TARGETS

LIMIT = 2.0
_BATCH = 500
# Seconds of wall time without an answer, after which a worker is given up.
_SILENCE = 600.0


class Hang(BaseException):
    """Raised by the alarm; no `except Exception` may swallow it."""


def run_limited(check, data, limit=LIMIT):
    """Run `check` and return its outcome; raise Hang after so much CPU time.

    CPU time and not wall time: a busy machine is no fault of the input.
    """

    def stop(_number, _frame):
        raise Hang(f"more than {limit} s of CPU time")

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        return check(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def _input(target, seed, number):
    """Return the input of a number."""
    return target.make(random.Random(f"{seed} {target.name} {number}"))  # noqa: S311


def _work(name, corpus, seed, numbers, current, results):
    """Check the inputs of `numbers`, in a process of its own."""
    sys.dont_write_bytecode = True
    target = TARGETS[name](corpus)
    outcomes = Counter()
    for number in numbers:
        current.value = number
        data = _input(target, seed, number)
        try:
            outcomes[run_limited(target.check, data)] += 1
        except (Exception, Hang):  # noqa: BLE001 - whatever is raised is the finding
            results.put(({}, (data, traceback.format_exc())))
        if (number + 1) % _BATCH == 0:
            results.put((dict(outcomes), None))
            outcomes.clear()
    results.put((dict(outcomes), None))
    results.put(None)


def fuzz(name, corpus, seed, n_inputs, crashes):
    """Check the inputs of a target; return the number of failures."""
    context = multiprocessing.get_context("spawn")
    current, outcomes, n_failures = context.Value("q", -1), Counter(), 0
    start, first, finished = perf_counter(), 0, False
    while first < n_inputs and not finished:
        results = context.SimpleQueue()
        work = (name, corpus, seed, range(first, n_inputs), current, results)
        worker = context.Process(target=_work, args=work, daemon=True)
        worker.start()
        for part in _received(worker, results, current):
            finished = part is None
            if finished:
                break
            outcomes.update(part[0])
            if part[1] is not None:
                n_failures += 1
                _keep(crashes / name, *part[1])
        if not finished:
            n_failures += 1
            first = _after_death(worker, name, corpus, seed, current, first, crashes)
        worker.join()
    _tell(name, n_inputs, perf_counter() - start, outcomes, n_failures)
    return n_failures


def _after_death(worker, name, corpus, seed, current, first, crashes):
    """Keep the input at which a worker died or fell silent; return the number of the next one."""
    worker.kill()
    number = current.value
    if number < first:
        raise SystemExit(f"{name}: the worker ended before its first input; see above")
    data = _input(TARGETS[name](corpus), seed, number)
    _keep(crashes / name, data, f"the interpreter died, or hung, at input {number}")
    return number + 1


def _tell(name, n_inputs, seconds, outcomes, n_failures):
    """Print what became of the inputs of a target."""
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(outcomes.items()))
    rate = n_inputs / seconds
    print(
        f"{name}: {n_inputs:,} inputs in {seconds:.0f} s ({rate:.0f}/s): {counts}; "
        f"{n_failures} failures",
        flush=True,
    )


def _received(worker, results, current):
    """Yield what a worker sends, until it ends or has been silent for long."""
    last, since = current.value, perf_counter()
    while True:
        if not results.empty():
            yield results.get()
            since = perf_counter()
        elif not worker.is_alive() or perf_counter() - since > _SILENCE:
            return
        else:
            if current.value != last:
                last, since = current.value, perf_counter()
            sleep(0.02)


def _keep(folder, data, text):
    """Store a failing input and what it did, under its checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(data).hexdigest()[:12]
    (folder / name).write_bytes(data)
    (folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"{folder / name}: {text.strip().splitlines()[-1]}", flush=True)


def replay(corpus):
    """Check every stored input; return the number of failures."""
    n_failures = 0
    for name, kind in TARGETS.items():
        target = kind(corpus)
        for path in sorted((corpus / name).glob("*")):
            try:
                outcome = run_limited(target.check, path.read_bytes())
            except (Exception, Hang):  # noqa: BLE001 - whatever is raised is the finding
                n_failures += 1
                outcome = traceback.format_exc()
            print(f"{name}/{path.name}: {outcome}")
    return n_failures


def main(arguments=None):
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=30_000, help="of all targets together")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=Path("tests/fuzz_corpus"))
    parser.add_argument("--crashes", type=Path, default=Path("fuzz_crashes"))
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="only what is stored there")
    options = parser.parse_args(arguments)
    if options.replay:
        return int(replay(options.replay) > 0)
    share = -(-options.inputs // len(options.targets))
    failures = [
        fuzz(name, options.corpus, options.seed, share, options.crashes) for name in options.targets
    ]
    return int(sum(failures) > 0)


if __name__ == "__main__":
    sys.exit(main())

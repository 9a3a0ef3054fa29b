"""Large sets through rsync, which the COD asks for instead of thousands of requests."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from crystalml.exceptions import MissingDependencyError
from crystalml.io._cod._content import printable
from crystalml.io._cod._ids import cod_relative_path

# Exit codes after which whatever arrived is complete: some files were not there (23) or
# vanished meanwhile (24). See EXIT VALUES in rsync(1).
_PARTIAL_EXITS = (23, 24)

# Entries of one rsync call: large enough that starting it costs nothing, small enough that
# files reach their places, and the progress bar moves, all the time.
_BATCH = 1000


def rsync_program():
    """Path of the rsync executable, or None."""
    return shutil.which("rsync")


def rsync_command(program, source, list_file, folder, *, timeout):
    """Argument list of one transfer; no shell ever sees it."""
    return [
        program,
        "--times",
        "--compress",
        f"--timeout={max(1, round(timeout))}",
        f"--files-from={list_file}",
        "--",
        source,
        f"{folder}/",
    ]


def rsync_entries(ids, source, store, *, timeout):
    """Fetch entries in batches, and yield (cod_id, result) for each in turn.

    Nothing reaches its final place before its content was checked; an interruption in the
    middle of a batch keeps what had arrived.
    """
    program = rsync_program()
    if program is None:
        raise MissingDependencyError(
            "CODClient: method='rsync' needs the program rsync, which is not on the PATH; "
            "install it with the system's package manager, or use method='http'."
        )
    for start in range(0, len(ids), _BATCH):
        yield from _one_batch(program, ids[start : start + _BATCH], source, store, timeout)


def _one_batch(program, ids, source, store, timeout):
    """Let rsync bring some entries into the staging area, then check and move each."""
    store.staging.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.staging) as folder:
        arrived = Path(folder) / "files"
        arrived.mkdir()
        list_file = Path(folder) / "list.txt"
        list_file.write_text("".join(f"{cod_relative_path(i)}\n" for i in ids), encoding="ascii")
        command = rsync_command(program, source, list_file, arrived, timeout=timeout)
        interrupt = None
        try:
            run = subprocess.run(  # noqa: S603 - fixed arguments, and paths made from checked ids
                command, capture_output=True, text=True, errors="replace", check=False
            )
            finished = run.returncode in (0, *_PARTIAL_EXITS)
            complaint = _last_line(run.stderr) or f"exit status {run.returncode}"
        except KeyboardInterrupt as error:
            interrupt, finished, complaint = error, False, "interrupted"
        for cod_id in ids:
            path = arrived / cod_relative_path(cod_id)
            if interrupt is None or path.is_file():
                yield cod_id, _take(cod_id, path, store, finished=finished, complaint=complaint)
        if interrupt is not None:
            raise interrupt


def _take(cod_id, path, store, *, finished, complaint):
    """Check one file that rsync brought, and say what became of it."""
    if path.is_file() and not path.is_symlink():
        if path.stat().st_size > store.max_size:
            error = f"has {path.stat().st_size} bytes; max_file_size is {store.max_size}"
            return {"outcome": "too_large", "attempts": 1, "error": error}
        problem, size, digest = store.adopt(cod_id, path)
        if problem is None:
            return {"outcome": "downloaded", "bytes": size, "sha256": digest, "attempts": 1}
        return {"outcome": "invalid", "attempts": 1, "error": problem}
    if finished:
        return {"outcome": "missing", "attempts": 1, "error": "rsync brought no such file"}
    return {"outcome": "failed", "attempts": 1, "error": f"rsync: {complaint}"}


def _last_line(text):
    """Last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1][:300]) if lines else ""

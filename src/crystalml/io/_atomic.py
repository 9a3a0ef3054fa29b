"""Files that are there whole or not at all, whatever interrupts the writing."""

import contextlib
import os


def write_atomically(path, body, *, unfinished):
    """Write `body` to `unfinished`, wait for the disk, and move it to `path` in one step."""
    try:
        with unfinished.open("wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        raise


def sync_folder(folder):
    """Wait until the disk knows the names in a folder, where the system can tell."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

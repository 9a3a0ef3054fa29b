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
        # After the sync: a name may reach the disk before the bytes, and survive a power cut alone.
        os.replace(unfinished, path)
    except BaseException:
        # The file may not have been opened at all.
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        raise


def sync_folder(folder):
    """Wait until the disk knows the names in a folder, where the system can tell."""
    # Windows cannot open a folder; there, the rename alone has to do.
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

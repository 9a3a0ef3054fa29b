"""Progress bars: one switch, one look, silent where nobody watches."""

import sys
import warnings
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import TqdmWarning, tqdm

# Seconds between two lines in a log.
_LOG_INTERVAL = 30.0


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    enabled: bool | str = "auto",
    description: str | None = None,
    total: int | None = None,
    unit: str = "it",
) -> "tqdm[Any]":
    """Wrap `iterable` in a progress bar on standard error, or in a notebook.

    Parameters
    ----------
    iterable : iterable, default=None
        What to walk; without it, the caller calls ``update`` on the returned bar.
    enabled : bool or "auto", default="auto"
        ``"auto"`` shows the bar on a terminal and in Jupyter only. True shows it everywhere: in
        a log, as a plain line at the start, one every 30 seconds, and one at the end.
    description, unit : str
        Text before the bar, and the name of one step.
    total : int, default=None
        Number of steps, where `iterable` has no length.

    Returns
    -------
    tqdm.tqdm
        An iterable and a context manager, with rate and remaining time.
    """
    watched = _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    if isinstance(enabled, str) and enabled == "auto":
        enabled = watched
    options: dict[str, Any] = {"desc": description, "total": total, "unit": unit}
    # A process without a console, such as pythonw.exe, has no standard error.
    if not enabled or not (watched or sys.stderr):
        return tqdm(iterable, disable=True, **options)
    if not watched:
        stream: Any = _LineStream(sys.stderr)
        every = {"mininterval": _LOG_INTERVAL, "maxinterval": _LOG_INTERVAL}
        return tqdm(iterable, file=stream, ncols=0, **every, **options)
    with warnings.catch_warnings():
        # In Jupyter without ipywidgets, tqdm.auto takes the bar of the terminal, and warns.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm as suitable_bar
    return suitable_bar(iterable, dynamic_ncols=True, **options)


def _in_notebook() -> bool:
    """Whether this process serves a notebook, as tqdm.auto finds it out."""
    return "ipykernel.zmqshell" in sys.modules


class _LineStream:
    """Write the frames of a bar as lines, without what moves a cursor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, frame: str) -> None:
        """Write what a frame says, if anything."""
        line = frame.replace("\x1b[A", "").strip()
        if line:
            self._stream.write(line + "\n")

    def flush(self) -> None:
        """Write out what the stream has kept."""
        self._stream.flush()

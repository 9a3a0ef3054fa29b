"""Progress bars: one switch, one look, silent where nobody watches."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    enabled: bool | str = "auto",
    description: str | None = None,
    total: int | None = None,
    unit: str = "it",
) -> "tqdm[Any]":
    """Wrap `iterable` in a progress bar on standard error.

    Parameters
    ----------
    iterable : iterable, default=None
        What to walk; without it, the caller calls ``update`` on the returned bar.
    enabled : bool or "auto", default="auto"
        ``"auto"`` shows the bar on a terminal only.
    description, unit : str
        Text before the bar, and the name of one step.
    total : int, default=None
        Number of steps, where `iterable` has no length.

    Returns
    -------
    tqdm.tqdm
        An iterable and a context manager, with rate and remaining time.
    """
    if isinstance(enabled, str) and enabled == "auto":
        enabled = sys.stderr.isatty()
    return tqdm(
        iterable, desc=description, total=total, unit=unit, disable=not enabled, dynamic_ncols=True
    )

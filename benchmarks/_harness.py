"""Time this library beside its peers in one run, and print ratios of medians.

Absolute times on a shared machine mean little; the same work done in turn by two programs,
several times over, gives a ratio that does.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


class Row(NamedTuple):
    """One line of the table: medians in seconds, and the ratio that is asked for."""

    what: str
    peer: str
    ours_seconds: float
    peer_seconds: float
    target: float | None  # ours must be at least this many times as fast; None: no target

    @property
    def ratio(self):
        """How many times as fast as the peer."""
        return self.peer_seconds / self.ours_seconds


def compare(
    what: str,
    ours: Callable[[], object],
    peers: dict[str, tuple[Callable[[], object], float | None, float]],
    *,
    repeat: int = 5,
) -> list[Row]:
    """Run ours and every peer in turn `repeat` times after one warm-up.

    `peers` maps a name to (callable, target ratio or None, scale): a slow peer may do a part
    of the work, and `scale` is then the whole divided by that part.
    """
    ours()
    times: dict[str, list[float]] = {name: [] for name in peers}
    own: list[float] = []
    for _ in range(repeat):
        own.append(_seconds(ours))
        for name, (peer, _, scale) in peers.items():
            times[name].append(_seconds(peer) * scale)
    median = statistics.median(own)
    return [
        Row(what, name, median, statistics.median(times[name]), target)
        for name, (_, target, _) in peers.items()
    ]


def to_markdown(rows: list[Row]) -> str:
    """Lay the rows out as a Markdown table."""
    lines = [
        "| what | against | ours, s | theirs, s | ratio | target |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        target = "" if row.target is None else f"{row.target:g}"
        lines.append(
            f"| {row.what} | {row.peer} | {row.ours_seconds:.4g} | {row.peer_seconds:.4g} "
            f"| {row.ratio:.3g} | {target} |"
        )
    return "\n".join(lines)


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start

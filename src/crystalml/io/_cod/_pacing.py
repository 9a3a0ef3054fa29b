"""When to ask, and when to ask again: spacing of requests, backoff, ``Retry-After``."""

import threading
import time
from email.utils import parsedate_to_datetime


class Stopped(Exception):  # noqa: N818 - control flow, not an error
    """The user interrupted the run while this thread was waiting or reading."""


class Pacer:
    """Start requests at least `delay` seconds apart, over all threads together."""

    def __init__(self, delay):
        self._delay = delay
        self._lock = threading.Lock()
        self._next_start = 0.0
        self._rest_until = 0.0

    def wait(self, stop):
        """Block until this thread may send its request."""
        with self._lock:
            start = max(time.monotonic(), self._next_start)
            self._next_start = start + self._delay
        # A rest may be asked for while this thread waits for its turn.
        while (moment := max(start, self._rest_until)) > (now := time.monotonic()):
            pause(moment - now, stop)

    def hold(self, seconds):
        """Let nobody start for `seconds`: the server asked for a rest."""
        with self._lock:
            self._rest_until = max(self._rest_until, time.monotonic() + seconds)
            self._next_start = max(self._next_start, self._rest_until)


def pause(seconds, stop):
    """Sleep, unless told to stop."""
    if stop.wait(max(seconds, 0.0)):
        raise Stopped


def backoff_seconds(attempt, *, base, cap, rng):
    """Full jitter: uniform between 0 and the capped exponential (attempt 1, 2, ...).

    Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog.
    """
    return rng.uniform(0.0, min(cap, base * 2.0 ** (attempt - 1)))


def retry_after_seconds(value, *, cap, now=None):
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3), or None.

    It is a number of seconds or an HTTP date; anything else counts as absent.
    """
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), cap)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = moment - (time.time() if now is None else now)
    return min(max(seconds, 0.0), cap)

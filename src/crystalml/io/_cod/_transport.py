"""One URL to one checked body: requests, time and size limits, and what is tried again."""

import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from crystalml._dependencies import import_optional
from crystalml._version import __version__
from crystalml.io._cod._content import BodyError, BodyTooLargeError, gunzip
from crystalml.io._cod._pacing import Stopped, backoff_seconds, pause, retry_after_seconds

USER_AGENT = f"crystalml-sklearn/{__version__} (Python; scientific use of the COD)"

_MISSING = (404, 410)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_PIECE = 1 << 16
_MAX_REDIRECTS = 5


class TransferRules(NamedTuple):
    """Limits of one transfer, in seconds and bytes."""

    max_attempts: int
    backoff: float
    max_backoff: float
    max_retry_after: float
    connect_timeout: float
    read_timeout: float
    time_limit: float
    max_size: int


class Reply(NamedTuple):
    """What became of one URL; `body` is there exactly when `outcome` is ``"downloaded"``."""

    outcome: str
    http_status: int | None
    body: bytes | None
    attempts: int
    error: str | None


class _FaultError(Exception):
    """One attempt that failed."""

    def __init__(self, message, *, outcome="failed", status=None, final=False, retry_after=None):
        super().__init__(message)
        self.outcome, self.status, self.final = outcome, status, final
        self.retry_after = retry_after


class Transport:
    """Fetch bodies through one connection pool, politely."""

    def __init__(self, base_url, *, rules, pacer, rng, user_agent, n_workers, caller):
        self._urllib3 = import_optional("urllib3", needed_by=caller)
        self._rules, self._pacer, self._rng = rules, pacer, rng
        self._encrypted = urlsplit(base_url).scheme == "https"
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._pool = self._open_pool(base_url, headers=headers, maxsize=n_workers)
        # Redirects only: which faults to try again, and when, is decided below, because
        # urllib3's own backoff draws from the global random generator.
        self._redirects = self._urllib3.Retry(
            total=None,
            connect=0,
            read=0,
            redirect=_MAX_REDIRECTS,
            status=0,
            other=0,
            respect_retry_after_header=False,
        )

    def close(self):
        """Close every idle connection."""
        self._pool.clear()

    def fetch(self, url, problem, *, stop):
        """Get `url` until ``problem(body)`` is None, or until trying again has no sense."""
        spent = 0.0
        fault: Any = None  # there is at least one attempt
        for attempt in range(1, self._rules.max_attempts + 1):
            self._pacer.wait(stop)
            began = time.monotonic()
            try:
                status, body = self._attempt(url, began + self._rules.time_limit - spent, stop)
                reason = problem(body)
                if reason is None:
                    return Reply("downloaded", status, body, attempt, None)
                fault = _FaultError(reason, outcome="invalid", status=status)
            except _FaultError as error:
                fault = error
            spent += time.monotonic() - began
            wait = self._wait_seconds(attempt, fault)
            if fault.final or attempt == self._rules.max_attempts:
                break
            if spent + wait > self._rules.time_limit:
                fault.args = (f"{fault}; time limit of {self._rules.time_limit:g} s reached",)
                break
            spent += wait
            pause(wait, stop)
        return Reply(fault.outcome, fault.status, None, attempt, str(fault))

    def _wait_seconds(self, attempt, fault):
        """Rest before the next attempt; a server that names a time is left alone by everyone."""
        rules = self._rules
        wait = backoff_seconds(attempt, base=rules.backoff, cap=rules.max_backoff, rng=self._rng)
        asked = retry_after_seconds(fault.retry_after, cap=rules.max_retry_after)
        if asked is None:
            return wait
        self._pacer.hold(asked)
        return max(asked, wait)

    def _attempt(self, url, deadline, stop):
        """Send one request and read its whole body."""
        errors = self._urllib3.exceptions
        try:
            response = self._pool.request(
                "GET",
                url,
                preload_content=False,
                decode_content=False,
                retries=self._redirects,
                timeout=self._urllib3.Timeout(
                    connect=self._rules.connect_timeout, read=self._rules.read_timeout
                ),
            )
        except (errors.HTTPError, OSError) as error:
            raise _FaultError(_describe(error)) from error
        try:
            self._check_head(response)
            body = self._read(response, deadline, stop)
        except (errors.HTTPError, OSError) as error:
            raise _FaultError(_describe(error), status=response.status) from error
        finally:
            # A body read to its end has returned its connection; any other must not be reused.
            response.close()
        return response.status, self._decode(response, body)

    def _check_head(self, response):
        """Raise unless the status and the announced size promise a body worth reading."""
        history = response.retries.history if response.retries else ()
        if self._encrypted and any((h.redirect_location or "")[:5] == "http:" for h in history):
            raise _FaultError("redirected from https to http", status=response.status, final=True)
        status = response.status
        if status in _MISSING:
            raise _FaultError(f"HTTP {status}", outcome="missing", status=status, final=True)
        if status != 200:
            raise _FaultError(
                f"HTTP {status}",
                status=status,
                final=status not in _TRANSIENT,
                retry_after=response.headers.get("Retry-After"),
            )
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > self._rules.max_size:
            raise self._too_large(f"has {announced} bytes", status)

    def _read(self, response, deadline, stop):
        """Read the raw body piece by piece, so that a slow or endless one can be left."""
        pieces, size = [], 0
        while piece := response.read1(_PIECE, decode_content=False):
            size += len(piece)
            pieces.append(piece)
            if stop.is_set():
                raise Stopped
            if size > self._rules.max_size:
                raise self._too_large(f"has more than {self._rules.max_size} bytes", 200)
            if time.monotonic() > deadline:
                limit = f"{self._rules.time_limit:g} s"
                raise _FaultError(f"time limit of {limit} reached", status=200, final=True)
        return b"".join(pieces)

    def _decode(self, response, body):
        """Undo the content encoding that the request allowed."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in ("identity", ""):
            return body
        if encoding not in ("gzip", "x-gzip"):
            raise _FaultError(f"content encoding {encoding!r} was not asked for", status=200)
        try:
            return gunzip(body, max_size=self._rules.max_size)
        except BodyTooLargeError as error:
            raise self._too_large(str(error), 200) from error
        except BodyError as error:
            raise _FaultError(str(error), outcome="invalid", status=200) from error

    def _too_large(self, message, status):
        text = f"{message}; max_file_size is {self._rules.max_size}"
        return _FaultError(text, outcome="too_large", status=status, final=True)

    def _open_pool(self, base_url, **options):
        """Open a pool that honours the system's proxy settings, never for this machine itself."""
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        proxy = getproxies().get(parts.scheme)
        local = host == "localhost" or host.startswith("127.") or host == "::1"
        if proxy and not local and not proxy_bypass(host):
            return self._urllib3.ProxyManager(proxy, **options)
        return self._urllib3.PoolManager(**options)


def _describe(error):
    """One line on a network error, without the repr of connection objects."""
    cause = getattr(error, "reason", None) or error
    text = str(cause).rpartition(">: ")[2] or str(cause)
    return f"{type(cause).__name__}: {text}"[:300]

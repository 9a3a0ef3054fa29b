"""One address to one checked body: when to ask, limits of time and size, what is tried again."""

import http.client
import io
import socket
import threading
import time
import zlib
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from crystalml._dependencies import import_optional
from crystalml._version import __version__
from crystalml.exceptions import DownloadError

USER_AGENT = f"crystalml-sklearn/{__version__} (Python; scientific use of the COD)"

_MISSING = (404, 410)
# Without 300 and 304, which name no one address to go to.
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_PIECE = 1 << 16
_MAX_REDIRECTS = 5

# Streams in one gzip body: each costs a copy of what follows, so that millions take for ever.
_MAX_MEMBERS = 16


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


class _Clock(threading.local):
    """When the attempt of this thread must have ended, and whether the user stopped the run."""

    deadline = float("inf")
    stop: Any = None

    def limit(self, seconds):
        """Return `seconds`, or what is left if that is less; raise where nothing is."""
        if self.stop is not None and self.stop.is_set():
            raise Stopped
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time left")
        return min(left, seconds)


class _TimedStream(io.RawIOBase):
    """Bytes of a socket, each wait for which ends with the attempt.

    A timeout of the socket alone bounds one wait. A server that sends a byte now and then,
    within headers, chunk sizes or answers such as ``100 Continue``, would never meet it.
    """

    def __init__(self, raw, sock, clock, read_timeout):
        self._raw, self._sock = raw, sock
        self._clock, self._read_timeout = clock, read_timeout

    def readable(self):
        return True

    def readinto(self, buffer):
        self._sock.settimeout(self._clock.limit(self._read_timeout))
        return self._raw.readinto(buffer)

    def close(self):
        self._raw.close()
        super().close()


def _timed_pools(urllib3, clock, read_timeout):
    """Classes of connection pools whose every wait looks at the clock, by scheme."""

    class TimedResponse(http.client.HTTPResponse):
        def __init__(self, sock, *args, **options):
            super().__init__(sock, *args, **options)
            # Nothing was read yet, so that no byte is lost with the buffer that goes.
            stream = _TimedStream(self.fp.detach(), sock, clock, read_timeout)
            self.fp = io.BufferedReader(stream)

    def connect(self):
        """Connect to one address of the host after another, while there is time."""
        fault = OSError(f"{self.host} has no address")
        # The loop of urllib3 would give every address the whole timeout, however many there are.
        places = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in places:
            wait, sock = clock.limit(self.timeout), None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(wait)
                sock.connect(address)
            except OSError as error:  # also where the system has no IPv6
                fault = error
                if sock is not None:
                    sock.close()
            else:
                return sock
        raise fault

    def timed(connection, pool):
        # What subclasses of urllib3's connections override, for SOCKS among others.
        parts = {"response_class": TimedResponse, "_new_conn": connect}
        connection = type(connection.__name__, (connection,), parts)
        return type(pool.__name__, (pool,), {"ConnectionCls": connection})

    return {
        "http": timed(urllib3.connection.HTTPConnection, urllib3.HTTPConnectionPool),
        "https": timed(urllib3.connection.HTTPSConnection, urllib3.HTTPSConnectionPool),
    }


class Transport:
    """Fetch bodies through one connection pool, politely."""

    def __init__(self, base_url, *, rules, pacer, rng, user_agent, n_workers, caller):
        self._urllib3 = import_optional("urllib3", needed_by=caller)
        self._rules, self._pacer, self._rng = rules, pacer, rng
        self._clock = _Clock()
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._pool = self._open_pool(base_url, headers=headers, maxsize=n_workers)
        self._pool.pool_classes_by_scheme = _timed_pools(
            self._urllib3, self._clock, rules.read_timeout
        )

    def close(self):
        """Close every idle connection."""
        self._pool.clear()

    def fetch(self, url, problem, *, stop):
        """Get `url` until ``problem(body)`` is None, or until trying again has no sense."""
        # Without the turns of the pacer: among many workers they would use up the time of an
        # entry.
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
        return Reply(fault.outcome, fault.status, None, attempt, printable(str(fault)))

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
        """Follow redirects to an answer, and read its whole body."""
        self._clock.deadline, self._clock.stop = deadline, stop
        for _ in range(_MAX_REDIRECTS + 1):
            status, headers, body = self._exchange(url)
            if status not in _REDIRECTS:
                return status, self._decode(headers, body)
            url = _redirected(url, headers.get("Location"), status)
        raise _FaultError(f"more than {_MAX_REDIRECTS} redirects", status=status)

    def _exchange(self, url):
        """Send one request, and return its status, headers and raw body."""
        with self._faults():
            # Redirects and what to try again are decided here: urllib3 reads the body of a
            # redirect whatever its size, and its backoff draws from the global random generator.
            response = self._pool.request(
                "GET",
                url,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=self._urllib3.Timeout(
                    connect=self._clock.limit(self._rules.connect_timeout),
                    read=self._clock.limit(self._rules.read_timeout),
                ),
            )
        status, headers = response.status, response.headers
        try:
            with self._faults(status):
                if status not in _REDIRECTS:
                    self._check_head(response)
                    return status, headers, self._read(response)
                # Short pages are read, so that the connection can be used again.
                return status, headers, response.read1(_PIECE)
        finally:
            # A body read to its end has returned its connection; any other must not be reused.
            response.close()

    @contextmanager
    def _faults(self, status=None):
        """Turn whatever the network and a server's bytes raise into the failure of one attempt."""
        try:
            yield
        except (_FaultError, Stopped):
            raise
        # Any exception: what http.client and urllib3 raise over headers is an open list (such as
        # ValueError over a number of 5,000 digits), and concerns this entry alone.
        except Exception as error:
            if time.monotonic() >= self._clock.deadline:
                limit = f"time limit of {self._rules.time_limit:g} s reached"
                raise _FaultError(limit, status=status, final=True) from error
            raise _FaultError(_describe(error), status=status) from error

    def _check_head(self, response):
        """Raise unless the status and the announced size promise a body worth reading."""
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
        announced, size = response.headers.get("Content-Length"), response.length_remaining
        if size is not None and size > self._rules.max_size:
            raise self._too_large(f"has {announced[:20]} bytes", status)
        if announced is not None and size is None and not response.chunked:
            # Without the length nobody could tell a whole body from a part.
            raise _FaultError(f"malformed Content-Length {announced[:40]!r}", status=status)

    def _read(self, response):
        """Read the raw body piece by piece, so that an endless one can be left."""
        pieces, size = [], 0
        while piece := response.read1(_PIECE, decode_content=False):
            size += len(piece)
            pieces.append(piece)
            if size > self._rules.max_size:
                raise self._too_large(f"has more than {self._rules.max_size} bytes", 200)
        return b"".join(pieces)

    def _decode(self, headers, body):
        """Undo the content encoding that the request allowed."""
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in ("identity", ""):
            return body
        if encoding not in ("gzip", "x-gzip"):
            raise _FaultError(f"content encoding {encoding[:40]!r} was not asked for", status=200)
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
        if not proxy or local or proxy_bypass(host):
            return self._urllib3.PoolManager(**options)
        try:
            return self._urllib3.ProxyManager(proxy, **options)
        except (self._urllib3.exceptions.HTTPError, ValueError) as error:
            # Without its address, which may hold a password.
            raise DownloadError(
                f"CODClient: the proxy in {parts.scheme}_proxy (environment, or settings of the "
                f"system) cannot be used ({type(error).__name__}); give the address of an http "
                "proxy, or unset it."
            ) from error


def _redirected(url, location, status):
    """Return the address that a redirect names; never from https to anything else."""
    if location is None:
        raise _FaultError(f"HTTP {status} without a Location", status=status, final=True)
    try:
        target = urljoin(url, location)
        scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        text = f"redirected to what is no web address ({location[:60]!r})"
        raise _FaultError(text, status=status)
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise _FaultError("redirected from https to http", status=status, final=True)
    return target


def _describe(error):
    """One line on a network error, without the repr of connection objects."""
    cause = getattr(error, "reason", None) or error
    text = str(cause).rpartition(">: ")[2] or str(cause)
    return f"{type(cause).__name__}: {text[:250]}"


def printable(text):
    """Replace characters that would move the cursor or colour a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class BodyError(Exception):
    """Bytes that cannot be what was asked for; the message says why."""


class BodyTooLargeError(BodyError):
    """More bytes than the size limit allows."""


def gunzip(body, *, max_size):
    """Decompress a gzip body whole, with its checksums, and never beyond `max_size` bytes.

    Like ``gzip -d``, it takes several members after one another, and zeros as padding.
    """
    pieces, size = [], 0
    try:
        for _ in range(_MAX_MEMBERS):
            # 16 for a gzip header, with its checksum, and 15 for the largest window.
            decoder = zlib.decompressobj(wbits=31)
            while body and not decoder.eof:
                # One byte beyond the limit tells what is too large from what just fits.
                piece = decoder.decompress(body, max_size - size + 1)
                size += len(piece)
                if size > max_size:
                    raise BodyTooLargeError(f"unpacks to more than {max_size} bytes")
                pieces.append(piece)
                body = decoder.unconsumed_tail
            if not decoder.eof:
                raise BodyError("truncated gzip stream")
            body = decoder.unused_data.lstrip(b"\0")
            if not body:
                return b"".join(pieces)
        raise BodyError(f"more than {_MAX_MEMBERS} gzip streams in one body")
    except zlib.error as error:
        raise BodyError(f"damaged gzip stream ({error})") from error


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
            # So requests keep their distance after the rest, too, instead of starting all at once.
            self._next_start = max(self._next_start, self._rest_until)


def pause(seconds, stop):
    """Sleep, unless told to stop."""
    # Not time.sleep, which an interrupt of the run could not end.
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
        # Nine digits are enough for any wait; a header may hold thousands.
        return min(float(text[:9]), cap)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = moment - (time.time() if now is None else now)
    return min(max(seconds, 0.0), cap)

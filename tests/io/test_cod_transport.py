"""A server that breaks the protocol: one entry fails, in time, and the rest arrives."""

import contextlib
import gzip
import importlib.util
import itertools
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.exceptions import DownloadError
from crystalml.io import CODClient
from crystalml.io._cod._transport import (
    BodyError,
    BodyTooLargeError,
    Pacer,
    backoff_seconds,
    gunzip,
    retry_after_seconds,
)

pytest.importorskip("urllib3")

# Tests are collected in importlib mode, where neighbours are not importable by name.
_spec = importlib.util.spec_from_file_location(
    "cod_server", Path(__file__).parent / "cod_server.py"
)
cod_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cod_server)

BAD, GOOD = 2000000, 2000001
BODY = cod_server.cif(BAD)
OK = b"HTTP/1.1 200 OK\r\n"


def whole(head, body=BODY):
    """A complete answer with further headers."""
    return OK + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class RawServer:
    """Send the bytes that `answers` holds for an entry, as they are; other entries are well."""

    def __init__(self, context=None):
        self.answers, self.requests, self._context = {}, [], context
        self.keeps_open, self.answer = False, None
        self._socket = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}/cod/"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self):
        self._socket.close()

    def _listen(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                while request := connection.recv(65536):
                    path = request.split(b" ", 2)[1].decode()
                    self.requests.append(path)
                    self._answer(connection, path)
                    if path != f"/cod/{GOOD}.cif" and not self.keeps_open:
                        return
        except OSError:
            return

    def _answer(self, connection, path):
        pieces = self.answer or b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        for cod_id in (BAD, GOOD):
            if path == f"/cod/{cod_id}.cif":
                pieces = self.answers.get(cod_id, whole(b"", cod_server.cif(cod_id)))
        for piece in [pieces] if isinstance(pieces, bytes) else pieces():
            connection.sendall(piece)


@pytest.fixture
def server():
    server = RawServer()
    yield server
    server.close()


def download(server, folder, **changes):
    """Ask a server for one bad and one good entry, and return the row of the bad one."""
    options = {"delay": 0, "max_attempts": 2, "backoff": 0.001, "read_timeout": 2.0}
    options |= {"file_timeout": 5.0, "max_file_size": 10**6, "n_workers": 1, "progress": False}
    began = time.monotonic()
    report = CODClient(server.url, **(options | changes)).download([BAD, GOOD], folder)
    assert time.monotonic() - began < 10
    bad, good = report.table.to_dict("records")
    assert good["outcome"] == "downloaded"
    assert bad["error"] is None or bad["error"].isprintable()
    return bad


def slowly(start, piece, end=b""):
    """Send `start`, then `piece` every 50 ms for a time longer than any limit here, then `end`."""

    def pieces():
        yield start
        for _ in range(1000):
            yield piece
            time.sleep(0.05)
        yield end

    return pieces


def endlessly(start, piece):
    """Send `start`, then `piece` as fast as it goes."""
    return lambda: itertools.chain([start], itertools.repeat(piece))


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"

MALFORMED = {
    "an address that cannot be parsed": (
        REDIRECT + b"Location: http://[::1/x\r\n\r\n",
        "failed",
        "no web address",
    ),
    "a redirect to a file": (
        REDIRECT + b"Location: file:///etc/passwd\r\n\r\n",
        "failed",
        "no web address",
    ),
    "a redirect to no host": (
        REDIRECT + b"Location: https:///x\r\n\r\n",
        "failed",
        "no web address",
    ),
    "a redirect to a port beyond all": (
        REDIRECT + b"Location: http://127.0.0.1:99999/x\r\n\r\n",
        "failed",
        "",
    ),
    "a redirect to a name of 300 letters": (
        REDIRECT + b"Location: http://" + b"x" * 300 + b".invalid/\r\n\r\n",
        "failed",
        "",
    ),
    "a redirect with line noise": (
        REDIRECT + b"Location: \x1b[2J\xff\r\n\r\n",
        "missing",
        "HTTP 404",
    ),
    "a redirect to nowhere": (REDIRECT + b"\r\n", "failed", "without a Location"),
    "a length in superscript": (OK + b"Content-Length: \xb2\r\n\r\n", "failed", "Content-Length"),
    "a length of 5,000 digits": (
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        "failed",
        "malformed Content-Length",
    ),
    "a length of 4,000 digits": (
        OK + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n",
        "too_large",
        "max_file_size",
    ),
    "a negative length": (whole(b"").replace(b": ", b": -"), "failed", "Content-Length"),
    "two lengths": (whole(b"Content-Length: 5\r\n"), "failed", "Content-Length"),
    "no status line": (b"\x1b[31mHELLO\r\n\r\n", "failed", ""),
    "a status of ten digits": (b"HTTP/1.1 2000000000 OK\r\n\r\n", "failed", ""),
    "a header of 100 kB": (OK + b"X: " + b"x" * 100_000 + b"\r\n\r\n", "failed", "header"),
    "a thousand headers": (OK + b"X: y\r\n" * 1000 + b"\r\n", "failed", "headers"),
    "headers that are none": (OK + b"\x00\x80:::\r\n\r\n", "invalid", "empty"),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + whole(b""), "failed", "HTTP 103"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "failed", "HTTP 204"),
    "a part that was not asked for": (whole(b"").replace(b"200", b"206"), "failed", "HTTP 206"),
    "an unknown encoding": (whole(b"Content-Encoding: br\r\n"), "failed", "'br'"),
    "an encoding of 50 kB": (
        whole(b"Content-Encoding: " + b"z" * 50_000 + b"\r\n"),
        "failed",
        "content encoding",
    ),
    "a chunk of negative size": (CHUNKED + b"-5\r\n" + BODY, "failed", ""),
    "a chunk size that is no number": (CHUNKED + b"zz\r\n" + BODY, "failed", "IncompleteRead"),
    "a chunk of 10^60 bytes": (CHUNKED + b"F" * 50 + b"\r\n" + BODY, "failed", ""),
    "a chunk size of 100 kB": (CHUNKED + b"0" * 100_000 + b"1\r\n", "failed", ""),
    "half a last chunk": (CHUNKED + b"%x\r\n" % len(BODY) + BODY, "failed", "IncompleteRead"),
    "a body beyond every limit": (
        endlessly(CHUNKED, b"ffff\r\n" + b"#" * 0xFFFF + b"\r\n"),
        "too_large",
        "max_file_size",
    ),
    "a redirect with an endless body": (
        endlessly(b"HTTP/1.1 302 F\r\nLocation: /cod/2000000.cif\r\n\r\n", b"#" * 65536),
        "failed",
        "redirects",
    ),
    "gzip after gzip": (
        whole(b"Content-Encoding: gzip, gzip\r\n", gzip.compress(gzip.compress(BODY))),
        "failed",
        "'gzip, gzip'",
    ),
    "gzip with bytes behind it": (
        whole(b"Content-Encoding: gzip\r\n", gzip.compress(BODY) + b"data_more"),
        "invalid",
        "gzip",
    ),
    "nothing at all": (b"", "failed", ""),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_answer_fails_one_entry(server, tmp_path, case):
    server.answers[BAD], outcome, said = MALFORMED[case]
    row = download(server, tmp_path)
    assert row["outcome"] == outcome, row["error"]
    assert said in row["error"]
    assert len(row["error"]) < 400
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {f"{GOOD}.cif", "manifest.jsonl"}


FINE = {
    "a continue first": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + whole(b""),
    "a body that the hanging up ends": OK + b"\r\n" + BODY,
    "the same length twice": whole(b"Content-Length: %d\r\n" % len(BODY)),
    "chunks of one byte": CHUNKED
    + b"".join(b"1;name=value\r\n%c\r\n" % c for c in BODY)
    + b"0\r\nTrailer: x\r\n\r\n",
    "gzip in two members": whole(
        b"Content-Encoding: gzip\r\n", gzip.compress(BODY[:99]) + gzip.compress(BODY[99:])
    ),
    "padded gzip": whole(b"Content-Encoding: gzip\r\n", gzip.compress(BODY) + b"\0" * 512),
    "nested parts in the headers": whole(b"Content-Type: multipart/mixed; boundary=x\r\n"),
}


@pytest.mark.parametrize("case", FINE)
def test_an_unusual_answer_is_read(server, tmp_path, case):
    server.answers[BAD] = FINE[case]
    row = download(server, tmp_path)
    assert row["outcome"] == "downloaded", row["error"]
    assert Path(row["path"]).read_bytes() == BODY


SLOW = {
    "headers": slowly(OK, b"X"),
    "header lines": slowly(OK, b"X: y\r\n"),
    "continue": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a chunk size": slowly(CHUNKED, b"0"),
    "chunk extensions": slowly(CHUNKED + b"1;", b"x"),
    "trailers": slowly(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY), b"X: y\r\n"),
    "a body": slowly(OK + b"Content-Length: 100000\r\n\r\n", b"#"),
}


@pytest.mark.parametrize("case", SLOW)
def test_whatever_trickles_ends_with_the_time_of_the_file(server, tmp_path, case):
    server.answers[BAD] = SLOW[case]
    began = time.monotonic()
    row = download(server, tmp_path, file_timeout=0.5, max_attempts=5)
    assert time.monotonic() - began < 3
    assert row["outcome"] == "failed"
    assert "time limit of 0.5 s" in row["error"]
    assert row["attempts"] == 1


def test_fast_answers_without_an_end_meet_the_limit_too(server, tmp_path):
    server.answers[BAD] = endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
    row = download(server, tmp_path, file_timeout=0.5)
    assert "time limit" in row["error"]


def test_all_redirects_together_have_the_time_of_one_file(server, tmp_path):
    target = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /cod/2000000.cif\r\n\r\n"

    def late():
        time.sleep(0.2)
        yield target

    server.answers[BAD] = late
    row = download(server, tmp_path, file_timeout=0.5)
    assert "time limit" in row["error"]
    assert len(server.requests) == 1 + 3


def test_a_body_of_line_ends_takes_no_quadratic_time(server, tmp_path):
    server.answers[BAD] = whole(b"", b"data_x\n" + b"\n" * 900_000)
    row = download(server, tmp_path, syntax_check=False)
    assert (row["outcome"], row["error"]) == ("invalid", "is entry 'x', not 2000000")


def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next_request(server, tmp_path):
    """Bytes behind a body would otherwise be taken for the next entry's answer."""
    server.keeps_open = True
    server.answers[BAD] = whole(b"") + whole(b"", cod_server.cif(GOOD).replace(b"5.64", b"9.99"))
    assert download(server, tmp_path)["outcome"] == "downloaded"
    (good,) = tmp_path.rglob(f"{GOOD}.cif")
    assert good.read_bytes() == cod_server.cif(GOOD)


@pytest.mark.parametrize(
    "value", ["-1", "1e9", "9" * 5000, "Fri, 99 Xxx 99999 99:99:99 -0000", ","]
)
def test_a_retry_after_that_makes_no_sense_is_left_alone(server, tmp_path, value):
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n"
    server.answers[BAD] = head.encode()
    row = download(server, tmp_path, max_retry_after=0.1)
    assert (row["outcome"], row["error"], row["attempts"]) == ("failed", "HTTP 503", 2)


@pytest.fixture
def certificate(tmp_path_factory, monkeypatch):
    """Key and certificate of 127.0.0.1, trusted by this process."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(
        [*made, "-keyout", path, "-out", path.with_name("c")], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + path.with_name("c").read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.mark.parametrize("case", ["headers", "continue", "a chunk size", "a body"])
def test_encryption_gives_a_trickle_no_more_time(tmp_path, certificate, case):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = RawServer(context)
    try:
        server.answers[BAD] = SLOW[case]
        began = time.monotonic()
        row = download(server, tmp_path, file_timeout=0.8)
        assert time.monotonic() - began < 3
        assert "time limit of 0.8 s" in row["error"]
    finally:
        server.close()


def test_a_handshake_that_trickles_ends_with_the_time_of_the_file(tmp_path):
    """The server sends a TLS record byte by byte, and never finishes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection:
                connection.recv(65536)
                connection.sendall(b"\x16\x03\x03\x40\x00\x02")
                while True:
                    connection.sendall(b"\x00")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        client = CODClient(
            f"https://127.0.0.1:{listener.getsockname()[1]}/cod/",
            delay=0,
            file_timeout=0.5,
            progress=False,
        )
        began = time.monotonic()
        report = client.download([BAD], tmp_path)
        assert time.monotonic() - began < 3
        assert report.counts == {"failed": 1}
        assert "time limit of 0.5 s" in report.table.loc[0, "error"]


def test_many_addresses_of_a_server_share_the_time_of_the_file(tmp_path, monkeypatch):
    """A full queue of connections leaves each further one without an answer."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        contextlib.ExitStack() as queue,
    ):
        place = listener.getsockname()
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: look_up(*a, **k) * 20)
        client = CODClient(f"http://127.0.0.1:{place[1]}/", delay=0, file_timeout=1, progress=False)
        began = time.monotonic()
        report = client.download([BAD], tmp_path)
        assert time.monotonic() - began < 4
        assert "time limit of 1 s" in report.table.loc[0, "error"]


def test_the_answer_of_a_proxy_that_trickles_ends_with_the_time_of_the_file(
    server, tmp_path, monkeypatch
):
    server.answer = slowly(OK, b"X: y\r\n")
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    client = CODClient("https://cod.invalid/", delay=0, file_timeout=0.5, progress=False)
    began = time.monotonic()
    report = client.download([BAD], tmp_path)
    assert time.monotonic() - began < 3
    assert server.requests == ["cod.invalid:443"]
    assert "time limit of 0.5 s" in report.table.loc[0, "error"]


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1", "http://me:secret@[::1"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DownloadError, match="the proxy in http_proxy") as caught:
        CODClient("http://cod.invalid/", progress=False).download([BAD], tmp_path)
    assert "secret" not in str(caught.value)


def test_a_thousand_gzip_streams_in_one_body_are_refused():
    with pytest.raises(BodyError, match="more than 16 gzip streams"):
        gunzip(gzip.compress(b"x") * 1000, max_size=10**6)


@given(st.binary(max_size=2000), st.integers(0, 10_000))
def test_gunzip_gives_everything_or_raises(body, cut):
    packed = gzip.compress(body, mtime=0)
    assert gunzip(packed, max_size=2000) == body
    with pytest.raises(BodyError):
        gunzip(packed[: cut % len(packed)], max_size=2000)
    if len(body) > 1:
        with pytest.raises(BodyTooLargeError):
            gunzip(packed, max_size=len(body) - 1)


def test_gunzip_notices_a_changed_byte_and_what_is_no_gzip():
    packed = bytearray(gzip.compress(BODY, mtime=0))
    packed[-6] ^= 1
    for wrong in (bytes(packed), BODY):
        with pytest.raises(BodyError, match="damaged gzip"):
            gunzip(wrong, max_size=10**6)


def test_retry_after_reads_seconds_and_dates():
    assert retry_after_seconds("7", cap=60) == 7.0
    assert retry_after_seconds("7000", cap=60) == 60.0
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert retry_after_seconds(date, cap=60, now=1445412480.0 - 12) == 12.0
    assert retry_after_seconds(date, cap=60, now=1445412480.0 + 12) == 0.0
    for nonsense in (None, "", "soon", "-3", "٣"):
        assert retry_after_seconds(nonsense, cap=60) is None


def test_backoff_has_full_jitter_and_a_cap_and_its_own_generator():
    random.seed(3)
    before = random.getstate()
    waits = [
        backoff_seconds(k, base=1.0, cap=8.0, rng=random.Random(seed))  # noqa: S311
        for k in range(1, 10)
        for seed in range(50)
    ]
    assert 0 <= min(waits) < 0.1
    assert max(waits[:50]) <= 1.0
    assert 7.0 < max(waits) <= 8.0
    assert random.getstate() == before


def test_a_server_that_asks_for_rest_is_left_alone_by_those_in_line_too():
    pacer, stop = Pacer(0.05), threading.Event()
    pacer.wait(stop)
    starts = []

    def ask():
        pacer.wait(stop)
        starts.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    held = time.monotonic()
    pacer.hold(0.3)
    for thread in threads:
        thread.join()
    assert min(starts) - held >= 0.29

"""A COD on this machine that can be made to misbehave, entry by entry, and rows of its table."""

import contextlib
import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd

from crystalml.io._cod._metadata import COD_COLUMNS

CIF = """#------------------------------------------------------------------------------
#$URL: loopback $
# A CIF of entry {id}
data_{id}
_cod_database_code {id}
_cell_length_a 5.64{tail}
_cell_length_b 5.64{tail}
_cell_length_c 5.64{tail}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_chemical_formula_sum 'Cl Na'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 0 0 0
Cl1 0.5 0.5 0.5
"""


def cif(cod_id):
    """Body that the server holds for an entry."""
    return CIF.format(id=cod_id, tail=cod_id % 1000).encode()


HALITE = {
    "file": "1000041",
    "a": "5.6402",
    "siga": "0.0002",
    "b": "5.6402",
    "c": "5.6402",
    "alpha": "90",
    "beta": "90",
    "gamma": "90",
    "vol": "179.43",
    "nel": "2",
    "sg": "F m -3 m",
    "sgHall": "-F 4 2 3",
    "sgNumber": "225",
    "formula": "- Cl Na -",
    "Z": "4",
    "year": "1962",
    "journal": "Acta",
    "volume": "17",
    "method": "single crystal",
    "flags": "has coordinates",
    "celltemp": "293",
    "mineral": "Halite",
    "doi": "10.1/x",
}
NITRIDE = HALITE | {
    "file": "4000001",
    "formula": "NaN",
    "mineral": "",
    "celltemp": "",
    "diffrtemp": "100",
    "flags": "has coordinates,has disorder",
    "title": 'Cells, "quoted"\nand long',
}


def frame(*rows):
    """A selection with all of COD's columns, as text."""
    table = pd.DataFrame([{name: row.get(name, "") for name in COD_COLUMNS} for row in rows])
    return table.astype(object)


def as_csv(*rows):
    return frame(*rows).to_csv(index=False).encode()


class Server:
    """Loopback server; `faults` maps an id to (fault name, how many requests it lasts)."""

    def __init__(self):
        self.faults = {}
        self.requests = []
        self.agents = set()
        self.answers = {}
        self.retry_after = "0"
        self.gzip = False
        self._lock = threading.Lock()
        self._count = {}
        handler = type("Handler", (_Handler,), {"world": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/cod/"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def fault(self, cod_id):
        """Fault of this request, if it has one."""
        with self._lock:
            seen = self._count[cod_id] = self._count.get(cod_id, 0) + 1
        name, lasts = self.faults.get(cod_id, (None, 0))
        return name if seen <= lasts else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world = None

    def log_message(self, *args):
        """Stay silent."""

    def handle(self):
        """Serve a connection until the client, possibly killed, is gone."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def do_GET(self):
        world = self.world
        world.requests.append(self.path)
        world.agents.add(self.headers["User-Agent"])
        self.answer(world)

    def answer(self, world):
        path, _, query = self.path.partition("?")
        if path == "/cod/result":
            status, body = world.answers.get(query, world.answers.get("*", (200, b"")))
            return self.send(status, body)
        name = path.removeprefix("/cod/").removeprefix("elsewhere/").removesuffix(".cif")
        if not name.isdigit():
            return self.send(404, b"no")
        cod_id = int(name)
        fault = None if "elsewhere" in path else world.fault(cod_id)
        body = cif(cod_id)
        if fault is not None:
            return getattr(self, f"fault_{fault}")(cod_id, body)
        if world.gzip:
            return self.send(200, gzip.compress(body), {"Content-Encoding": "gzip"})
        return self.send(200, body)

    def send(self, status, body, headers=()):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        if "Content-Length" not in dict(headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True

    def fault_500(self, cod_id, body):
        self.send(500, b"internal error")

    def fault_503(self, cod_id, body):
        self.send(503, b"busy", {"Retry-After": self.world.retry_after})

    def fault_404(self, cod_id, body):
        self.send(404, b"not found")

    def fault_403(self, cod_id, body):
        self.send(403, b"forbidden")

    def fault_html(self, cod_id, body):
        self.send(200, b"<!DOCTYPE html><html><body>Maintenance</body></html>")

    def fault_empty(self, cod_id, body):
        self.send(200, b"")

    def fault_wrong_id(self, cod_id, body):
        self.send(200, cif(9999999))

    def fault_truncated(self, cod_id, body):
        self.send(200, body[: len(body) // 2], {"Content-Length": str(len(body))})
        self.hang_up()

    def fault_truncated_honestly(self, cod_id, body):
        """A cut body with a Content-Length that fits: a broken cache on the way."""
        self.send(200, body[:-9])

    def fault_truncated_chunks(self, cod_id, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{len(body):x}\r\n".encode() + body[:200])
        self.hang_up()

    def fault_truncated_gzip(self, cod_id, body):
        self.send(200, gzip.compress(body)[:-10], {"Content-Encoding": "gzip"})

    def fault_reset(self, cod_id, body):
        self.hang_up()

    def fault_redirect(self, cod_id, body):
        self.send(302, b"", {"Location": f"/cod/elsewhere/{cod_id}.cif"})

    def fault_redirect_loop(self, cod_id, body):
        self.send(302, b"", {"Location": f"/cod/{cod_id}.cif"})

    def fault_stalled(self, cod_id, body):
        self.send(200, body[:100], {"Content-Length": str(len(body))})
        time.sleep(0.6)
        self.hang_up()

    def fault_slow(self, cod_id, body):
        """Every piece comes before the read timeout, the whole never does in time."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for k in range(0, len(body), 10):
            self.wfile.write(body[k : k + 10])
            time.sleep(0.05)

    def fault_huge(self, cod_id, body):
        self.send(200, body + b"# padding\n" * 200_000)

    def fault_bomb(self, cod_id, body):
        packed = gzip.compress(body + b"\n" * 50_000_000)
        self.send(200, packed, {"Content-Encoding": "gzip"})

"""The client of the Crystallography Open Database."""

import random
import threading
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit

import pandas as pd

from crystalml._progress import progress_bar
from crystalml._typing import PathLike, Progress
from crystalml.exceptions import CrystalmlWarning, DownloadError, InvalidInputError
from crystalml.io._cod._download import DownloadSession
from crystalml.io._cod._ids import check_cod_ids, split_cod_ids
from crystalml.io._cod._metadata import map_cod_columns
from crystalml.io._cod._search import keep_matching, read_answer, search_queries
from crystalml.io._cod._store import CODDownloadReport
from crystalml.io._cod._transport import USER_AGENT, Pacer, TransferRules, Transport

# A number, or the lowest and the highest; None is no bound.
_Range: TypeAlias = float | tuple[float | None, float | None] | None

COD_URL = "https://www.crystallography.net/cod/"
# The paths below it are those of `cod_relative_path`, so that one list serves mirror and folder.
COD_RSYNC_URL = "rsync://www.crystallography.net/cif/"


class CODClient:
    """Search the Crystallography Open Database (COD), and download CIFs politely and safely.

    Requests are few at a time and spaced, transient faults are retried with capped exponential
    backoff and full jitter, ``Retry-After`` is honoured, and nothing is kept that is not the
    complete CIF of the entry asked for. Files lie as in a COD mirror (``N/NN/NN/NNNNNNN.cif``)
    beside ``manifest.jsonl``, so that the same call resumes after any interruption.

    Parameters
    ----------
    base_url : str, default="https://www.crystallography.net/cod/"
        The COD or a mirror of it.
    n_workers : int, default=2
        Requests under way at a time.
    delay : float, default=0.5
        Seconds between the starts of two requests, over all workers.
    max_attempts : int, default=5
        Requests for one entry before it is given up.
    backoff, max_backoff : float, default=1.0, 60.0
        Before attempt k + 1, wait a random time up to ``min(max_backoff, backoff * 2**(k-1))`` s.
    max_retry_after : float, default=300.0
        Longest wait in seconds that a server's ``Retry-After`` may impose.
    connect_timeout, read_timeout : float, default=10.0, 30.0
        Seconds to wait for a connection (with each address of the server), and for the next
        bytes.
    file_timeout : float, default=600.0
        Seconds for one entry, its redirects and retries included, however slowly headers or
        body trickle in. (Only the look-up of the server's name takes the system's time.)
    max_file_size : int, default=268435456
        Bytes, after decompression; larger files are reported, not stored.
    syntax_check : bool, default=True
        Parse every file before it is kept. False checks only its start and its id, for entries
        that gemmi cannot parse.
    stop_after_failures : int or None, default=50
        Entries that fail in a row before the rest is skipped: the server is down.
    offline : bool, default=False
        Never open a socket: ``download`` verifies what is there, ``search`` raises.
    rsync_url : str or None, default="auto"
        Where rsync finds the tree of files; ``"auto"`` means the COD's own for its own
        `base_url`, and none for any other.
    user_agent : str, default=None
        Sent with every request; the default names this library and its version. Adding a
        contact address is good manners for large jobs.
    random_state : int or None, default=None
        Seed of the backoff jitter, the only random thing here.
    progress : bool or "auto", default="auto"
        Whether to show progress bars; ``"auto"`` shows them on a terminal and in
        Jupyter. In a log, True writes a few plain lines.

    Raises
    ------
    InvalidInputError
        If a parameter is outside its range.

    References
    ----------
    Grazulis et al. (2012), Nucleic Acids Research 40, D420-D427;
    https://wiki.crystallography.net/RESTful_API/.

    Examples
    --------
    >>> from crystalml.io import CODClient
    >>> client = CODClient(delay=1.0, offline=True)
    >>> client.url(1000041)
    'https://www.crystallography.net/cod/1000041.cif'
    >>> client.download(["../../etc/passwd"], "unused")
    Traceback (most recent call last):
    ...
    crystalml.exceptions.InvalidInputError: CODClient.download: ids has 1 value that is no COD
    id (first: position 0, '../../etc/passwd'). A COD id has seven digits, 1000000 to 9999999;
    nothing was requested.
    """

    def __init__(
        self,
        base_url: str = COD_URL,
        *,
        n_workers: int = 2,
        delay: float = 0.5,
        max_attempts: int = 5,
        backoff: float = 1.0,
        max_backoff: float = 60.0,
        max_retry_after: float = 300.0,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        file_timeout: float = 600.0,
        max_file_size: int = 256 * 2**20,
        syntax_check: bool = True,
        stop_after_failures: int | None = 50,
        offline: bool = False,
        rsync_url: str | None = "auto",
        user_agent: str | None = None,
        random_state: int | None = None,
        progress: Progress = "auto",
    ) -> None:
        # Checked here and not in `download`: a wrong limit must show before a long job starts.
        self.base_url = _check_url(base_url)
        self.n_workers = _check_number("n_workers", n_workers, Integral, 1, 32)
        self.stop_after_failures = (
            None
            if stop_after_failures is None
            else _check_number("stop_after_failures", stop_after_failures, Integral, 1)
        )
        self.rules = TransferRules(
            max_attempts=_check_number("max_attempts", max_attempts, Integral, 1, 100),
            backoff=_check_number("backoff", backoff, Real, 0),
            max_backoff=_check_number("max_backoff", max_backoff, Real, 0),
            max_retry_after=_check_number("max_retry_after", max_retry_after, Real, 0),
            connect_timeout=_check_number("connect_timeout", connect_timeout, Real, 0.001),
            read_timeout=_check_number("read_timeout", read_timeout, Real, 0.001),
            time_limit=_check_number("file_timeout", file_timeout, Real, 0.001),
            max_size=_check_number("max_file_size", max_file_size, Integral, 1),
        )
        self.delay = _check_number("delay", delay, Real, 0)
        self.syntax_check = syntax_check
        self.offline = offline
        # A mirror need not offer rsync, and asking the COD in its place would bypass the choice of
        # the user.
        own = self.base_url == COD_URL
        self.rsync_url = (COD_RSYNC_URL if own else None) if rsync_url == "auto" else rsync_url
        self.user_agent = _check_user_agent(user_agent or USER_AGENT)
        self.progress = progress
        # One for all calls of this client: searches and downloads together keep the delay.
        self._pacer = Pacer(self.delay)
        self._rng = random.Random(random_state)  # noqa: S311 - jitter is no secret

    def url(self, cod_id: int | str) -> str:
        """Address of the CIF of one entry.

        Parameters
        ----------
        cod_id : int or str
            A COD id of seven digits.

        Returns
        -------
        str
            The address below `base_url`.

        Raises
        ------
        InvalidInputError
            If it is no COD id.
        """
        (number,) = check_cod_ids(cod_id, caller="CODClient.url")
        return urljoin(self.base_url, f"{number}.cif")

    def search(
        self,
        *,
        formula: str | None = None,
        elements: Sequence[str] | None = None,
        without_elements: Sequence[str] | None = None,
        n_elements: _Range = None,
        spacegroup: str | int | None = None,
        a: _Range = None,
        b: _Range = None,
        c: _Range = None,
        alpha: _Range = None,
        beta: _Range = None,
        gamma: _Range = None,
        volume: _Range = None,
        formula_units: _Range = None,
        z_prime: _Range = None,
        text: str | None = None,
        journal: str | int | None = None,
        year: str | int | None = None,
        doi: str | int | None = None,
        ids: Iterable[int | str] | None = None,
        response_format: Literal["csv", "json"] = "csv",
    ) -> pd.DataFrame:
        """Search the metadata; all terms must hold.

        A range is ``(lowest, highest)`` with None for no bound, or one number; it is applied
        again to the answer, so that no row outside it comes back.

        Parameters
        ----------
        formula : str, default=None
            Sum formula in any order, such as ``"Fe2O3"``.
        elements, without_elements : sequence of str, default=None
            Elements that must (at most 8), or must not (at most 4), occur.
        n_elements : int or tuple, default=None
            Number of different elements.
        spacegroup : str or int, default=None
            A Hermann-Mauguin symbol as the COD writes it, or an International Tables number,
            which stands for every setting (one request each).
        a, b, c : float or tuple, default=None
            Cell lengths in Å.
        alpha, beta, gamma : float or tuple, default=None
            Cell angles in degrees.
        volume : float or tuple, default=None
            Cell volume in Å^3.
        formula_units, z_prime : float or tuple, default=None
            Z and Z'.
        text : str, default=None
            Word in names, mineral or bibliography.
        journal, year, doi : str or int, default=None
            Bibliography.
        ids : sequence of int or str, default=None
            COD ids.
        response_format : {"csv", "json"}, default="csv"
            What the server is asked for.

        Returns
        -------
        DataFrame
            One row per entry: the column schema, then COD's further columns under spelled-out
            names, nothing dropped. ``clean_cod_metadata`` has the quality filters.

        Raises
        ------
        DownloadError
            If the server cannot be reached or sends no table, or the client is offline.
        InvalidInputError
            If a term cannot be used.
        """
        cell = {"a": a, "b": b, "c": c, "alpha": alpha, "beta": beta, "gamma": gamma}
        contents = {"formula": formula, "elements": elements, "without_elements": without_elements}
        numbers = {"volume": volume, "formula_units": formula_units, "z_prime": z_prime}
        words = {"text": text, "journal": journal, "year": year, "doi": doi}
        others = {"n_elements": n_elements, "spacegroup": spacegroup, "ids": ids}
        terms = cell | contents | numbers | words | others
        raw = self._search_raw(terms, form=response_format)
        if not raw:
            # An answer without entries still gets every column of the schema.
            raw = [pd.DataFrame({"file": pd.Series(dtype=object)})]
        table, unreadable = map_cod_columns(pd.concat(raw, ignore_index=True), source=self.base_url)
        if unreadable:
            message = (
                "CODClient.search: the answer has values that do not belong into their columns, "
                f"missing in the table: {unreadable} (column: values)."
            )
            warnings.warn(message, CrystalmlWarning, stacklevel=2)
        # The requests of one search may bring an entry twice; rows without an id repeat nothing.
        repeated = table["cod_id"].duplicated() & table["cod_id"].notna()
        table = table[~repeated].reset_index(drop=True)
        return keep_matching(table, terms, caller="CODClient.search")

    def download(
        self,
        ids: Iterable[int | str] | pd.DataFrame,
        dest: PathLike,
        *,
        method: Literal["auto", "http", "rsync"] = "auto",
        verify: Literal["checksum", "size"] = "checksum",
        retry: Literal["failed", "all", "none"] = "failed",
        on_invalid: Literal["raise", "report"] = "raise",
    ) -> CODDownloadReport:
        """Download the CIFs of entries, resuming whatever is there already.

        Parameters
        ----------
        ids : sequence of int or str, or DataFrame
            COD ids, or a table with the column ``cod_id``; repetitions count once.
        dest : path
            Folder of the files and the manifest; made if need be.
        method : {"auto", "http", "rsync"}, default="auto"
            ``"auto"`` takes rsync for more than 5,000 missing files where it is installed and
            `rsync_url` is known, as the COD asks; http otherwise.
        verify : {"checksum", "size"}, default="checksum"
            How files that the manifest knows are checked before they count as done.
        retry : {"failed", "all", "none"}, default="failed"
            What to request again of an earlier run: entries that failed for reasons of the
            network; also those the server did answer, uselessly (missing, invalid,
            too large); or nothing.
        on_invalid : {"raise", "report"}, default="raise"
            Whether something that is no COD id raises before anything is done, or is left out
            and listed in the report's ``refused``. It never reaches a path or an address.

        Returns
        -------
        CODDownloadReport
            Outcome of every entry, in ``.table``, ``.counts`` and ``.paths``.

        Raises
        ------
        InvalidInputError
            If an id or a parameter cannot be used.
        DownloadError
            If the folder cannot be written, or another download is writing to it.
        KeyboardInterrupt
            After an interrupt; finished files are recorded, unfinished ones are gone.
        """
        # All is checked before the folder is made and before a socket is opened.
        _check_choice("method", method, ("auto", "http", "rsync"))
        _check_choice("verify", verify, ("checksum", "size"))
        _check_choice("retry", retry, ("failed", "all", "none"))
        _check_choice("on_invalid", on_invalid, ("raise", "report"))
        if on_invalid == "raise":
            known, refused = check_cod_ids(ids, caller="CODClient.download"), []
        else:
            known, refused = split_cod_ids(ids)
        session = DownloadSession(self, Path(dest), verify=verify, retry=retry)
        return session.run(known, refused, method=method)

    def open_transport(self, caller: str) -> Transport:
        """Open a connection pool with the manners of this client."""
        return Transport(
            self.base_url,
            rules=self.rules,
            pacer=self._pacer,
            rng=self._rng,
            user_agent=self.user_agent,
            n_workers=self.n_workers,
            caller=caller,
        )

    def _search_raw(self, terms, *, form):
        """Return the raw tables of all requests of a search."""
        _check_choice("response_format", form, ("csv", "json"))
        queries = search_queries(terms, caller="CODClient.search")
        if self.offline:
            raise DownloadError("CODClient.search: the client is offline; search needs the server.")
        # A search runs in the thread of its caller, which an interrupt ends by itself: nobody sets
        # `never`.
        transport, never, tables = self.open_transport("CODClient"), threading.Event(), []

        # Read within the transfer, so that a table that breaks off is asked for again.
        def problem(body):
            try:
                tables.append(read_answer(body, form=form))
            except ValueError as error:
                return str(error)
            return None

        try:
            for query in progress_bar(queries, enabled=self.progress, description="COD search"):
                url = urljoin(self.base_url, "result") + "?" + urlencode({**query, "format": form})
                reply = transport.fetch(url, problem, stop=never)
                # Some of the tables would look like all of them: one failed request fails the
                # search.
                if reply.body is None:
                    raise DownloadError(
                        f"CODClient.search: no answer from {self.base_url} after "
                        f"{reply.attempts} attempts ({reply.error}). Try again later."
                    )
        finally:
            transport.close()
        return [table for table in tables if table is not None]


def _check_number(name, value, kind, low, high=float("inf")):
    """Return the number, or raise one sentence."""
    # In Python, True is an integer.
    good = isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high
    if not good:
        what = "an integer" if kind is Integral else "a number"
        bounds = f">= {low}" if high == float("inf") else f"from {low} to {high}"
        raise InvalidInputError(f"CODClient: {name} is {value!r}; give {what} {bounds}.")
    return value


def _check_choice(name, value, allowed):
    """Raise one sentence unless `value` is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        options = ", ".join(map(repr, allowed))
        raise InvalidInputError(f"CODClient: {name} is {value!r}; choose one of {options}.")


def _check_url(url):
    """Return the address with a slash at its end."""
    try:
        # urlsplit raises by itself over the brackets of a malformed IPv6 address.
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise InvalidInputError(
            f"CODClient: base_url is {url!r}; give an http or https address, such as {COD_URL!r}."
        )
    # Without the slash, urljoin would replace the last part of the path.
    return url if url.endswith("/") else url + "/"


def _check_user_agent(text):
    """Return the text if it can stand in a header."""
    # A line break would let the text add headers of its own.
    if not isinstance(text, str) or not (text.isascii() and text.isprintable()):
        raise InvalidInputError(
            f"CODClient: user_agent is {text!r}; give a line of printable ASCII characters."
        )
    return text

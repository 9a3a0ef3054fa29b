"""Entries of the Crystallography Open Database: metadata first, then only the chosen CIFs."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from crystalml._typing import PathLike
from crystalml.exceptions import InvalidInputError
from crystalml.io import CODClient, clean_cod_metadata

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fetch_cod"]

_DESCR = """Entries of the Crystallography Open Database (COD)

Chosen by {chosen}; {n_entries} entries, {n_files} files in {folder}.
The COD is placed in the public domain by its contributors. Cite: S. Grazulis et al. (2012),
Nucleic Acids Research 40, D420-D427, and the publications of the entries.
"""


def fetch_cod(
    metadata: "pd.DataFrame | PathLike | bytes | None" = None,
    *,
    ids: Iterable[int | str] | None = None,
    data_home: PathLike | None = None,
    client: CODClient | None = None,
    clean: Mapping[str, Any] | None = None,
    max_entries: int | None = None,
    method: Literal["auto", "http", "rsync"] = "auto",
    refresh: bool = False,
    **search: Any,
) -> Bunch:
    """Fetch CIFs from the COD: choose by metadata, filter by quality, download what is left.

    Metadata and files are cached below `data_home`; a second call with the same arguments makes
    no request, and an interrupted call is resumed by repeating it.

    Parameters
    ----------
    metadata : DataFrame, path or bytes, default=None
        A COD selection with its own columns, such as a CSV saved from its web site.
    ids : sequence of int or str, default=None
        COD ids, taken as they are: no metadata, no filters.
    data_home : path, default=None
        Cache folder; the default is that of scikit-learn's data sets. Files lie in its
        subfolder ``cod``, as in a COD mirror.
    client : CODClient, default=None
        Client with another delay or mirror, or without network; the default is ``CODClient()``.
    clean : dict, default=None
        Parameters of ``clean_cod_metadata``: quality filters and column thresholds.
    max_entries : int, default=None
        Take the first rows only.
    method : {"auto", "http", "rsync"}, default="auto"
        As in ``CODClient.download``.
    refresh : bool, default=False
        Search again instead of using cached metadata.
    **search
        Terms of ``CODClient.search``, such as ``elements=["Fe", "O"], n_elements=2``. Exactly
        one of `metadata`, `ids` and search terms is given.

    Returns
    -------
    sklearn.utils.Bunch
        table : DataFrame
            One row per chosen entry: the cleaned metadata, then ``path`` of the CIF (None where
            there is none) and ``outcome`` of its download.
        paths : list of str
            The files, as ``read_cifs`` takes them.
        report : CODDownloadReport
            Outcome of every download.
        cleaned : CleanedMetadata or None
            What the filters and thresholds removed; None with `ids`.
        folder : str
            Folder of the files.
        DESCR : str
            Description, licence and citation.

    Raises
    ------
    InvalidInputError
        If not exactly one way to choose is given, or a term cannot be used.
    DownloadError
        If a search is needed and the server cannot be reached, or the client is offline.

    Examples
    --------
    >>> from crystalml.datasets import fetch_cod
    >>> from crystalml.io import CODClient
    >>> import tempfile
    >>> offline = CODClient(offline=True, progress=False)
    >>> bunch = fetch_cod(ids=[1000041], client=offline, data_home=tempfile.mkdtemp())
    >>> bunch.report.counts
    {'offline': 1}
    """
    # A term of None is one that was not given, also for the name of the cached answer.
    search = {name: value for name, value in search.items() if value is not None}
    _check_choice_of_entries(metadata, ids, search, max_entries)
    client = CODClient() if client is None else client
    folder = Path(get_data_home(data_home)) / "cod"
    cleaned = None
    if ids is None:
        if metadata is None:
            metadata = _cached_search(client, search, folder, refresh=refresh)
        cleaned = clean_cod_metadata(metadata, **(clean or {}))
        table = cleaned.table[cleaned.table["cod_id"].notna()]
        ids = table["cod_id"].tolist()
    # After the filters, so that `max_entries` are entries that passed them.
    ids = list(ids)[:max_entries]
    report = client.download(ids, folder, method=method)
    outcomes = report.table[["cod_id", "path", "outcome"]]
    if cleaned is None:
        table = outcomes
    else:
        chosen = table.iloc[: len(ids)].drop_duplicates("cod_id")
        table = chosen.merge(outcomes.astype({"cod_id": "Int64"}), on="cod_id", how="left")
    return Bunch(
        table=table,
        paths=report.paths,
        report=report,
        cleaned=cleaned,
        folder=str(folder),
        DESCR=_DESCR.format(
            chosen=f"the search {search}" if search else "given ids or metadata",
            n_entries=len(table),
            n_files=len(report.paths),
            folder=folder,
        ),
    )


def _check_choice_of_entries(metadata, ids, search, max_entries):
    """Raise unless there is exactly one way to choose entries."""
    given = [n for n, v in (("metadata", metadata), ("ids", ids)) if v is not None]
    given += ["search terms"] if search else []
    if len(given) != 1:
        what = " and ".join(given) or "nothing"
        raise InvalidInputError(
            f"fetch_cod: {what} given; choose entries by exactly one of metadata, ids and "
            "search terms (such as elements=['Fe', 'O'])."
        )
    if max_entries is not None and (not isinstance(max_entries, int) or max_entries < 1):
        raise InvalidInputError(
            f"fetch_cod: max_entries is {max_entries!r}; give an integer >= 1, or None for all."
        )


def _cached_search(client, search, folder, *, refresh):
    """Return the search result as saved by an earlier call, or ask and save it."""
    # With the address, since a mirror may give another answer; sorted, since the order of terms
    # does not matter.
    key = json.dumps([client.base_url, search], sort_keys=True, default=_plain_term)
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = folder / "searches" / f"{name}.csv"
    if path.exists() and not refresh:
        return path
    table = client.search(**search)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Aside first: half a table, left by an interrupted call, would pass for the answer ever after.
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        table.to_csv(unfinished, index=False)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return table


def _plain_term(value):
    """Return a search term of NumPy, or any collection, as JSON can write it."""
    if isinstance(value, set | frozenset):
        # In any other order, the next process would find no cached answer.
        return sorted(value)
    return value.tolist() if hasattr(value, "tolist") else list(value)

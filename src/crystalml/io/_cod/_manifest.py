"""The manifest of a download folder: one line of JSON per outcome, only ever appended."""

import time

from crystalml.exceptions import DownloadError
from crystalml.io._cod._ids import parse_cod_id
from crystalml.io._cod._report import OUTCOMES
from crystalml.io._manifest import AppendOnlyManifest, ManifestBusyError

MANIFEST_NAME = "manifest.jsonl"


class Manifest(AppendOnlyManifest):
    """Append outcomes to ``manifest.jsonl``, and find the last outcome of each entry."""

    def __init__(self, folder):
        super().__init__(folder / MANIFEST_NAME)

    def __enter__(self):
        try:
            return super().__enter__()
        except ManifestBusyError:
            raise DownloadError(
                f"CODClient: {str(self.path.parent)!r} is being written by another download. "
                "Wait for it, or choose another folder."
            ) from None

    def append(self, **fields):
        """Write one outcome, with the time."""
        super().append(**fields, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    def last_records(self):
        """Last readable record of each COD id."""
        return {record["cod_id"]: record for record in self.records() if _is_outcome(record)}


def _is_outcome(record):
    """Whether a record has the fields of an outcome; the file may come from elsewhere."""
    cod_id, outcome = record.get("cod_id"), record.get("outcome")
    status, error = record.get("http_status"), record.get("error")
    return (
        type(cod_id) is int
        and parse_cod_id(cod_id) is not None
        and isinstance(outcome, str)
        and outcome in OUTCOMES
        and (status is None or (type(status) is int and 0 <= status < 1000))
        and (error is None or isinstance(error, str))
    )

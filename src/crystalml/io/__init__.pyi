# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._check._table import CHECK_FLAGS as CHECK_FLAGS
from ._check._table import TableCheck as TableCheck
from ._check._table import check_table as check_table
from ._cod._client import CODClient as CODClient
from ._cod._metadata import CleanedMetadata as CleanedMetadata
from ._cod._metadata import clean_cod_metadata as clean_cod_metadata
from ._cod._store import CODDownloadReport as CODDownloadReport
from ._convert._from import from_ase as from_ase
from ._convert._from import from_pymatgen as from_pymatgen
from ._convert._to import to_ase as to_ase
from ._convert._to import to_pymatgen as to_pymatgen
from ._parquet._run_report import CIFRunReport as CIFRunReport
from ._parquet._write import cifs_to_parquet as cifs_to_parquet
from ._read_cifs import read_cif as read_cif
from ._read_cifs import read_cifs as read_cifs
from ._reader import CIFReader as CIFReader
from ._tags import FLAGS as FLAGS

# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.io._check._table import CHECK_FLAGS as CHECK_FLAGS
from crystalml.io._check._table import TableCheck as TableCheck
from crystalml.io._check._table import check_table as check_table
from crystalml.io._cod._client import CODClient as CODClient
from crystalml.io._cod._metadata import CleanedMetadata as CleanedMetadata
from crystalml.io._cod._metadata import clean_cod_metadata as clean_cod_metadata
from crystalml.io._cod._store import CODDownloadReport as CODDownloadReport
from crystalml.io._convert._from import from_ase as from_ase
from crystalml.io._convert._from import from_pymatgen as from_pymatgen
from crystalml.io._convert._to import to_ase as to_ase
from crystalml.io._convert._to import to_pymatgen as to_pymatgen
from crystalml.io._parquet._run_report import CIFRunReport as CIFRunReport
from crystalml.io._parquet._write import cifs_to_parquet as cifs_to_parquet
from crystalml.io._read_cifs import read_cif as read_cif
from crystalml.io._read_cifs import read_cifs as read_cifs
from crystalml.io._reader import CIFReader as CIFReader
from crystalml.io._tags import FLAGS as FLAGS

"""Read CIF files, however they are written, into one table; and fetch them from the COD."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_check._table": ["CHECK_FLAGS", "TableCheck", "check_table"],
        "_cod._client": ["CODClient"],
        "_cod._metadata": ["CleanedMetadata", "clean_cod_metadata"],
        "_cod._store": ["CODDownloadReport"],
        "_convert._to": ["to_ase", "to_pymatgen"],
        "_convert._from": ["from_ase", "from_pymatgen"],
        "_parquet._write": ["cifs_to_parquet"],
        "_reader": ["CIFReader"],
        "_parquet._run_report": ["CIFRunReport"],
        "_read_cifs": ["read_cif", "read_cifs"],
        "_tags": ["FLAGS"],
    },
)

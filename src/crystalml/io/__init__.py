"""Read CIF files, however they are written, into one table; and fetch them from the COD."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_check_flags": ["CHECK_FLAGS"],
        "_check_table": ["TableCheck", "check_table"],
        "_cif": ["read_cif"],
        "_cod": ["CODClient"],
        "_cod_metadata": ["CleanedMetadata", "clean_cod_metadata"],
        "_cod_report": ["CODDownloadReport"],
        "_convert": ["to_ase", "to_pymatgen"],
        "_convert_from": ["from_ase", "from_pymatgen"],
        "_parquet": ["cifs_to_parquet"],
        "_reader": ["CIFReader"],
        "_run_report": ["CIFRunReport"],
        "_table": ["read_cifs"],
        "_tags": ["FLAGS"],
    },
)

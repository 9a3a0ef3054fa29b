"""Elemental contributions to electronic transport, fitted to matminer's table of compounds."""

import tarfile
from importlib.resources import files

import numpy as np
import pandas as pd

from crystalml._dependencies import import_optional
from crystalml.crystallography import parse_formulas

# Rows further than this many standard deviations from the mean in any property are left out.
_OUTLIER = 3.0
_MASSES = ("m_p", "m_n")


def transport_contributions(*, needed_by):
    """Return names and values, shape (118, n), of the fitted contribution of every element.

    The values are those of matminer's ``TransportData(method="pseudo_inverse")``: the least-
    squares solution of ``fractions @ contributions = properties`` over the compounds of
    F. Ricci et al., Scientific Data 4 (2017) 170085; effective masses, which span many orders
    of magnitude, are fitted by their inverse. Elements in none of the compounds have NaN.
    matminer itself goes through all pairs of element and compound, and unpacks files.
    """
    table = _read_compounds(needed_by)
    properties = table.drop(columns=["mp_id", "pretty_formula"])
    scores = (properties - properties.mean()) / properties.std(ddof=0)
    kept = (scores.abs() < _OUTLIER).all(axis=1).to_numpy()
    properties = properties[kept]
    masses = [properties.columns.get_loc(name) for name in _MASSES]
    values = properties.to_numpy(copy=True)
    values[:, masses] = 1.0 / values[:, masses]

    fractions = parse_formulas(table.loc[kept, "pretty_formula"]).fractions().toarray()
    present = fractions.any(axis=0)
    contributions = np.full((fractions.shape[1], values.shape[1]), np.nan)
    # Elements in no compound would get a contribution of 0, which says that they are known.
    contributions[present] = np.linalg.pinv(fractions[:, present]) @ values
    contributions[:, masses] = 1.0 / contributions[:, masses]
    return tuple(properties.columns), contributions


def _read_compounds(needed_by):
    """Read the table out of matminer's archive, without unpacking it to the disk."""
    import_optional("matminer", needed_by=needed_by)
    archive = files("matminer.utils.data_files") / "mp_transport" / "transport_database.tar.xz"
    with archive.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:xz") as tar:
        member = tar.extractfile("transport_database.csv")
        return pd.read_csv(member, keep_default_na=False, na_values=[""])

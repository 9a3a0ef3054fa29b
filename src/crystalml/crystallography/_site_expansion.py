"""From the atoms of the asymmetric unit to those of the whole cell, and to its sites."""

import numpy as np

from crystalml.exceptions import CIFError

# Å; rounded thirds in a large cell are off by some hundredths. Images of a partly occupied atom
# may be true alternatives as close as 0.1 Å.
SITE_TOLERANCE, SPLIT_TOLERANCE = 0.1, 0.03
FULL_OCCUPANCY = 0.999
_PAIRS_AT_ONCE = 50_000
OCCUPANCY_TOLERANCE = 0.05  # by how much rounded occupancies of one place may exceed 1


def expand_sites(fractions, occupancies, operations, vectors):
    """Apply symmetry operations to atoms; images that coincide count once.

    Parameters
    ----------
    fractions : array of shape (n, 3)
        Fractional coordinates of the atoms of the asymmetric unit.
    occupancies : array of shape (n,)
        Images of a fully occupied atom within 0.1 Å are one on a special position, those of a
        partly occupied one within 0.03 Å.
    operations : sequence of gemmi.Op
        All operations, centring included.
    vectors : array of shape (3, 3)
        Cell vectors in rows, in Å.

    Returns
    -------
    fractions : ndarray of shape (m, 3)
        In [0, 1).
    atoms : ndarray of shape (m,)
        Which of the n atoms each is an image of; ascending.
    """
    scale = operations[0].DEN
    rotations = np.array([operation.rot for operation in operations], dtype=float) / scale
    translations = np.array([operation.tran for operation in operations], dtype=float) / scale
    full = np.asarray(occupancies) >= FULL_OCCUPANCY
    tolerances = np.where(full, SITE_TOLERANCE, SPLIT_TOLERANCE)
    expanded, atoms = [], []
    # All pairs of images of some atoms at once: their number bounds the memory.
    size = max(_PAIRS_AT_ONCE // len(operations) ** 2, 1)
    for start in range(0, len(fractions), size):
        part = slice(start, start + size)
        images = np.einsum("oij,nj->noi", rotations, fractions[part]) + translations
        images -= np.floor(images)
        between = images[:, :, None] - images[:, None]
        between -= np.round(between)
        squares = ((between @ vectors) ** 2).sum(axis=3)
        close = squares < tolerances[part, None, None] ** 2
        distinct = ~np.tril(close, -1).any(axis=2)
        expanded.append(images[distinct])
        atoms.append(start + np.nonzero(distinct)[0])
    return np.concatenate(expanded) % 1.0, np.concatenate(atoms)


def merge_sites(fractions, atoms, elements, occupancies, vectors):
    """Bring different atoms of a file that share a place together into one site.

    Parameters
    ----------
    fractions : array of shape (m, 3)
        Fractional coordinates of all atoms of the cell, in [0, 1).
    atoms : array of shape (m,)
        Which of the n listed atoms each is an image of. Images of the same atom stay apart:
        `expand_sites` has decided on them.
    elements : sequence of n str
        Symbols of the listed atoms.
    occupancies : array of shape (n,)
        Of the listed atoms. An atom that is listed several times may count once: where the
        sum is more than 1.05, each element counts with the largest of its occupancies.
    vectors : array of shape (3, 3)
        Cell vectors in rows, in Å.

    Returns
    -------
    sites : ndarray of shape (k,)
        For each site the first of its atoms among the m; ascending.
    species : list of k dict
        Element -> occupancy, at most 1 in all.

    Raises
    ------
    CIFError
        If the occupancies of different elements at one place add up to more than 1.05.
    """
    owner = np.arange(len(atoms))
    for first, second in _coinciding(fractions, vectors):
        if atoms[first] != atoms[second]:
            owner[second] = min(owner[first], owner[second])
    found = {site: {} for site in np.flatnonzero(owner == np.arange(len(owner))).tolist()}
    for site, atom in zip(owner.tolist(), atoms, strict=True):
        found[site].setdefault(elements[atom], []).append(float(occupancies[atom]))
    return np.array(list(found), dtype=int), [_total(here) for here in found.values()]


def _coinciding(fractions, vectors):
    """Pairs of atoms (i < j) that are closer than the tolerance, in ascending order."""
    from scipy.spatial import cKDTree  # here, as readers of CIFs start faster without it

    reach = SITE_TOLERANCE / np.linalg.svd(vectors, compute_uv=False).min()
    tree = cKDTree(fractions % 1.0, boxsize=1.0)
    pairs = tree.query_pairs(min(reach, 0.49), output_type="ndarray")
    between = fractions[pairs[:, 0]] - fractions[pairs[:, 1]]
    between -= np.round(between)
    close = ((between @ vectors) ** 2).sum(axis=1) < SITE_TOLERANCE**2
    return sorted(map(tuple, np.sort(pairs[close], axis=1).tolist()))


def _total(found):
    """Occupancies of one place."""
    summed = {element: sum(listed) for element, listed in found.items()}
    if sum(summed.values()) > 1.0 + OCCUPANCY_TOLERANCE:
        summed = {element: max(listed) for element, listed in found.items()}
    total = sum(summed.values())
    if total > 1.0 + OCCUPANCY_TOLERANCE:
        raise CIFError(
            f"the occupancies of {' and '.join(summed)} at one place add up to {round(total, 3)}"
        )
    return {element: occupancy / max(total, 1.0) for element, occupancy in summed.items()}

"""From the atoms of the asymmetric unit to those of the whole cell."""

import numpy as np

# Å; rounded thirds in a large cell are off by some hundredths. Images of a partly occupied atom
# may be true alternatives as close as 0.1 Å.
SITE_TOLERANCE, SPLIT_TOLERANCE = 0.1, 0.03
FULL_OCCUPANCY = 0.999


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
    expanded, atoms = [], []
    # Atom by atom: all pairs of images at once would need operations^2 times n of memory.
    for atom, (fraction, occupancy) in enumerate(zip(fractions, occupancies, strict=True)):
        images = rotations @ fraction + translations
        images -= np.floor(images)
        between = images[:, None] - images
        between -= np.round(between)
        tolerance = SITE_TOLERANCE if occupancy >= FULL_OCCUPANCY else SPLIT_TOLERANCE
        close = ((between @ vectors) ** 2).sum(axis=2) < tolerance**2
        distinct = images[~np.tril(close, -1).any(axis=1)]
        expanded.append(distinct)
        atoms.append(np.full(len(distinct), atom))
    return np.concatenate(expanded) % 1.0, np.concatenate(atoms)

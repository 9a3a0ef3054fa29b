"""The arithmetic of two stages: P(g | x) from P(b | x) and P(g | x, b)."""

import numpy as np


class LabelHierarchy:
    """Which label belongs to which lattice, and how frequent each is among the rows of `fit`.

    Parameters
    ----------
    lattice_codes : ndarray of int of shape (n_classes,)
        Lattice of each label; every code from 0 to the largest occurs.
    label_codes : ndarray of int of shape (n_samples,)
        Label of each row; every label occurs.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row in the frequencies.
    min_count : int
        Labels with fewer rows are rare: they are not learned and keep their frequency.
    """

    def __init__(self, lattice_codes, label_codes, sample_weight, min_count):
        self.lattice_codes = lattice_codes
        self._membership = np.eye(lattice_codes.max() + 1)[lattice_codes]
        counted = np.ones(len(label_codes)) if sample_weight is None else sample_weight
        weights = np.bincount(label_codes, weights=counted)
        self.is_rare = np.bincount(label_codes, weights=counted > 0) < min_count
        self.frequency = weights / weights.sum()
        self.lattice_frequency = self.per_lattice(self.frequency[None, :])[0]
        total = self.per_lattice(weights[None, :])[0, lattice_codes]
        # Labels of a lattice whose rows all have weight 0 are equally frequent.
        members = self.per_lattice(np.ones((1, len(weights))))[0, lattice_codes]
        self.frequency_in_lattice = 1.0 / members
        np.divide(weights, total, out=self.frequency_in_lattice, where=total > 0)

    def per_lattice(self, values):
        """Sum the columns (one per label) of each lattice."""
        return values @ self._membership

    def conditional(self, of_labels):
        """Turn P(g | x), zero for rare labels, into P(g | x, b) for the lattice b of each g.

        Dividing by the sum over each lattice is conditioning. Where that sum is zero, x says
        nothing about the labels of the lattice, and their frequencies stand.
        """
        total = self.per_lattice(of_labels)[:, self.lattice_codes]
        share = np.divide(of_labels, total, out=np.zeros_like(of_labels), where=total > 0)
        rare = np.where(self.is_rare, self.frequency_in_lattice, 0.0)
        learned = 1.0 - self.per_lattice(rare[None, :])[0, self.lattice_codes]
        return np.where((total > 0) & ~self.is_rare, learned * share, self.frequency_in_lattice)

    def joint(self, of_lattices, of_labels):
        """P(g | x) = P(b | x) P(g | x, b), where b is the lattice of g."""
        return of_lattices[:, self.lattice_codes] * self.conditional(of_labels)

    def marginal(self, of_labels):
        """Mix the P(g | x) of a model of the learned labels with the frequencies of the rare."""
        rare = np.where(self.is_rare, self.frequency, 0.0)
        return (1.0 - rare.sum()) * of_labels + rare


def most_probable(of_lattices):
    """All probability to the most probable lattice of each row."""
    return np.eye(of_lattices.shape[1])[of_lattices.argmax(axis=1)]

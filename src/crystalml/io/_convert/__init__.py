"""Atoms of CIFs as pymatgen structures and ASE atoms, and back to the table."""

"""How the cell of a crystal is predicted: known cells, volume, net, and the likely lattice."""

"""How the space-group classifier describes entries, finds their like and ranks the groups."""

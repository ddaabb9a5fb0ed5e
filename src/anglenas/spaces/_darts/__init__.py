"""DARTS: genotypes as values, their networks and supernets."""

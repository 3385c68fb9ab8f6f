"""Floor 5: what leaves the house as a file: packets, tables."""

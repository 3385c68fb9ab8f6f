"""Floor 1: numbers over columns; no I/O."""

"""Floor 1: bytes to columns. No I/O, nothing that raises on hostile bytes."""

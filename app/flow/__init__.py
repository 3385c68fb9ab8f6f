"""Floor 2: packets to flows. Works on columns and a clock that comes with them; no I/O."""

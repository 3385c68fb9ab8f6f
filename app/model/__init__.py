"""Floor 0: plain data that every other floor speaks. Standard library only, no I/O, nothing happens at import."""

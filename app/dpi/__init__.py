"""Floor 2: first bytes to facts. One protocol a file; sans-I/O: bytes and a clock in, facts out; bounded in memory and time on any input."""

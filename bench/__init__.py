"""Benchmarks: traffic made here, our program beside its rivals in one run, and what the live path loses."""

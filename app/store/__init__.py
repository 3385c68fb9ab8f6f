"""Floor 5: history – what was seen, kept on disk. DuckDB in a process of its own (`python -m app.store`), asked through `client`."""

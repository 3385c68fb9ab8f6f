"""Terminal mode: the same engine without a browser."""

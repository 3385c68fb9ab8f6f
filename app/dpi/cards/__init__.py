"""Payment card numbers in payload: found, weighed, and never given on whole."""

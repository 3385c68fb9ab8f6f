"""Detectors and what carries them: one detector a file, limits declared on top, an explicit registry, folding of repeats."""

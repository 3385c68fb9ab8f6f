"""Floor 5: the process that touches captured bytes, composed of the floors below."""

"""Models by name: found, fetched, checked, unpacked and kept. Nothing here loads or runs a model."""

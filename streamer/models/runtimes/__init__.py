"""What runs a loaded graph: arrays in, arrays out, and nothing else."""

"""Choosing what runs a model: every runtime that takes it is compared with TensorFlow's own signature and timed, once.

`choose` in choice.py does it; what came of it is kept as a Record, by which the next run opens the chosen network
without TensorFlow. Called by opening.py.
"""

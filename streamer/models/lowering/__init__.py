"""Lowering: from the graph that a model is saved as to the network in it, which other runtimes take and run faster.

What a detector's graph does besides its network - resizing the picture, decoding, suppression, sorting - is what
converters refuse and what costs the most time; streamer does it itself, on the few boxes above the threshold. What is
left out is found in the graph (flat, network, raw_heads) and identified by experiment (identifying): whatever the graph
does with a picture before its first convolution is compared, number by number, with what `Feeding` would make of it.
Nothing here decides what runs: that is choosing/, which measures and compares.
"""

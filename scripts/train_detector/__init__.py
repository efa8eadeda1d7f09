"""Train the detector of faces and people that streamer carries: data, network, loss, training, evaluation, export.

A development tool, not part of the package: PyTorch trains (faster on a CPU), Keras ships (see export.py).
Run the modules from the folder above: `python -m train_detector.train --help`.
"""

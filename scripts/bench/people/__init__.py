"""How good and how fast a detector of faces and people is, beside others: the figures of the model's card.

Not its training: that is train_detector, whose evaluate.py judges what detect.py writes. Needs what streamer needs.
"""

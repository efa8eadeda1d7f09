"""streamer: a TensorFlow detector on a video stream."""

__version__ = "0.1.0"

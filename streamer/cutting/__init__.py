"""A part of a file, cut out without encoding it again where that can be done: `streamer clip`."""

"""What works on this machine, and what is to be installed: `streamer doctor`."""

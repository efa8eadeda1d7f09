"""What those who look after a long run are told: a health file that `streamer status` reads, and systemd's messages.

Nothing here runs anything, and nothing here can end a run. Called by the command line.
"""

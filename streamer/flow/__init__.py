"""The pipeline's own parts: its threads, its books, and the hand-overs to sinks. Called by `pipeline` alone."""

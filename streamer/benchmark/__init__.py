"""What a run costs, stage by stage, beside the loop that how-tos have. `streamer bench` is its face."""

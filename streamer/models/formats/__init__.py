"""The forms in which models are kept: each module finds, opens and describes one."""

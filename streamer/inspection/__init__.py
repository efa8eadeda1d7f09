"""What a model takes and gives, what was decided of it and why: found out in inspect.py, then told in three ways."""

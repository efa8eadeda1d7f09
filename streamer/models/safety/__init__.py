"""What a model would do, looked at before anything of it runs. `checks` is the way in."""

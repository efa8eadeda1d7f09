"""What a recording is worth beside the clip that it was made of: each figure measured, each claim judged.

    python -m tests.e2e.conformance [NAME...] [--ending .mp4] [--json FILE] [--chromium]

`facts` reads a file, `judge` compares two, `running` makes one of the other, `browser` plays them, `table` shows it.
Nothing here uses what it judges: files are read by PyAV, ffprobe and ffmpeg, and colours are computed by hand.
"""

"""Reads a source to its end, and tells what came in JSON: python -m tests.nvdec_child URI HWACCEL, by nvdec.py."""

import hashlib
import json
import logging
import sys
from contextlib import closing

from streamer.errors import StreamerError
from streamer.sources import SourceOptions, open_source


def main(uri: str, hwaccel: str) -> None:
    """Read, and tell."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    decoder, images, times_s, error, exit_code = "", [], [], "", 0
    try:
        with closing(open_source(uri, SourceOptions(hwaccel=hwaccel, reconnect=False))) as source:
            for frame in source.frames():
                images.append(hashlib.sha256(frame.image.tobytes() + repr(frame.image.shape).encode()).hexdigest())
                times_s.append(frame.pts_s)
                decoder = decoder or source.info.decoder
    except StreamerError as problem:
        error, exit_code = str(problem), problem.exit_code
    told = {"decoder": decoder, "images": images, "times_s": times_s, "error": error, "exit_code": exit_code}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

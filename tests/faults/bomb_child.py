"""A process that reads one source after another and says what each came to and what memory it took.

python -m tests.faults.bomb_child MAX_PIXELS SOURCE...      (`-` is its own standard input)
"""

import sys

import streamer.sources.file
import streamer.sources.images
import streamer.sources.network
import streamer.sources.pipe
import streamer.sources.pyav_decoder  # noqa: F401 - imported before memory is counted, as the others
from streamer.errors import StreamerError
from streamer.sources import SourceOptions, open_source
from tests.faults.fuzz_child import memory_mb, reset_peak


def main(max_pixels: str, *sources: str) -> None:
    options = SourceOptions(max_pixels=int(max_pixels), reconnect=False)
    for uri in sources:
        reset_peak()
        before_mb = memory_mb("VmRSS")
        frames = 0
        try:
            source = open_source(uri, options)
            for _ in source.frames():
                frames += 1
            outcome = "read"
        except StreamerError as error:
            outcome = f"{error.exit_code} {error}"
        print(uri, frames, outcome, f"{memory_mb('VmHWM') - before_mb:.0f}", sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A few frames of a source, for the tests of streams."""

from itertools import islice

from streamer.frame import Frame
from streamer.interfaces import Source
from streamer.sources import SourceOptions

ONCE = SourceOptions(reconnect=False, open_timeout_s=1.0, read_timeout_s=1.0)
PATIENT = SourceOptions(reconnect=False, open_timeout_s=10.0, read_timeout_s=10.0)


def some(source: Source, count: int) -> list[Frame]:
    """The first `count` frames; it is closed then."""
    try:
        return list(islice(source.frames(), count))
    finally:
        source.close()

"""A few pictures of a source before it is watched, for a model that has to be understood by looking.

Not a Source: it opens the file by itself, beside the one that is read. Cameras and pipes cannot be read twice, and give
nothing. Called by the parts of a run and by streaming.py.
"""

import logging
import stat
from contextlib import closing
from itertools import islice
from pathlib import Path

from streamer.errors import SourceError
from streamer.frame import Image
from streamer.interfaces import SourceInfo
from streamer.sources import comes_by_itself, open_source
from streamer.sources.options import SourceOptions
from streamer.sources.probing import file_mode

logger = logging.getLogger(__name__)

MANY = 24
"""How many show in what range the numbers of a network lie."""

COUNT = 4
"""How many are looked at: what is sure with fewer is not less sure, and each costs some runs of the model."""


def glances(uri: str, *, count: int = COUNT) -> list[Image]:
    """At most `count` pictures, (H, W, 3) uint8 BGR: of a video spread over its length, of pictures the first.

    What cannot be read gives none, with a warning: whoever reads it next says why.
    """
    if comes_by_itself(uri) or uri.startswith("test:"):
        return []
    try:
        if Path(uri).exists() and stat.S_IFMT(file_mode(uri)) not in {stat.S_IFREG, stat.S_IFDIR}:
            return []
        with closing(open_source(uri)) as source:
            starts_s = _starts_s(source.info, count)
            if not starts_s:
                return [frame.image for frame in islice(source.frames(), count)]
        return [image for start_s in starts_s for image in _at(uri, start_s)]
    except SourceError as error:
        logger.warning("no look at the source before it is watched: %s", error)
        return []


def _starts_s(info: SourceInfo, count: int) -> list[float]:
    """Moments in the middle of equal parts of a video; none where its length is not known."""
    if info.kind != "video" or not info.duration_s:
        return []
    return [info.duration_s * (2 * n + 1) / (2 * count) for n in range(count)]


def _at(uri: str, start_s: float) -> list[Image]:
    with closing(open_source(uri, SourceOptions(start_s=start_s))) as source:
        return [frame.image for frame in islice(source.frames(), 1)]

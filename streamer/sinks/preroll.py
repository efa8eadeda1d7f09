"""What came before: the last seconds of a recording, kept encoded in memory until somebody wants them.

One encoder runs; nothing is written until something happens. clips.py asks for it.
"""

import io
import logging
from collections import deque
from collections.abc import Iterator

from streamer.frame import Image
from streamer.pyav import OutputContainer, Packet, VideoCodecContext, VideoFrame, av
from streamer.sinks.coding import KEYFRAME_S, Coder
from streamer.sinks.containers import TICKS_PER_S
from streamer.sinks.original import Original
from streamer.sinks.video_file import Encoded, Recipe, coder_for

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024 * 1024
"""Memory that what came before may take."""


_DECODERS = {"av1": "libdav1d"}
"""Where the decoder that is called like the codec needs hardware."""


class PreRoll:
    """The newest frames of one size, encoded: at least `length_s` of them, and two groups more to choose an entry from.

    most_bytes: more than this is never kept; then the oldest goes, and a warning says so once.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        size_px: tuple[int, int],
        length_s: float,
        original: Original | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._recipe = recipe
        self.size_px = size_px
        """(width, height) of the pictures."""
        self._original = original
        self.keep_for(length_s)
        self._most_bytes = most_bytes
        self._kept: deque[Encoded] = deque()
        self._bytes = 0
        self._warned = False
        # FFmpeg fills in what a stream is only for a container; nothing is ever written to this one.
        self._container = av.open(io.BytesIO(), "w", format="matroska")
        self._coder = self._new_coder(self._container)

    def keep_for(self, length_s: float) -> None:
        """From now on keep at least so much."""
        self._length_ticks = round((length_s + 2 * KEYFRAME_S) * TICKS_PER_S)

    @property
    def bytes(self) -> int:
        """Memory taken by what is kept."""
        return self._bytes

    @property
    def newest_ticks(self) -> int:
        """When the newest frame that came out of the encoder is shown; -1 before there is one."""
        return self._kept[-1].ticks if self._kept else -1

    def add(self, image: Image, time_s: float) -> list[Encoded]:
        """Encode a frame; the frames that came out, oldest first, which are kept from now on."""
        return self._keep(self._coder.encode(image, time_s=time_s))

    def flush(self) -> list[Encoded]:
        """The frames that wait in the encoder; nothing can be added behind them."""
        return self._keep(self._coder.flush())

    def behind(self, ticks: int) -> list[Encoded]:
        """The kept frames that are shown later than `ticks`."""
        return [one for one in self._kept if one.ticks > ticks]

    def since(self, ticks: int, *, ended: bool = False) -> list[Encoded] | None:
        """The frames from `ticks` on, the first of them made a keyframe; None where it is too early to tell.

        From the first keyframe on they are as they were encoded. Those before it, less than a second of them, are
        decoded and encoded anew, because nothing can be decoded that leans on what is left out. Where no keyframe has
        come yet, one must be waited for, unless nothing comes any more: `ended`.
        """
        kept = list(self._kept)
        wanted = next((n for n, one in enumerate(kept) if one.ticks >= ticks), len(kept))
        entry = next((n for n, one in enumerate(kept) if n >= wanted and one.key), len(kept))
        if entry == len(kept) and not ended:
            return None
        if entry == wanted:
            return kept[wanted:]
        begin = max(n for n, one in enumerate(kept[: wanted + 1]) if one.key)
        return [*self._anew(kept[begin:entry], skip=wanted - begin), *kept[entry:]]

    def close(self) -> None:
        """Let go of the encoder and of what is kept. Idempotent."""
        self._kept.clear()
        self._bytes = 0
        self._container.close()

    def _anew(self, group: list[Encoded], *, skip: int) -> Iterator[Encoded]:
        """The frames of a group of which the first `skip` are left out."""
        context = self._coder.stream.codec_context
        name = context.codec.canonical_name
        decoder = av.CodecContext.create(_DECODERS.get(name, name), "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.extradata = context.extradata
        frames: list[VideoFrame] = []
        for one in group:
            frames += decoder.decode(one.packet())
        frames += decoder.decode(None)
        with av.open(io.BytesIO(), "w", format="matroska") as container:
            coder = self._new_coder(container)
            packets = [packet for frame in frames[skip:] for packet in coder.encode_again(frame)]
            packets += coder.flush()
        for packet, one in zip(packets, group[skip:], strict=True):
            yield Encoded(bytes(packet), one.ticks, one.duration, packet.is_keyframe)

    def _new_coder(self, container: OutputContainer) -> Coder:
        return coder_for(self._recipe, container, size_px=self.size_px, original=self._original)

    def _keep(self, packets: Iterator[Packet]) -> list[Encoded]:
        came = [Encoded(bytes(packet), packet.pts or 0, packet.duration or 0, packet.is_keyframe) for packet in packets]
        self._kept += came
        self._bytes += sum(len(one.data) for one in came)
        self._forget()
        return came

    def _forget(self) -> None:
        """Let go of whole groups of frames that are not needed any more."""
        while (second := next((n for n, one in enumerate(self._kept) if n and one.key), None)) is not None:
            too_old = self._kept[-1].ticks - self._kept[second].ticks >= self._length_ticks
            too_much = self._bytes > self._most_bytes
            if too_much and not too_old and not self._warned:
                self._warned = True
                logger.warning("what came before is more than %d MB: less of it is kept", self._most_bytes // 1_000_000)
            if not (too_old or too_much):
                return
            for _ in range(second):
                self._bytes -= len(self._kept.popleft().data)

"""Drawn pictures in, encoded packets out, each with its own time. Files are written by those who call it."""

import os
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

from streamer.frame import Image
from streamer.pyav import OutputContainer, Packet, PictureType, VideoFrame, VideoStream
from streamer.sinks.colours import Colours, FrameMaker
from streamer.sinks.containers import TICKS_PER_S
from streamer.sinks.encoders import pixel_format, tell_encoder
from streamer.sinks.options import Codec, VideoOptions

KEYFRAME_S = 1.0
"""A player can enter at least this often."""

THREAD_PX = 1920 * 1088
"""One encoder thread for each so many pixels: one does 1080p at about 60 fps, and the model needs the others."""


class Coder:
    """One encoder at work on pictures of one size, in a stream of `container`.

    fps: the nominal rate: how long a lone frame lasts, and how many frames the encoder may hold back. The times are
    the frames' own. pixel_aspect: how wide a pixel is shown for its height. exact: every packet says for how long its
    frame is shown, and one waits, therefore, until the next frame is there; else it is taken to be as long as the one
    before where the encoder is quick.
    """

    def __init__(
        self,
        container: OutputContainer,
        encoder: str,
        codec: Codec,
        options: VideoOptions,
        *,
        size_px: tuple[int, int],
        fps: float,
        colours: Colours,
        pixel_aspect: Fraction | None = None,
        exact: bool = False,
    ) -> None:
        self._nominal_ticks = max(1, round(TICKS_PER_S / fps))
        self._last_ticks: int | None = None
        self._keyframe_ticks: int | None = None
        self._durations: deque[int] = deque()
        self._exact = exact
        self._held: Packet | None = None
        self._maker = FrameMaker(size_px, colours, pixel_format(encoder))
        self.end_ticks = 0
        """Where the last frame ends."""
        stream = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
        assert isinstance(stream, VideoStream)
        self.stream = stream
        stream.width, stream.height = self._maker.size_px
        stream.pix_fmt = pixel_format(encoder)
        stream.time_base = Fraction(1, TICKS_PER_S)
        context = stream.codec_context
        context.time_base = stream.time_base
        if encoder == "libx264":
            context.thread_type = "SLICE"
        context.thread_count = threads(self._maker.size_px)
        if pixel_aspect is not None:
            context.sample_aspect_ratio = pixel_aspect
        tags = colours.tags
        context.color_primaries, context.color_trc, context.colorspace = tags.primaries, tags.transfer, tags.matrix
        context.color_range = tags.range
        tell_encoder(stream, encoder, codec, options, fps=fps)

    @property
    def started(self) -> bool:
        """Whether a frame went in."""
        return self._last_ticks is not None

    @property
    def last_s(self) -> float:
        """When the last frame is shown, in seconds of the recording; 0 before there is one."""
        return (self._last_ticks or 0) / TICKS_PER_S

    def encode(self, image: Image, *, time_s: float) -> Iterator[Packet]:
        """Packets that are ready once `image`, shown from `time_s`, went in; not later than the last means at once."""
        frame = self._maker.frame(image)
        return self._enter(frame, round(time_s * TICKS_PER_S))

    def encode_again(self, frame: VideoFrame) -> Iterator[Packet]:
        """As `encode`, for a frame that was decoded from what such a coder made; its time is in its own `pts`."""
        frame.pict_type = PictureType.NONE
        return self._enter(frame, frame.pts or 0)

    def last_until(self, end_s: float) -> None:
        """The last frame is shown until `end_s`: time goes on behind it."""
        ticks = round(end_s * TICKS_PER_S)
        if self._last_ticks is not None and ticks > self._last_ticks and self._tell_last(ticks - self._last_ticks):
            self.end_ticks = ticks

    def flush(self) -> Iterator[Packet]:
        """The packets that still wait in the encoder."""
        if self.started:
            yield from self._released()
            yield from self._packets(None)

    def _enter(self, frame: VideoFrame, ticks: int) -> Iterator[Packet]:
        duration = self._nominal_ticks
        if self._last_ticks is not None:
            ticks = max(ticks, self._last_ticks + 1)
            duration = ticks - self._last_ticks
            self._tell_last(duration)
        self._last_ticks, self.end_ticks = ticks, ticks + duration
        self._durations.append(duration)
        frame.pts, frame.time_base = ticks, Fraction(1, TICKS_PER_S)
        if self._keyframe_ticks is None or ticks - self._keyframe_ticks >= KEYFRAME_S * TICKS_PER_S:
            frame.pict_type = PictureType.I
            self._keyframe_ticks = ticks
        return chain(self._released(), self._packets(frame))

    def _tell_last(self, duration: int) -> bool:
        """How long the last frame is shown; whether its packet could still be told."""
        if self._durations:
            self._durations[-1] = duration
        elif self._held is not None:
            self._held.duration = duration
        else:
            return False
        return True

    def _released(self) -> Iterator[Packet]:
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _packets(self, frame: VideoFrame | None) -> Iterator[Packet]:
        for packet in self.stream.encode(frame):
            packet.duration = self._durations.popleft()
            if self._exact and frame is not None and not self._durations:
                self._held = packet
            else:
                yield packet


def threads(size_px: tuple[int, int]) -> int:
    """How many threads an encoder of (width, height) may have."""
    width, height = size_px
    return min(-(-width * height // THREAD_PX), os.cpu_count() or 1)

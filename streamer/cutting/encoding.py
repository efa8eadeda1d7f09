"""The lane that encodes pictures again, for a clip that begins between two keyframes and holds nothing else."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from streamer.cutting.footage import Footage, decoded_at, time_of
from streamer.cutting.lanes import Span, Tally
from streamer.errors import SinkOpenError, SourceError
from streamer.pyav import PictureType, VideoFrame, VideoStream, av

ENCODER: Final = "libx264"

_CRF = 17
"""Nobody has been seen to tell it from the original; a file of about the size of a camera's."""

_PRESET = "fast"

_TAKEN_FORMATS = frozenset(
    {f"yuv{kind}" for kind in ("420p", "422p", "444p", "420p10le", "422p10le", "444p10le")}
    | {f"yuvj{kind}" for kind in ("420p", "422p", "444p")}
    | {"nv12", "gray", "gray10le"}
)

_BT601 = 6
_TV_RANGE = 1
"""What swscale makes of RGB, as ISO/IEC 23091-2 and FFmpeg number it."""


class EncodedVideo:
    """Pictures decoded, and encoded again by x264 with their own times, colours, shape and turn."""

    def __init__(self, container: "av.container.OutputContainer", footage: Footage, span: Span) -> None:
        """Adds its stream to `container`. Raises SinkOpenError."""
        self.finished = False
        self.tally = Tally(span)
        self._ticks = -1
        self._footage = footage
        self._span = span
        self._pix_fmt = _pix_fmt(footage.first_frame)
        self.out = self._stream(container)

    def take(self, packet: "av.Packet[Any]") -> "Iterator[av.Packet[Any]]":
        if self.finished:
            return
        # The decoder holds pictures back: it is fed until nothing before the end can be missing.
        self.finished = self._span.is_over(decoded_at(packet))
        self.tally.is_full |= self.finished or not self._span.is_before_end(time_of(packet))
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if not self._span.is_before_end(time_of(packet)):
                self.finished = True  # what is broken is not asked for
                return
            at_s = float(time_of(packet) - self._footage.origin)
            raise SourceError(f"is damaged at {at_s:.2f} s: {error.strerror}", where=str(self._footage.path)) from error
        for frame in frames:
            yield from self._encoded(frame)

    def flush(self) -> "Iterator[av.Packet[Any]]":
        for frame in self._footage.video.decode(None):
            yield from self._encoded(frame)
        yield from self.out.encode(None)

    def _encoded(self, frame: "VideoFrame") -> "Iterator[av.Packet[Any]]":
        unit = frame.time_base or self._footage.video.time_base  # the last ones come without
        if frame.pts is None or unit is None:
            return
        at = frame.pts * unit
        if at < self._span.zero or not self._span.is_before_end(at):
            return
        self.tally.add(at, lasts=(frame.duration or 0) * unit)
        ready = frame.reformat(width=self.out.width, height=self.out.height, format=self._pix_fmt)
        self._ticks = max(self._ticks + 1, round((at - self._span.zero) / unit))  # some files show two at once
        ready.pts, ready.time_base = self._ticks, unit
        ready.pict_type = PictureType.NONE
        yield from self.out.encode(ready)

    def _stream(self, container: "av.container.OutputContainer") -> VideoStream:
        first, source = self._footage.first_frame, self._footage.video
        if "420" in self._pix_fmt and (first.width % 2 or first.height % 2):
            raise SinkOpenError(
                f"H.264 has no pictures of {first.width}x{first.height}", hint="without --exact they are copied"
            )
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        stream = container.add_stream(ENCODER, rate=rate, options={"crf": str(_CRF), "preset": _PRESET})
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, self._pix_fmt
        context = stream.codec_context
        assert source.time_base is not None
        context.time_base = source.time_base
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        context.color_primaries, context.color_trc = source.color_primaries, source.color_trc
        context.color_range, context.colorspace = source.color_range, source.colorspace
        if first.format.is_rgb:
            context.color_range, context.colorspace = _TV_RANGE, _BT601
        if first.rotation:
            stream.set_display_rotation(first.rotation)
        return stream


def _pix_fmt(frame: "VideoFrame") -> str:
    """How x264 takes such pictures; what it does not know becomes the most usual."""
    return frame.format.name if frame.format.name in _TAKEN_FORMATS else "yuv420p"

"""A live stream decoded in hardware, and in software from where the hardware fails: it cannot be opened a second time.

Connection decodes by one of these where `--hwaccel` found something. A file that is decoded in hardware is opened again
instead: pyav_decoder.py.
"""

import logging
from collections import deque

from streamer.errors import SourceOpenError
from streamer.pyav import Packet, VideoCodecContext, VideoFrame, VideoStream, av
from streamer.sources.hardware import Hardware

logger = logging.getLogger(__name__)

KEPT_PACKETS = 600
KEPT_BYTES = 16 * 1024 * 1024
"""What is kept since the last key frame, to be decoded again. Of a longer group of pictures the rest is lost."""


class SwappingDecoder:
    """Frames of the packets of `stream`, whose container was opened with what `hardware` gives.

    name: of the source, for messages. A hardware decoder that fails where software does not is given up, unless it was
    demanded: the frames that it owes come from software. What software cannot decode either is damage.
    """

    def __init__(self, stream: VideoStream, hardware: Hardware, *, name: str) -> None:
        self.in_hardware: bool | None = None
        """Whether hardware decodes; None until the first frame tells."""
        self._stream = stream
        self._hardware = hardware
        self._name = name
        self._software: VideoCodecContext | None = None
        self._since_key: deque[Packet] = deque()
        self._kept_bytes = 0
        self._given_pts: int | None = None

    @property
    def refused(self) -> SourceOpenError:
        """The error where hardware was demanded and does not decode this."""
        return self._hardware.refused(self._stream, where=self._name)

    def decode(self, packet: Packet) -> list[VideoFrame]:
        """The frames that a packet completes.

        Raises av.FFmpegError where it cannot be decoded; SourceOpenError at the first frame, where hardware was
        demanded and does not decode it.
        """
        if self._software is not None:
            return _pictures(self._software, packet)
        if self.in_hardware is not False and not self._hardware.demanded:
            self._keep(packet)
        try:
            frames = _pictures(self._stream.codec_context, packet)
        except av.FFmpegError as error:
            if not self._since_key:
                raise
            return self._second_opinion(error)
        self._look(frames)
        return frames

    def flush(self) -> list[VideoFrame]:
        """What the decoder still holds. Raises av.FFmpegError."""
        return (self._software or self._stream.codec_context).decode(None)

    def _look(self, frames: list[VideoFrame]) -> None:
        """At the first frame, find out what made it; remember the last one that was given."""
        if frames and self.in_hardware is None:
            self.in_hardware = self._hardware.decodes(self._stream)
            if self.in_hardware:
                logger.info("%s: decoded in hardware: %s", self._name, self._hardware)
            elif self._hardware.demanded:
                raise self.refused
            else:
                self._since_key.clear()
                codec = self._stream.codec_context.codec.canonical_name
                logger.info("%s: %s does not take this %s: software does", self._name, self._hardware, codec)
        times = [frame.pts for frame in frames if frame.pts is not None]
        if times:
            self._given_pts = max(times)

    def _keep(self, packet: Packet) -> None:
        """For a second opinion; only what begins with a key frame is worth one."""
        if packet.is_keyframe:
            self._since_key.clear()
            self._kept_bytes = 0
        elif not self._since_key:
            return
        self._since_key.append(packet)
        self._kept_bytes += packet.size
        if len(self._since_key) > KEPT_PACKETS or self._kept_bytes > KEPT_BYTES:
            self._since_key.clear()

    def _second_opinion(self, error: av.FFmpegError) -> list[VideoFrame]:
        """What software makes of the packets since the key frame, less the frames that were given. Raises `error`."""
        software = _software_of(self._stream)
        frames: list[VideoFrame] = []
        try:
            for packet in self._since_key:
                frames += _pictures(software, packet)
        except av.FFmpegError:
            self._since_key.clear()  # damage, which the next key frame ends
            raise error from None
        self._software, self.in_hardware = software, False
        self._since_key.clear()
        logger.warning("%s: %s failed to decode (%s): software goes on", self._name, self._hardware, error.strerror)
        given = self._given_pts
        return [frame for frame in frames if given is None or frame.pts is None or frame.pts > given]


def _software_of(stream: VideoStream) -> VideoCodecContext:
    """A decoder of its own for the packets of `stream`."""
    model = stream.codec_context
    made = av.CodecContext.create(model.codec.name, "r")
    assert isinstance(made, VideoCodecContext)
    made.extradata = model.extradata
    made.width, made.height = model.width, model.height
    return made


def _pictures(context: VideoCodecContext, packet: Packet) -> list[VideoFrame]:
    return [frame for frame in context.decode(packet) if isinstance(frame, VideoFrame)]

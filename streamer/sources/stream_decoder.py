"""The packets of a stream's pictures, decoded: in hardware or software, and counted where they give no picture.

Connection has one for each time that it opens the stream.
"""

import logging

from streamer.errors import SourceOpenError
from streamer.frame import Image
from streamer.pyav import Packet, VideoFrame, VideoStream, av
from streamer.sources.backlog import Backlog
from streamer.sources.converting import Converter
from streamer.sources.hardware import Hardware
from streamer.sources.pixel_limit import for_ffmpeg, refuse_larger, undecoded
from streamer.sources.swapping import SwappingDecoder

logger = logging.getLogger(__name__)

DRAWS_ON_GREY = frozenset({"mpeg4", "h263", "flv1", "msmpeg4v2", "msmpeg4v3", "rv40"})
"""Decoders that begin with whatever comes, on a grey picture; the others wait for a key frame by themselves."""


class StreamDecoder:
    """Frames of the packets of `stream`, whose container was opened with what `hardware` gives.

    live: newest first: no frame waits for others, and none comes before a key frame. max_pixels: of a picture.
    name: of the source, for messages. after: the one whose counts go on, where a stream is opened again.

    given, undecodable, skipped: frames so far, packets that could not be decoded, and packets that were left out.

    Raises SourceRefused where the stream says that its pictures are larger than `max_pixels`.
    """

    def __init__(
        self,
        stream: VideoStream,
        *,
        live: bool,
        name: str,
        max_pixels: int,
        hardware: Hardware | None = None,
        after: "StreamDecoder | None" = None,
    ) -> None:
        self.given: int = 0 if after is None else after.given
        self.undecodable: int = 0 if after is None else after.undecodable
        self.skipped: int = 0 if after is None else after.skipped
        self._stream = stream
        self._name = name
        self._max_pixels = max_pixels
        self._hardware = hardware
        context = stream.codec_context
        context.options = for_ffmpeg(max_pixels)
        refuse_larger((context.width, context.height), max_pixels=max_pixels, where=name)
        self._awaits_key = live and context.codec.canonical_name in DRAWS_ON_GREY
        # Decoding frames side by side is faster, and gives each of them late.
        stream.thread_type = "SLICE" if live else "AUTO"
        self._converter = Converter(stream)
        self._swapping = None if hardware is None else SwappingDecoder(stream, hardware, name=name)

    @property
    def place(self) -> str:
        """What hardware decodes it now; nothing where none does."""
        return str(self._hardware) if self._swapping is not None and self._swapping.in_hardware else ""

    @property
    def produced(self) -> int:
        """Frames that came, those that were not given included."""
        return self.given + self.undecodable + self.skipped

    @property
    def settled(self) -> bool:
        """Whether hardware that was demanded is known to decode it: the first frame tells."""
        return self._hardware is None or not self._hardware.demanded or self._swapping_knows

    @property
    def _swapping_knows(self) -> bool:
        return self._swapping is not None and self._swapping.in_hardware is not None

    def image(self, frame: VideoFrame) -> Image | None:
        """The picture as it travels."""
        return self._converter.image(frame)

    def decode(self, packet: Packet, backlog: Backlog | None, *, now_ns: int) -> list[VideoFrame] | None:
        """The frames of a packet of the stream, perhaps none yet; None where it cannot be decoded.

        backlog: says which packets to leave out. Raises SourceRefused for a first picture that is too large, and
        SourceOpenError where hardware was demanded and does not decode it.
        """
        if self._awaits_key and not packet.is_keyframe:
            return []
        self._awaits_key = False
        if backlog is not None and not backlog.wants(is_key=packet.is_keyframe, now_ns=now_ns):
            self._skip()
            return []
        try:
            if self._swapping is not None:
                return self._swapping.decode(packet)
            return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.FFmpegError as error:
            if isinstance(error, av.ArgumentError) and not self.produced:
                raise undecoded(max_pixels=self._max_pixels, where=self._name) from None
            self._fail(error)
            return None

    def flush(self) -> list[VideoFrame]:
        """What a decoder that works on several frames at once still holds."""
        try:
            return self._stream.codec_context.decode(None) if self._swapping is None else self._swapping.flush()
        except av.FFmpegError:  # it gave all of it at the end
            return []

    @property
    def refusal(self) -> SourceOpenError | None:
        """The error where hardware was demanded, and none of what came could be decoded; else None."""
        if self._swapping is not None and self.undecodable and not self.settled:
            return self._swapping.refused
        return None

    def _skip(self) -> None:
        if not self.skipped:
            logger.warning("%s: more comes than can be decoded here; pictures are left out", self._name)
        self.skipped += 1

    def _fail(self, error: av.FFmpegError) -> None:
        if not self.undecodable:
            logger.warning("%s: a frame cannot be decoded; such frames are left out", self._name)
        logger.debug("%s: frame %d: %s", self._name, self.produced, error.strerror)
        self.undecodable += 1

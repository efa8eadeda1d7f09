"""One connection to a stream, on a thread of its own: it opens, reads and decodes, and nobody else touches it.

PyAV's reads end by their timeouts and by nothing else, so whoever waits must not be the one who reads: closing a
connection lets go of those who wait at once, and the thread ends with the read that is under way. NetworkSource makes
one each.
"""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from streamer.channel import Channel, ChannelClosed, Policy
from streamer.clock import NS_PER_S, Clock
from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Image
from streamer.pyav import InputContainer, Packet, VideoFrame, VideoStream, av
from streamer.sources.address import Address
from streamer.sources.backlog import Backlog
from streamer.sources.converting import Converter
from streamer.sources.decoding import believable_fps
from streamer.sources.network_faults import why_lost, why_not_opened
from streamer.sources.options import SourceOptions, pairs_of
from streamer.sources.pacing import Pacer
from streamer.sources.pixel_limit import for_ffmpeg, refuse_larger, undecoded

logger = logging.getLogger(__name__)

AHEAD_ITEMS = 64
AHEAD_BYTES = 64 * 1024 * 1024
"""Decoded pictures that wait to be taken: a burst of the network passes, and what came while it was opened."""

PLAYLIST_PATIENCE = 3
"""HLS comes a segment at a time: so many read timeouts are waited for the next one."""

TIMED = frozenset({"mpegts", "rtsp", "flv"})
"""Formats whose packets have a time of the sender. Of motion JPEG it is made up, from a rate that it may not have."""

SHORT_S = 2.0
"""What ends so much earlier than it promised was cut off."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known once it is open. live: False where it has an end, so that nothing needs to be lost."""

    live: bool
    size_px: tuple[int, int] | None
    fps: float | None
    duration_s: float | None
    decoder: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame that waits, its number and when it came."""

    frame: VideoFrame
    index: int
    captured_ns: int


class Connection:
    """Begins to connect when it is made. address, options: to what and how.

    facts: set once it is open. failure: why it is not, or is no more.
    produced: frames that came, those that cannot be decoded and those that were left out included.
    """

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self.facts: Facts | None = None
        self.failure: BaseException | None = None
        self.produced = 0
        self._address = address
        self._options = options
        self._clock = clock
        self._patience_s = options.read_timeout_s * (PLAYLIST_PATIENCE if address.is_playlist else 1)
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._pictures: Channel[Picture] = Channel("network", capacity=1)
        self._converter: Converter | None = None
        self._said_skipping = False
        self._undecodable = 0
        self._thread = threading.Thread(target=self._run, name="streamer-network")
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether it was closed from here; a server that closes it ends `pictures`."""
        return self._closing.is_set()

    def wait_open(self) -> Facts | None:
        """Wait until it is open; None if it is closed. Raises SourceOpenError."""
        longest_s = 2 * self._options.open_timeout_s + 1.0
        if not self._ready.wait(longest_s):  # looking up a name knows no timeout
            raise SourceOpenError(f"no answer within {longest_s:g} s", where=self._address.name)
        if self.facts is None and self.failure is not None and not self._closing.is_set():
            raise self.failure
        return None if self._closing.is_set() else self.facts

    def pictures(self) -> Iterator[Picture]:
        """What was decoded, once it is open. Raises SourceLost."""
        yield from self._pictures
        if self.failure is not None and not self._closing.is_set():
            raise self.failure

    def image(self, picture: Picture) -> Image | None:
        """The picture as it travels."""
        return None if self._converter is None else self._converter.image(picture.frame)

    def close(self) -> None:
        """Let everybody go; idempotent, from any thread. The thread ends when its read returns or times out."""
        self._closing.set()
        self._pictures.abort()
        self._ready.set()

    def _run(self) -> None:
        try:
            with self._open() as container:
                stream = self._stream_of(container)
                self._pictures = self._channel()
                self._ready.set()
                if not self._closing.is_set():
                    self._read(container, stream)
        except ChannelClosed:
            logger.debug("%s: let go", self._address.name)
        except BaseException as error:  # noqa: BLE001 - raised again where the stream is read
            self.failure = error
        finally:
            self._pictures.close()
            self._ready.set()

    def _open(self) -> InputContainer:
        began_ns = self._clock.now_ns()
        timeout_s = self._options.open_timeout_s
        try:
            return av.open(
                self._address.uri,
                mode="r",
                options=_ffmpeg_options(self._address, self._options),
                timeout=(timeout_s, self._patience_s),
                metadata_errors="ignore",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            waited_s = (self._clock.now_ns() - began_ns) / NS_PER_S
            # without its cause: that one holds the address as it was written
            raise why_not_opened(error, self._address, waited_s=waited_s, timeout_s=timeout_s) from None

    def _stream_of(self, container: InputContainer) -> VideoStream:
        """The first video stream, ready to be decoded; what is known of it goes into `facts`."""
        if not container.streams.video:
            has_sound = "it holds only sound" if container.streams.audio else "it holds no picture"
            raise SourceOpenError(f"not a video: {has_sound}", where=self._address.name)
        stream: VideoStream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise SourceOpenError("what it sends cannot be decoded here", where=self._address.name)
        duration_s = None if container.duration is None else container.duration / av.time_base
        live = self._address.scheme not in {"http", "https"} or not duration_s
        # Decoding frames side by side is faster, and gives each of them late.
        stream.thread_type = "SLICE" if live else "AUTO"
        context.options = for_ffmpeg(self._options.max_pixels)
        if context.width and context.height:
            size_px = context.width, context.height
            refuse_larger(size_px, max_pixels=self._options.max_pixels, where=self._address.name)
        self._converter = Converter(stream)
        self.facts = Facts(
            live=live,
            size_px=(context.width, context.height) if live and context.width and context.height else None,
            fps=believable_fps(float(stream.average_rate or stream.guessed_rate or 0)),
            duration_s=None if live else duration_s,
            decoder=f"PyAV, {context.codec.canonical_name} over {self._address.scheme}",
        )
        return stream

    def _channel(self) -> Channel[Picture]:
        assert self.facts is not None
        pictures = Channel[Picture](
            "network",
            capacity=AHEAD_ITEMS if self.facts.live else 2,
            policy=Policy.LATEST if self.facts.live else Policy.BLOCK,
            size_of=lambda picture: picture.frame.width * picture.frame.height * 3,
            max_bytes=AHEAD_BYTES,
        )
        if self._closing.is_set():
            pictures.abort()
        return pictures

    def _read(self, container: InputContainer, stream: VideoStream) -> None:
        assert self.facts is not None
        pacer = Pacer(self._clock, self._closing) if self.facts.live and container.format.name == "hls" else None
        backlog = Backlog() if self.facts.live and pacer is None else None
        packets = container.demux()
        last_s, decoded_ns = 0.0, self._clock.now_ns()
        while not self._closing.is_set():
            began_ns = self._clock.now_ns()
            packet = self._next(packets)
            now_ns = self._clock.now_ns()
            if packet is None:
                break
            if backlog is not None:
                media_ns = _media_ns(packet) if container.format.name in TIMED else None
                backlog.read(waited_ns=now_ns - began_ns, now_ns=now_ns, media_ns=media_ns)
            frames = self._decoded(packet, stream, backlog)
            if frames is not None:
                decoded_ns = now_ns
            elif now_ns - decoded_ns > self._patience_s * NS_PER_S:
                raise SourceLost(f"no picture in what came for {self._patience_s:g} s", where=self._address.name)
            for frame in frames or ():
                last_s = last_s if frame.time is None else frame.time
                if pacer is not None and not pacer.wait_until(last_s):
                    return
                self._put(frame)
        if not self._closing.is_set():
            self._warn_if_short(container, last_s)

    def _next(self, packets: Iterator[Packet]) -> Packet | None:
        """The next packet; None at the end. Raises SourceLost."""
        began_ns = self._clock.now_ns()
        try:
            return next(packets, None)
        except (av.FFmpegError, OSError) as error:
            waited_s = (self._clock.now_ns() - began_ns) / NS_PER_S
            raise why_lost(error, self._address, waited_s=waited_s, timeout_s=self._patience_s) from None

    def _decoded(self, packet: Packet, stream: VideoStream, backlog: Backlog | None) -> list[VideoFrame] | None:
        """The frames of a packet, perhaps none yet; None where it holds no picture or cannot be decoded."""
        if packet.stream is not stream:
            return None
        if backlog is not None and not backlog.wants(is_key=packet.is_keyframe, now_ns=self._clock.now_ns()):
            self.produced += 1
            self._say_skipping()
            return []
        try:
            return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.FFmpegError as error:
            if isinstance(error, av.ArgumentError) and not self.produced:
                raise undecoded(max_pixels=self._options.max_pixels, where=self._address.name) from None
            if not self._undecodable:
                logger.warning("%s: a frame cannot be decoded; such frames are left out", self._address.name)
            logger.debug("%s: frame %d: %s", self._address.name, self.produced, error.strerror)
            self.produced += 1
            self._undecodable += 1
            return None

    def _put(self, frame: VideoFrame) -> None:
        index = self.produced
        self.produced += 1
        self._pictures.put(Picture(frame, index, self._clock.now_ns()))

    def _say_skipping(self) -> None:
        if not self._said_skipping:
            self._said_skipping = True
            logger.warning("%s: more comes than can be decoded here; pictures are left out", self._address.name)

    def _warn_if_short(self, container: InputContainer, last_s: float) -> None:
        """Say so where the end came before the promised one."""
        assert self.facts is not None
        begin_s = (container.start_time or 0) / av.time_base
        if self.facts.duration_s is not None and last_s - begin_s < self.facts.duration_s - SHORT_S:
            played = f"{last_s - begin_s:.1f} s of {self.facts.duration_s:.1f} s"
            logger.warning("%s: broken off, read %s", self._address.name, played)


def _media_ns(packet: Packet) -> int | None:
    """The packet's own time; None where it has none."""
    if packet.dts is None or packet.time_base is None:
        return None
    return round(packet.dts * packet.time_base * NS_PER_S)


def _ffmpeg_options(address: Address, options: SourceOptions) -> dict[str, str]:
    """What FFmpeg is told; what the person asked for goes last, but for what may be reached."""
    # A camera without sound promises some all the same, and FFmpeg would wait five seconds for it.
    told = {"analyzeduration": "1000000"} if address.scheme in {"rtmp", "rtmps"} else {}
    if address.scheme in {"rtsp", "rtsps"}:
        told["rtsp_transport"] = options.rtsp_transport
    return (
        told
        | for_ffmpeg(options.max_pixels)
        | dict(pairs_of(options.source_options, what="source_options"))
        | {"protocol_whitelist": address.protocols}
    )

"""One connection to a stream, on a thread of its own: it opens, reads and decodes, and nobody else touches it.

Whoever waits is not the one who reads: closing a connection lets go of those who wait at once, and its thread ends as
soon as its read does, within a tenth of a second (interrupting.py). A look-up of a name by FFmpeg itself is the one
thing that is not ended so. NetworkSource makes one each.
"""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from streamer.channel import Channel, ChannelClosed, Policy
from streamer.clock import NS_PER_S, Clock
from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Image
from streamer.pyav import InputContainer, VideoFrame, VideoStream, av
from streamer.sound import SoundLine
from streamer.sources.address import Address
from streamer.sources.backlog import Backlog
from streamer.sources.hardware import Hardware, find_hardware
from streamer.sources.hearing import Ear
from streamer.sources.interrupting import interruptible
from streamer.sources.network_faults import nothing_readable, why_not_opened
from streamer.sources.options import SourceOptions, pairs_of
from streamer.sources.pixel_limit import for_ffmpeg
from streamer.sources.receiving import Receiver
from streamer.sources.segment_pacing import SegmentPacer
from streamer.sources.stream_decoder import StreamDecoder
from streamer.sources.streams import Facts, choose_sound, choose_stream, facts_of, leave_others
from streamer.sources.ways import Way, way_to

logger = logging.getLogger(__name__)

AHEAD_ITEMS = 64
AHEAD_BYTES = 64 * 1024 * 1024
"""Decoded pictures that wait to be taken: a burst of the network passes, and what came while it was opened."""

PLAYLIST_PATIENCE = 3
"""HLS comes a segment at a time: so many read timeouts are waited for the next one."""

SHORT_S = 2.0
"""What ends so much earlier than it promised was cut off."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame that waits, its number and when it came."""

    frame: VideoFrame
    index: int
    captured_ns: int


class Connection:
    """Begins to connect when it is made. address, options: to what and how.

    facts: set once it is open. failure: why it is not, or is no more.
    """

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self.facts: Facts | None = None
        self.failure: BaseException | None = None
        self._address = address
        self._options = options
        self._clock = clock
        self._patience_s = options.read_timeout_s * (PLAYLIST_PATIENCE if address.is_playlist else 1)
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._pictures: Channel[Picture] = Channel("network", capacity=1)
        self._hardware: Hardware | None = None
        self._decoder: StreamDecoder | None = None
        self._ear: Ear | None = None
        self._way: Way | None = None
        self._thread = threading.Thread(target=self._run, name="streamer-network")
        self._thread.start()

    @property
    def sound(self) -> SoundLine | None:
        """Of a live stream that has some."""
        return None if self._ear is None else self._ear.line

    @property
    def decoder(self) -> str:
        """What decodes it now, for people."""
        name = "PyAV" if self.facts is None else self.facts.decoder
        place = "" if self._decoder is None else self._decoder.place
        return f"{name}, in hardware: {place}" if place else name

    @property
    def produced(self) -> int:
        """Frames that came, those that cannot be decoded and those that were left out included."""
        return 0 if self._decoder is None else self._decoder.produced

    @property
    def closed(self) -> bool:
        """Whether it was closed from here; a server that closes it ends `pictures`."""
        return self._closing.is_set()

    @property
    def left_out(self) -> int:
        """Frames that were not decoded, or not taken in time, because more came."""
        return self._pictures.dropped + (0 if self._decoder is None else self._decoder.skipped)

    def wait_open(self) -> Facts | None:
        """Wait until it is open; None if it is closed. Raises SourceOpenError."""
        longest_s = 3 * self._options.open_timeout_s + 1.0
        if not self._ready.wait(longest_s):  # FFmpeg's own look-up of a name knows no timeout
            raise SourceOpenError(f"no answer within {longest_s:g} s", where=self._address.name)
        if self._closing.is_set():
            return None
        if self.failure is not None and (self.facts is None or isinstance(self.failure, SourceOpenError)):
            raise self.failure
        return self.facts

    def pictures(self) -> Iterator[Picture]:
        """What was decoded, once it is open. Raises SourceLost."""
        yield from self._pictures
        if self.failure is not None and not self._closing.is_set():
            raise self.failure

    def image(self, picture: Picture) -> Image | None:
        """The picture as it travels."""
        return None if self._decoder is None else self._decoder.image(picture.frame)

    def close(self) -> None:
        """Let everybody go; idempotent, from any thread. It does not wait for the thread."""
        self._closing.set()
        self._pictures.abort()
        self._ready.set()
        if self._way is not None:
            self._way.close()

    def _run(self) -> None:
        try:
            self._hardware = find_hardware(self._options.hwaccel, where=self._address.name)
            with interruptible(self._closing):
                if not self._read_as(None):
                    logger.warning("%s: its pictures are not as long as it says; their bytes tell", self._address.name)
                    self._read_as("mjpeg")
        except ChannelClosed:
            logger.debug("%s: let go", self._address.name)
        except BaseException as error:  # noqa: BLE001 - raised again where the stream is read
            self.failure = error
        finally:
            self._pictures.close()
            self._ready.set()

    def _read_as(self, form: str | None) -> bool:
        """Everything that comes in FFmpeg's format `form`; None: as it says. False where it is not what it says."""
        try:
            with self._open(form) as container:
                stream, decoder = self._stream_of(container)
                if not self._ready.is_set():
                    self._pictures = self._channel()
                if decoder.settled:
                    self._ready.set()
                return self._closing.is_set() or self._read(container, stream, decoder, may_be_other=form is None)
        finally:
            if self._way is not None:
                self._way.close()
                self._way.join()

    def _open(self, form: str | None) -> InputContainer:
        timeout_s = self._options.open_timeout_s
        told = _ffmpeg_options(self._address, self._options)
        timeouts_s = timeout_s, self._patience_s
        way = self._way = way_to(self._address, told, timeouts_s=timeouts_s, closing=self._closing)
        if self._closing.is_set():
            way.close()
        began_ns = self._clock.now_ns()
        try:
            return av.open(
                way.file,
                mode="r",
                format=form or way.format,
                options=way.options,
                timeout=timeouts_s,
                metadata_errors="ignore",
                hwaccel=None if self._hardware is None else self._hardware.accelerator(),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            waited_s = (self._clock.now_ns() - began_ns) / NS_PER_S
            failure = None if self._closing.is_set() else way.reason(error)
            why = why_not_opened(error, self._address, waited_s=waited_s, timeout_s=timeout_s, failure=failure)
        raise why  # out here it has no context: that one holds the address as it was written

    def _stream_of(self, container: InputContainer) -> tuple[VideoStream, StreamDecoder]:
        """What is read of it, and what decodes it; what is known of it goes into `facts`."""
        stream = choose_stream(container, self._address)
        facts = facts_of(container, stream, self._address)
        decoder = StreamDecoder(
            stream,
            live=facts.live,
            name=self._address.name,
            max_pixels=self._options.max_pixels,
            hardware=self._hardware,
            after=self._decoder,
        )
        sound = choose_sound(container, stream) if facts.live else None
        self._ear = None if sound is None else Ear(sound)
        leave_others(container, stream, sound)
        self._decoder, self.facts = decoder, facts
        return stream, decoder

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

    def _read(
        self, container: InputContainer, stream: VideoStream, decoder: StreamDecoder, *, may_be_other: bool
    ) -> bool:
        """Everything, to the end; False for motion JPEG in a form that it does not keep. Raises SourceLost."""
        assert self.facts is not None
        assert self._way is not None
        receiver = Receiver(container, self._address, self._way, patience_s=self._patience_s, clock=self._clock)
        last_s = self._read_all(receiver, stream, decoder, paced=container.format.name == "hls")
        if self._closing.is_set():
            return True
        if receiver.is_malformed and may_be_other and container.format.name == "mpjpeg":
            return False
        if not self.facts.live:
            for frame in decoder.flush():
                last_s = last_s if frame.time is None else frame.time
                self._put(frame, decoder)
        if decoder.refusal is not None:
            raise decoder.refusal
        if not self.facts.live and not decoder.produced and container.format.name.startswith("mov"):
            raise nothing_readable(self._address)
        if receiver.lost is not None:
            raise receiver.lost
        self._warn_if_short(container, last_s)
        return True

    def _read_all(self, receiver: Receiver, stream: VideoStream, decoder: StreamDecoder, *, paced: bool) -> float:
        """As long as packets come; the time of the last picture, seconds."""
        assert self.facts is not None
        pacer = SegmentPacer(self._clock, self._closing) if self.facts.live and paced else None
        backlog = Backlog() if self.facts.live else None
        last_s, decoded_ns, waited_ns, rested_ns = 0.0, self._clock.now_ns(), 0, 0
        while not self._closing.is_set() and (packet := receiver.next()) is not None:
            now_ns = self._clock.now_ns()
            if backlog is not None:
                # who waits until a picture is due has all the time that there is
                read_ns = receiver.waited_ns + rested_ns
                backlog.read(waited_ns=read_ns, now_ns=now_ns, media_ns=receiver.media_ns(packet))
            waited_ns, rested_ns = max(waited_ns, receiver.waited_ns), 0
            frames = None
            if packet.stream is stream:
                frames = decoder.decode(packet, backlog, now_ns=now_ns)
            elif self._ear is not None:
                self._ear.hear(packet)
            if frames is None and now_ns - decoded_ns > self._patience_s * NS_PER_S:
                no_picture = f"no picture in what came for {self._patience_s:g} s"
                raise decoder.refusal or SourceLost(no_picture, where=self._address.name)
            for frame in frames or ():
                last_s = last_s if frame.time is None else frame.time
                due_ns = self._clock.now_ns()
                if pacer is not None and not pacer.wait_until(last_s, read_s=waited_ns / NS_PER_S):
                    return last_s
                waited_ns, rested_ns = 0, rested_ns + self._clock.now_ns() - due_ns
                self._put(frame, decoder)
            if frames is not None:
                decoded_ns = self._clock.now_ns()  # taking them may have been waited for
        return last_s

    def _put(self, frame: VideoFrame, decoder: StreamDecoder) -> None:
        index = decoder.produced
        decoder.given += 1
        captured_ns = self._clock.now_ns()
        if self._ear is not None:
            self._ear.shown(frame, captured_ns=captured_ns)
        if decoder.settled:
            self._ready.set()
        self._pictures.put(Picture(frame, index, captured_ns))

    def _warn_if_short(self, container: InputContainer, last_s: float) -> None:
        """Say so where the end came before the promised one."""
        assert self.facts is not None
        begin_s = (container.start_time or 0) / av.time_base
        if self.facts.duration_s is not None and last_s - begin_s < self.facts.duration_s - SHORT_S:
            played = f"{last_s - begin_s:.1f} s of {self.facts.duration_s:.1f} s"
            logger.warning("%s: broken off, read %s", self._address.name, played)


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

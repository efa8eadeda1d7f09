"""One video in one file: pictures of one size in, at any times, and a file that is readable at every moment.

recorder.py decides when one begins and ends. While it grows an mp4 is fragmented, so that kill -9 costs less than its
last second; a clean end turns it into an ordinary one.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamer.frame import Image
from streamer.pyav import OutputContainer, Packet, VideoStream, av
from streamer.sinks.coding import Coder
from streamer.sinks.colours import Colours
from streamer.sinks.containers import TICKS_PER_S, Container
from streamer.sinks.heard import HeardSound, Listening
from streamer.sinks.options import Codec, VideoOptions
from streamer.sinks.original import Chapter, Original, shown_until_s
from streamer.sinks.outfile import OutFile, failure
from streamer.sinks.sound import Sound
from streamer.text import printable

logger = logging.getLogger(__name__)

CODING_ERRORS = (OSError, av.FFmpegError, ValueError, TypeError, NotImplementedError, EOFError)
"""What PyAV raises for what an encoder, a muxer or a file does not take."""

_CHAPTER_BASE = Fraction(1, 1000)

_QUICK_FPS = 4.0
"""Of what is slower and comes live, no frame waits for the next one: a kill would lose it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One frame, encoded. ticks: when it is shown, in 1/TICKS_PER_S s. key: it can be decoded without those before."""

    data: bytes
    ticks: int
    duration: int
    key: bool

    def packet(self, stream: VideoStream | None = None, zero_ticks: int = 0) -> Packet:
        """As a packet of `stream`, shown so much earlier."""
        packet = Packet(self.data)
        packet.pts = packet.dts = self.ticks - zero_ticks
        packet.duration = self.duration
        packet.time_base = Fraction(1, TICKS_PER_S)
        packet.is_keyframe = self.key
        if stream is not None:
            packet.stream = stream
        return packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the videos of one recording are made.

    encoder: FFmpeg's name, which choose_encoder gave. fps: the nominal rate.
    """

    container: Container
    codec: Codec
    encoder: str
    options: VideoOptions
    fps: float


class MediaFile:
    """A container being written: what the video files of streamer have in common.

    file: where to; `close` closes it. original: what sound, title and chapters are taken from; None has none.
    start_s: the media time of the recording's beginning. listening: the sound that comes beside the frames.

    It stays empty until the first packet comes: FFmpeg 8 crashes (SIGSEGV) on the trailer of a hybrid file that has a
    header and no frame.
    """

    def __init__(
        self,
        file: OutFile,
        recipe: Recipe,
        *,
        original: Original | None,
        start_s: float = 0.0,
        listening: Listening | None = None,
    ) -> None:
        self.frames = 0
        """Frames that are in the file; a few more may wait in the encoder until `close`."""
        self.chapters: list[Chapter] = []
        """Named parts that the original has, in seconds of this file; written by `close`."""
        self.marks: list[Chapter] = []
        """Parts that begin here and there, each up to the next one; written with them."""
        self.lead_s = original.lead_s if original is not None and start_s <= 0 else 0.0
        """How much earlier than the first frame the file begins, because there is sound already."""
        self._file = file
        self._recipe = recipe
        self._original = original
        self._start_s = start_s - self.lead_s
        self._closed = False
        self._listening = None if recipe.options.audio == "none" else listening
        self._sound: Sound | HeardSound | None = None
        self._container: OutputContainer | None = None
        with self._sink_errors():
            self._container = av.open(file, "w", format=recipe.container.format, options=recipe.container.options())

    @property
    def container(self) -> OutputContainer:
        """What is being written."""
        assert self._container is not None
        return self._container

    @property
    def path(self) -> Path:
        """Where it is, or will be once it is closed."""
        return self._file.path

    @property
    def duration_s(self) -> float:
        """How long the video is so far."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Once the video's stream is there: add the tracks of sound, and what is told about the whole.

        Chapters come at the end, when it is known how long the last one is.
        """
        recipe, original = self._recipe, self._original
        metadata = {} if original is None else dict(original.metadata)
        metadata["comment"] = "; ".join(text for text in (metadata.get("comment"), recipe.options.note) if text)
        if recipe.container.format == "mpegts":  # a length there is one byte
            metadata = {key: text.encode()[:255].decode("utf-8", "ignore") for key, text in metadata.items()}
        self.container.metadata.update(metadata)
        if self._listening is not None:
            try:
                self._sound = HeardSound(self._listening, self.container, recipe.container)
            except (av.FFmpegError, ValueError, NotImplementedError) as error:
                logger.warning("no sound: %s", error)
        if original is None:
            return
        if original.language:
            self.container.streams.video[0].metadata["language"] = original.language
        if recipe.options.audio != "none" and original.sound_first_s is not None:
            try:
                self._sound = Sound(
                    original, self.container, recipe.container, recipe.options.audio, start_s=self._start_s
                )
            except (OSError, av.FFmpegError) as error:
                logger.warning("no sound: %s", error)
        self.chapters = [
            Chapter(one.start_s - self._start_s, one.end_s - self._start_s, one.title) for one in original.chapters
        ]

    def _mux(self, packets: Iterable[Packet], *, sound_until_s: float) -> None:
        """Write packets of video, and the sound that begins before them."""
        if self._sound is not None:
            self._mux_sound(self._sound.until(sound_until_s))
        for packet in packets:
            self.container.mux(packet)
            self.frames += 1

    def _mux_sound(self, packets: Iterable[Packet]) -> None:
        """What the container does not take is left out: sound never ends a recording."""
        for packet in packets:
            try:
                self.container.mux(packet)
            except (av.InvalidDataError, av.ArgumentError) as error:
                logger.debug("a packet of sound is left out: %s", error)

    def _finish(self, end_s: float) -> None:
        """Write what is left and close the container; `end_s`: where the last frame ends."""
        if self._sound is not None:
            self._mux_sound(self._sound.rest(end_s))
        self._write_chapters(end_s)
        self._let_go()

    def _let_go(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self.container.close()
        self._file.close()

    def _write_chapters(self, end_s: float) -> None:
        chapters = joined(self.chapters, self.marks, end_s=end_s)
        if not chapters:
            return
        most = self._recipe.container.most_chapters
        if len(chapters) > most:
            name = printable(str(self._file.path), limit=256)
            logger.warning("%s: %d of %d chapters have no place in it", name, len(chapters) - most, len(chapters))
        if chapters := chapters[:most]:
            self.container.set_chapters([_as_pyav(number, one) for number, one in enumerate(chapters, 1)])

    @contextmanager
    def _sink_errors(self) -> Iterator[None]:
        """Turn what the encoder, the muxer or the disk raises into SinkError, and let go of everything."""
        try:
            yield
        except CODING_ERRORS as error:
            self._abandon()
            saved = f"all but the last moments of the {self.duration_s:.1f} s recorded can be played"
            if not self.frames:
                saved = "nothing is in it"
            raise failure(self._file.path, error, saved=saved) from error

    def _abandon(self) -> None:
        self._closed = True
        self._file.freeze()
        if self._sound is not None:
            self._sound.close()
        with suppress(*CODING_ERRORS):  # its trailer goes nowhere; the first failure is the one to tell
            if self._container is not None:
                self._container.close()
        with suppress(OSError):
            if self.frames:
                self._file.close()
            else:
                self._file.discard()


class VideoFile(MediaFile):
    """A video that is encoded as it comes.

    size_px: (width, height) of every picture.
    """

    def __init__(
        self,
        file: OutFile,
        recipe: Recipe,
        *,
        size_px: tuple[int, int],
        original: Original | None = None,
        start_s: float = 0.0,
        listening: Listening | None = None,
    ) -> None:
        self._coder: Coder | None = None
        super().__init__(file, recipe, original=original, start_s=start_s, listening=listening)
        with self._sink_errors():
            self._coder = coder_for(recipe, self.container, size_px=size_px, original=original)
            self._begin()

    @property
    def duration_s(self) -> float:
        return 0.0 if self._coder is None else self._coder.end_ticks / TICKS_PER_S

    def write(self, image: Image, *, time_s: float) -> None:
        """Add a frame that is shown from `time_s`, in seconds since the first; not later than the last means at once.

        Raises SinkError; what was written until then stays readable.
        """
        assert self._coder is not None
        time_s += self.lead_s
        with self._sink_errors():
            self._mux(self._coder.encode(image, time_s=time_s), sound_until_s=time_s)

    def close(self, *, next_s: float | None = None) -> None:
        """Write what waits in the encoder, finish the file and let go. Idempotent. Raises SinkError.

        next_s: until when the last frame is shown, if something comes behind it; else as long as the original says, or
        as the one before.
        """
        if self._closed:
            return
        self._closed = True
        assert self._coder is not None
        with self._sink_errors():
            if self._coder.started:
                self._end_last(next_s)
                self._mux(self._coder.flush(), sound_until_s=self.duration_s)
                self._finish(self.duration_s)
            else:
                self._let_go()

    def _end_last(self, next_s: float | None) -> None:
        """A container that does not know how long the last frame is shown gives one tick, or what the rate was once."""
        assert self._coder is not None
        if next_s is not None:
            self._coder.last_until(next_s + self.lead_s)
        elif self._original is not None:
            last_s, guess_s = self._coder.last_s, self._coder.end_ticks / TICKS_PER_S - self._coder.last_s
            until_s = shown_until_s(self._original, self._start_s + last_s)
            if until_s is not None and until_s - self._start_s - last_s > guess_s / 4:
                self._coder.last_until(until_s - self._start_s)


def coder_for(
    recipe: Recipe, container: OutputContainer, *, size_px: tuple[int, int], original: Original | None
) -> Coder:
    """What encodes pictures of (width, height) into a stream of `container`, in the colours of `original`."""
    height = size_px[1]
    return Coder(
        container,
        recipe.encoder,
        recipe.codec,
        recipe.options,
        size_px=size_px,
        fps=recipe.fps,
        colours=Colours.usual(height) if original is None else Colours.of_source(original.tags, height=height),
        pixel_aspect=None if original is None else original.pixel_aspect,
        exact=original is not None or recipe.fps >= _QUICK_FPS,
    )


def joined(chapters: Sequence[Chapter], marks: Sequence[Chapter], *, end_s: float) -> list[Chapter]:
    """Both in the order of time, none beyond the next one or the end, each with some length."""
    ordered = sorted([*chapters, *marks], key=lambda one: one.start_s)
    if marks and not chapters and ordered[0].start_s > 0:
        ordered.insert(0, Chapter(0.0, ordered[0].start_s, ""))
    next_starts_s = [one.start_s for one in ordered[1:]] + [end_s] * bool(ordered)
    cut = [
        Chapter(max(0.0, one.start_s), min(one.end_s, next_s, end_s), one.title)
        for one, next_s in zip(ordered, next_starts_s, strict=True)
    ]
    # What is of no length in the file stays so; what lost all of it to the next one goes.
    return [
        one
        for one, whole in zip(cut, ordered, strict=True)
        if one.end_s - one.start_s >= _CHAPTER_BASE or (whole.end_s <= whole.start_s and one.start_s < end_s)
    ]


def _as_pyav(number: int, chapter: Chapter) -> Any:  # noqa: ANN401 - PyAV's dict of it has no name
    return {
        "id": number,
        "start": round(chapter.start_s / _CHAPTER_BASE),
        "end": round(chapter.end_s / _CHAPTER_BASE),
        "time_base": _CHAPTER_BASE,
        "metadata": {"title": chapter.title} if chapter.title else {},
    }

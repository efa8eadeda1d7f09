"""The file that is cut: its first picture, its keyframes, and its packets from one of them on.

All times are exact fractions of a second as the file counts them; `origin` is that of its first picture. It copies and
encodes nothing.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamer.errors import SourceError, SourceOpenError
from streamer.pyav import VideoFrame, VideoStream, av
from streamer.sources.options import MAX_PIXELS
from streamer.sources.pixel_limit import for_ffmpeg
from streamer.sources.probing import refuse_non_video
from streamer.text import local_name

_MARGINS_S = (0, 2, 15, 120)
"""How far before the wanted time a seek aims, in turn, until a keyframe is met; then comes the beginning."""

_LEAD_S = 1
"""How long before a keyframe the sound that goes with it may stand in the file."""

_LOOKED_AT = 120
"""How many packets of pictures tell whether the file says when they are decoded as it should."""

_CHAPTERS = "bin_data"
"""What FFmpeg calls the track of an mp4 that holds the chapters, which come through another door."""

_LIMIT = for_ffmpeg(MAX_PIXELS)
"""Opening a file decodes its first picture."""

_NEAR_S = Fraction(1, 2000)
"""Times that people type are rounded to this."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a part begins.

    key: when the keyframe is shown with which decoding begins. first: when the first wanted picture is shown.
    """

    key: Fraction
    first: Fraction


class Footage:
    """A file with a video stream, open until `close`.

    Raises SourceOpenError: missing, empty, no video, unreadable or truncated, without pictures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first_packet = b""
        refuse_non_video(str(path))
        if not path.is_file():
            raise SourceOpenError("is no file that can be read from any place", where=str(path))
        self.container, self.video = self._opened()
        try:
            self.first_frame = self._first_frame()
            self.origin = (self.first_frame.pts or 0) * _unit(self.first_frame)
            self._late = self._lateness()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self.container.close()

    @property
    def tracks(self) -> "list[av.stream.Stream]":
        """What a clip can keep: the video, all sound and all subtitles, in the order of the file."""
        kept = {"audio", "subtitle"}
        return [stream for stream in self.container.streams if stream is self.video or stream.type in kept]

    @property
    def left_out(self) -> list[str]:
        """What else is in the file, in words: `2 data streams`."""
        tracks = self.tracks
        others = [stream for stream in self.container.streams if stream not in tracks]
        kinds = [stream.type for stream in others if stream.name != _CHAPTERS]
        return [f"{kinds.count(kind)} {kind} stream{'s' * (kinds.count(kind) > 1)}" for kind in dict.fromkeys(kinds)]

    def entry(self, start: Fraction) -> Entry:
        """Where a part begins that starts `start` after the first picture. Raises SourceOpenError beyond the end."""
        wanted = self.origin + start - _NEAR_S
        for margin_s in _MARGINS_S:
            if margin_s and margin_s >= start:
                break
            found = self._looked_for(wanted, aim=self.origin + start - margin_s)
            if found is not None:
                return found
        found = self._looked_for(wanted, aim=None)
        if found is None:
            raise SourceOpenError(f"start ({float(start):g} s) is beyond the end", where=str(self.path))
        return found

    def packets(self, entry: Entry) -> "Iterator[av.Packet[Any]]":
        """The packets of all `tracks` from the entry's keyframe on, with sound that belongs to it from a little before.

        Pictures that are decoded after the keyframe and shown before it need what came earlier: they are left out.
        Raises SourceError where the file is damaged.
        """
        for aim in (entry.key - _LEAD_S, None):
            begun = False
            for packet in self._from(entry.key, aim=aim):
                begun = True
                yield packet
            if begun:
                return
        raise SourceError("the keyframe is not found again", where=str(self.path), hint="--exact may help")

    def _from(self, key: Fraction, *, aim: Fraction | None) -> "Iterator[av.Packet[Any]]":
        """As `packets`, sought from `aim`; nothing where that lands behind the keyframe."""
        early: list[av.Packet[Any]] = []
        begun = False
        self._seek(aim)
        for packet in self._demuxed(self.tracks):
            if packet.stream is not self.video:
                if begun:
                    yield packet
                elif packet.stream.type == "subtitle" or time_of(packet) >= key - _LEAD_S:
                    early.append(packet)
            elif not begun and time_of(packet) == key:
                begun = True
                yield from (*early, packet)
            elif begun and time_of(packet) >= key:
                yield packet
            elif not begun and (decoded_at(packet) or key) > key:
                return

    def _demuxed(self, streams: "Sequence[av.stream.Stream]") -> "Iterator[av.Packet[Any]]":
        """The packets of `streams` that have a time, none of which is decoded after it is shown."""
        reached = Fraction(0)
        try:
            for packet in self.container.demux(streams):
                if packet.size == 0 or packet.pts is None:
                    continue
                if packet.stream is self.video:
                    reached = max(reached, time_of(packet) - self.origin)
                    if self._late and packet.dts is not None:
                        packet.dts -= round(self._late / _unit(packet))
                yield packet
        except av.FFmpegError as error:
            raise SourceError(
                f"is damaged at {float(reached):.2f} s: {error.strerror}",
                where=str(self.path),
                hint=f"--end {max(0.0, float(reached) - 0.1):.1f} leaves that out",
            ) from error

    def _opened(self) -> "tuple[av.container.InputContainer, VideoStream]":
        """The file and its video, which is no cover. Raises SourceOpenError."""
        try:
            container = av.open(local_name(str(self.path)), options=_LIMIT, metadata_errors="ignore")
        except (av.FFmpegError, OSError) as error:
            raise SourceOpenError(f"unreadable or truncated: {error.strerror}", where=str(self.path)) from error
        cover = av.stream.Disposition.attached_pic
        for stream in container.streams.video:
            if not stream.disposition & cover:
                stream.thread_type = "AUTO"
                return container, stream
        sound = ": it holds only sound" if container.streams.audio else ""
        container.close()
        raise SourceOpenError(f"no video frames{sound}", where=str(self.path))

    def _first_frame(self) -> VideoFrame:
        frames: list[VideoFrame] = []
        wanted = _LOOKED_AT if self.container.format.name == "avi" else 1
        try:
            for frame in self.container.decode(self.video):
                frames.append(frame)
                if frame.pts is not None and len(frames) >= wanted:
                    break
        except av.FFmpegError as error:
            reason = f"no picture can be decoded: {error.strerror}"
            raise SourceOpenError(reason, where=str(self.path)) from error
        times = [frame.pts for frame in frames if frame.pts is not None]
        if not frames:
            raise SourceOpenError("no video frames", where=str(self.path))
        if not times or times != sorted(times):  # AVI counts its pictures, and knows nothing of B-frames
            untimed = "it does not say when its pictures are shown"
            raise SourceOpenError(untimed, where=str(self.path), hint="put it into an mp4 or mkv first")
        return next(frame for frame in frames if frame.pts is not None)

    def _lateness(self) -> Fraction:
        """By how much pictures are decoded too late to be shown in time, as phones' edit lists have it."""
        self._seek(None)
        self._late = Fraction(0)
        late = Fraction(0)
        for packet in itertools.islice(self._demuxed([self.video]), _LOOKED_AT):
            late = max(late, (decoded_at(packet) or time_of(packet)) - time_of(packet))
            self.first_packet = self.first_packet or bytes(packet)
        return late

    def _looked_for(self, wanted: Fraction, *, aim: Fraction | None) -> Entry | None:
        """The entry for what is shown from `wanted` on, sought from `aim` or from the beginning; None if not found."""
        first, keys, head = self._scanned(wanted, aim=aim)
        if first is None or (aim is not None and head >= wanted):
            return None
        key = max((at for at in keys if at <= first), default=None)
        if key is not None and not self._is_key(key):
            key = self._decoded_key(first, aim=aim)
        if key is None and aim is None:
            key = head  # no decoder calls any a keyframe: what comes first has to do
        return None if key is None else Entry(key=key, first=first)

    def _scanned(self, wanted: Fraction, *, aim: Fraction | None) -> tuple[Fraction | None, list[Fraction], Fraction]:
        """When the first picture from `wanted` on is shown; the packets until then that are marked as keyframes.

        And the time of the first packet: a seek may land too late.
        """
        first: Fraction | None = None
        keys: list[Fraction] = []
        head: Fraction | None = None
        self._seek(aim)
        for packet in self._demuxed([self.video]):
            at = time_of(packet)
            head = at if head is None else head
            if packet.is_keyframe:
                keys.append(at)
            if at >= wanted and not packet.is_discard:
                first = at if first is None else min(first, at)
            decoded = decoded_at(packet)
            if first is not None and decoded is not None and decoded >= first:
                break
        return first, keys, wanted if head is None else head

    def _is_key(self, at: Fraction) -> bool:
        """Whether decoding can begin there: an mp4 without a table of keyframes marks all of its pictures as such."""
        self._seek(at)
        with suppress(av.FFmpegError):
            for frame in self.container.decode(self.video):
                return frame.key_frame and frame.pts is not None and frame.pts * _unit(frame) == at
        return False

    def _decoded_key(self, first: Fraction, *, aim: Fraction | None) -> Fraction | None:
        """The last keyframe up to `first`, as the decoder sees it."""
        key: Fraction | None = None
        self._seek(aim)
        with suppress(av.FFmpegError):
            for frame in self.container.decode(self.video):
                if frame.pts is None:
                    continue
                at = frame.pts * _unit(frame)
                if at > first:
                    break
                key = at if frame.key_frame else key
        return key

    def _seek(self, aim: Fraction | None) -> None:
        """Go to about `aim`; None, and what cannot be sought in, to the very beginning."""
        if aim is not None and aim > self.origin:
            with suppress(av.FFmpegError):
                self.container.seek(int(aim / _unit(self.video)), stream=self.video, backward=True)
                return
        self.container.close()
        self.container, self.video = self._opened()


def time_of(packet: "av.Packet[Any]") -> Fraction:
    """When a packet is shown or heard, in seconds as the file counts."""
    assert packet.pts is not None
    return packet.pts * _unit(packet)


def decoded_at(packet: "av.Packet[Any]") -> Fraction | None:
    """When a packet is decoded: nothing behind it is shown before that. None where nobody knows, as after a seek."""
    return None if packet.dts is None else packet.dts * _unit(packet)


def _unit(timed: "VideoFrame | VideoStream | av.Packet[Any]") -> Fraction:
    assert timed.time_base is not None
    return timed.time_base

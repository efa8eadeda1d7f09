"""One stream of a clip each: packets of the file in, those of the clip out, at the clip's own times.

clip.py carries packets from the file through its lane into the clip; encoding.py has the lane that encodes again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from streamer.cutting.footage import Footage, decoded_at, time_of
from streamer.cutting.h264 import prologue
from streamer.errors import SinkError
from streamer.pyav import av

PREROLL_S = Fraction(1, 10)
"""How much sound before the beginning goes into a file that can hide it, for decoders that need some to start from."""

_STALE_TAGS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_", "encoder", "SOURCE_ID")
"""What the file says of the length and the making of a stream, which is not true of a part of it."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is cut, in seconds as the file counts them.

    zero: what is time 0 of the clip: the first picture that is shown. key: that of the keyframe before it, or the same.
    end: what is shown from here on is left out; None goes to the end. hides: whether the clip may hold what it does not
    show.
    """

    zero: Fraction
    key: Fraction
    end: Fraction | None
    hides: bool

    def is_before_end(self, at: Fraction) -> bool:
        """Whether something at that time is in the clip, as far as its end goes."""
        return self.end is None or at < self.end

    def is_over(self, decoded: Fraction | None) -> bool:
        """Whether nothing in the clip comes with or behind a packet that is decoded at that time."""
        return decoded is not None and not self.is_before_end(decoded)


class Lane(Protocol):
    """One stream on its way. `finished`: nothing more comes of what the file still holds."""

    finished: bool

    def take(self, packet: "av.Packet[Any]") -> "Iterator[av.Packet[Any]]":
        """What goes into the clip now that `packet` has come. Raises SinkError."""

    def flush(self) -> "Iterator[av.Packet[Any]]":
        """What goes into the clip at the end of the file. Raises SinkError."""


class Tally:
    """What a lane of pictures let through. All times in seconds of the clip.

    frames: how many are shown, up to the end; extra: how many are kept that come after it. last_s: when the last one
    that is kept is over. is_full: pictures came that are shown after the end, so that the last one lasts until then.
    hidden_s: the first picture of those that the file hides, and that are kept nevertheless. keeps_key: a keyframe is
    among those that come after the end.
    """

    def __init__(self, span: Span) -> None:
        self.frames = self.extra = 0
        self.last_s = Fraction(0)
        self.is_full = self.keeps_key = False
        self.hidden_s: Fraction | None = None
        self._span = span
        self._shown_s = Fraction(0)

    def add(self, at: Fraction, *, lasts: Fraction, is_hidden: bool = False, is_key: bool = False) -> None:
        """Count a picture that is shown from `at` on, as the file counts, and for so many seconds."""
        begin_s = at - self._span.zero
        self.last_s = max(self.last_s, begin_s + lasts)
        if is_hidden and begin_s >= 0:
            self.hidden_s = begin_s if self.hidden_s is None else min(begin_s, self.hidden_s)
        elif not self._span.is_before_end(at):
            self.extra += 1
            self.keeps_key |= is_key
        elif begin_s >= 0:
            self.frames += 1
            self._shown_s = max(self._shown_s, begin_s + lasts)

    @property
    def shown_s(self) -> Fraction:
        """When the last picture before the end is over."""
        whole = None if self._span.end is None else self._span.end - self._span.zero
        return self._shown_s if whole is None else whole if self.is_full else min(whole, self._shown_s)

    @property
    def limit_s(self) -> Fraction | None:
        """From when on nothing is to be shown; None where all that is kept is.

        FFmpeg reads an edit list up to the first keyframe behind its end: pictures before the end that are decoded
        after such a one would be lost.
        """
        if self.keeps_key:
            return None
        ends = [] if self._span.end is None else [self._span.end - self._span.zero]
        return min([*ends, *([] if self.hidden_s is None else [self.hidden_s])], default=None)


class CopiedVideo:
    """Pictures as they are. A few that are shown after the end are kept where pictures before it are made from them."""

    def __init__(self, clip: "av.container.OutputContainer", footage: Footage, span: Span) -> None:
        """Adds its stream to `clip`."""
        self.finished = False
        self.tally = Tally(span)
        self.out = clip.add_stream_from_template(footage.video, opaque=True)
        self._footage = footage
        self._in_band = clip.format.name == "mpegts"
        self._span = span
        self._begun = False
        self._held: list[av.Packet[Any]] = []

    def take(self, packet: "av.Packet[Any]") -> "Iterator[av.Packet[Any]]":
        if self.finished:
            return
        self.tally.is_full |= not packet.is_discard and not self._span.is_before_end(time_of(packet))
        if self._span.is_over(decoded_at(packet)):
            self.finished = self.tally.is_full = True
        elif packet.is_discard and time_of(packet) >= self._span.zero:
            self._held.append(packet)
        elif self._span.is_before_end(time_of(packet)):
            for needed in (*self._held, packet):
                yield self._moved(needed)
            self._held.clear()
        else:
            self._held.append(packet)

    def flush(self) -> "Iterator[av.Packet[Any]]":
        yield from ()
        hidden_s = self.tally.hidden_s
        if hidden_s is not None and not self.tally.is_full and hidden_s < self.tally.shown_s:
            raise SinkError(
                f"a picture that the file hides, {float(hidden_s):.2f} s after the start, would be seen",
                hint="--exact encodes the pictures again",
            )

    def _moved(self, packet: "av.Packet[Any]") -> "av.Packet[Any]":
        lasts = Fraction((packet.duration or 0) * (packet.time_base or 0))
        hidden, key = packet.is_discard, packet.is_keyframe
        self.tally.add(time_of(packet), lasts=lasts, is_hidden=hidden, is_key=key)
        if not self._begun:
            self._begun = True
            packet = self._first(packet)
        return moved(packet, self.out, by=self._span.zero)

    def _first(self, packet: "av.Packet[Any]") -> "av.Packet[Any]":
        """`packet`, with what a decoder needs that begins there."""
        context, data = self._footage.video.codec_context, bytes(packet)
        if context.name != "h264":
            return packet
        first = self._footage.first_packet if "444" in (context.pix_fmt or "") else data
        before = prologue(context.extradata or b"", first=first, packet=data, in_band=self._in_band)
        if not before:
            return packet
        whole: av.Packet[Any] = av.Packet(before + data)
        whole.pts, whole.dts, whole.duration = packet.pts, packet.dts, packet.duration
        whole.time_base, whole.is_keyframe = packet.time_base, True
        return whole


class CopiedSound:
    """Sound as it is, to the packet: some hundredths of a second."""

    def __init__(self, out: "av.stream.Stream", span: Span) -> None:
        self.finished = False
        self._out = out
        self._span = span
        self._begin = span.zero - PREROLL_S if span.hides else span.zero

    def take(self, packet: "av.Packet[Any]") -> "Iterator[av.Packet[Any]]":
        at = time_of(packet)
        if self.finished or not self._span.is_before_end(at):
            self.finished = True
        elif at >= self._begin:
            yield moved(packet, self._out, by=self._span.zero)

    def flush(self) -> "Iterator[av.Packet[Any]]":
        yield from ()


class CopiedText:
    """Subtitles; one that is on the screen when the clip begins or ends is made as much shorter."""

    def __init__(self, out: "av.stream.Stream", span: Span) -> None:
        self.finished = True  # nobody waits for a subtitle, which may be minutes away
        self._out = out
        self._span = span

    def take(self, packet: "av.Packet[Any]") -> "Iterator[av.Packet[Any]]":
        assert packet.time_base is not None
        assert packet.pts is not None
        begin, length = time_of(packet), (packet.duration or 0) * packet.time_base
        shown_from = max(begin, self._span.zero)
        shown_until = begin + length if self._span.end is None else min(begin + length, self._span.end)
        if shown_until > shown_from:
            packet.pts = packet.dts = round(shown_from / packet.time_base)
            packet.duration = round((shown_until - shown_from) / packet.time_base)
            yield moved(packet, self._out, by=self._span.zero)

    def flush(self) -> "Iterator[av.Packet[Any]]":
        yield from ()


def moved(packet: "av.Packet[Any]", out: "av.stream.Stream", *, by: Fraction) -> "av.Packet[Any]":
    """`packet`, now one of `out`, earlier by so many seconds."""
    assert packet.time_base is not None
    ticks = round(by / packet.time_base)
    if packet.pts is not None:
        packet.pts -= ticks
    if packet.dts is not None:
        packet.dts -= ticks
    packet.stream = out
    return packet


def described(out: "av.stream.Stream", source: "av.stream.Stream") -> None:
    """Give a stream of the clip what the file says of it: language, title, and what it is for."""
    out.metadata.update({key: text for key, text in source.metadata.items() if not key.startswith(_STALE_TAGS)})
    out.disposition = source.disposition

"""A part of a video file as a file of its own: pictures, sound, subtitles, chapters and what the file says of itself.

A copy begins at a keyframe. Where the container has edit lists, what is before the first wanted picture is in the file
and not shown; elsewhere the clip begins that much earlier. Called by the verb clip.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamer.cutting.chapters import chapters_within
from streamer.cutting.containers import Container, codec_of, container_of, require_room_for
from streamer.cutting.edit_lists import end_at
from streamer.cutting.encoding import EncodedVideo
from streamer.cutting.footage import Entry, Footage
from streamer.cutting.lanes import CopiedSound, CopiedText, CopiedVideo, Lane, Span, Tally, described
from streamer.cutting.placing import beside
from streamer.errors import SinkError, SourceOpenError
from streamer.pyav import av
from streamer.sinks.outfile import failure, refuse_input
from streamer.text import local_name

_OF_THE_FILE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
"""Tags that are true of a file, and not of what is in it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What was cut; all times in seconds of the file, from its first picture on.

    first_s: of the first picture that is shown. wanted_s: of the first one at or after the start that was asked for.
    end_s: when the last picture is over that is shown. hidden_s: how much is in the clip before its first picture, and
    not shown. frames: pictures that are shown, up to the end that was asked for; extra: those that are shown after it.
    copied: not encoded again. left_out: what of the file is not in the clip, in words.
    """

    path: Path
    first_s: float
    wanted_s: float
    end_s: float
    hidden_s: float
    frames: int
    extra: int
    copied: bool
    left_out: tuple[str, ...]


def cut(
    path: Path, out: Path, *, start_s: float = 0.0, end_s: float | None = None, exact: bool = False, force: bool = False
) -> Clip:
    """Cut what `path` shows from `start_s` until before `end_s` into `out`, whose ending chooses the container.

    start_s, end_s: seconds since the first picture; None goes on to the end. exact: encode the pictures again, so that
    the clip holds nothing but what was asked for. force: replace what is at `out`; never the file itself.

    Raises SourceError: the file cannot be read, is damaged, or has nothing there; SinkError: `out` cannot be written,
    or cannot hold what is in the file; ConfigError: nothing is written to that ending.
    """
    container = container_of(out)
    with Footage(path) as footage:
        refuse_input(out, [path])
        require_room_for(_codecs(footage, exact=exact), container, out=out)
        entry = footage.entry(Fraction(start_s).limit_denominator(1_000_000))
        span = _span(footage, entry, end_s=end_s, hides=container.hides, exact=exact)
        with beside(out, force=force) as part, _writing_told(out, exact=exact):
            video, left_out = _filled(part, footage, entry, span, container=container, exact=exact)
            if container.hides and video.limit_s is not None:
                end_at(part, video.limit_s)
    origin, zero = footage.origin, span.zero
    is_longer = video.extra > 0 and (video.keeps_key or not container.hides)
    return Clip(
        path=out,
        first_s=float(zero - origin),
        wanted_s=float(entry.first - origin),
        end_s=float(zero - origin + (video.last_s if is_longer else video.shown_s)),
        hidden_s=0.0 if exact else float(zero - span.key),
        frames=video.frames,
        extra=video.extra if is_longer else 0,
        copied=not exact,
        left_out=tuple(left_out),
    )


def _codecs(footage: Footage, *, exact: bool) -> Iterator[str]:
    yield "h264" if exact else codec_of(footage.video)
    yield from (codec_of(stream) for stream in footage.container.streams.audio)


def _span(footage: Footage, entry: Entry, *, end_s: float | None, hides: bool, exact: bool) -> Span:
    """Raises SourceOpenError where no picture is between start and end."""
    end = None if end_s is None else footage.origin + Fraction(end_s).limit_denominator(1_000_000)
    if end is not None and entry.first >= end:
        first_s = float(entry.first - footage.origin)
        raise SourceOpenError(
            f"no picture is shown from the start until {end_s:g} s; the next one comes at {first_s:.3f} s",
            where=str(footage.path),
        )
    zero = entry.first if hides or exact else entry.key
    return Span(zero=zero, key=entry.key, end=end, hides=hides)


@contextmanager
def _writing_told(out: Path, *, exact: bool) -> Iterator[None]:
    try:
        yield
    except av.ArgumentError as error:
        reason = f"what is in the file does not go into {out.suffix} as it is: {error.strerror}"
        hint = "try .mkv" if exact else "--exact encodes the pictures again; or try .mkv"
        raise SinkError(reason, where=str(out), hint=hint) from error
    except FileExistsError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise failure(out, error, saved="nothing is kept of it") from error


def _filled(
    part: Path, footage: Footage, entry: Entry, span: Span, *, container: Container, exact: bool
) -> tuple[Tally, list[str]]:
    """Write the clip to `part`; what of its pictures, and what of the file is not in it."""
    with av.open(local_name(str(part)), "w", format=container.format, options=dict(container.options)) as clip:
        lanes, video, left_out = _lanes(clip, footage, span, container=container, exact=exact)
        clip.metadata.update({k: text for k, text in footage.container.metadata.items() if k not in _OF_THE_FILE})
        chapters = chapters_within(footage.container.chapters(), begin=span.zero, end=span.end)
        clip.set_chapters(chapters)
        if chapters and container.format == "mpegts":
            left_out.append("chapters")
        for packet in footage.packets(entry):
            lane = lanes.get(packet.stream_index)
            for ready in () if lane is None else lane.take(packet):
                clip.mux(ready)
            if all(lane.finished for lane in lanes.values()):
                break
        for lane in lanes.values():
            for ready in lane.flush():
                clip.mux(ready)
    return video.tally, left_out


def _lanes(
    clip: "av.container.OutputContainer", footage: Footage, span: Span, *, container: Container, exact: bool
) -> tuple[dict[int, Lane], CopiedVideo | EncodedVideo, list[str]]:
    """The lane of each stream by its index in the file, that of the video, and what has none."""
    lanes: dict[int, Lane] = {}
    left_out = footage.left_out
    video: CopiedVideo | EncodedVideo
    holds = container.codecs()
    for stream in footage.tracks:
        if stream.type == "subtitle" and codec_of(stream) not in holds:
            left_out.append(f"subtitles ({codec_of(stream) or 'unknown'})")
        elif stream is not footage.video:
            out = clip.add_stream_from_template(stream, opaque=True)
            is_sound = stream.type == "audio"
            lanes[stream.index] = CopiedSound(out, span) if is_sound else CopiedText(out, span)
            described(out, stream)
        else:
            video = EncodedVideo(clip, footage, span) if exact else CopiedVideo(clip, footage, span)
            lanes[stream.index] = video
            described(video.out, stream)
    if footage.first_frame.rotation and not container.turns:
        left_out.append("how the picture is turned")
    return lanes, video, left_out

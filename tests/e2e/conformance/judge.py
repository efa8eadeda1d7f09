"""What is right and what is wrong with a recording, measured against the clip that it was made of."""

from collections.abc import Iterator
from fractions import Fraction

from tests.e2e.conformance.facts import Facts
from tests.e2e.conformance.hearing import priming_s, sounds
from tests.e2e.conformance.pictures import HD_LINES, UNSPECIFIED
from tests.e2e.conformance.seeing import HDR_CURVES, seen
from tests.e2e.conformance.verdict import Verdict

CODECS = {".mp4": "h264", ".mov": "h264", ".mkv": "h264", ".ts": "h264", ".webm": "vp9"}
"""What players of each container take for granted."""

PIXELS = {"yuv420p", "yuvj420p"}
"""Of limited and of full range."""

TIME_MS = 1.1
"""Matroska counts in whole milliseconds."""

CHAPTER_S = 0.04
ROUNDING_S = 0.025

PRECISE = {".mp4", ".mov"}
"""What can cut off what an encoder puts before and behind the sound, and has a duration for each track."""

LAST_PACKET_S = 0.15
"""A transport stream says when its last packet begins, which may hold several frames of sound, not when it ends."""

NAMELESS = {".ts"}
"""What has no place for chapters, a title and the language of a video."""

_PLAIN_CURVES = {1, UNSPECIFIED, 6, 13, 14, 15}
"""transfer_characteristics that are shown alike: those with the curve of BT.709, sRGB, and none."""


def compare(verdict: Verdict, source: Facts, made: Facts) -> None:
    """Judge `made` as a recording of `source`; what is measured and what is wrong goes into `verdict`."""
    verdict.frames_in, verdict.frames_out = source.frames, made.frames
    verdict.bytes_in, verdict.bytes_out = source.path.stat().st_size, made.path.stat().st_size
    if made.frames != source.frames or made.damaged:
        broken = ", then it is damaged" if made.damaged else ""
        verdict.blame("frames", f"{made.frames} of {source.frames} can be read{broken}")
    _times(verdict, source, made)
    _duration(verdict, source, made)
    _shape(verdict, source, made)
    seen(verdict, source, made)
    _tags(verdict, source, made)
    sounds(verdict, source, made)
    _names(verdict, source, made)
    verdict.codec = f"{made.codec} {made.pix_fmt}"
    wanted = CODECS[made.path.suffix]
    if made.codec != wanted or made.pix_fmt not in PIXELS:
        verdict.blame("codec", f"{verdict.codec} where {wanted} yuv420p plays everywhere")


def _times(verdict: Verdict, source: Facts, made: Facts) -> None:
    ours = [time for time in made.times_s if time is not None]
    theirs = [time for time in source.times_s if time is not None]
    if len(ours) != made.frames:
        verdict.blame("times", f"{made.frames - len(ours)} frames have no time")
    elif not made.in_order:
        verdict.blame("times", "a frame is not later than the one before")
    if len(theirs) != source.frames or not ours:
        verdict.remark = "the clip's frames have no times"
        return
    if sorted(theirs) != theirs:
        verdict.remark = "the clip's frames have times that do not grow: compared in their order"
        theirs = sorted(theirs)
    errors_ms = [((one - ours[0]) - (other - theirs[0])) * 1000 for one, other in zip(ours, theirs, strict=False)]
    worst = max(range(len(errors_ms)), key=lambda index: abs(errors_ms[index]))
    verdict.time_ms = abs(errors_ms[worst])
    if verdict.time_ms > TIME_MS:
        verdict.blame("times", f"frame {worst} is {errors_ms[worst]:+.1f} ms off")


def _duration(verdict: Verdict, source: Facts, made: Facts) -> None:
    """From the first thing seen or heard to the last, or from the first picture where sound before it was cut."""
    tracks = source.tracks if made.tracks else ()
    ends_s = max([source.end_s, *(track.end_s for track in tracks)])
    starts_s = {source.start_s, min([source.start_s, *(track.start_s for track in tracks)])}
    if made.container_s is None:
        verdict.blame("duration", "the header has none")
        return
    error_s, verdict.expected_s = min(
        ((made.container_s - (ends_s - start_s), ends_s - start_s) for start_s in starts_s),
        key=lambda pair: abs(pair[0]),
    )
    verdict.duration_ms = error_s * 1000
    slack_s = max(source.step_s, ROUNDING_S)
    if abs(error_s) > slack_s + _unsaid_s(made):
        verdict.blame("duration", f"{made.container_s:.3f} s where {verdict.expected_s:.3f} s were expected")
        return
    seen_s = source.end_s - source.start_s
    if made.path.suffix in PRECISE and made.stream_s is not None and abs(made.stream_s - seen_s) > slack_s:
        verdict.blame("duration", f"the video lasts {made.stream_s:.3f} s where {seen_s:.3f} s were expected")


def _unsaid_s(made: Facts) -> float:
    """What a container cannot say of its duration, seconds."""
    ending = made.path.suffix
    if ending in PRECISE:
        return 0.0
    return max((priming_s(track) for track in made.tracks), default=0.0) + (LAST_PACKET_S if ending == ".ts" else 0.0)


def _shape(verdict: Verdict, source: Facts, made: Facts) -> None:
    width, height = source.size_px
    even = width + width % 2, height + height % 2
    verdict.size = "{}x{}".format(*made.size_px) + (" padded" if made.size_px == even != source.size_px else "")
    verdict.shown_px = shown_px(made.size_px, source.aspect)
    if made.size_px not in {source.size_px, even}:
        verdict.blame("size", f"{verdict.size} where {width}x{height} is shown")
    verdict.aspect = f"{source.aspect} {made.aspect}"
    # Matroska has the size as shown, in whole pixels.
    if abs(source.aspect - made.aspect) * made.size_px[0] > 1 or (source.aspect == 1) != (made.aspect == 1):
        verdict.blame("aspect", f"pixels of {source.aspect} became {made.aspect}")


def shown_px(size_px: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(width, height) of the picture once its pixels are square: browsers widen it, and make no side smaller."""
    width, height = size_px
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))


def _tags(verdict: Verdict, source: Facts, made: Facts) -> None:
    """A matrix or range may change with the pixels, which seen() sees; what the colours mean may not."""
    verdict.tags = f"{source.tags} {made.tags}"
    verdict.tags += f" turned {source.rotation}" if source.rotation else ""
    for problem in _tag_problems(source, made):
        verdict.blame("tags", problem)


def _tag_problems(source: Facts, made: Facts) -> Iterator[str]:
    """Untagged pictures may get the tags that players assume; whether HDR became SDR is for seen() to find out."""
    old, new = source.tags, made.tags
    if old.transfer in HDR_CURVES and new.transfer not in HDR_CURVES:
        return
    assumed = {1, UNSPECIFIED} | (set() if made.size_px[1] >= HD_LINES else {5, 6})
    if new.primaries not in (assumed if old.primaries == UNSPECIFIED else {old.primaries}):
        yield f"primaries {old.primaries} became {new.primaries}"
    plain = _PLAIN_CURVES if old.transfer in _PLAIN_CURVES else set()
    if new.transfer not in plain | {old.transfer}:
        yield f"transfer {old.transfer} became {new.transfer}"


def _names(verdict: Verdict, source: Facts, made: Facts) -> None:
    """Chapters, the title and the video's language, where there is room for them; sounds() looks at each track."""
    if made.path.suffix in NAMELESS:
        return
    if len(source.chapters) != len(made.chapters):
        verdict.blame("names", f"{len(made.chapters)} of {len(source.chapters)} chapters")
    for one, other in zip(source.chapters, made.chapters, strict=False):
        moved_s = (one.start_s - source.start_s) - (other.start_s - made.start_s)
        if one.title != other.title or abs(moved_s) > CHAPTER_S:
            verdict.blame(
                "names", f"the chapter {one.title!r} at {one.start_s} s became {other.title!r} at {other.start_s} s"
            )
    if source.title != made.title:
        verdict.blame("names", f"the title {source.title!r} became {made.title!r}")
    if source.language != made.language:
        verdict.blame("names", f"the video's language {source.language!r} became {made.language!r}")

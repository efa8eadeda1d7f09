"""Whether the sound of a clip is in its recording: all tracks of it, whole, and at the right moments."""

from tests.e2e.conformance.facts import Facts
from tests.e2e.conformance.sound import Track, likeness
from tests.e2e.conformance.verdict import Verdict

SYNC_MS = 25.0
SIMILAR = 0.8
"""Opus and AAC at the rates that people use keep more of any sound."""

PRIMING = 2400
"""An encoder adds so many samples at most, at either end."""

TOO_SHORT_S = 0.2
"""What is shorter is over before an encoder has found its way in: only its length is judged."""


def priming_s(track: Track) -> float:
    """How much longer a track may be than what was put in."""
    return PRIMING / track.rate_hz


def sounds(verdict: Verdict, source: Facts, made: Facts) -> None:
    """Judge every track; those that a clip has and its recording lacks as well."""
    told = []
    if len(source.tracks) != len(made.tracks):
        verdict.blame("sound", f"{len(made.tracks)} of {len(source.tracks)} tracks")
    for track, ours in zip(source.tracks, made.tracks, strict=False):
        copied = track.codec == ours.codec and track.packets == ours.packets
        told.append(f"{ours.codec} {'copied' if copied else 'encoded'}")
        _kept(verdict, track, ours)
        _length(verdict, track, ours, cut_s=max(0.0, source.start_s - track.start_s))
        _heard(verdict, (source, track), (made, ours), copied=copied)
    told += ["lost"] * (len(source.tracks) - len(made.tracks))
    verdict.sound = ", ".join(told)


def _kept(verdict: Verdict, track: Track, ours: Track) -> None:
    same_rate = track.rate_hz == ours.rate_hz or ours.codec == "opus"  # which knows no rate but 48 kHz
    if track.channels != ours.channels or not same_rate:
        verdict.blame("sound", f"{track} became {ours}")
    if track.language != ours.language:
        verdict.blame("names", f"the sound's language {track.language!r} became {ours.language!r}")


def _length(verdict: Verdict, track: Track, ours: Track, *, cut_s: float) -> None:
    """What is heard before the first picture may be cut."""
    error_s = ours.duration_s - track.duration_s
    slack_s = priming_s(track)
    if not -slack_s - cut_s <= error_s <= slack_s:
        verdict.blame("sound", f"lasts {ours.duration_s:.3f} s, not {track.duration_s:.3f} s")


def _heard(verdict: Verdict, theirs: tuple[Facts, Track], ours: tuple[Facts, Track], *, copied: bool) -> None:
    """Where the sound repeats itself, the moment at which it begins says whether it is late. Silence never is.

    Where frames come without times of their own, it is in doubt by two of them when the first is shown.
    """
    (source, track), (made, our_track) = theirs, ours
    start_ms = ((our_track.start_s - made.start_s) - (track.start_s - source.start_s)) * 1000
    verdict.start_ms = max(verdict.start_ms or 0.0, start_ms, key=abs)
    if track.duration_s < TOO_SHORT_S:
        return
    alike = likeness(track, our_track, zero_s=(source.start_s, made.start_s))
    if alike is None:
        if not copied and not _both_silent(track, our_track):
            verdict.blame("sound", "one of them is silent")
        return
    verdict.similarity = min(alike.similarity, 1.0 if verdict.similarity is None else verdict.similarity)
    if alike.similarity < SIMILAR:
        verdict.blame("sound", f"another sound: similarity {alike.similarity:.2f}")
    late_ms = alike.late_ms if alike.sure else start_ms
    verdict.sync_ms = max(verdict.sync_ms or 0.0, late_ms, key=abs)
    doubt_ms = 0.0 if source.in_order else 2000 * source.step_s
    if abs(late_ms) > SYNC_MS + doubt_ms:
        verdict.blame("sync", f"the sound is {abs(late_ms):.0f} ms too {'late' if late_ms > 0 else 'early'}")


def _both_silent(one: Track, other: Track) -> bool:
    return not one.samples.any() and abs(other.samples).max(initial=0.0) < 1e-3

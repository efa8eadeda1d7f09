"""Verdicts for people: a line each, then the reasons counted."""

from collections import Counter
from collections.abc import Sequence

from tests.e2e.conformance.verdict import Verdict

HEAD = (
    f"{'':5} {'clip':42} {'in':>5} {'out':>5} {'time ms':>8} {'dur ms':>7} {'sync ms':>8} {'luma':>5} {'RGB':>5} "
    f"{'alike':>5} {'KB in':>6} {'out':>6} {'s':>5}  size, aspect, tags matrix/range/primaries/transfer, sound"
)


def line(verdict: Verdict) -> str:
    """One clip."""
    figures = (
        f"{_figure(verdict.time_ms, 8, 2)} {_figure(verdict.duration_ms, 7, 1)} {_figure(verdict.sync_ms, 8, 1)} "
        f"{_figure(verdict.luma, 5, 1)} {_figure(verdict.colour, 5, 1)} {_figure(verdict.similarity, 5, 2)} "
        f"{verdict.bytes_in / 1000:6.0f} {verdict.bytes_out / 1000:6.0f} {verdict.seconds:5.1f}"
    )
    told = (verdict.size, verdict.aspect, verdict.tags, verdict.codec, verdict.sound, verdict.browser, verdict.remark)
    return (
        f"{'ok' if verdict.right else 'WRONG':5} {verdict.name:42.42} {verdict.frames_in:5} {verdict.frames_out:5} "
        f"{figures}  {' | '.join(filter(None, told))}" + "".join(f"\n      - {finding}" for finding in verdict.wrong)
    )


def total(verdicts: Sequence[Verdict]) -> str:
    """How many are right, and of what the others are guilty."""
    right = sum(verdict.right for verdict in verdicts)
    frames_in, frames_out = (
        sum(getattr(verdict, name) for verdict in verdicts) for name in ("frames_in", "frames_out")
    )
    guilty = Counter(check for verdict in verdicts for check in {finding.check for finding in verdict.wrong})
    counted = ", ".join(f"{check} {count}" for check, count in guilty.most_common()) or "nothing"
    kilobytes = sum(verdict.bytes_out for verdict in verdicts) // 1000
    seconds = sum(verdict.seconds for verdict in verdicts)
    return (
        f"{right} of {len(verdicts)} clips are right; {frames_out} of {frames_in} frames, {kilobytes} KB, "
        f"{seconds:.0f} s of recording\nwrong, in so many clips: {counted}"
    )


def _figure(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"

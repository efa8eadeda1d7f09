"""One clip, from its recording to its verdict."""

from pathlib import Path

from tests.e2e.conformance import programs
from tests.e2e.conformance.facts import Facts, read
from tests.e2e.conformance.judge import compare
from tests.e2e.conformance.running import Run, run
from tests.e2e.conformance.verdict import Verdict

EXIT_SOURCE = 3


def examine(clip: Path, folder: Path, *, ending: str = ".mp4", truth: int | None = None) -> tuple[Verdict, Path | None]:
    """Record `clip` into the empty `folder` and judge it; the recording, if there is one, stays there to be played.

    A clip without a readable picture has to be refused; one that is damaged has to be read to its last good frame.
    """
    made = run(clip, folder, ending=ending, truth=truth)
    verdict = Verdict(clip.name, seconds=made.seconds)
    source = read(clip)
    if truth is not None and (source.frames if source else 0) != truth:
        verdict.blame("frames", f"{source.frames if source else 0} frames were decoded here, of {truth} that are known")
    if made.strays:
        verdict.blame("files", f"left behind: {', '.join(made.strays)}")
    if source is None:
        _refused(verdict, made)
        return verdict, None
    return verdict, _recorded(verdict, made, source)


def _refused(verdict: Verdict, made: Run) -> None:
    verdict.remark = f"refused: {made.message}"
    if made.code != EXIT_SOURCE or not made.message:
        verdict.blame("exit", f"exit {made.code}, {made.message!r}: there is no picture in it, so exit 3 and why")
    if made.videos or made.produced:
        verdict.blame("files", f"{made.produced} frames and {len(made.videos)} files of nothing")


def _recorded(verdict: Verdict, made: Run, source: Facts) -> Path | None:
    verdict.frames_in = source.frames
    verdict.remark = "the clip is damaged: as far as it can be read" if source.damaged else ""
    if made.code:
        verdict.blame("exit", f"exit {made.code}: {made.message}")
    if len(made.videos) != 1:
        verdict.blame("files", f"{len(made.videos)} files")
    if not made.balanced or not made.produced == made.recorded == source.frames:
        verdict.blame("frames", f"{made.produced} produced, {made.recorded} recorded, of {source.frames}")
    if not made.videos:
        return None
    video = made.videos[0]
    facts = read(video)
    if facts is None:
        verdict.blame("frames", "the recording cannot be read")
        return video
    compare(verdict, source, facts)
    if complaint := programs.complaint(video):
        verdict.blame("programs", complaint)
    return video

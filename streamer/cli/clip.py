"""`streamer clip`: a part of a file as a file of its own, without encoding it again where that can be done.

What is imported here is light; PyAV is loaded once the flags are known to be right.
"""

import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.flags import Flags, with_settings
from streamer.cli.logs import Outlet, logging_to
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals
from streamer.config import Settings, resolve, setting_fields
from streamer.text import printable

if TYPE_CHECKING:
    from streamer.cutting.clip import Clip

logger = logging.getLogger(__name__)

_WORTH_SAYING_S = 0.001


def clip_verb(flags: Flags, *, file: Path, out: Path, exact: bool) -> None:
    """Cut a part of FILE into OUT: pictures, sound, subtitles and chapters, as they are."""
    resolved = resolve(flags=flags, environ=os.environ)
    settings = resolved.settings
    level = logging.ERROR if settings.quiet else logging.DEBUG if settings.verbose else logging.INFO
    with logging_to(Outlet(), level=level, as_json=settings.log_json), Signals() as signals:
        for warning in resolved.warnings:
            logger.warning("%s", warning)
        try:
            _cut(settings, file=file.expanduser(), out=out.expanduser(), exact=exact)
        except Interrupted as stopped:
            raise typer.Exit(signals.exit_code or SIGINT_EXIT) from stopped


_TAKEN = {known.name for known in setting_fields().values() if known.setting.group == "itself"}
_TAKEN |= {"start", "end", "duration", "force"}

clip_command = with_settings(
    clip_verb,
    only=_TAKEN,
    file=(Annotated[Path, typer.Argument(metavar="FILE", help="The video that is cut; it stays as it is.")], ...),
    out=(
        Annotated[
            Path,
            typer.Option(
                "--out", "-o", metavar="OUT", help="The part: .mp4, .mov, .mkv, .webm or .ts.", show_default=False
            ),
        ],
        ...,
    ),
    exact=(
        Annotated[
            bool,
            typer.Option(
                "--exact", help="Encode the pictures again, so that nothing but the part is in OUT; sound is copied."
            ),
        ],
        False,
    ),
)


def _cut(settings: Settings, *, file: Path, out: Path, exact: bool) -> None:
    from streamer.cutting.clip import cut  # noqa: PLC0415 - PyAV and OpenCV, for who cuts

    start_s = settings.start or 0.0
    by_end = math.inf if settings.end is None else settings.end
    by_duration = math.inf if settings.duration is None else start_s + settings.duration
    end_s = min(by_end, by_duration)
    wanted_end_s = None if math.isinf(end_s) else end_s
    clip = cut(file, out, start_s=start_s, end_s=wanted_end_s, exact=exact, force=settings.force)
    for line in differences(clip, end_s=wanted_end_s):
        logger.warning("%s", line)
    took = "copied" if clip.copied else "encoded again"
    name, length_s = printable(str(out), limit=256), clip.end_s - clip.first_s
    logger.info("%s: %.2f s, from %.2f s to %.2f s, %s", name, length_s, clip.first_s, clip.end_s, took)


def differences(clip: "Clip", *, end_s: float | None) -> Iterator[str]:
    """What is not as it was asked for, or not as one would think, each in a line."""
    early_s = clip.wanted_s - clip.first_s
    if early_s > _WORTH_SAYING_S:
        yield (
            f"a copy begins at a keyframe: it begins at {clip.first_s:.2f} s, {early_s:.2f} s before the start "
            "(.mp4 and .mov can hide that; --exact encodes the pictures again)"
        )
    if clip.hidden_s > _WORTH_SAYING_S:
        yield (
            f"a copy begins at a keyframe: the {clip.hidden_s:.2f} s before the start are in the file, "
            "though players do not show them (--exact leaves them out)"
        )
    if clip.extra:
        late_s = clip.end_s - (clip.end_s if end_s is None else end_s)
        yield f"what is shown last needs what comes after it: it ends {late_s:.2f} s after the end"
    elif end_s is not None and end_s - clip.end_s > _WORTH_SAYING_S:
        yield f"the file ends before {end_s:g} s: at {clip.end_s:.2f} s"
    if clip.left_out:
        yield f"left out, because it cannot be kept here: {', '.join(clip.left_out)}"

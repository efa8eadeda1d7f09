"""Whether the pictures of a recording are those of the clip: the right ones, the right way up, in the right colours."""

import numpy as np
from numpy.typing import NDArray

from tests.e2e.conformance.facts import Facts
from tests.e2e.conformance.pictures import Thumb, luma_of, misread, turned
from tests.e2e.conformance.verdict import Verdict

LUMA_MOST = 6.0

PLAIN = 8.0
"""Standard deviation, of 255, below which a picture has nothing to tell maps of colours apart by."""

MAPPED_LEAST = 2.5
"""HDR that was mapped differs by more; what comes of coding alone is below."""
COLOUR_MOST = 5.0
"""Of 255: mean absolute difference of thumbnails, in brightness and in red, green and blue."""

EXPLAINED = 0.75
"""An error that a wrong matrix or range makes smaller by this factor is one."""

WORTH_TELLING = 0.6
"""Of 255: what a wrong matrix or range costs at least. Below, the picture has no colours by which to tell."""

HDR_CURVES = {16, 18}
"""transfer_characteristics PQ and HLG."""

WHITE = 250
CLIPPED_MOST = 0.1
"""The part of a picture that may become white."""

SAME_PICTURE = 0.9
"""Correlation of brightness from which on a difference is one of colours."""

MOVED_LEAST = 2.0
"""Of 255: a frame that is less off is in its place, or nothing moves that an encoder thinks worth its bits."""

LOOKED_AT = 9
"""Frames whose colours are compared, the first and the last among them."""


def seen(verdict: Verdict, source: Facts, made: Facts) -> None:
    """Judge the pictures. Those of a damaged clip are only measured: decoders conceal what is missing as they like."""
    count = min(source.frames, made.frames)
    if not count:
        return
    theirs, ours = source.thumbs[:count], made.thumbs[:count]
    their_luma, our_luma = luma_of(theirs), luma_of(ours)
    apart = np.abs(their_luma - our_luma).mean(axis=(1, 2))
    worst = int(apart.argmax())
    chosen = np.unique(np.linspace(0, count - 1, LOOKED_AT).round().astype(int))
    verdict.luma = float(apart[worst])
    verdict.colour = float(np.abs(ours[chosen].astype(float) - theirs[chosen]).mean())
    if source.damaged:
        return
    if source.tags.transfer in HDR_CURVES and made.tags.transfer not in HDR_CURVES:
        _mapped(verdict, theirs[chosen], ours[chosen])
        return
    if mistake := _mistake(source, theirs[chosen], ours[chosen]):
        verdict.blame("colour", mistake)
    elif moved := _moved(their_luma, our_luma):
        verdict.blame("picture", moved)
    elif verdict.luma > LUMA_MOST and not _alike(their_luma[worst], our_luma[worst]):
        verdict.blame("picture", _what_is_seen(their_luma[worst], our_luma[worst], worst))
    elif verdict.luma > LUMA_MOST or verdict.colour > COLOUR_MOST:
        red, green, blue = (ours[chosen].astype(float) - theirs[chosen]).mean(axis=(0, 1, 2))
        verdict.blame(
            "colour", f"{verdict.colour:.1f} of 255 off: red {red:+.1f}, green {green:+.1f}, blue {blue:+.1f}"
        )


def _moved(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> str:
    """Which frame of the recording is one before or after it in the clip; empty if all are in their place."""
    theirs, ours = (luma - luma.mean(axis=(1, 2), keepdims=True) for luma in (theirs, ours))
    count = len(theirs)
    places = np.arange(count)
    own = np.abs(theirs - ours).mean(axis=(1, 2))
    for shift in (-1, 1, -2, 2, -3, 3):
        others = theirs[np.clip(places + shift, 0, count - 1)]
        nearer = (np.abs(others - ours).mean(axis=(1, 2)) < own / 3) & (own > MOVED_LEAST)
        if nearer.any():
            first = int(nearer.argmax())
            return f"frame {first} is frame {first + shift} of the clip ({nearer.sum()} of {count} are so)"
    return ""


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether it is the same picture, whatever its brightness and its contrast."""
    if min(one.std(), other.std()) < 1:
        return False
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) > SAME_PICTURE


def _what_is_seen(theirs: NDArray[np.float64], ours: NDArray[np.float64], index: int) -> str:
    """Why frame `index` of the recording is not that of the clip."""
    apart = float(np.abs(theirs - ours).mean())
    for how, other in turned(ours).items():
        if np.abs(theirs - other).mean() < min(apart / 2, LUMA_MOST):
            return f"frame {index} is {how}"
    return f"frame {index} is {apart:.1f} of 255 off"


def _mistake(source: Facts, theirs: Thumb, ours: Thumb) -> str:
    """The misreading of the clip's colours that explains the difference far better than none; empty if none does."""
    plain = _colour_error(theirs, ours)
    errors = {
        how: _colour_error(other, ours)
        for how, other in misread(theirs, source.tags, lines=source.stored_lines).items()
    }
    how = min(errors, key=lambda how: errors[how], default="")
    if how and errors[how] < EXPLAINED * plain and plain - errors[how] > WORTH_TELLING:
        return f"{plain:.1f} of 255 off, {errors[how]:.1f} if the clip is read {how}"
    return ""


def _colour_error(theirs: NDArray[np.float64] | Thumb, ours: Thumb) -> float:
    """What is left when a change of brightness, such as every conversion costs a little of, is taken away."""
    off = ours.astype(float) - theirs
    return float(np.abs(off - off.mean()).mean()) + float(max(0.0, abs(off.mean()) - 3.0))


def _mapped(verdict: Verdict, theirs: Thumb, ours: Thumb) -> None:
    """HDR that is tagged as SDR: its pixels must have been mapped, and not by cutting off what is bright."""
    says_much = theirs.std() > PLAIN  # a picture of one colour stays what it is, however it is mapped
    if says_much and np.abs(ours.astype(float) - theirs).mean() < MAPPED_LEAST:
        verdict.blame("tags", "SDR is tagged, and the pixels are still those of HDR")
        return
    verdict.remark = "HDR was made SDR"
    if says_much and not _alike(luma_of(theirs), luma_of(ours)):
        verdict.blame("picture", "another picture")
    clipped = float((ours.min(axis=-1) >= WHITE).mean() - (theirs.min(axis=-1) >= WHITE).mean())
    if clipped > CLIPPED_MOST:
        verdict.blame("colour", f"{clipped:.0%} of the picture became white")

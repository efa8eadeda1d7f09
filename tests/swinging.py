"""A stream that shows one thing that swings, and what a detector that sees it exactly makes of it."""

import math
from collections.abc import Callable, Sequence

from streamer.clock import NS_PER_S
from streamer.frame import Detections, Frame, Moment, Result
from tests.rooms import picture

FPS = 30
SIZE_PX = (640, 480)


def true_x(number: int) -> float:
    """Where the left edge of the one object is on frame `number`: it swings, at 100 px/s at most."""
    return 200 + 100 * math.sin(number / FPS)


def thing(number: int) -> Detections:
    x = true_x(number)
    return Detections.from_raw([[x, 100, x + 40, 180]], [0.9], [1], size_px=SIZE_PX)


def shown(
    number: int,
    made_on: int | None,
    *,
    epoch: int = 0,
    see: Callable[[int], Detections] = thing,
    fps: float = FPS,
) -> Result:
    """Frame `number` as the view has it, under what was seen on the frame `made_on`."""
    frame = Frame(picture(number), number, round(number * NS_PER_S / fps), pts_s=number / fps, epoch=epoch)
    if made_on is None:
        return Result(frame, Detections.unknown())
    moment = Moment(made_on, round(made_on * NS_PER_S / fps), made_on / fps, epoch)
    age_ns = Moment.of(frame).ns_since(moment)
    return Result(frame, see(made_on).aged(age_ns), detected=made_on == number, made_on=moment)


def off_px(result: Result) -> float:
    """How far the box is from where the object is."""
    return abs(float(result.detections.boxes[0, 0]) - true_x(result.frame.index))


def indexes(results: Sequence[Result]) -> list[int]:
    return [result.frame.index for result in results]

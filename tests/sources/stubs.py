"""A camera that is a list: what each grab and retrieve gives is written down, and may be a fault."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import cv2

from tests.clips import numbered_image


class StubCapture:
    """In place of cv2.VideoCapture: gives `images` in order; None is a frame without a picture; ends as unplugged.

    hold_at: the grab, from 0, that blocks as a driver does, until `let_go` is set.
    """

    def __init__(self, images: Iterable[Any], *, opened: bool = True, hold_at: int | None = None) -> None:
        self._images: Iterator[Any] = iter(images)
        self._image: Any = None
        self._opened = opened
        self._hold_at = hold_at
        self._grabs = 0
        self.held = threading.Event()
        self.let_go = threading.Event()
        self.asked: list[tuple[int, float]] = []
        self.says: dict[int, float] = {cv2.CAP_PROP_FPS: 30.0}
        self.releases = 0
        self.grabbing = False
        self.released_while_grabbing = False

    def __call__(self, device: int | str, backend: int, parameters: list[int]) -> "StubCapture":
        """So that a stub is its own factory."""
        self.opened_as = (device, backend, parameters)
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._opened

    def get(self, prop: int, /) -> float:
        return self.says.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        self.asked.append((prop, value))
        return True

    def grab(self) -> bool:
        self.grabbing = True
        if self._grabs == self._hold_at:
            self.held.set()
            assert self.let_go.wait(30)
        self._grabs += 1
        self.grabbing = False
        try:
            self._image = next(self._images)
        except StopIteration:
            return False
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, self._image

    def release(self) -> None:
        self.released_while_grabbing |= self.grabbing
        self.releases += 1


def pictures(count: int, *, size_px: tuple[int, int] = (64, 48)) -> list[Any]:
    """The picture that is read at opening, and `count` numbered ones after it."""
    return [numbered_image(0, size_px=size_px), *(numbered_image(number, size_px=size_px) for number in range(count))]

"""Pictures that a Python program makes itself, as a source: any iterable of arrays."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamer.clock import Clock, MonotonicClock
from streamer.errors import SourceError, SourceLost, SourceOpenError
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access

Arrays = Iterable[NDArray[np.uint8]]
"""Pictures, (H, W, 3) uint8 BGR each, as OpenCV has them."""


class ArraySource:
    """The pictures of an iterable, in order; each is copied, so that the one who made it may use it again.

    arrays: (H, W, 3) uint8 BGR, of any size; a new size starts an epoch. It may be endless.
    fps: how many make a second, for `pts_s` and recordings; without it they have no time of their own.
    live: whether they come at their own time, so that the newest wins; False loses none.
    name: for people and file names.

    Raises SourceOpenError where `arrays` is a single picture, or no iterable. `frames` raises SourceError for what is
    no picture, and SourceLost, from it, for what the iterable itself raises.
    """

    def __init__(
        self,
        arrays: Arrays,
        *,
        fps: float | None = None,
        live: bool = False,
        name: str = "arrays",
        clock: Clock | None = None,
    ) -> None:
        if isinstance(arrays, np.ndarray) and arrays.ndim != 4:
            raise SourceOpenError("an iterable of pictures is wanted, not one array", where=name, hint="[picture]")
        given: object = arrays
        if not isinstance(given, Iterable) or isinstance(given, bytes | bytearray | str):
            kind = type(arrays).__name__
            raise SourceOpenError(f"an iterable of pictures is wanted, not {kind}", where=name, hint="[picture, ...]")
        self._arrays = arrays
        self._fps = fps
        self._live = live
        self._name = name
        self._clock = clock or MonotonicClock()
        self._access = Access(lambda: None, name=name)
        self._produced = 0
        self._epoch = 0
        self._size_px: tuple[int, int] | None = None

    @property
    def live(self) -> bool:
        return self._live

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(name=self._name, size_px=self._size_px, fps=self._fps, decoder="arrays", kind="arrays")

    def frames(self) -> Iterator[Frame]:
        try:
            for array in self._each():
                if self._access.closing.is_set():
                    return
                yield self._frame(array)
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _each(self) -> Iterator[NDArray[np.uint8]]:
        if self._access.closing.is_set():
            return
        try:
            yield from self._arrays
        except Exception as error:
            what = f"its maker failed after {self._produced} pictures: {type(error).__name__}: {error}"
            raise SourceLost(what, where=self._name) from error

    def _frame(self, array: NDArray[np.uint8]) -> Frame:
        captured_ns = self._clock.now_ns()
        index = self._produced
        self._produced += 1
        image = self._checked(array, index)
        size_px = image.shape[1], image.shape[0]
        if size_px != self._size_px:
            self._epoch += self._size_px is not None
            self._size_px = size_px
        pts_s = None if self._fps is None else index / self._fps
        return Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, epoch=self._epoch, source=self._name)

    def _checked(self, array: NDArray[np.uint8], index: int) -> Image:
        """A copy of `array`. Raises SourceError where it is no picture."""
        try:
            image = np.array(array, order="C")
        except ValueError:  # rows of different lengths
            image = np.array(None)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            what = f"picture {index} is {image.shape} {image.dtype}"
            raise SourceError(what, where=self._name, hint="(height, width, 3) uint8 in the order BGR is wanted")
        return image

import numpy as np
import pytest

from streamer.frame import Status
from streamer.overlay import draw_view

SINCE = "no signal for 74 s, connection refused, next try in 12 s"


def _shown(size_px: tuple[int, int], no_signal: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = np.full((size_px[1], size_px[0], 3), 200, np.uint8)
    return draw_view(image, Status(state="waiting", detail=no_signal, no_signal=no_signal), panel=False)


@pytest.mark.parametrize("size_px", [(176, 144), (640, 480), (1920, 1080)])
def test_an_old_picture_is_dark_and_says_since_when(size_px: tuple[int, int]) -> None:
    shown = _shown(size_px, SINCE)
    assert shown.shape == (size_px[1], size_px[0], 3)
    assert shown[-1, -1].tolist() == [70, 70, 70]
    middle = shown[size_px[1] // 4 : 3 * size_px[1] // 4]
    assert (middle > 230).any()
    later = _shown(size_px, SINCE.replace("74", "88"))
    assert not np.array_equal(shown, later)


def test_a_picture_with_a_signal_is_as_it_was() -> None:
    image = np.full((480, 640, 3), 200, np.uint8)
    assert draw_view(image, Status(state="running"), panel=False) is image
    stalled = draw_view(image, Status(state="stalled", detail="inference (60 s)"), panel=False)
    assert stalled[-1, -1].tolist() == [200, 200, 200]


def test_hostile_words_do_not_break_it() -> None:
    _shown((64, 48), "no signal for 1 s, \x1b[2J" + "x" * 9999 + ", , %s{}")

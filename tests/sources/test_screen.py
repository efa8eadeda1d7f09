import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from mss import MSS, ScreenShotError

from streamer.clock import FakeClock
from streamer.errors import SourceLost, SourceOpenError
from streamer.sources.options import SourceOptions
from streamer.sources.screen import ScreenSource


def _monitor(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"left": left, "top": top, "width": width, "height": height}


class Screens:
    """Two monitors, side by side; each pixel says where it is."""

    monitors = [_monitor(0, 0, 300, 100), _monitor(0, 0, 200, 100), _monitor(200, 0, 100, 80)]  # noqa: RUF012

    def __init__(self, pictures: int = 9) -> None:
        self.left = pictures
        self.closed = 0

    def grab(self, monitor: dict[str, int], /) -> object:
        self.left -= 1
        if self.left < 0:
            raise ScreenShotError("the display has gone")
        columns = np.arange(monitor["left"], monitor["left"] + monitor["width"], dtype=np.uint16)
        shot = np.zeros((monitor["height"], monitor["width"], 4), np.uint8)
        shot[:, :, 0] = columns // 2
        return shot

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("part", "size_px", "left"),
    [
        ("", (200, 100), 0),
        ("1", (200, 100), 0),
        ("2", (100, 80), 200),
        ("0", (300, 100), 0),
        ("2,10,20,64,48", (64, 48), 210),
        (",6,0,50,100", (50, 100), 6),
    ],
)
def test_a_monitor_or_a_part_of_it(part: str, size_px: tuple[int, int], left: int) -> None:
    source = ScreenSource(part, grabber=Screens(), clock=FakeClock())
    frame = next(source.frames())
    assert source.info.size_px == frame.size_px == size_px
    assert frame.image[0, 0, 0] == left // 2
    source.close()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("x", "screen:1,x,y,w,h a part"),
        ("1,2,3", "not understood"),
        ("3", r"here are: 1 \(200x100\), 2 \(100x80\); 0 is all"),
        ("1,0,0,0,9", "the part is empty"),
        ("2,90,0,20,20", "the monitor has 100x80"),
    ],
)
def test_what_is_not_there_is_named(part: str, text: str) -> None:
    with pytest.raises(SourceOpenError, match=text):
        ScreenSource(part, grabber=Screens())


def test_frames_come_at_the_rate_that_is_asked_for() -> None:
    source = ScreenSource(options=SourceOptions(fps=4), grabber=Screens(), clock=FakeClock())
    reading = source.frames()
    assert [next(reading).pts_s for _ in range(3)] == [0.0, 0.25, 0.5]
    source.close()


def test_a_screen_that_goes_is_lost_and_let_go() -> None:
    screens = Screens(3)
    source = ScreenSource(grabber=screens, clock=FakeClock())
    with pytest.raises(SourceLost, match="the display has gone"):
        list(source.frames())
    assert source.produced == 2
    assert screens.closed == 1


def test_a_screen_that_gives_no_picture_is_refused_and_let_go() -> None:
    screens = Screens(0)
    with pytest.raises(SourceOpenError, match="cannot be read: the display has gone"):
        ScreenSource(grabber=screens)
    assert screens.closed == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no DISPLAY")
def test_without_a_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SourceOpenError, match="needs a display"):
        ScreenSource()


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A screen of 640x480 in a process of its own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        name = f":{told.readline().strip()}"
    monkeypatch.setenv("DISPLAY", name)
    yield name
    server.terminate()
    server.wait(10)


@pytest.mark.usefixtures("display")
def test_a_real_screen_is_read_in_its_own_colours() -> None:
    drawn = subprocess.run(["xsetroot", "-solid", "#ff8000"], check=False) if shutil.which("xsetroot") else None
    source = ScreenSource("1,600,440,40,40", options=SourceOptions(fps=100))
    frames = [frame for frame, _ in zip(source.frames(), range(3), strict=False)]
    source.close()
    assert [frame.size_px for frame in frames] == [(40, 40)] * 3
    if drawn is not None and drawn.returncode == 0:
        assert frames[-1].image[0, 0].tolist() == [0, 128, 255]
    with MSS() as direct:
        whole = np.asarray(direct.grab(direct.monitors[1]))
    assert np.array_equal(frames[-1].image, cv2.cvtColor(whole[440:, 600:], cv2.COLOR_BGRA2BGR))


def test_a_display_that_is_gone_is_lost_though_mss_only_asserts_that_it_answers() -> None:
    class Gone(Screens):
        def grab(self, monitor: dict[str, int], /) -> object:
            if self.left < 2:
                raise AssertionError
            return super().grab(monitor)

        def close(self) -> None:
            raise AssertionError

    source = ScreenSource(grabber=Gone(3), clock=FakeClock())
    with pytest.raises(SourceLost, match="cannot be read any more: its display is gone"):
        list(source.frames())
    assert source.produced == 1

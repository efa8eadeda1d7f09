"""What fitting the View means, shown on every view.

Each part of the contract runs in a child process with a display of its own, on that process's main thread.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from streamer.frame import Detections, Frame, Result, Status
from streamer.interfaces import Command, View
from tests.rooms import ScriptedView
from tests.xvfb import run_python, virtual_display

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs an X server")


def window() -> View:
    from streamer.sinks.window import Window  # noqa: PLC0415 - only the child has a display

    return Window("contract")


def small_window() -> View:
    from streamer.sinks.window import Window  # noqa: PLC0415 - only the child has a display

    return Window("contract", view_width_px=100, full_screen=True, panel=False)


VIEWS: dict[str, Callable[[], View]] = {"window": window, "small window": small_window, "scripted": ScriptedView}


def result_of(width: int, height: int) -> Result:
    image = np.full((height, width, 3), 90, np.uint8)
    drawn = image.copy()
    drawn.setflags(write=False)
    return Result(Frame(image, 0, 0), Detections.empty(), image=drawn)


def renders_on_another_thread_and_shows_on_this_one(view: View) -> None:
    result, rendered = result_of(640, 480), []
    status = Status(state="running")
    renderer = threading.Thread(target=lambda: rendered.append(view.render(result, status)))
    renderer.start()
    renderer.join()
    (image,) = rendered
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    assert abs(image.shape[1] / image.shape[0] - 640 / 480) < 0.05
    assert result.image is not None
    assert (result.image == 90).all()
    view.show(image)
    assert view.poll(0.01) is None


def shows_pictures_that_change_their_size(view: View) -> None:
    for size in ((640, 480), (176, 144), (1, 1), (1920, 1080), (3, 500)):
        view.show(view.render(result_of(*size), Status(state="running", live=True, recording=True)))
        assert view.poll(0.01) is None


def polls_before_anything_was_shown(view: View) -> None:
    assert view.poll(0.01) is None


def polls_no_longer_than_asked(view: View) -> None:
    view.show(view.render(result_of(64, 48), Status()))
    view.poll(0.01)
    begin = time.monotonic()
    for _ in range(10):
        assert view.poll(0.02) is None
    assert time.monotonic() - begin < 5.0
    view.poll(0.0)


def closes_twice_and_stays_quiet(view: View) -> None:
    view.show(view.render(result_of(64, 48), Status()))
    view.close()
    view.close()
    assert view.poll(0.001) is not Command.QUIT


CONTRACT = (
    renders_on_another_thread_and_shows_on_this_one,
    shows_pictures_that_change_their_size,
    polls_before_anything_was_shown,
    polls_no_longer_than_asked,
    closes_twice_and_stays_quiet,
)


def hold(part: str, kind: str) -> None:
    """Run one part of the contract; called in the child."""
    view = VIEWS[kind]()
    try:
        next(check for check in CONTRACT if check.__name__ == part)(view)
    finally:
        view.close()


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("part", [check.__name__ for check in CONTRACT])
def test_view(part: str, kind: str, display: str) -> None:
    done = run_python(
        "import sys; from tests.contract.test_view import hold; hold(*sys.argv[1:])", part, kind, display=display
    )
    assert (done.returncode, done.stderr) == (0, "")

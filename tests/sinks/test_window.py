"""A real window under a private X server: its keys, its button, its way out."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.interfaces import Command
from streamer.sinks.window import display_problem, first_size_px
from tests.xvfb import PATIENCE_S, ROOT, environment, press, press_close_button, put_back, run_python, virtual_display

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs an X server")

TITLE = "streamer of a test"

WATCH = f"""
import numpy as np
from streamer.frame import Detections, Frame, Result, Status
from streamer.interfaces import Command
from streamer.sinks.window import Window

window = Window({TITLE!r})
image = np.full((480, 640, 3), (200, 120, 40), np.uint8)
result = Result(Frame(image, 0, 0), Detections.empty(), image=image)
command = None
print("open", flush=True)
while command is not Command.QUIT:
    window.show(window.render(result, Status(state="running", live=True)))
    command = window.poll(0.02)
    if command is not None:
        print(command.name, flush=True)
print(window.poll(0.001), flush=True)
window.show(image)
window.close()
window.close()
print("closed", flush=True)
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


class Watcher:
    """A child process that shows a picture and prints what is asked of it."""

    def __init__(self, child: subprocess.Popen[str], display: str) -> None:
        self._child = child
        self._display = display

    def line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def after(self, key: str) -> str:
        """What the window said to a key."""
        press(self._display, TITLE, key)
        return self.line()

    def end(self) -> tuple[int, str]:
        """The exit status, and all that it wrote on stderr."""
        _, errors = self._child.communicate(timeout=PATIENCE_S)
        return self._child.returncode, errors


@contextmanager
def watching(display: str) -> Iterator[Watcher]:
    command = [sys.executable, "-W", "error", "-c", WATCH]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(display), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        try:
            watcher = Watcher(child, display)
            assert watcher.line() == "open", child.communicate(timeout=PATIENCE_S)
            yield watcher
        finally:
            child.kill()


def test_each_key_gives_its_command_and_q_ends_without_a_word_on_stderr(display: str) -> None:
    expected = {
        "space": Command.PAUSE,
        "period": Command.STEP,
        "KP_Decimal": Command.STEP,
        "s": Command.SNAPSHOT,
        "S": Command.SNAPSHOT,
        "r": Command.RECORD,
        "plus": Command.CONF_UP,
        "equal": Command.CONF_UP,
        "KP_Add": Command.CONF_UP,
        "minus": Command.CONF_DOWN,
        "KP_Subtract": Command.CONF_DOWN,
        "l": Command.LABELS,
        "b": Command.BOXES,
        "t": Command.TRACKS,
        "p": Command.REDRAW,
        "h": Command.REDRAW,
        "question": Command.REDRAW,
        "f": Command.REDRAW,
        "F": Command.REDRAW,
    }
    with watching(display) as watcher:
        said = {key: watcher.after(key) for key in expected}
        assert said == {key: command.name for key, command in expected.items()}
        assert [watcher.after("q"), watcher.line(), watcher.line()] == ["QUIT", "None", "closed"]
        assert watcher.end() == (0, "")


def test_arrows_and_function_keys_are_not_taken_for_letters(display: str) -> None:
    with watching(display) as watcher:
        for key in ("Left", "Up", "Right", "F1", "Home", "Tab", "x"):
            press(display, TITLE, key)
        assert watcher.after("Escape") == "QUIT"


def test_the_button_that_closes_the_window_is_quit_once(display: str) -> None:
    with watching(display) as watcher:
        assert watcher.after("space") == "PAUSE"
        press_close_button(display, TITLE)
        assert [watcher.line(), watcher.line(), watcher.line()] == ["QUIT", "None", "closed"]
        assert watcher.end() == (0, "")


def test_the_screen_shows_the_picture_with_its_panel(display: str, tmp_path: Path) -> None:
    if shutil.which("import") is None:
        pytest.skip("needs import, of ImageMagick")
    shot = tmp_path / "screen.png"
    with watching(display) as watcher:
        put_back(display, TITLE)
        assert watcher.after("b") == "BOXES"
        command = ["import", "-window", "root", str(shot)]
        subprocess.run(command, env=environment(display), check=True, timeout=PATIENCE_S)
    screen = cv2.imread(str(shot))
    assert screen is not None
    picture = np.all(np.abs(screen.astype(int) - (200, 120, 40)) < 4, axis=2)
    assert picture[240:470, 10:630].mean() > 0.99
    assert picture[12:60, 12:60].mean() < 0.5


@pytest.mark.parametrize("asked", ["wayland", "offscreen"])
def test_a_desktop_that_asks_qt_for_another_platform_does_not_end_the_process(
    display: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", asked)
    done = run_python("from streamer.sinks.window import Window; Window('w').close()", display=display)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("display", [None, "", ":99999", "nonsense", "[::]:x"])
def test_without_a_display_the_error_says_so_and_the_process_lives(display: str | None) -> None:
    code = """
from streamer.errors import SinkOpenError
from streamer.sinks.window import Window
try:
    Window("w")
except SinkOpenError as error:
    print(error.exit_code, error)
"""
    done = run_python(code, display=display)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 no window can be opened: ")
    assert "DISPLAY" in done.stdout
    assert "--no-show" in done.stdout


def test_an_opencv_without_windows_is_told_from_a_missing_display(monkeypatch: pytest.MonkeyPatch) -> None:
    information = cv2.getBuildInformation().replace("QT5", "NONE")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: information)
    problem = display_problem()
    assert problem is not None
    assert "headless" in problem


def test_the_title_shows_no_credentials_and_no_control_characters(display: str) -> None:
    code = r"""
from streamer.sinks.window import Window
window = Window("rtsp://user:secret@camera/1\x1b[2J\n")
print(window.title)
window.close()
"""
    done = run_python(code, display=display)
    assert done.stdout == "rtsp://***@camera/1[2J\n"


@pytest.mark.parametrize(
    ("image_px", "window_px"),
    [
        ((176, 144), (704, 576)),
        ((640, 480), (640, 480)),
        ((1280, 720), (1280, 720)),
        ((3840, 2160), (1600, 900)),
        ((1080, 1920), (506, 900)),
        ((1, 10_000), (1, 900)),
    ],
)
def test_the_window_opens_in_a_sensible_size(image_px: tuple[int, int], window_px: tuple[int, int]) -> None:
    assert first_size_px(image_px) == window_px

"""The whole program in a real window, with somebody at its keys: FAULTS 49, and what a person does in a run."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.frame import Image
from streamer.sources.synthetic import read_frame_number
from tests.faults.figures import report
from tests.sinks.scenes import decoded
from tests.xvfb import PATIENCE_S, ROOT, environment, press, press_close_button, put_back, virtual_display

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs an X server"),
    pytest.mark.skipif(shutil.which("import") is None, reason="needs import, of ImageMagick"),
]

SIZE_PX = (640, 480)
SCREEN_PX = (1280, 960)
SOURCE = "test:size=640x480,fps=15"

BOX = np.s_[40:80, 114:126]
"""Where the right line of the fake detector's box is; the panel covers it."""
LABEL = np.s_[2:18, 24:80]
"""Where its label is, above the box."""
PANEL = np.s_[100:180, 20:170]
"""Where nothing but the panel is drawn."""
MIDDLE = np.s_[100:380, 200:440]
"""Where the list of keys is."""


class Person:
    """Somebody before the screen: presses keys, looks, and waits until something can be seen."""

    def __init__(self, display: str, folder: Path, process: subprocess.Popen[bytes], *, title: str) -> None:
        self.process = process
        self.title = title
        self._display = display
        self._folder = folder

    @property
    def said(self) -> str:
        """What the program wrote on stderr so far."""
        return (self._folder / "stderr.txt").read_text(encoding="utf-8")

    def press(self, *keys: str) -> None:
        for key in keys:
            press(self._display, self.title, key)

    def press_close_button(self) -> None:
        press_close_button(self._display, self.title)

    def look(self, *, size_px: tuple[int, int] = SIZE_PX) -> Image:
        """What the upper left of the screen shows, where the window is."""
        path = self._folder / "screen.png"
        command = ["import", "-window", "root", str(path)]
        subprocess.run(command, env=environment(self._display), check=True, timeout=PATIENCE_S)
        screen = cv2.imread(str(path))
        assert screen is not None
        return np.ascontiguousarray(screen[: size_px[1], : size_px[0]], np.uint8)

    def number(self) -> int | None:
        """The number of the frame on the screen."""
        return read_frame_number(self.look())

    def until(self, seen: Callable[[], bool], what: str) -> None:
        """Wait for it."""
        deadline = time.monotonic() + PATIENCE_S
        while not seen():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"never seen: {what}\n{self.said}"
            threading.Event().wait(0.05)

    def end(self) -> int:
        return self.process.wait(PATIENCE_S)


def differ(one: Image, other: Image) -> bool:
    """Whether two pictures differ by more than a moving digit."""
    return float((np.abs(one.astype(int) - other).max(axis=2) > 24).mean()) > 0.05


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_display(size_px=SCREEN_PX) as name:
        yield name


@contextmanager
def watching(display: str, folder: Path, *arguments: str, source: str = SOURCE) -> Iterator[Person]:
    """The program in `folder`, with a fake detector, once its window shows a picture."""
    variables = environment(display) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.e2e.child", "run", source, "--show", *arguments]
    with (folder / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env=variables, stderr=errors)
    with process:
        try:
            person = Person(display, folder, process, title=f"streamer {source}")
            put_back(display, person.title)
            person.until(lambda: person.number() is not None, "the test pattern")
            yield person
        finally:
            if process.poll() is None:
                process.kill()


def test_a_person_runs_the_program_with_its_keys(display: str, tmp_path: Path) -> None:
    with watching(display, tmp_path, "--snapshot-dir", str(tmp_path)) as person:
        person.press("space")
        stood = standing(person)
        person.press("period")
        person.until(lambda: person.number() not in {None, stood}, "a step")
        stepped = standing(person)
        assert stepped > stood

        changes(person, "p", PANEL)
        changes(person, "h", MIDDLE)
        change(person, "p", PANEL)
        changes(person, "b", BOX)
        changes(person, "l", LABEL)
        threshold(person)
        person.press("f", "f")  # without a window manager nothing is to be seen of it
        assert standing(person) == stepped

        person.press("s")
        person.until(lambda: "snapshot: " in person.said, "a snapshot")
        (snapshot,) = tmp_path.glob("test*.png")
        taken = cv2.imread(str(snapshot))
        assert taken is not None
        assert read_frame_number(taken.astype(np.uint8)) == stepped

        person.press("space")
        person.until(lambda: (person.number() or 0) > stepped, "the picture moves again")
        person.press("r")
        person.until(lambda: "recording 640x480" in person.said, "a recording")
        began = person.number() or 0
        person.until(lambda: (person.number() or 0) > began + 10, "ten frames")
        person.press("r")
        person.until(lambda: "recorded " in person.said, "the end of the recording")
        (video,) = tmp_path.glob("streamer-*.mp4")
        assert len(numbers_in(video)) >= 10

        person.press("q")
        assert person.end() == 0
        assert "Traceback" not in person.said
        assert person.said.splitlines()[-1].endswith("window closed")


def standing(person: Person) -> int:
    """The number of the picture, once it does not change any more."""
    seen: list[int | None] = [None, None]

    def stands() -> bool:
        seen.append(person.number())
        return seen[-1] is not None and seen[-1] == seen[-2] == seen[-3]

    person.until(stands, "a picture that stands")
    assert seen[-1] is not None
    return seen[-1]


def change(person: Person, key: str, where: tuple[slice, slice]) -> Image:
    """A key, over a picture that stands, changes that part of it; how that was before."""
    before = person.look()[where]
    person.press(key)
    person.until(lambda: differ(before, person.look()[where]), f"{key} changes the picture")
    return before


def changes(person: Person, key: str, where: tuple[slice, slice]) -> None:
    """A key, over a picture that stands, changes that part of it, and a second time changes it back."""
    before = change(person, key, where)
    person.press(key)
    person.until(lambda: not differ(before, person.look()[where]), f"{key} changes it back")


def threshold(person: Person) -> None:
    """Up until the box, of a score of 0.9, is gone; and down again."""
    before = person.look()[BOX]

    def gone(key: str) -> bool:
        person.press(key)
        return differ(before, person.look()[BOX])

    person.until(lambda: gone("plus"), "no box above the threshold")
    person.until(lambda: not gone("minus"), "the box again")


def numbers_in(video: Path) -> list[int | None]:
    """The numbers of the frames of a recording, which must be one after another."""
    numbers = [read_frame_number(frame.to_ndarray(format="bgr24").astype(np.uint8)) for frame in decoded(video)]
    assert numbers[0] is not None
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return numbers


@pytest.mark.parametrize("state", ["running", "paused"])
def test_row_49_the_button_that_closes_the_window_ends_the_run_with_0(display: str, tmp_path: Path, state: str) -> None:
    with watching(display, tmp_path, "--record", "out.mp4") as person:
        if state == "paused":
            person.press("space")
            standing(person)
        person.press_close_button()
        code = person.end()
        closed = code == 0 and person.said.splitlines()[-1].endswith("window closed")
        report(49, f"the window closed: exit {code}, the recording whole", line="clean stop, exit 0", passed=closed)
        assert closed, person.said
        assert len(numbers_in(tmp_path / "out.mp4")) > 0


def test_what_ends_by_itself_closes_its_window(display: str, tmp_path: Path) -> None:
    with watching(display, tmp_path, source=f"{SOURCE},frames=60") as person:
        assert person.end() == 0
        assert person.said.splitlines()[-1].endswith("end of stream")

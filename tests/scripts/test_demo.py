"""scripts/demo: what it passes on, what it says, and that nothing but the whole of it works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.clips import write_clip, write_picture
from tests.xvfb import environment

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a system whose display can be taken away"),
    pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash"),
]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


class Checkout:
    """A checkout of its own with the real scripts/demo, whose set-up only says that it was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scripts = root / "scripts"
        self.scripts.mkdir(parents=True)
        for name in ("demo", "demo_source.py"):
            shutil.copy(SCRIPTS / name, self.scripts)
        program(self.scripts / "setup", '#!/bin/sh\necho "set up to $1" >&2\n')
        program(root / ".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')

    def stand_in(self, *, exit_code: int = 0) -> None:
        """Programs that write down how they are called, in place of what takes seconds."""
        program(
            self.root / ".venv/bin/streamer",
            f'#!/bin/sh\nprintf "%s\\n" "$@" >"{self.root}/called"\nexit {exit_code}\n',
        )
        for name in ("demo_clip.py", "demo_report.py"):
            program(self.scripts / name, f"import sys\nprint({name!r}, *sys.argv[1:])\n")

    def run(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", self.scripts / "demo", *arguments],
            cwd=cwd or self.root,
            env=environment(None),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    @property
    def called(self) -> list[str]:
        """What streamer was given."""
        return (self.root / "called").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "a checkout")
    made.stand_in()
    return made


KEPT = ["--jsonl", "out/seen.jsonl", "--summary", "out/summary.json", "--force"]


def test_without_a_source_and_a_display_a_clip_is_rendered_and_taken(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert checkout.called == ["run", "out/clip.mp4", "out/out.mp4", *KEPT]
    assert "demo_clip.py out/clip.mp4" in done.stdout
    assert "demo_report.py out" in done.stdout
    assert "set up to run" in done.stderr
    assert "DISPLAY is not set" in done.stderr
    assert "Next:  .venv/bin/streamer 0 " in done.stdout


def test_without_a_source_a_webcam_that_works_is_taken(checkout: Checkout) -> None:
    program(checkout.scripts / "demo_source.py", "print('live /dev/video2')\n")
    done = checkout.run()
    assert checkout.called == ["run", "/dev/video2", "out/out.mp4", "--duration", "10", *KEPT]
    assert "demo_clip" not in done.stdout


def test_flags_alone_are_no_source(checkout: Checkout) -> None:
    assert checkout.run("--conf", "0.7").returncode == 0
    assert checkout.called == ["run", "out/clip.mp4", "out/out.mp4", "--conf", "0.7", *KEPT]


def test_a_named_source_is_taken_and_flags_are_passed_on(checkout: Checkout) -> None:
    write_clip(checkout.root / "a clip.mp4")
    done = checkout.run("a clip.mp4", "--classes", "face, person")
    assert checkout.called == ["run", "a clip.mp4", "out/out.mp4", "--classes", "face, person", *KEPT]
    assert "demo_clip" not in done.stdout


def test_a_camera_ends_after_ten_seconds_unless_a_flag_says_otherwise(checkout: Checkout) -> None:
    checkout.run("0", "--duration", "3")
    assert checkout.called == ["run", "0", "out/out.mp4", "--duration", "10", "--duration", "3", *KEPT]


def test_pictures_give_pictures(checkout: Checkout) -> None:
    folder = checkout.root / "photos"
    folder.mkdir()
    for number in (1, 2):
        write_picture(folder / f"{number}.png", number)
    checkout.run("photos/1.png")
    assert checkout.called[:3] == ["run", "photos/1.png", "out/out.png"]
    checkout.run("photos")
    assert checkout.called[:3] == ["run", "photos", "out/annotated/"]


def test_from_another_folder_paths_hold_there_and_results_go_to_the_checkout(
    checkout: Checkout, tmp_path: Path
) -> None:
    write_clip(tmp_path / "mine.mp4")
    done = checkout.run("mine.mp4", cwd=tmp_path)
    assert checkout.called[:3] == ["run", "mine.mp4", f"{checkout.root}/out/out.mp4"]
    assert f"Next:  {checkout.root}/.venv/bin/streamer 0 " in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("exit_code", [2, 3, 4, 5, 70, 130])
def test_a_run_that_fails_ends_the_demo_with_its_code(checkout: Checkout, exit_code: int) -> None:
    checkout.stand_in(exit_code=exit_code)
    done = checkout.run("missing.mp4")
    assert done.returncode == exit_code
    assert f"demo: the run ended with exit code {exit_code}" in done.stderr
    assert done.stdout == ""


def test_help_is_given_without_a_set_up(checkout: Checkout) -> None:
    done = checkout.run("--help")
    assert done.returncode == 0
    assert "scripts/demo [SOURCE] [FLAG...]" in done.stdout
    assert "set -euo" not in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_all_of_it_together_twice(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    for name in ("demo_report.py", "contact_sheet.py"):
        shutil.copy(SCRIPTS / name, checkout.scripts)
    program(checkout.root / ".venv/bin/streamer", f'#!/bin/sh\nexec "{sys.executable}" -m streamer "$@"\n')
    clip = write_clip(checkout.root / "clip.mp4")
    for _ in range(2):
        done = checkout.run(clip.name)
        assert done.returncode == 0, done.stderr
    out = checkout.root / "out"
    assert {path.name for path in out.iterdir()} == {"out.mp4", "seen.jsonl", "summary.json", "contact_sheet.png"}
    assert cv2.imread(os.fspath(out / "contact_sheet.png")) is not None
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["ledger"]["recorded"] == 12
    assert "12 produced, 12 inferred" in done.stdout
    assert done.stderr.rstrip().splitlines()[-1].startswith("streamer: 12 produced, 12 inferred")

"""`streamer` as a person starts it, in this process, in a folder of the test's own, with a detector that is there."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest

from streamer import cli
from streamer.cli import parts
from streamer.config import setting_fields
from streamer.models import load_detector
from tests.e2e.child import DescribedDetector


@dataclass(frozen=True)
class Ended:
    """What is left of one run: its exit code, what it wrote on stderr, and its summary if there is one."""

    code: int
    err: str
    summary: dict[str, Any]

    @property
    def errors(self) -> list[str]:
        """The lines that tell of an error."""
        return [line for line in self.err.splitlines() if line.startswith("streamer: error: ")]


class Streamer:
    """Runs command lines one after another; without a display and without variables of the environment.

    detector: what every model path loads; None loads the model itself.
    loaded: how often a model was asked for. opened: the cameras that OpenCV was asked for.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.detector: DescribedDetector | None = DescribedDetector()
        self.loaded = 0
        self.opened: list[object] = []
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ended:
        with pytest.raises(SystemExit) as leaving:
            cli.main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        assert out == ""
        assert isinstance(leaving.value.code, int)
        path = self.folder / "run.json"
        summary = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return Ended(leaving.value.code, err, summary)


@pytest.fixture
def streamer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Streamer:
    """The command line, in `tmp_path`, where `model` is a folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", *(known.variable for known in setting_fields().values())):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STREAMER_RUNTIME", "saved")  # measuring takes longer than all else
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("STREAMER_MODEL", "model")
    runner = Streamer(tmp_path, capsys)
    load_model: Callable[..., Any] = load_detector
    video_capture: Callable[..., Any] = cv2.VideoCapture

    def load(*arguments: object, **options: object) -> object:
        runner.loaded += 1
        return load_model(*arguments, **options) if runner.detector is None else runner.detector

    def open_capture(name: object, *arguments: object) -> object:
        runner.opened.append(name)
        return video_capture(name, *arguments)

    monkeypatch.setattr(parts, "load_detector", load)
    monkeypatch.setattr(cv2, "VideoCapture", open_capture)
    return runner

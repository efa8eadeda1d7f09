"""`streamer run --blur` as a person calls it: what is kept holds nothing of what is hidden."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer import cli
from streamer.cli import parts
from streamer.config import setting_fields
from streamer.frame import MAX_DETECTIONS, Image
from streamer.labels import Labels
from streamer.models import ModelOptions
from tests.e2e.child import DescribedDetector
from tests.portraits import face_box, portrait

SIDE_PX = 400
LABELS = Labels({1: "person", 2: "face"})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, without a display and without variables."""
    monkeypatch.chdir(tmp_path)
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", *(known.variable for known in setting_fields().values())):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("STREAMER_RUNTIME", "saved")  # measuring takes longer than all else
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ModelOptions]:
    """What was asked of the model, which sees a person, a face, and what may be one."""
    calls: list[ModelOptions] = []

    def load(_path: Path | None, options: ModelOptions, **_: object) -> DescribedDetector:
        calls.append(options)
        return DescribedDetector(
            boxes=[(5, 5, 40, 100), (60, 20, 80, 50), (110, 60, 130, 90)],
            scores=(0.9, 0.8, 0.3),
            class_ids=(1, 2, 2),
            labels=LABELS,
            conf=options.conf,
        )

    monkeypatch.setattr(parts, "load_detector", load)
    return calls


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main([*arguments, "--no-show"])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def write_noise(path: Path) -> Image:
    image = np.random.default_rng(5).integers(0, 256, (120, 160, 3), np.uint8)
    cv2.imwrite(str(path), image)
    return image


def sharpness(image: NDArray[np.uint8]) -> float:
    return float(np.abs(cv2.Laplacian(np.ascontiguousarray(image), cv2.CV_32F)).mean())


def test_faces_are_hidden_in_what_is_kept_though_persons_only_are_reported(
    here: Path, asked: list[ModelOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_noise(here / "in.png")
    arguments = ["--blur", "face", "--classes", "person", "--max-det", "1", "--conf", "0.6", "--jsonl", "o.jsonl"]
    assert ended("in.png", "out.png", "--hide-labels", *arguments) == 0
    changed = (read(here / "out.png") != before).any(axis=2)
    assert changed[20:50, 60:80].mean() > 0.98
    assert changed[60:90, 110:130].mean() > 0.98
    assert not changed[:, 140:].any()
    (line,) = (here / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert [row["label"] for row in json.loads(line)["detections"]] == ["person"]
    assert (asked[0].classes, asked[0].max_det, asked[0].conf) == ((), MAX_DETECTIONS, 0.6)
    assert "streamer: blurred: face, from a score of 0.15 on; " in capsys.readouterr().err


def test_a_recording_is_hidden_too(here: Path, asked: list[ModelOptions]) -> None:
    source = "test:size=160x120,frames=8,live=no"
    for name, arguments in {"plain.mp4": [], "hidden.mp4": ["--blur", "face,person"]}.items():
        assert ended(source, name, *arguments, "--hide-labels", "--crf", "1", "--classes", "#9") == 0
    frames = {}
    for name in ("plain.mp4", "hidden.mp4"):
        capture = cv2.VideoCapture(str(here / name))
        frames[name] = [np.asarray(capture.read()[1], np.uint8) for _ in range(8)]
        capture.release()
    for plain, hidden in zip(frames["plain.mp4"], frames["hidden.mp4"], strict=True):
        assert sharpness(hidden[10:100, 5:40]) < sharpness(plain[10:100, 5:40]) / 3
        assert sharpness(hidden[:, 145:]) > sharpness(plain[:, 145:]) / 2
    assert len(asked) == 2


@pytest.mark.allow_error_logs
def test_a_class_that_the_model_has_not_is_refused_before_anything_is_kept(
    here: Path, asked: list[ModelOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    write_noise(here / "in.png")
    assert ended("in.png", "out.png", "--blur", "fase") == 2
    assert "error: --blur: no class is called 'fase' (did you mean face?)" in capsys.readouterr().err
    assert {path.name for path in here.iterdir()} == {"in.png"}
    assert len(asked) == 1


def test_variables_and_files_hide_as_flags_do(
    here: Path, asked: list[ModelOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_noise(here / "in.png")
    (here / "s.yaml").write_text("blur: [face, person]\n", encoding="utf-8")
    assert ended("in.png", "1.png", "-c", "s.yaml") == 0
    assert "blurred: person, face," in capsys.readouterr().err
    monkeypatch.setenv("STREAMER_BLUR", "face")
    assert ended("in.png", "2.png", "-c", "s.yaml") == 0
    assert "blurred: face," in capsys.readouterr().err
    assert ended("in.png", "3.png", "-c", "s.yaml", "--blur", "") == 0
    assert "blurred" not in capsys.readouterr().err
    assert len(asked) == 3


def test_the_model_inside_hides_a_drawn_face_from_the_picture_that_is_kept(here: Path) -> None:
    before = portrait(side_px=SIDE_PX)
    cv2.imwrite(str(here / "in.png"), before)
    assert ended("in.png", "out.png", "--blur", "face", "--conf", "1") == 0
    x1, y1, x2, y2 = face_box(0, 0, SIDE_PX).astype(int)
    after = read(here / "out.png")
    assert sharpness(after[y1:y2, x1:x2]) < sharpness(before[y1:y2, x1:x2]) / 10
    np.testing.assert_array_equal(after[-20:], before[-20:])

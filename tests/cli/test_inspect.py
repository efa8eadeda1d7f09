"""`streamer inspect`: what a person at a shell is told of a model, and what is written for them."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer import cli
from streamer.config import setting_fields
from streamer.models import load_detector
from tests.hostile_models import save_hostile, traces
from tests.saved_models import save_constant, save_red_finder

BOX = (100, 60, 260, 200)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in (known.variable for known in setting_fields().values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def constant(tmp_path: Path) -> Path:
    return save_constant(tmp_path / "constant")


@pytest.fixture
def red_finder(tmp_path: Path) -> Path:
    """Takes floats from 0 to 255 in the order red, green, blue, and says neither."""
    shape = (1, 240, 320, 3)
    return save_red_finder(tmp_path / "finder", input_shape=shape, input_dtype="float32", red_from=100, other_to=30)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red rectangle before noise."""
    image = np.random.default_rng(3).integers(90, 190, (240, 320, 3), np.uint8)
    x1, y1, x2, y2 = BOX
    image[y1:y2, x1:x2] = (5, 5, 250)
    path = tmp_path / "photo.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["inspect", *map(str, arguments)])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def untimed(report: str) -> list[str]:
    return [line.rstrip() for line in report.splitlines() if not line.startswith("runtime")]


def test_a_model_is_told_on_one_screen(constant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(constant) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert lines[0] == "model      constant"
    assert "outputs    detection_boxes    float32 [1,3,4]  boxes: its name" in lines
    assert any(line.startswith("run says   SavedModel serving_default: ") for line in lines)


def test_the_last_line_is_what_a_run_says(constant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(constant) == 0
    out = " ".join(capsys.readouterr().out.split())
    detector = load_detector(constant)
    assert out.endswith("run says " + " ".join(detector.describe().split()))
    detector.close()


def test_without_a_model_the_one_inside_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended() == 0
    assert "model      face" in capsys.readouterr().out


def test_json_is_one_object_and_all_there_is_on_stdout(constant: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(constant, "--json", "--conf", "0.7") == 0
    value = as_json(capsys)
    assert value["form"] == "SavedModel"
    assert [fact["role"] for fact in value["outputs"]] == ["boxes", "scores", "classes", "count"]
    assert value["run_ms"] > 0
    assert value["sheet"] is None


def test_flags_of_a_run_decide_here_too(red_finder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(red_finder, "--json", "--scale", "0..255", "--channel-order", "bgr", "--fit", "letterbox") == 0
    value = as_json(capsys)
    chosen = {choice["what"]: (choice["value"], choice["why"]) for choice in value["choices"]}
    assert chosen["scale"] == ("0..255", "--scale")
    assert chosen["channel order"] == ("bgr", "--channel-order")
    assert chosen["fit"] == ("letterbox", "--fit")


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_hostile_model_is_told_of_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    canary = tmp_path / "canary"
    folder = save_hostile(tmp_path / "hostile", canary, place="initialisation")
    assert ended(folder, *flags) == 4
    out, err = capsys.readouterr()
    for told in ("SavedModel", "serving_default", "detection_boxes", "WriteFile", "--trust-model"):
        assert told in out
    assert "the model is refused" in err
    assert traces(canary) == []


def test_a_trusted_model_is_run_and_its_concerns_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_hostile(tmp_path / "hostile", tmp_path / "canary")
    assert ended(folder, "--trust-model") == 0
    out, err = capsys.readouterr()
    assert "safety     trusted, though it contains operations that read or write files: WriteFile" in out
    assert "warning: the model is trusted" in err
    assert "run says" in out


def test_a_model_that_is_no_detector_is_told_of_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_constant(tmp_path / "no_boxes", names={"boxes": None})
    assert ended(folder) == 4
    out, err = capsys.readouterr()
    assert "detection_scores" in out
    assert "unusable   " in out
    assert "gives no boxes" in err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("missing/model.tflite",), 4, "no such file or folder"),
        (("no-such-name",), 4, "no model of that name"),
        (("MODEL", "--image", "missing.jpg"), 3, "missing.jpg"),
        (("MODEL", "--image", "notes.jpg"), 3, "no picture in it"),
        (("MODEL", "--out", "sheet.jpg"), 2, "--image PIC"),
        (("MODEL", "--image", "PHOTO", "--out", "sheet.gif"), 5, "pictures end in"),
        (("MODEL", "--image", "PHOTO", "--out", "nowhere/sheet.jpg"), 5, "its folder does not exist"),
        (("MODEL", "--image", "PHOTO", "--out", "notes.jpg"), 5, "--force"),
        (("MODEL", "--image", "PHOTO", "--out", "PHOTO", "--force"), 5, "inputs are never replaced"),
        (("MODEL", "--conf", "7"), 2, "--conf"),
        (("MODEL", "--labels", "missing.txt"), 2, "missing.txt"),
        (("MODEL", "--width", "7"), 2, "--width"),
    ],
)
def test_what_is_wrong_is_said_with_its_code(
    arguments: tuple[str, ...], code: int, told: str, constant: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes.jpg").write_text("no picture")
    named = {"MODEL": str(constant), "PHOTO": str(photo)}
    assert ended(*(named.get(argument, argument) for argument in arguments)) == code
    out, err = capsys.readouterr()
    assert told in err
    assert out == ""
    assert Path("notes.jpg").read_text() == "no picture"


def test_pictures_decide_what_the_model_leaves_open(
    red_finder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(red_finder, "--image", photo, "--json") == 0
    value = as_json(capsys)
    assert (value["input"]["scale"], value["input"]["channel_order"]) == ("0..255", "rgb")
    assert len(value["probe"]["candidates"]) > 3
    assert value["probe"]["sureness"]["scale"] > 0.8
    seen = value["probe"]["pictures"][0]
    assert (seen["name"], seen["size"]) == ("photo.png", [320, 240])
    assert seen["detections"][0]["box"] == pytest.approx(BOX, abs=3)


def test_the_sheet_is_written_once_and_replaced_only_with_force(
    red_finder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = Path("finder-inspect.jpg")
    assert ended(red_finder, "--image", photo) == 0
    assert f"sheet      {sheet} written" in capsys.readouterr().out
    image = cv2.imdecode(np.fromfile(sheet, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert min(image.shape[:2]) > 300
    before = sheet.read_bytes()
    assert ended(red_finder, "--image", photo, "--image", photo) == 5
    assert "--force replaces it" in capsys.readouterr().err
    assert sheet.read_bytes() == before
    assert ended(red_finder, "--image", photo, "--image", photo, "--force") == 0
    assert sheet.read_bytes() != before


def test_what_was_decided_is_written_into_a_card_that_a_run_uses(
    red_finder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(red_finder, "--image", photo, "--write-card", "--json", "--out", "s.jpg") == 0
    card = Path(as_json(capsys)["card_file"])
    assert "0..255" in card.read_text()
    detector = load_detector(red_finder)
    assert detector.plan.input.scale == "0..255"
    assert not any(detector.plan.open_choices())
    assert card.name in detector.describe()
    detector.close()
    assert ended(red_finder, "--write-card") == 5
    assert "--force" in capsys.readouterr().err
    assert ended(red_finder, "--write-card", "--force") == 0


def test_on_a_terminal_the_report_is_the_same_in_colour(
    constant: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(constant, "--scale", "0..255") == 0
    plain = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert ended(constant, "--scale", "0..255") == 0
    coloured = capsys.readouterr().out
    assert "\x1b[1m" in coloured
    assert untimed(re.sub(r"\x1b\[[0-9;]*m", "", coloured)) == untimed(plain)

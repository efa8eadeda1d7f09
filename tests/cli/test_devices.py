import json
import sys
from pathlib import Path

import pytest

from streamer.cli import main
from streamer.cli.devices import notes_on
from streamer.sources import devices as listing
from streamer.sources.devices import Device, Mode

WEBCAM = Device(
    2,
    "HD Webcam",
    "/dev/video2",
    "v4l2",
    driver="uvcvideo",
    modes=(
        Mode("MJPG", (1280, 720), (30, 15)),
        Mode("YUYV", (1280, 720), (10,)),
        Mode("NV12", (640, 480), (60, 1), any_between=True),
    ),
)
LOCKED = Device(3, "Locked", "/dev/video3", "v4l2", problem="permission denied", used_by=("zoom (41)",))


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    out, err = capsys.readouterr()
    return out, err


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    found = [WEBCAM, LOCKED]
    monkeypatch.setattr(listing, "list_devices", lambda: found)
    return found


@pytest.mark.usefixtures("cameras")
def test_piped_there_is_a_line_for_each_mode_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = _run(["devices"], capsys)
    assert [line.split("\t") for line in out.splitlines()] == [
        ["2", "HD Webcam", "/dev/video2", "uvcvideo", "MJPG", "1280x720", "30 15"],
        ["2", "HD Webcam", "/dev/video2", "uvcvideo", "YUYV", "1280x720", "10"],
        ["2", "HD Webcam", "/dev/video2", "uvcvideo", "NV12", "640x480", "1..60"],
        ["3", "Locked", "/dev/video3", "-", "-", "-", "-"],
    ]
    assert err.splitlines() == [
        "3 Locked (/dev/video3): permission denied",
        "3 Locked (/dev/video3): in use by zoom (41)",
    ]


@pytest.mark.usefixtures("cameras")
def test_json_holds_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = _run(["devices", "--json"], capsys)
    first, second = json.loads(out)
    assert first["index"] == 2
    assert first["modes"][0] == {"fourcc": "MJPG", "width": 1280, "height": 720, "fps": [30, 15], "any_between": False}
    assert second["problem"] == "permission denied"
    assert second["used_by"] == ["zoom (41)"]


@pytest.mark.usefixtures("cameras")
def test_a_terminal_gets_a_table_with_a_row_for_each_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    out, _ = _run(["devices"], capsys)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert rows == [
        "index name path driver size modes",
        "2 HD Webcam /dev/video2 uvcvideo 1280x720 MJPG 30 15, YUYV 10",
        "640x480 NV12 1..60",
        "3 Locked /dev/video3 - - not known",
    ]


def test_no_camera_is_said_with_what_to_try_and_is_no_error(
    capsys: pytest.CaptureFixture[str], cameras: list[Device]
) -> None:
    cameras.clear()
    out, err = _run(["devices"], capsys)
    assert "no camera was found" in out
    assert not err
    out, err = _run(["devices", "--json"], capsys)
    assert json.loads(out) == []
    assert "no camera was found" in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files are Linux's")
def test_what_to_try_depends_on_what_is_in_dev(tmp_path: Path) -> None:
    assert "is one plugged in?" in "\n".join(notes_on([], tmp_path))
    (tmp_path / "video7").touch()
    notes = "\n".join(notes_on([], tmp_path))
    assert f"{tmp_path}/video7: no camera's pictures come from there" in notes
    assert "usermod -aG video" in notes

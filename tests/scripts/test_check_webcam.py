"""The check of a real camera: it says why it is skipped, and tells what failed; that it passes is told by a camera."""

import sys
from pathlib import Path

import pytest

from scripts import check_webcam
from scripts.check_webcam import Failed, Skipped, checked, main
from streamer.errors import SourceLost
from streamer.sources.devices import Device, Mode

CAMERA = Device(0, "Webcam", "/dev/video0", "v4l2", modes=(Mode("YUYV", (640, 480), (30,)),))


def test_without_a_camera_and_an_emulator_it_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_webcam, "list_devices", list)
    monkeypatch.setattr(sys, "argv", ["check_webcam.py", "--vm", str(tmp_path / "webcam-vm")])
    assert main() == 0
    assert capsys.readouterr().out == f"skipped: there is no camera here, and no webcam-vm at {tmp_path}/webcam-vm\n"


def test_each_check_has_a_line_and_one_that_fails_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def it_works(camera: Device) -> str:
        return camera.title

    def it_is_not_here(_: Device) -> str:
        raise Skipped("no unplugging here")

    def it_fails(_: Device) -> str:
        raise Failed("9 fps")

    def it_is_lost(_: Device) -> str:
        raise SourceLost("the camera gives no more frames")

    assert checked(CAMERA, [it_works, it_is_not_here]) == 0
    capsys.readouterr()
    assert checked(CAMERA, [it_fails, it_is_lost, it_works]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED   it fails: 9 fps",
        "FAILED   it is lost: the camera gives no more frames",
        "ok       it works: 0 Webcam (/dev/video0)",
    ]

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2_enumerate_cameras
import pytest
import videodev2

from streamer.errors import SourceOpenError
from streamer.sources import v4l2
from streamer.sources.device_users import users_of
from streamer.sources.devices import Device, Mode, find_device, list_devices, modes_of
from streamer.sources.v4l2 import NO_PERMISSION, looked_into, modes_at

LOGITECH = Device(0, "HD Pro Webcam C920", "/dev/video0", "v4l2")
SECOND = Device(2, "HD Pro Webcam C920", "/dev/video2", "v4l2")
LAPTOP = Device(4, "Integrated Camera: HD", "/dev/video4", "v4l2")


class Driver:
    """A driver that answers the questions of V4L2: formats by fourcc, sizes of each, intervals of each of those."""

    def __init__(self, formats: dict[str, list[tuple[int, int]]], fps: Sequence[int] = (15, 30)) -> None:
        self.formats = formats
        self.fps = fps
        self.step: tuple[int, ...] = ()
        self.fps_range = False

    def __call__(self, _: int, request: int, entry: Any, /) -> int:
        by_request = {
            videodev2.VIDIOC_QUERYCAP: self._capability,
            videodev2.VIDIOC_ENUM_FMT: self._format,
            v4l2._LIST_SIZES: self._size,
            v4l2._LIST_INTERVALS: self._interval,
        }
        try:
            by_request[request](entry)
        except IndexError:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None
        return 0

    @staticmethod
    def _capability(entry: Any) -> None:
        ctypes.memmove(entry.driver, b"uvcvideo\0", 9)

    def _format(self, entry: Any) -> None:
        entry.pixelformat = videodev2.v4l2_fourcc(*list(self.formats)[entry.index])

    def _size(self, entry: Any) -> None:
        sizes = next(
            sizes for name, sizes in self.formats.items() if videodev2.v4l2_fourcc(*name) == entry.pixel_format
        )
        if self.step:
            if entry.index:
                raise IndexError
            entry.type = videodev2.V4L2_FRMSIZE_TYPE_STEPWISE
            limits = entry.size.stepwise
            (limits.min_width, limits.min_height), (limits.max_width, limits.max_height) = sizes
            limits.step_width, limits.step_height = self.step
        else:
            entry.type = videodev2.V4L2_FRMSIZE_TYPE_DISCRETE
            entry.size.discrete.width, entry.size.discrete.height = sizes[entry.index]

    def _interval(self, entry: Any) -> None:
        if self.fps_range:
            entry.type = videodev2.V4L2_FRMIVAL_TYPE_CONTINUOUS
            limits = entry.interval.stepwise
            limits.min.numerator, limits.min.denominator = 1, max(self.fps)
            limits.max.numerator, limits.max.denominator = 1, min(self.fps)
        else:
            entry.type = videodev2.V4L2_FRMIVAL_TYPE_DISCRETE
            entry.interval.discrete.numerator, entry.interval.discrete.denominator = 1, self.fps[entry.index]


@pytest.fixture
def node(tmp_path: Path) -> str:
    (tmp_path / "video0").touch()
    return str(tmp_path / "video0")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's")
class TestWhatLinuxTells:
    def test_every_format_at_every_size_with_its_rates_the_largest_first(self, node: str) -> None:
        driver = Driver({"YUYV": [(640, 480)], "MJPG": [(640, 480), (1280, 720)]})
        device = looked_into(Device(0, "Webcam", node, "v4l2"), ask=driver)
        assert device.driver == "uvcvideo"
        assert device.modes == (
            Mode("MJPG", (1280, 720), (30, 15)),
            Mode("YUYV", (640, 480), (30, 15)),
            Mode("MJPG", (640, 480), (30, 15)),
        )
        assert device.modes[0].best_fps == 30

    def test_of_a_range_of_sizes_the_usual_ones_on_its_steps_and_the_largest(self, node: str) -> None:
        driver = Driver({"YUYV": [(32, 32), (1000, 1000)]})
        driver.step = (16, 16)
        driver.fps_range = True
        modes = modes_at(node, ask=driver)
        assert [mode.size for mode in modes] == ["1000x1000", "640x480", "320x240"]
        assert all(mode.any_between and mode.fps == (30, 15) for mode in modes)

    def test_a_driver_that_never_ends_its_lists_is_not_believed(self, node: str) -> None:
        driver = Driver({"YUYV": [(640, 480)]}, fps=[30] * 10_000)
        assert modes_at(node, ask=driver) == (Mode("YUYV", (640, 480), (30,)),)

    def test_a_driver_that_says_no_rate_leaves_it_open(self, node: str) -> None:
        assert modes_at(node, ask=Driver({"YUYV": [(640, 480)]}, fps=())) == (Mode("YUYV", (640, 480)),)

    @pytest.mark.parametrize(
        ("number", "why"), [(errno.EACCES, NO_PERMISSION), (errno.EBUSY, "busy"), (errno.ENODEV, "No such device")]
    )
    def test_what_cannot_be_asked_says_why(
        self, node: str, monkeypatch: pytest.MonkeyPatch, number: int, why: str
    ) -> None:
        def refuse(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuse)
        device = looked_into(Device(0, "Webcam", node, "v4l2"))
        assert (device.problem, device.modes) == (why, ())
        assert modes_at(node) == ()

    def test_a_file_that_is_no_camera_has_no_modes(self, node: str) -> None:
        assert modes_at(node) == ()
        assert "ioctl" in looked_into(Device(0, "x", node, "v4l2")).problem

    def test_who_has_the_camera_open_is_named(self, node: str, tmp_path: Path) -> None:
        for number, name, target in (("41", "zoom\n", node), ("42", "bash\n", "/dev/null")):
            (tmp_path / "proc" / number / "fd").mkdir(parents=True)
            (tmp_path / "proc" / number / "comm").write_text(name)
            (tmp_path / "proc" / number / "fd" / "3").symlink_to(target)
        (tmp_path / "proc" / "self").mkdir()
        assert users_of(node, tmp_path / "proc") == ("zoom (41)",)

    def test_cameras_are_listed_by_index_with_names_that_are_printable(
        self, node: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = [
            SimpleNamespace(index=10, name="Second", path=node),
            SimpleNamespace(index=2, name="\x1b[2Jbad", path=node),
            SimpleNamespace(index=11, name=None, path=node),
        ]
        monkeypatch.setattr(cv2_enumerate_cameras, "enumerate_cameras", lambda _: found)
        devices = list_devices()
        assert [(device.index, device.name) for device in devices] == [(2, "[2Jbad"), (10, "Second"), (11, "no name")]
        assert all(device.backend == "v4l2" for device in devices)

    def test_the_modes_of_a_camera_that_is_not_there_are_none(self) -> None:
        assert modes_of(9999) == ()


def test_on_other_systems_names_and_numbers_are_told_and_no_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(index=0, name="FaceTime", path="id-1")]
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(cv2_enumerate_cameras, "enumerate_cameras", lambda _: found)
    monkeypatch.setattr(cv2_enumerate_cameras, "supported_backends", (1200,))
    assert list_devices() == [Device(0, "FaceTime", "id-1", "avfoundation")]
    assert modes_of(0) == ()


def test_a_system_whose_cameras_cannot_be_listed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2_enumerate_cameras, "supported_backends", ())
    with pytest.raises(SourceOpenError, match="cannot be listed"):
        list_devices()


class TestFinding:
    @pytest.mark.parametrize(
        ("wanted", "device"),
        [
            ("integrated", LAPTOP),
            ("INTEGRATED camera: hd", LAPTOP),
            ("2", SECOND),
            ("/dev/video0", LOGITECH),
            (" 4 ", LAPTOP),
        ],
    )
    def test_by_part_of_the_name_index_and_path(self, wanted: str, device: Device) -> None:
        assert find_device(wanted, [LOGITECH, SECOND, LAPTOP]) is device

    def test_a_whole_name_wins_over_a_longer_one(self) -> None:
        longer = Device(5, "HD Pro Webcam C920 #2", "/dev/video5", "v4l2")
        assert find_device("hd pro webcam c920", [longer, LOGITECH]) is LOGITECH

    @pytest.mark.parametrize(
        ("wanted", "texts"),
        [
            ("c920", ["2 cameras are called like this", "0 HD Pro Webcam C920 (/dev/video0); 2 HD Pro"]),
            ("nikon", ["no camera is called like this", "here are: 0 HD Pro", "4 Integrated Camera: HD (/dev/video4)"]),
            ("", ["a camera's index, path or part of its name goes here", "/dev/video2"]),
        ],
    )
    def test_none_and_several_are_errors_that_name_what_there_is(self, wanted: str, texts: list[str]) -> None:
        with pytest.raises(SourceOpenError) as caught:
            find_device(wanted, [LOGITECH, SECOND, LAPTOP])
        assert caught.value.exit_code == 3
        for text in texts:
            assert text in str(caught.value)

    def test_where_there_is_no_camera_the_error_says_where_to_look(self) -> None:
        with pytest.raises(SourceOpenError, match=r"no camera was found \(streamer devices says"):
            find_device("logitech", [])

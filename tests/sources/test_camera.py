import errno
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.clock import FakeClock
from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Frame
from streamer.sources import camera_faults
from streamer.sources.camera import MAX_UNUSABLE, OPENING_READS, CameraSource
from streamer.sources.options import SourceOptions
from tests.clips import number_of, numbered_image
from tests.sources.stubs import StubCapture, pictures


def _read(source: CameraSource) -> list[Frame]:
    """The frames up to the fault, which must be one."""
    frames: list[Frame] = []
    reading = source.frames()
    with pytest.raises(SourceLost):
        frames.extend(reading)
    return frames


def test_format_size_and_rate_are_asked_for_in_the_order_that_drivers_need() -> None:
    stub = StubCapture(pictures(1))
    options = SourceOptions(width=1280, height=720, fps=60, fourcc="MJPG")
    CameraSource(0, options=options, open_capture=stub).close()
    assert [prop for prop, _ in stub.asked] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
    ]


def test_nothing_is_asked_for_unless_the_user_asks() -> None:
    stub = StubCapture(pictures(1))
    CameraSource(0, open_capture=stub).close()
    assert stub.asked == []


def test_another_mode_than_was_asked_for_is_warned_of_once_and_the_real_one_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub = StubCapture(pictures(3, size_px=(640, 480)))
    stub.says |= {cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")), cv2.CAP_PROP_FRAME_WIDTH: 1280.0}
    options = SourceOptions(width=1280, height=720, fps=60, fourcc="MJPG")
    source = CameraSource(0, options=options, open_capture=stub)
    frames = _read(source)
    assert source.info.size_px == (640, 480)
    assert [frame.size_px for frame in frames] == [(640, 480)] * 3
    assert [frame.epoch for frame in frames] == [0] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "asked for width 1280, height 720, fourcc MJPG, fps 60" in record.getMessage()
    assert "gives width 640, height 480, fourcc YUYV, fps 30.0" in record.getMessage()


def test_a_rate_that_is_right_within_rounding_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    stub = StubCapture(pictures(1))
    stub.says[cv2.CAP_PROP_FPS] = 29.97
    CameraSource(0, options=SourceOptions(fps=30), open_capture=stub).close()
    assert not caplog.records


def test_frames_without_a_picture_are_counted_and_the_run_goes_on() -> None:
    clock = FakeClock()
    bad: list[Any] = [None, np.empty((0, 0, 3), np.uint8)]
    images = [numbered_image(9), numbered_image(0), *bad, numbered_image(3), bad[0], numbered_image(5)]
    source = CameraSource(0, clock=clock, open_capture=StubCapture(images))
    frames = _read(source)
    assert [frame.index for frame in frames] == [0, 3, 5]
    assert [number_of(frame.image) for frame in frames] == [0, 3, 5]
    assert source.produced == 6
    assert source.produced - len(frames) == 3


def test_thirty_unusable_frames_in_a_row_and_the_camera_is_lost() -> None:
    nones = [None] * (MAX_UNUSABLE - 1)
    images = [numbered_image(0), *nones, numbered_image(1), *nones, None, numbered_image(2)]
    source = CameraSource(0, open_capture=StubCapture(images))
    reading = source.frames()
    assert next(reading).index == MAX_UNUSABLE - 1
    with pytest.raises(SourceLost, match="30 frames in a row"):
        next(reading)


def test_a_camera_that_stops_is_lost_and_let_go() -> None:
    stub = StubCapture(pictures(2))
    assert len(_read(CameraSource(0, open_capture=stub))) == 2
    assert stub.releases == 1


def test_an_error_of_opencv_is_a_lost_camera() -> None:
    class Failing(StubCapture):
        def grab(self) -> bool:
            if self._grabs == 2:
                raise cv2.error("USB")
            return super().grab()

    assert len(_read(CameraSource(0, open_capture=Failing(pictures(5))))) == 1


def test_a_new_size_begins_an_epoch() -> None:
    images = [*pictures(2), numbered_image(2, size_px=(32, 24)), numbered_image(3, size_px=(32, 24))]
    source = CameraSource(0, open_capture=StubCapture(images))
    frames = _read(source)
    assert [(frame.size_px, frame.epoch) for frame in frames] == [((64, 48), 0)] * 2 + [((32, 24), 1)] * 2
    assert source.info.size_px == (32, 24)


def test_grey_and_transparent_and_deep_images_become_bgr() -> None:
    grey = np.full((48, 64), 77, np.uint8)
    deep = np.full((48, 64), 77 << 8, np.uint16)
    clear = np.full((48, 64, 4), 77, np.uint8)
    frames = _read(CameraSource(0, open_capture=StubCapture([grey, grey, deep, clear])))
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 3
    assert all((frame.image == 77).all() for frame in frames)


def test_media_time_is_that_of_the_grab() -> None:
    clock = FakeClock(start_ns=5)

    class Ticking(StubCapture):
        def grab(self) -> bool:
            clock.advance(0.25)
            return super().grab()

    frames = _read(CameraSource(0, clock=clock, open_capture=Ticking(pictures(3))))
    assert [frame.pts_s for frame in frames] == [0.0, 0.25, 0.5]
    assert frames[1].captured_ns - frames[0].captured_ns == 250_000_000


def test_a_camera_that_gives_no_frame_says_so_and_is_let_go() -> None:
    stub = StubCapture([None] * OPENING_READS)
    with pytest.raises(SourceOpenError, match="opens but gives no frame"):
        CameraSource(0, open_capture=stub)
    assert stub.releases == 1


def test_a_camera_may_fail_its_first_reads() -> None:
    stub = StubCapture([None, None, *pictures(2)])
    assert len(_read(CameraSource(0, open_capture=stub))) == 2


def test_close_waits_for_the_grab_and_never_releases_under_it() -> None:
    stub = StubCapture(pictures(5), hold_at=2)
    source = CameraSource(0, open_capture=stub)
    frames: list[Frame] = []
    reader = threading.Thread(target=lambda: frames.extend(source.frames()))
    reader.start()
    assert stub.held.wait(10)
    closer = threading.Thread(target=source.close)
    closer.start()
    assert stub.releases == 0
    stub.let_go.set()
    reader.join(10)
    closer.join(10)
    assert not reader.is_alive()
    assert not closer.is_alive()
    assert stub.releases == 1
    assert not stub.released_while_grabbing
    assert len(frames) == 1


def test_the_way_to_open_follows_the_system_and_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(options: SourceOptions) -> tuple[int, list[int]]:
        stub = StubCapture(pictures(1))
        CameraSource(0, options=options, open_capture=stub).close()
        return stub.opened_as[1:]

    monkeypatch.setattr(sys, "platform", "linux")
    assert backend(SourceOptions()) == (cv2.CAP_V4L2, [])
    monkeypatch.setattr(sys, "platform", "win32")
    assert backend(SourceOptions()) == (cv2.CAP_ANY, [])
    assert backend(SourceOptions(camera_backend="dshow")) == (cv2.CAP_DSHOW, [])
    chosen, parameters = backend(SourceOptions(camera_backend="gstreamer"))
    assert chosen == cv2.CAP_GSTREAMER
    assert cv2.CAP_PROP_OPEN_TIMEOUT_MSEC in parameters


def test_cv2_is_asked_when_nothing_else_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", StubCapture(pictures(3)))
    assert len(_read(CameraSource(0))) == 3


class TestWhyACameraDoesNotOpen:
    @pytest.fixture(autouse=True)
    def devices(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(camera_faults, "_DEVICES", tmp_path)
        return tmp_path

    @staticmethod
    def _error(device: int | str) -> str:
        stub = StubCapture([], opened=False)
        with pytest.raises(SourceOpenError) as caught:
            CameraSource(device, open_capture=stub)
        assert stub.releases == 1
        return str(caught.value)

    def test_no_camera_at_all(self, devices: Path) -> None:
        assert self._error(0).startswith(f"{devices}/video0: no such camera (no camera is plugged in")

    def test_another_number_is_offered(self, devices: Path) -> None:
        for number in (10, 2):
            (devices / f"video{number}").touch()
        assert f"no such camera (here are {devices}/video2, {devices}/video10)" in self._error(7)

    @pytest.mark.parametrize(
        ("number", "text"), [(errno.EACCES, "permission denied"), (errno.EBUSY, "busy"), (errno.ENODEV, "No such dev")]
    )
    def test_the_system_says_why(self, devices: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str) -> None:
        (devices / "video0").touch()

        def refuse(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuse)
        assert text in self._error(0)

    def test_a_device_that_opens_but_is_no_camera(self, devices: Path) -> None:
        (devices / "video1").touch()
        assert "cannot be opened" in self._error(str(devices / "video1"))

    def test_other_systems_cannot_say_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert "camera 3: this camera cannot be opened" in self._error(3)

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
from streamer.errors import ConfigError, SourceLost, SourceOpenError
from streamer.frame import Frame
from streamer.sources import camera_controls, camera_faults
from streamer.sources.camera import MAX_UNUSABLE, OPENING_READS, CameraSource
from streamer.sources.devices import Mode
from streamer.sources.options import CAMERA_CONTROLS, SourceOptions
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


WEBCAM = (
    Mode("MJPG", (1920, 1080), (30.0,)),
    Mode("MJPG", (1280, 720), (60.0, 30.0)),
    Mode("YUYV", (1280, 720), (10.0,)),
    Mode("YUYV", (640, 480), (30.0, 15.0)),
    Mode("MJPG", (640, 480), (30.0,)),
)


def _open(stub: StubCapture, options: SourceOptions, modes: tuple[Mode, ...] = WEBCAM) -> CameraSource:
    return CameraSource(0, options=options, open_capture=stub, list_modes=lambda _: modes)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (SourceOptions(width=1280, height=720), True),
        (SourceOptions(width=1280, height=720, fps=30), True),
        (SourceOptions(height=1080), True),
        (SourceOptions(width=1280, height=720, fps=10), False),
        (SourceOptions(width=640, height=480), False),
        (SourceOptions(width=800, height=600), False),
        (SourceOptions(fps=60), False),
        (SourceOptions(), False),
    ],
)
def test_mjpg_is_asked_for_first_where_it_is_faster_at_the_size_asked_for(options: SourceOptions, chosen: bool) -> None:  # noqa: FBT001
    stub = StubCapture(pictures(1))
    _open(stub, options).close()
    fourccs = [number for number, (prop, _) in enumerate(stub.asked) if prop == cv2.CAP_PROP_FOURCC]
    assert fourccs == ([0] if chosen else [])
    if chosen:
        assert stub.asked[0][1] == cv2.VideoWriter.fourcc(*"MJPG")


def test_where_no_rates_are_told_nothing_is_asked_for() -> None:
    stub = StubCapture(pictures(1))
    silent = (Mode("YUYV", (640, 480)), Mode("MJPG", (640, 480)))
    _open(stub, SourceOptions(width=640, height=480), silent).close()
    assert cv2.CAP_PROP_FOURCC not in dict(stub.asked)


def test_the_format_that_is_asked_for_is_kept() -> None:
    stub = StubCapture(pictures(1))
    _open(stub, SourceOptions(width=1280, height=720, fourcc="YUYV")).close()
    assert stub.asked[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"YUYV"))


def test_a_size_that_is_not_given_is_warned_of_once_with_the_modes_there_are(caplog: pytest.LogCaptureFixture) -> None:
    many = tuple(Mode("YUYV", (100 + side, 100), (5.0,)) for side in range(9))
    for modes, text in (
        (WEBCAM, "1280x720 (MJPG at 60 fps, YUYV at 10 fps), 640x480 (YUYV at 30 fps, MJPG at 30 fps)"),
        (many, "107x100 (YUYV at 5 fps), ..."),
    ):
        caplog.clear()
        _open(StubCapture(pictures(1, size_px=(640, 480))), SourceOptions(width=800, height=600), modes).close()
        (record,) = caplog.records
        assert record.getMessage().endswith(text)
        assert "asked for width 800, height 600; it gives width 640, height 480; it has " in record.getMessage()


class Settable(StubCapture):
    """Has brightness 0 to 255, exposure while it is not automatic, and nothing else."""

    def set(self, prop: int, value: float, /) -> bool:
        super().set(prop, value)
        automatic = self.says.get(cv2.CAP_PROP_AUTO_EXPOSURE, 3.0) == 3.0
        if prop == cv2.CAP_PROP_BRIGHTNESS:
            self.says[prop] = min(255.0, value)
        elif prop == cv2.CAP_PROP_AUTO_EXPOSURE or (prop == cv2.CAP_PROP_EXPOSURE and not automatic):
            self.says[prop] = value
        else:
            return False
        return True


def test_controls_are_set_the_automatic_ones_first_and_what_is_not_taken_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub = Settable(pictures(1))
    options = SourceOptions(camera_control=("exposure=100", "Auto-Exposure=1", "brightness=300", "gain=5", "gain=7"))
    CameraSource(0, options=options, open_capture=stub).close()
    assert stub.says[cv2.CAP_PROP_EXPOSURE] == 100
    assert [record.getMessage() for record in caplog.records] == [
        "camera 0: brightness 300 was not taken; the camera says 255",
        "camera 0: gain 7 was not taken; the camera says 0",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shutter=1", "knows no 'shutter' (it knows auto_exposure, "),
        ("exposure", "is NAME=VALUE"),
        ("=1", "is NAME=VALUE"),
        ("gain=much", "takes a number, on or off, not 'much'"),
        ("gain=nan", "takes a number"),
    ],
)
def test_a_control_that_is_not_understood_is_refused_with_those_there_are(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceOptions(camera_control=(text,))
    assert says in str(caught.value)


def test_a_switch_may_be_on_or_off() -> None:
    options = SourceOptions(camera_control=("autofocus=off", "auto_white_balance=ON"))
    assert options.controls == (("autofocus", 0.0), ("auto_white_balance", 1.0))


def test_every_control_has_a_property_of_opencv() -> None:
    assert sorted(camera_controls._PROPERTIES) == sorted(CAMERA_CONTROLS)


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

    def test_who_has_a_busy_camera_is_named(self, devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (devices / "video0").touch()
        monkeypatch.setattr(camera_faults, "users_of", lambda path: ("zoom (41)",) if path else ())
        assert "in use by zoom (41)" in self._error(0)

    def test_who_keeps_the_pictures_of_a_camera_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(camera_faults, "users_of", lambda _: ("zoom (41)", "obs (42)"))
        with pytest.raises(SourceOpenError, match=r"gives no frame \(in use by zoom \(41\), obs \(42\); or try"):
            CameraSource(0, open_capture=StubCapture([None] * OPENING_READS))

    def test_a_device_that_opens_but_is_no_camera(self, devices: Path) -> None:
        (devices / "video1").touch()
        assert "cannot be opened" in self._error(str(devices / "video1"))

    def test_other_systems_cannot_say_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert "camera 3: this camera cannot be opened" in self._error(3)

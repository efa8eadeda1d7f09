import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from streamer.clock import FakeClock
from streamer.errors import ConfigError, SourceOpenError
from streamer.sources import SourceOptions, devices, is_camera, open_source
from streamer.sources.camera import CameraSource
from streamer.sources.devices import Device
from streamer.sources.file import FileSource
from streamer.sources.images import PicturesSource
from streamer.sources.reconnecting import ReconnectingSource
from streamer.sources.sequence import SequenceSource
from streamer.sources.synthetic import SyntheticSource
from streamer.sources.watched import WatchedSource
from tests.clips import write_clip, write_picture
from tests.faults.figures import report
from tests.sources.stubs import StubCapture, pictures


def _refusal(uri: str) -> SourceOpenError:
    with pytest.raises(SourceOpenError) as caught:
        open_source(uri)
    assert caught.value.exit_code == 3
    return caught.value


def test_what_is_named_becomes_its_kind_of_source(tmp_path: Path) -> None:
    clip, picture = write_clip(tmp_path / "clip.mp4"), write_picture(tmp_path / "picture.jpg")
    unnamed = write_picture(tmp_path / "other.jpg").rename(tmp_path / "no ending")
    (tmp_path / "pictures").mkdir()
    write_picture(tmp_path / "pictures" / "1.png")
    kinds = {
        "test:": SyntheticSource,
        "test:frames=3": SyntheticSource,
        str(clip): FileSource,
        str(picture): PicturesSource,
        str(unnamed): PicturesSource,
        str(tmp_path / "pictures"): PicturesSource,
        str(tmp_path / "*.mp4"): SequenceSource,
        str(tmp_path / "**" / "*.png"): PicturesSource,
    }
    for uri, kind in kinds.items():
        source = open_source(uri)
        assert type(source) is kind, uri
        source.close()


@pytest.mark.parametrize(
    ("uri", "device"), [("0", 0), ("12", 12), ("/dev/video3", 3), ("/dev/v4l/by-id/a", "/dev/v4l/by-id/a")]
)
def test_numbers_and_device_files_are_cameras(monkeypatch: pytest.MonkeyPatch, uri: str, device: int | str) -> None:
    stub = StubCapture(pictures(1))
    monkeypatch.setattr(cv2, "VideoCapture", stub)
    source = open_source(uri, SourceOptions(reconnect=False))
    source.close()
    assert isinstance(source, WatchedSource)
    assert isinstance(source._source, CameraSource)
    assert stub.opened_as[0] == device


def test_a_camera_is_found_by_a_part_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = StubCapture(pictures(1))
    monkeypatch.setattr(cv2, "VideoCapture", stub)
    asked: list[object] = []

    def listed(backend: object) -> list[Device]:
        asked.append(backend)
        return [Device(4, "Logitech A/V", "/dev/video4", "v4l2"), Device(0, "Built in", "/dev/video0", "v4l2")]

    monkeypatch.setattr(devices, "list_devices", listed)
    assert is_camera("cam:logi")
    source = open_source("cam:logi")
    source.close()
    assert stub.opened_as == (4, cv2.CAP_V4L2, [])
    assert source.info.name == "Logitech A-V"
    open_source("cam:logi", SourceOptions(camera_backend="dshow")).close()
    assert stub.opened_as == (4, cv2.CAP_DSHOW, [])
    assert asked == [None, "dshow"]
    with pytest.raises(SourceOpenError, match="here are: 4 Logitech A/V"):
        open_source("cam:nikon")


def test_a_missing_camera_with_the_name_of_a_folder_says_how_to_name_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "./2024" not in str(_refusal("2024"))
    (tmp_path / "2024").mkdir()
    error = _refusal("2024")
    assert error.hint == "for the file or folder of this name, write ./2024"
    assert "camera" in error.what


def test_a_camera_comes_back_unless_it_shall_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", StubCapture(pictures(1)))
    source = open_source("0")
    source.close()
    assert isinstance(source, WatchedSource)
    assert isinstance(source._source, ReconnectingSource)
    assert source.info.name == "camera 0"
    monkeypatch.setattr(cv2, "VideoCapture", StubCapture([], opened=False))
    assert "no such camera" in str(_refusal("9999"))
    waiting = open_source("9999", SourceOptions(reconnect=True))
    assert waiting.info.state == "connecting"
    waiting.close()


def test_a_camera_that_is_gone_is_not_asked_of_opencv_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def none(*arguments: object) -> StubCapture:
        asked.append(arguments)
        return StubCapture([], opened=False)

    monkeypatch.setattr(cv2, "VideoCapture", none)
    source = open_source("/dev/v4l/by-id/gone", SourceOptions(reconnect_max=3, reconnect=True), clock=FakeClock())
    with pytest.raises(SourceOpenError, match="no such camera"):
        list(source.frames())
    assert len(asked) == 1


STREAMS = ["rtsp", "RTSP", "rtsps", "http", "https", "rtmp", "srt", "udp", "tcp"]
NETWORK = ["rtmpt", "ftp", "FTP", "smb", "mms"]
OTHERS = [
    "file:/etc/passwd",
    "concat:a.ts|b.ts",
    "data:video/mp4;base64,AAAA",
    "pipe:0",
    "gopher://h/",
]
OTHERS += ["subfile:a", "crypto:a", "async:cache:http://127.0.0.1:9/", "lavfi:testsrc"]


@pytest.fixture
def cv2_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*arguments: object) -> None:
        raise AssertionError(f"OpenCV was given {arguments}")

    monkeypatch.setattr(cv2, "VideoCapture", touched)


@pytest.mark.usefixtures("cv2_untouched")
@pytest.mark.parametrize("scheme", NETWORK)
def test_a_network_stream_of_another_kind_is_not_in_this_version_and_its_password_not_shown(scheme: str) -> None:
    error = _refusal(f"{scheme}://anna:s3cret@10.0.0.7/live?token=s3cret")
    assert error.what == "network streams of this kind are not in this version"
    assert "10.0.0.7" in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.usefixtures("cv2_untouched")
@pytest.mark.parametrize("scheme", STREAMS)
def test_a_stream_without_a_host_is_refused(scheme: str) -> None:
    assert "host" in _refusal(f"{scheme}:///live?token=s3cret").what
    with pytest.raises(SourceOpenError):
        open_source(f"{scheme}:///live", SourceOptions(reconnect=True))
    assert _refusal(f"{scheme}:anna:s3cret@10.0.0.7").where == f"{scheme.lower()}:..."


@pytest.mark.usefixtures("cv2_untouched")
@pytest.mark.parametrize("uri", ["rtsp:anna:s3cret@h", "rtsp://anna:s3/cret@h/", "http:///s3@cret", "foo:s3cret@h"])
def test_an_address_that_cannot_be_taken_apart_is_not_shown(uri: str) -> None:
    assert "cret" not in str(_refusal(uri))


@pytest.mark.usefixtures("cv2_untouched")
@pytest.mark.parametrize("uri", OTHERS)
def test_a_scheme_that_is_not_on_the_list_never_reaches_opencv(uri: str) -> None:
    what = _refusal(uri).what
    refused = what == "this kind of source is not allowed"
    report(59, "other schemes: refused before OpenCV", line="10/10 refused before cv2", passed=refused)
    assert refused, what


@pytest.mark.usefixtures("cv2_untouched")
def test_a_file_whose_name_looks_like_a_scheme_is_not_opened_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:a.mp4").write_bytes(bytes(99))
    assert "write ./concat:" in str(_refusal("concat:a.mp4"))


@pytest.mark.usefixtures("cv2_untouched")
@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("", "no source is named"),
        ("nowhere.mp4", "nowhere.mp4: no such file"),
        ("C:\\nowhere.mp4", "no such file"),
        ("*.nothing", "no picture and no video is named like this"),
        ("a\0b", "no path holds a NUL"),
        ("test:colour=red", "allowed: size="),
    ],
)
def test_what_is_not_there_is_named(uri: str, text: str) -> None:
    assert text in str(_refusal(uri))


def test_a_folder_with_nothing_to_see_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    error = _refusal(str(tmp_path))
    assert error.what == "is a directory without pictures or videos"
    assert str(tmp_path) in str(error)


def test_pictures_of_a_folder_come_as_people_count_and_keep_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["shots/b/1.png", "shots/img10.png", "shots/img9.PNG", "shots/Img1.png"]
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(Path(name.lower())).rename(name)
    in_order = ["shots/b/1.png", "shots/Img1.png", "shots/img9.PNG", "shots/img10.png"]
    assert [frame.source for frame in open_source("shots").frames()] == in_order
    assert [frame.source for frame in open_source("shots/*.png").frames()] == [in_order[1], in_order[3]]


def test_a_name_with_the_signs_of_a_pattern_is_a_name_if_it_exists(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png").rename(tmp_path / "a[1].png")
    assert [frame.source for frame in open_source(str(picture)).frames()] == [str(picture)]


def test_options_without_effect_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    open_source("test:", SourceOptions(width=1280, start_s=3.0)).close()
    assert "width, start: no effect on the test pattern" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        *({"width": 0}, {"fps": -1.0}, {"fps": float("nan")}, {"stride": 0}, {"start_s": -1.0}, {"duration_s": 0.0}),
        *({"start_s": 5.0, "end_s": 5.0}, {"end_s": 0.0}, {"fourcc": "MJPEG"}),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        SourceOptions(**options)  # type: ignore[arg-type]


def test_opencv_is_not_imported_until_a_source_is_opened() -> None:
    code = "import sys, streamer.sources; assert not {'cv2', 'av', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

"""What every Source keeps to, whatever it reads."""

import gc
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mss import ScreenShotError

from streamer.errors import SourceLost
from streamer.frame import Frame
from streamer.interfaces import Source, SourceInfo
from streamer.sources import SourceOptions, open_source
from streamer.sources.arrays import ArraySource
from streamer.sources.camera import CameraSource
from streamer.sources.file import FileSource
from streamer.sources.images import PicturesSource
from streamer.sources.network import NetworkSource
from streamer.sources.pipe import PipeSource
from streamer.sources.reconnecting import ReconnectingSource
from streamer.sources.reel import open_pyav
from streamer.sources.screen import ScreenSource
from streamer.sources.synthetic import SyntheticSource
from streamer.sources.watched import WatchedSource
from tests import loopback
from tests.clips import numbered_image, write_clip, write_picture
from tests.sources.stubs import StubCapture
from tests.streams import mjpeg_server

FRAMES = 8


@dataclass(frozen=True)
class Case:
    """A way to a source: `produced` frames, `failed` of them unusable; whether it ends by itself, and is live.

    ahead: frames are captured from when it is open, and not from when they are asked for.
    """

    open: Callable[[Path], Source]
    failed: int = 0
    ends: bool = True
    live: bool = False
    timed: bool = True
    ahead: bool = False


def _camera(_: Path) -> Source:
    images = [numbered_image(0), *(None if number == 3 else numbered_image(number) for number in range(FRAMES))]
    return CameraSource(0, open_capture=StubCapture(images))


def _pictures(folder: Path) -> Source:
    paths = [str(write_picture(folder / f"{number}.png", number)) for number in range(FRAMES)]
    Path(paths[2]).write_text("no picture")
    return PicturesSource(paths)


def _sequence(folder: Path) -> Source:
    for name in ("1.mp4", "2.mkv"):
        write_clip(folder / name, frames=FRAMES // 2)
    return open_source(str(folder))


def _clip(folder: Path) -> str:
    return str(write_clip(folder / "clip.mp4", frames=FRAMES, fps=100))


REALTIME = SourceOptions(realtime=True)


@contextmanager
def _piped(clip: str) -> Iterator[int]:
    """The reading end of a pipe that `cat` fills."""
    with subprocess.Popen(["cat", clip], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        yield cat.stdout.fileno()


class PipedSource(PipeSource):
    """A pipe source with what fills its pipe."""

    def __init__(self, clip: str) -> None:
        self._stack = ExitStack()
        super().__init__(self._stack.enter_context(_piped(clip)))

    def close(self) -> None:
        super().close()
        self._stack.close()


class DarkScreen:
    """A screen that is there, and that fails after as many pictures as a case has; one is taken at opening."""

    monitors = [{"left": 0, "top": 0, "width": 64, "height": 48}] * 2

    def __init__(self) -> None:
        self._left = FRAMES + 1

    def grab(self, monitor: dict[str, int], /) -> object:
        self._left -= 1
        if self._left < 0:
            raise ScreenShotError("the display has gone")
        return np.full((monitor["height"], monitor["width"], 4), self._left, np.uint8)

    def close(self) -> None: ...


def _list(folder: Path) -> Source:
    write_clip(folder / "1.mp4", frames=FRAMES // 2)
    write_clip(folder / "2.mkv", frames=FRAMES // 2)
    (folder / "list.txt").write_text("2.mkv\n# no more of\n\n1.mp4\n")
    return open_source(str(folder / "list.txt"))


class _Served(NetworkSource):
    """A stream with its server, which goes when it is closed."""

    def __init__(self, server: AbstractContextManager[str]) -> None:
        self._server = ExitStack()
        super().__init__(self._server.enter_context(server), options=SourceOptions(read_timeout_s=1.0))
        self.wait_open()

    def close(self) -> None:
        super().close()
        self._server.close()


@contextmanager
def _web_file(folder: Path) -> Iterator[str]:
    clip = write_clip(folder / "clip.mkv", frames=FRAMES, fps=100)
    with loopback.serving() as web:
        yield web.serve("clip.mkv", clip.read_bytes())


def _coming_back(folder: Path) -> Source:
    def gone() -> Source:
        raise SourceLost("it does not come back")

    return WatchedSource(ReconnectingSource(gone, name="camera", first=_camera(folder), most=0))


CASES = {
    "arrays": Case(lambda _: ArraySource(map(numbered_image, range(FRAMES)), fps=25)),
    "arrays without a rate": Case(
        lambda _: ArraySource(map(numbered_image, range(FRAMES)), live=True), live=True, timed=False
    ),
    "list": Case(_list),
    "pipe": Case(lambda folder: PipedSource(str(write_clip(folder / "clip.ts", frames=FRAMES)))),
    "screen": Case(lambda _: ScreenSource(options=SourceOptions(fps=200), grabber=DarkScreen()), ends=False, live=True),
    "camera": Case(_camera, failed=1, ends=False, live=True),
    "file by OpenCV": Case(lambda folder: FileSource(_clip(folder))),
    "file by PyAV": Case(lambda folder: FileSource(_clip(folder), open_decoder=open_pyav)),
    "file in realtime": Case(lambda folder: FileSource(_clip(folder), options=REALTIME), live=True),
    "file over HTTP": Case(lambda folder: _Served(_web_file(folder))),
    "motion JPEG over HTTP": Case(lambda _: _Served(mjpeg_server(frames=FRAMES, fps=100)), live=True, ahead=True),
    "pictures": Case(_pictures, failed=1, timed=False),
    "reconnecting": Case(_coming_back, failed=1, ends=False, live=True),
    "sequence": Case(_sequence),
    "synthetic live": Case(lambda _: SyntheticSource(f"frames={FRAMES},none@5,fps=200"), failed=1, live=True),
    "synthetic": Case(lambda _: SyntheticSource(f"frames={FRAMES},none@5,live=no"), failed=1),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture
def source(case: Case, tmp_path: Path) -> Iterator[Source]:
    opened = case.open(tmp_path)
    yield opened
    opened.close()


def _read(source: Source, case: Case) -> list[Frame]:
    """Every frame; what does not end is lost."""
    frames: list[Frame] = []
    reading = source.frames()
    if case.ends:
        frames.extend(reading)
    else:
        with pytest.raises(SourceLost):
            frames.extend(reading)
    return frames


def test_every_frame_is_counted_and_the_unusable_ones_are_gaps(source: Source, case: Case) -> None:
    assert source.produced == 0
    frames = _read(source, case)
    indexes = [frame.index for frame in frames]
    assert indexes == sorted(set(indexes))
    assert set(indexes) <= set(range(FRAMES))
    assert source.produced == FRAMES
    assert source.produced - len(frames) == case.failed


def test_produced_is_the_next_index(source: Source) -> None:
    for frame in source.frames():
        assert source.produced == frame.index + 1
        if frame.index >= FRAMES - 2:
            break


def test_images_are_bgr_contiguous_and_read_only(source: Source, case: Case) -> None:
    for frame in _read(source, case):
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 3
        assert frame.image.shape[2] == 3
        assert frame.image.flags.c_contiguous
        assert not frame.image.flags.writeable


def test_a_frame_that_is_kept_does_not_change(source: Source, case: Case) -> None:
    kept: list[tuple[Frame, bytes]] = []
    with nullcontext() if case.ends else pytest.raises(SourceLost):
        kept.extend((frame, frame.image.tobytes()) for frame in source.frames())
    assert kept
    assert all(frame.image.tobytes() == pixels for frame, pixels in kept)


def test_time_does_not_go_back(source: Source, case: Case) -> None:
    before_ns = time.monotonic_ns()
    frames = _read(source, case)
    captured_ns = [frame.captured_ns for frame in frames]
    assert captured_ns == sorted(captured_ns)
    assert case.ahead or before_ns <= captured_ns[0]
    assert captured_ns[-1] <= time.monotonic_ns()
    assert [frame.epoch for frame in frames] == sorted(frame.epoch for frame in frames)
    for epoch in {frame.epoch for frame in frames}:
        times_s = [frame.pts_s for frame in frames if frame.epoch == epoch]
        if case.timed:
            known_s = [time_s for time_s in times_s if time_s is not None]
            assert known_s == times_s == sorted(known_s)
        else:
            assert set(times_s) == {None}


def test_the_source_says_what_it_is(source: Source, case: Case) -> None:
    assert source.live is case.live
    assert isinstance(source.info, SourceInfo)
    assert source.info.name
    assert source.info.decoder
    (first, *_) = _read(source, case)
    assert first.source
    assert source.info.size_px in {None, first.size_px}


def test_frames_come_once(source: Source, case: Case) -> None:
    assert _read(source, case)
    assert list(source.frames()) == []


def test_close_before_the_first_frame_leaves_none(source: Source) -> None:
    source.close()
    source.close()
    assert list(source.frames()) == []
    assert source.produced == 0


def test_close_in_the_loop_ends_it(source: Source) -> None:
    frames = []
    for frame in source.frames():
        frames.append(frame)
        source.close()
    assert len(frames) == 1


def test_close_from_another_thread_ends_the_loop(source: Source) -> None:
    reading = source.frames()
    next(reading)
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join(10)
    assert not closer.is_alive()
    assert list(reading) == []


def test_what_is_left_half_read_leaves_nothing_behind(source: Source) -> None:
    for _ in source.frames():
        break
    source.close()
    gc.collect()


def test_close_ends_a_wait(tmp_path: Path) -> None:
    clip = str(write_clip(tmp_path / "clip.mp4", times_s=[0.0, 3600.0]))
    folder = tmp_path / "folder"
    folder.mkdir()
    write_clip(folder / "1.mp4", times_s=[0.0, 3600.0])
    waiting: list[Source] = [
        FileSource(clip, options=REALTIME),
        open_source(str(folder), REALTIME),
        SyntheticSource("stall@1=3600s"),
        SyntheticSource("stall@1=3600s,live=no"),
    ]
    for source in waiting:
        first_came = threading.Event()
        reader = threading.Thread(target=_consume, args=(source, first_came))
        reader.start()
        assert first_came.wait(10)
        source.close()
        reader.join(10)
        assert not reader.is_alive(), source


def _consume(source: Source, first_came: threading.Event) -> None:
    for _ in source.frames():
        first_came.set()

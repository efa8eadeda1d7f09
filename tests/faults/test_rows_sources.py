"""FAULTS 2-4 and 15-21: cameras that lie and files that are none, as the whole program meets them.

What each part does of its own is shown in tests/sources.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.errors import SourceLost
from streamer.frame import Image
from streamer.interfaces import Detector
from streamer.models import load_detector
from streamer.pipeline import Pipeline
from streamer.sinks.recorder import Recorder
from streamer.sources import open_source
from streamer.sources.camera import CameraSource
from streamer.sources.options import SourceOptions
from tests.clips import MAX_FRAMES, number_of, numbered_image, write_clip, write_picture
from tests.fakes import FakeDetector
from tests.faults.conftest import Streamer
from tests.faults.figures import report
from tests.rooms import ListSink
from tests.saved_models import save_red_finder
from tests.sinks.scenes import decoded
from tests.sources.stubs import StubCapture
from tests.sources.test_file_faults import MAKERS

BAD: tuple[Any, ...] = (None, np.empty((0, 0, 3), np.uint8), np.empty((48, 64, 0), np.uint8))
"""What a camera gives as a frame, with success, and is none."""


def run_to_the_loss(images: list[Any], detector: Detector, *sinks: ListSink | Recorder) -> Pipeline:
    """A run on a camera that gives `images`, after the one that is read at opening, and is then unplugged."""
    source = CameraSource(0, open_capture=StubCapture([images[0], *images]))
    pipeline = Pipeline(source, detector, sinks, policy="all")
    with pytest.raises(SourceLost):
        pipeline.run()
    assert pipeline.ledger.balanced
    return pipeline


def test_row_02_frames_without_a_picture_are_counted_and_the_run_goes_on() -> None:
    images: list[Any] = [numbered_image(number) for number in range(MAX_FRAMES)]
    injected = {3: BAD[0], 4: BAD[1], 17: BAD[2], 30: BAD[0]}
    for number, bad in injected.items():
        images[number] = bad
    sink = ListSink()
    ledger = run_to_the_loss(images, FakeDetector(), sink).ledger
    same = ledger.failed == len(injected)
    report(2, f"{ledger.failed} failed of {len(injected)}", line="failed == injected", passed=same)
    assert ledger.failed == len(injected)
    assert ledger.produced == MAX_FRAMES
    assert sink.indexes == [number for number in range(MAX_FRAMES) if number not in injected]
    assert [number_of(result.frame.image) for result in sink.results] == sink.indexes


def red_at(size_px: tuple[int, int], box: tuple[float, float, float, float]) -> Image:
    """A grey picture with a red rectangle; `box` is x1 y1 x2 y2 from 0 to 1."""
    width, height = size_px
    image = np.full((height, width, 3), 128, np.uint8)
    x1, y1, x2, y2 = np.rint(np.array(box) * (width, height, width, height)).astype(int)
    image[y1:y2, x1:x2] = (0, 0, 255)
    return image


BOXES = ((0.25, 0.25, 0.75, 0.5), (0.05, 0.1, 0.3, 0.9), (0.5, 0.6, 0.95, 0.9))


def off_px(sink: ListSink) -> float:
    """How far, at most, an edge of a box lies from the red rectangle that it is around."""
    worst = 0.0
    for result in sink.results:
        height, width = result.frame.image.shape[:2]
        wanted = np.rint(np.array(BOXES[result.frame.index % len(BOXES)]) * (width, height, width, height))
        assert len(result.detections) == 1
        worst = max(worst, float(np.abs(result.detections.boxes[0] - wanted).max()))
    return worst


@pytest.mark.parametrize("size_px", [(640, 480), (320, 240), (1920, 1080)])
def test_row_03_another_size_than_was_asked_for_is_used_and_its_boxes_are_right(
    tmp_path: Path, size_px: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    options = SourceOptions(width=1280, height=720)
    detector = load_detector(save_red_finder(tmp_path / "m"), input_size_px=(1280, 720))
    images = [red_at(size_px, box) for box in BOXES]
    source = CameraSource(0, options=options, open_capture=StubCapture([images[0], *images]))
    sink = ListSink()
    with pytest.raises(SourceLost):
        Pipeline(source, detector, [sink], policy="all").run()
    assert [result.frame.size_px for result in sink.results] == [size_px] * len(BOXES)
    (warning,) = [record.getMessage() for record in caplog.records if "asked for" in record.getMessage()]
    assert f"gives width {size_px[0]}, height {size_px[1]}" in warning
    worst_px = off_px(sink)
    report(3, "boxes at most {:.2f} px off", worst_px, line="<= 1 px", passed=worst_px <= 1)
    assert worst_px <= 1.0


def test_row_04_another_size_in_mid_stream_is_another_file_and_its_boxes_are_right(tmp_path: Path) -> None:
    sizes = ((640, 480), (320, 240))
    images = [red_at(sizes[number // 12], BOXES[number % len(BOXES)]) for number in range(24)]
    detector = load_detector(save_red_finder(tmp_path / "m"), input_size_px=sizes[0])
    sink, recorder = ListSink(), Recorder(tmp_path / "out.mp4", fps=10)
    ledger = run_to_the_loss(images, detector, sink, recorder).ledger
    assert [result.frame.epoch for result in sink.results] == [0] * 12 + [1] * 12
    assert [len(decoded(path)) for path in recorder.recorded_files] == [12, 12]
    assert ledger.recorded == 2 * 24
    assert ledger.failed == 0
    worst_px = off_px(sink)
    files = len(recorder.recorded_files)
    figure = f"a camera: {files} files, 24 of 24 frames, boxes {worst_px:.2f} px off"
    report(4, figure, line="2 segments readable, 0 exceptions", passed=files == 2 and worst_px <= 1)
    assert worst_px <= 1.0


def test_row_04_two_transport_streams_in_one_file_lose_no_frame(streamer: Streamer) -> None:
    parts = [write_clip(streamer.folder / "a.ts"), write_clip(streamer.folder / "b.ts", size_px=(128, 96))]
    Path("both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    readable = 0
    capture = cv2.VideoCapture("both.ts", cv2.CAP_FFMPEG)
    while capture.grab():
        readable += 1
    capture.release()
    ended = streamer("both.ts", "out.mp4", "--no-show", "--summary", "run.json")
    assert ended.code == 0
    kept = sum(len(decoded(Path(path))) for path in ended.summary["recorded"])
    well = kept == readable and ended.summary["ledger"]["failed"] == 0
    report(4, f"a.ts|b.ts: {kept} of {readable} frames", line="0 exceptions", passed=well)
    assert ended.summary["ledger"]["recorded"] == readable == 24
    assert kept == readable


def test_row_04_a_pattern_that_changes_size_is_recorded_in_two_files(streamer: Streamer) -> None:
    ended = streamer("test:frames=40,live=no,resize@20=320x240", "out.mp4", "--no-show", "--summary", "run.json")
    assert ended.code == 0
    assert ended.summary["recorded"] == ["out.mp4", "out-002.mp4"]
    kept = [len(decoded(Path(path))) for path in ended.summary["recorded"]]
    report(4, f"a pattern: {kept} frames in its files", line="2 segments readable", passed=kept == [20, 20])
    assert kept == [20, 20]


def test_row_15_a_missing_file_is_told_at_once(tmp_path: Path) -> None:
    missing = tmp_path / "missing.mp4"
    open_source("test:").close()
    took_ms = []
    for _ in range(20):
        began_ns = time.perf_counter_ns()
        with pytest.raises(Exception, match=r"missing\.mp4: no such file"):
            open_source(str(missing))
        took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    figure = "{:.2f} ms, {:.2f} ms at most"
    report(15, figure, sorted(took_ms)[10], max(took_ms), line="< 100 ms", passed=max(took_ms) < 100)
    assert max(took_ms) < 1000


def _picture(path: Path) -> None:
    write_picture(path.with_suffix(".png")).rename(path)


REFUSED = [
    *(maker for maker in MAKERS if "\0" not in maker[0]),  # no command line holds a NUL
    ("picture.mp4", _picture, "not a video, but a picture"),
]


ROWS = {15: ("missing", "nnn"), 16: ("folder",), 17: ("empty",), 18: ("half", "noise"), 20: ("sound", "none")}
"""Which row a file is, by how its name begins; all others are of 21."""


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(("name", "make", "reason"), REFUSED, ids=[repr(name[:12]) for name, _, _ in REFUSED])
def test_rows_15_16_17_18_20_21_what_is_no_video_ends_with_3_before_a_model_is_loaded(
    name: str, make: Callable[[Path], object], reason: str, streamer: Streamer
) -> None:
    make(streamer.folder / name)
    ended = streamer(streamer.folder / name, "out.mp4", "--no-show")
    row = next((row for row, names in ROWS.items() if name.startswith(names)), 21)
    told = ended.code == 3 and reason in ended.errors[-1]
    report(row, f'exit {ended.code}, "{reason}"', line="exit 3, told", passed=told)
    assert ended.code == 3
    (error,) = ended.errors
    assert reason in error
    assert name[:60] in error
    assert "Traceback" not in ended.err
    assert streamer.loaded == 0
    assert not Path("out.mp4").exists()


@pytest.mark.parametrize("ending", ["mkv", "ts", "avi"])
def test_row_19_a_damaged_file_is_run_to_its_last_good_frame_and_ends_with_0(streamer: Streamer, ending: str) -> None:
    codec = "mpeg4" if ending == "avi" else "libx264"
    clip = write_clip(Path(f"clip.{ending}"), frames=MAX_FRAMES, size_px=(320, 240), key_every=1, codec=codec)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 3, len(data) * 9 // 10, 97):
        data[place] ^= 0xFF
    clip.write_bytes(data)
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    readable = 0
    while capture.grab():
        readable += 1
    capture.release()
    ended = streamer(clip, "out.mp4", "--no-show", "--summary", "run.json")
    ledger = ended.summary["ledger"]
    warnings = [line for line in ended.err.splitlines() if line.startswith("streamer: warning: ")]
    figure = f".{ending}: {ledger['produced']} frames, OpenCV reads {readable} of {MAX_FRAMES}, {len(warnings)} warning"
    same = ledger["produced"] == readable and len(warnings) == 1 and ended.code == 0
    report(19, figure, line="equal, warned, exit 0", passed=same)
    assert ended.code == 0
    assert ledger["produced"] == readable > 0
    assert ledger["recorded"] == len(decoded(Path("out.mp4"))) == readable - ledger["failed"]
    assert readable < MAX_FRAMES
    assert len(warnings) == 1
    assert ending == "ts" or f"read {readable} of {MAX_FRAMES} frames" in warnings[0]  # which does not tell how many

"""FAULTS 26-35: models that are missing, damaged, wrong, wild or slow, as the whole program meets them.

What each part does of its own is shown in tests/models, tests/test_frame.py and tests/test_overlay.py; raw heads are in
test_rows_heads.py, hostile models in test_rows_trust.py.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.interfaces import Sink
from streamer.labels import Labels
from streamer.models import ModelOptions, load_detector
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.overlay import draw
from streamer.pipeline import Pipeline
from streamer.sinks.tables import JsonLines
from tests import tflite_models
from tests.e2e.child import DescribedDetector
from tests.e2e.test_signals import Run
from tests.faults.conftest import Streamer
from tests.frozen_graphs import api_graph, graph_with_loop, save_graph, unfrozen_graph
from tests.keras_models import save_keras
from tests.model_forms import FORMS, keras_detector
from tests.models.test_load_detector import UNREADABLE
from tests.rooms import ListSink, ScriptedSource
from tests.saved_models import build_ssd_mobilenet, save_constant
from tests.xvfb import ROOT

SIZE_PX = (640, 480)
IMAGE: Image = np.full((480, 640, 3), 90, np.uint8)


def took_ms(work: Callable[[], object], *, times: int) -> NDArray[np.float64]:
    """Milliseconds of this thread's own work, so that a busy machine does not count."""
    durations = []
    for _ in range(times):
        began_ns = time.thread_time_ns()
        work()
        durations.append((time.thread_time_ns() - began_ns) / 1e6)
    return np.array(durations)


ENDINGS = ("", ".pb", ".keras", ".h5", ".tflite", ".pbtxt", ".zip")


def make_nothing(_: Path) -> None:
    """Leave the place as it is."""


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("make", [make_nothing, Path.mkdir, Path.touch], ids=["missing", "empty folder", "empty file"])
def test_row_26_a_model_that_is_not_there_is_told_before_a_camera_is_opened(
    make: Callable[[Path], None], ending: str, streamer: Streamer
) -> None:
    streamer.detector = None
    make(streamer.folder / f"none{ending}")
    import_tensorflow()
    began_ns = time.perf_counter_ns()
    ended = streamer("0", "--model", f"none{ending}", "--no-show")
    took_s = (time.perf_counter_ns() - began_ns) / 1e9
    print(f"row 26: {took_s * 1000:.0f} ms from the command line to the end")
    assert ended.code == 4
    assert len(ended.errors) == len(ended.err.splitlines()) == 1
    assert f"none{ending}: " in ended.errors[0]
    assert streamer.opened == []
    assert took_s < 10


def test_row_27_fifty_damaged_models_end_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.mutations_child", str(tmp_path), "0", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    codes = [line.split()[1] for line in done.stdout.splitlines()]
    print(f"row 27: {codes.count('4')} refused, {codes.count('0')} harmless, exit {done.returncode}")
    assert len(codes) == 50
    assert set(codes) <= {"0", "4"}
    assert codes.count("4") >= 30


@pytest.mark.slow
def test_row_27_damage_to_any_part_of_any_form_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.damage_child", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    outcomes = [line.split("\t") for line in done.stdout.splitlines()]
    print(f"row 27: {len(outcomes)} damaged files of {len(FORMS)} forms, exit {done.returncode}")
    assert {form for form, *_ in outcomes} == set(FORMS)
    assert [outcome for outcome in outcomes if outcome[3:] != ["4", "1"]] == []


@pytest.mark.allow_error_logs
def test_row_28_a_model_without_its_variables_ends_with_4(streamer: Streamer) -> None:
    streamer.detector = None
    shutil.rmtree(save_constant(streamer.folder / "m") / "variables")
    ended = streamer("test:", "--model", "m", "--no-show")
    assert ended.code == 4
    assert len(ended.errors) == 1
    assert "damaged or incomplete" in ended.errors[0]


@pytest.mark.allow_error_logs
def test_row_29_each_wrong_signature_has_a_text_of_its_own(streamer: Streamer) -> None:
    streamer.detector = None
    texts = set()
    for number, (model, options, _) in enumerate(UNREADABLE.values()):
        folder = save_constant(streamer.folder / str(number), **model)  # type: ignore[arg-type]
        wanted = [] if options.signature is None else ["--signature", options.signature]
        ended = streamer("test:", "--model", folder, "--no-show", *wanted)
        assert ended.code == 4
        (error,) = ended.errors
        texts.add(error)
    print(f"row 29: {len(texts)} texts of {len(UNREADABLE)}")
    assert len(texts) == len(UNREADABLE)


def save_tflite(folder: Path, content: bytes) -> Path:
    path = folder / "m.tflite"
    path.write_bytes(content)
    return path


def save_classifier(path: Path) -> Path:
    keras = import_tensorflow().keras
    image = keras.Input((32, 48, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(image))
    return save_keras(path, keras.Model(image, keras.layers.Dense(1000, activation="softmax")(x)))


Save = Callable[[Path], Path]

WRONG: dict[str, tuple[Save, tuple[str, ...], int, str]] = {
    "frozen, named": (
        lambda d: save_graph(d / "m.pb", api_graph),
        ("--signature", "a"),
        2,
        "only SavedModels and TFLite",
    ),
    "frozen, one number": (lambda d: save_graph(d / "m.pb", graph_with_loop), (), 4, "is not a detector's"),
    "frozen, variables": (lambda d: save_graph(d / "m.pb", unfrozen_graph), (), 4, "not frozen"),
    "TFLite, two inputs": (lambda d: save_tflite(d, tflite_models.two_inputs()), (), 4, "takes 2 inputs"),
    "TFLite, named": (lambda d: save_tflite(d, tflite_models.network()), ("--signature", "a"), 4, "no signature 'a'"),
    "TFLite, no boxes": (lambda d: save_tflite(d, tflite_models.network()), (), 4, "is not a detector's"),
    ".keras, classifier": (lambda d: save_classifier(d / "m.keras"), (), 4, "classifier"),
    ".h5, named": (lambda d: save_keras(d / "m.h5", keras_detector()), ("--signature", "a"), 2, "only SavedModels"),
}


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(("save", "flags", "code", "text"), WRONG.values(), ids=WRONG)
def test_row_29_what_is_no_detector_is_told_in_every_form(
    save: Save, flags: tuple[str, ...], code: int, text: str, streamer: Streamer
) -> None:
    streamer.detector = None
    ended = streamer("0", "--model", save(streamer.folder), "--no-show", *flags)
    assert ended.code == code
    (error,) = ended.errors
    assert text in error
    assert streamer.opened == []


def wild_rows(count: int, *, seed: int) -> NDArray[np.float32]:
    """(count, 4): out of range, inside out, up to 1e20, and here and there not finite."""
    chance = np.random.default_rng(seed)
    boxes = chance.uniform(-1, 1, (count, 4)) * 10.0 ** chance.integers(-1, 21, (count, 1))
    boxes[::10, 0], boxes[1::10, 3], boxes[2::10, 1] = np.nan, np.inf, -np.inf
    return boxes.astype(np.float32)


def test_row_30_rows_that_are_not_finite_cost_nothing_to_draw(tmp_path: Path) -> None:
    good = np.random.default_rng(1).uniform(0, 0.5, (16, 2))
    boxes = np.concatenate([wild_rows(60, seed=2), np.hstack([good, good + 0.3])])
    boxes[:60:3] = np.nan
    scores = np.linspace(0.99, 0.6, 76)
    scores[[4, 8]] = np.nan, np.inf
    detector = load_detector(save_constant(tmp_path / "m", boxes=boxes, scores=scores, classes=np.ones(76)))
    (found,) = detector.detect([IMAGE])
    p99_ms = np.percentile(took_ms(lambda: draw(IMAGE, found, detector.labels), times=200), 99)
    print(f"row 30: {len(found)} of 76 rows kept, {found.rejected} counted out; overlay p99 {p99_ms:.2f} ms")
    assert len(found) >= 16
    assert len(found) + found.rejected == 76
    assert np.isfinite(found.boxes).all()
    assert p99_ms < 50


def test_row_31_ten_thousand_wild_rows_are_drawn_inside(tmp_path: Path) -> None:
    rows = wild_rows(10_000, seed=3)
    folder = save_constant(tmp_path / "m", boxes=rows, scores=[0.9] * 10_000, classes=[1] * 10_000)
    (by_model,) = load_detector(folder, ModelOptions(max_det=10_000)).detect([IMAGE])
    pixels = rows[:, [1, 0, 3, 2]] * np.array([640, 480, 640, 480])
    by_hand = Detections.from_raw(pixels, [0.9] * 10_000, [1] * 10_000, size_px=SIZE_PX, max_det=10_000)
    assert len(by_hand) + by_hand.rejected == 10_000
    assert len(by_model) == MAX_DETECTIONS
    for found in (by_model, by_hand):
        x1, y1, x2, y2 = found.boxes.T
        inside = (x1 >= 0) & (y1 >= 0) & (x1 < x2) & (y1 < y2) & (x2 <= 640) & (y2 <= 480)
        print(f"row 31: {inside.mean():.0%} of {len(found)} boxes inside, {found.rejected} rows counted out")
        assert inside.all()
        for start in range(0, len(found), 100):
            assert draw(IMAGE, found[start : start + 100], Labels()).shape == IMAGE.shape


def test_row_32_class_ids_that_the_labels_do_not_know_have_a_number(tmp_path: Path) -> None:
    ids = [1.0, 17.0, -1.0, 1.988, 2.2, np.nan, 4e9, 90.0]
    count = len(ids)
    boxes = [(0.1, 0.1 + 0.05 * n, 0.8, 0.5 + 0.05 * n) for n in range(count)]
    folder = save_constant(tmp_path / "m", boxes=boxes, scores=np.linspace(0.9, 0.6, count), classes=ids)
    (folder / "labels.txt").write_text("person\ncar\n")
    detector = load_detector(folder, ModelOptions(label_offset=1), input_size_px=SIZE_PX)
    lines = JsonLines(tmp_path / "o.jsonl", labels=detector.labels)
    source = ScriptedSource(5, size_px=SIZE_PX)
    sinks: list[Sink] = [lines, ListSink()]
    report = Pipeline(source, detector, sinks, draw=lambda frame, seen: draw(frame.image, seen, detector.labels)).run()
    assert report.ledger.inferred == 5
    assert report.ledger.failed == 0
    for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines():
        labels = [seen["label"] for seen in json.loads(line)["detections"]]
        assert labels == ["person", "#17", "car", "car", "#90"]


def test_row_33_a_hundred_thousand_detections_cost_no_second_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 100_000
    corners = np.random.default_rng(5).uniform(0, 0.5, (rows, 2)).astype(np.float32)
    scores = np.random.default_rng(6).uniform(0, 1, rows).astype(np.float32)
    flood = {
        "detection_boxes": np.hstack([corners, corners + 0.3])[np.newaxis],
        "detection_scores": scores[np.newaxis],
        "detection_classes": np.ones((1, rows), np.float32),
        "num_detections": np.array([rows], np.float32),
    }
    detector = load_detector(build_ssd_mobilenet(tmp_path / "m"), ModelOptions(max_det=300), input_size_px=SIZE_PX)

    def frame() -> Detections:
        (found,) = detector.detect([IMAGE])
        draw(IMAGE, found, detector.labels)
        return found

    def wall_ms() -> float:
        return float(np.median([_wall_ms(frame) for _ in range(20)]))

    normal_ms = wall_ms()
    run = detector._loaded.graph.run

    def flooded(images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        run(images)
        return flood

    monkeypatch.setattr(detector._loaded.graph, "run", flooded)
    found, flooded_ms = frame(), wall_ms()
    print(f"row 33: a frame takes {normal_ms:.1f} ms, with {rows} rows {flooded_ms:.1f} ms ({len(found)} kept)")
    assert len(found) == 300
    np.testing.assert_array_equal(found.scores, np.sort(scores)[::-1][:300])
    assert flooded_ms < 20 * normal_ms


def _wall_ms(work: Callable[[], object]) -> float:
    began_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began_ns) / 1e6


def test_row_34_a_model_that_raises_on_one_frame_costs_one_frame(tmp_path: Path) -> None:
    detector = load_detector(save_constant(tmp_path / "m", fail_at_call=2 + 51), input_size_px=(64, 48))
    sink = ListSink()
    ledger = Pipeline(ScriptedSource(100), detector, [sink]).run().ledger
    assert (ledger.failed, ledger.inferred, ledger.recorded) == (1, 99, 100)
    assert [result.failed for result in sink.results].index(True) == 50
    assert sink.indexes == list(range(100))


@pytest.mark.allow_error_logs
def test_row_34_a_model_that_always_raises_ends_with_4(streamer: Streamer) -> None:
    streamer.detector = DescribedDetector(raise_at=frozenset(range(20, 1000)))
    ended = streamer("test:frames=200,live=no", "out.mp4", "--no-show", "--summary", "run.json")
    assert ended.code == 4
    assert "30 frames in a row" in ended.errors[-1]
    assert ended.summary["ledger"]["failed"] == 30
    assert ended.summary["ledger"]["balanced"]


def resident_mb(pid: int) -> float:
    """Megabytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_row_35_an_inference_that_hangs_is_said_and_nothing_piles_up(tmp_path: Path) -> None:
    frame_mb = 1280 * 720 * 3 / 1e6
    with Run(tmp_path, before=("--hang-at", "5"), source="test:size=1280x720,fps=10") as run:
        run.wait_for_frames(6)
        began_s = time.monotonic()
        while "inference has not moved" not in run.errors.read_text():
            threading.Event().wait(0.01)
        warned_s = time.monotonic() - began_s
        run.wait_for_frames(40)
        before_mb = resident_mb(run.process.pid)
        run.wait_for_frames(120)
        grown_mb = resident_mb(run.process.pid) - before_mb
        run.process.send_signal(signal.SIGINT)
        code, took_s = run.end(timeout_s=30)
    print(f"row 35: said after {warned_s:.1f} s; {grown_mb:+.1f} MB in 80 frames; ended {took_s:.1f} s after Ctrl-C")
    assert code == 130
    assert grown_mb < 80 * frame_mb / 2
    ledger = json.loads(run.summary.read_text())["ledger"]
    assert ledger["balanced"]
    assert ledger["recorded"] >= 120

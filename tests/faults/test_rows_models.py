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
from tests.faults.figures import report
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
    well = took_s < 1 and ended.code == 4 and streamer.opened == []
    figure = "{:.0f} ms from the command line to exit 4, no camera opened"
    report(26, figure, took_s * 1000, line="before a camera opens, < 1 s after TensorFlow's import", passed=well)
    assert ended.code == 4
    assert len(ended.errors) == len(ended.err.splitlines()) == 1
    assert f"none{ending}: " in ended.errors[0]
    assert streamer.opened == []
    assert took_s < 10


def test_row_27_fifty_damaged_models_end_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.mutations_child", str(tmp_path), "0", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    codes = [line.split()[1] for line in done.stdout.splitlines()]
    lived = done.returncode == 0 and len(codes) == 50
    figure = f"50 graphs of a SavedModel: {codes.count('4')} refused, {codes.count('0')} harmless"
    report(27, figure, line="0 aborts", passed=lived)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    assert len(codes) == 50
    assert set(codes) <= {"0", "4"}
    assert codes.count("4") >= 30


@pytest.mark.slow
def test_row_27_damage_to_any_part_of_any_form_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.damage_child", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    outcomes = [line.split("\t") for line in done.stdout.splitlines()]
    refused = sum(outcome[3:] == ["4", "1"] for outcome in outcomes)
    figure = f"files of {len(FORMS)} forms: {refused} of {len(outcomes)} refused in one line"
    report(27, figure, line="0 aborts", passed=refused == len(outcomes))
    assert {form for form, *_ in outcomes} == set(FORMS)
    assert [outcome for outcome in outcomes if outcome[3:] != ["4", "1"]] == []


@pytest.mark.allow_error_logs
def test_row_28_a_model_without_its_variables_ends_with_4(streamer: Streamer) -> None:
    streamer.detector = None
    shutil.rmtree(save_constant(streamer.folder / "m") / "variables")
    ended = streamer("test:", "--model", "m", "--no-show")
    report(28, f"exit {ended.code}, {len(ended.errors)} line", line="exit 4", passed=ended.code == 4)
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
    distinct = len(texts) == len(UNREADABLE)
    report(29, f"SavedModels: {len(texts)} texts of {len(UNREADABLE)}", line="6/6 texts", passed=distinct)
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
    told = ended.code == code and any(text in error for error in ended.errors)
    report(29, "other forms: told in one line", line="each told", passed=told)
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
    figure = f"{found.rejected} of 76 rows counted out, overlay p99 {{:.1f}} ms"
    report(30, figure, float(p99_ms), line="dropped and counted, p99 < 5 ms", passed=bool(p99_ms < 5))
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
        figure = f"{inside.mean():.0%} of {len(found)} boxes inside, of 10,000 rows {found.rejected} counted out"
        report(31, figure, line="100 % inside", passed=bool(inside.all()))
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
    run = Pipeline(source, detector, sinks, draw=lambda frame, seen: draw(frame.image, seen, detector.labels)).run()
    assert run.ledger.inferred == 5
    assert run.ledger.failed == 0
    told = [
        [seen["label"] for seen in json.loads(line)["detections"]]
        for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    right = told == [["person", "#17", "car", "car", "#90"]] * 5
    report(32, f"{run.ledger.failed} exceptions in 5 frames, unknown ids are #17", line="0 IndexError", passed=right)
    assert right, told


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
    ratio = flooded_ms / normal_ms
    figure = "a frame of SSD-MobileNetV2: {:.0f} ms, with 100,000 rows and --max-det 300 {:.0f} ms, {:.1f} times"
    report(33, figure, normal_ms, flooded_ms, ratio, line="cap 300, < 2 times", passed=ratio < 2 and len(found) == 300)
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
    figure = f"{ledger.failed} failed, {ledger.recorded} of 100 recorded"
    report(34, figure, line="failed == 1", passed=ledger.failed == 1 and ledger.recorded == 100)
    assert (ledger.failed, ledger.inferred, ledger.recorded) == (1, 99, 100)
    assert [result.failed for result in sink.results].index(True) == 50
    assert sink.indexes == list(range(100))


@pytest.mark.allow_error_logs
def test_row_34_a_model_that_always_raises_ends_with_4(streamer: Streamer) -> None:
    streamer.detector = DescribedDetector(raise_at=frozenset(range(20, 1000)))
    ended = streamer("test:frames=200,live=no", "out.mp4", "--no-show", "--summary", "run.json")
    said = "30 frames in a row" in ended.errors[-1]
    report(34, f"always: exit {ended.code} after 30 in a row", line="exit 4", passed=said and ended.code == 4)
    assert ended.code == 4
    assert said
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
    figure = "said after {:.1f} s; {:+.1f} MB in 80 frames; ended {:.1f} s after Ctrl-C"
    flat = grown_mb < 3 * frame_mb
    line = "quit <= 6 s, memory flat (< 3 frames)"
    report(35, figure, warned_s, grown_mb, took_s, line=line, passed=took_s <= 6 and flat)
    assert code == 130
    assert grown_mb < 80 * frame_mb / 2
    ledger = json.loads(run.summary.read_text())["ledger"]
    assert ledger["balanced"]
    assert ledger["recorded"] >= 120

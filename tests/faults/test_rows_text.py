"""FAULTS 56 and 60: settings that are wrong and text that is hostile, as the whole program meets them.

What each part does of its own is shown in tests/test_config.py, tests/test_labels.py and tests/cli/test_logs.py.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from streamer.frame import Detections, Image
from streamer.labels import Labels, load_labels
from streamer.overlay import draw
from streamer.text import MAX_CHARS
from tests.clips import write_clip
from tests.faults.conftest import Streamer
from tests.faults.figures import report
from tests.test_config import MALFORMED
from tests.xvfb import ROOT, environment

SECRET = "hunter2"

HOSTILE = (
    "\x1b[2Jclear",
    "over\rwritten",
    "nul\0inside",
    "\u202eturned round",
    "emoji 🙂🏳️‍🌈",
    "x" * 1_000_000,
    "../../etc/passwd",
    "%s{}%n{0.__class__}",
    "\x9b31m\x07bell\x08",
)


def test_row_56_every_malformed_file_ends_with_2_and_one_line_a_fault(
    streamer: Streamer,
) -> None:
    slowest_ms, refused = 0.0, 0
    (streamer.folder / "first.yaml").write_text("conf: [", encoding="utf-8")
    assert streamer("test:", "--no-show", "-c", "first.yaml").code == 2  # it imports what reads settings
    for number, (name, (make, expected)) in enumerate(MALFORMED.items()):
        folder = streamer.folder / f"case-{number}"
        folder.mkdir()
        path = make(folder)
        if "\0" in str(path):
            refused += 1
            continue  # no command line holds a NUL
        began_ns = time.perf_counter_ns()
        ended = streamer("test:", "--no-show", "-c", path)
        slowest_ms = max(slowest_ms, (time.perf_counter_ns() - began_ns) / 1e6)
        assert ended.code == 2, name
        assert "Traceback" not in ended.err, name
        assert len(ended.errors) == len(ended.err.splitlines()) == 1, name
        assert expected in ended.errors[0], name
        assert ended.errors[0].isprintable(), name
        refused += 1
    figure = f"{refused} of {len(MALFORMED)} told, 0 tracebacks, slowest {{:.0f}} ms with the whole command line"
    well = refused == len(MALFORMED) >= 30 and slowest_ms < 200
    report(56, figure, slowest_ms, line="30/30, 0 tracebacks, < 200 ms", passed=well)
    assert len(MALFORMED) >= 30
    assert streamer.loaded == 0
    assert slowest_ms < 2000


def hostile_labels(path: Path) -> Labels:
    """The labels of a file whose names are hostile, one a class from 0."""
    path.write_text(json.dumps({str(number): name for number, name in enumerate(HOSTILE)}), encoding="utf-8")
    return load_labels(path).labels(0)


def control_bytes(data: bytes) -> list[str]:
    """Every character of a UTF-8 text that is neither printable nor the end of a line."""
    return [character for character in data.decode("utf-8") if character != "\n" and not character.isprintable()]


def test_row_60_hostile_labels_cost_no_more_to_draw(tmp_path: Path) -> None:
    labels = hostile_labels(tmp_path / "labels.json")
    image: Image = np.full((480, 640, 3), 90, np.uint8)
    corners = np.random.default_rng(1).uniform(0, 300, (len(HOSTILE) * 2, 2))
    ids = [number % len(HOSTILE) for number in range(len(corners))]
    seen = Detections.from_raw(np.hstack([corners, corners + 120]), [0.9] * len(ids), ids, size_px=(640, 480))
    durations_ms = []
    for _ in range(200):
        began_ns = time.thread_time_ns()
        draw(image, seen, labels)
        durations_ms.append((time.thread_time_ns() - began_ns) / 1e6)
    p99_ms = np.percentile(durations_ms, 99)
    figure = f"{len(seen)} boxes with hostile labels: overlay p99 {{:.1f}} ms"
    report(60, figure, float(p99_ms), line="p99 < 5 ms", passed=bool(p99_ms < 5))
    assert p99_ms < 50
    for number in range(len(HOSTILE)):
        assert labels.name(number).isprintable()
        assert len(labels.name(number)) <= MAX_CHARS


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """A folder whose name and whose clip's name are hostile."""
    folder = tmp_path / "\x1b]0;evil\x07\r..%s{}\u202e"
    folder.mkdir()
    write_clip(folder / "\x1b[2J\x9b31m\u202ecl%s{}ip.mp4", frames=12, size_px=(160, 120))
    return folder


@pytest.mark.parametrize("log", ["plain", "--log-json", "-v"])
def test_row_60_hostile_names_write_nothing_to_the_terminal(hostile_folder: Path, log: str) -> None:
    (clip,) = hostile_folder.iterdir()
    outputs = [hostile_folder / name for name in ("out.mp4", "o.jsonl", "run.json")]
    command = [sys.executable, "-m", "tests.e2e.child", "run", str(clip), str(outputs[0])]
    command += ["--jsonl", str(outputs[1]), "--summary", str(outputs[2]), "--no-show"]
    command += [] if log == "plain" else [log]
    done = subprocess.run(command, cwd=ROOT, env=environment(None), capture_output=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    controls = len(control_bytes(done.stderr))
    report(60, f"hostile names: {controls} control bytes in stderr", line="0", passed=controls == 0)
    assert control_bytes(done.stderr) == []
    assert done.stdout == b""
    assert all(path.exists() for path in outputs)
    for line in outputs[1].read_text(encoding="utf-8").splitlines():
        assert json.loads(line)["source"] == str(clip)
    refused = subprocess.run(
        [*command[:4], str(hostile_folder / "\x1b[2Jmissing.mp4")],
        cwd=ROOT,
        env=environment(None),
        capture_output=True,
        timeout=40,
        check=False,
    )
    assert refused.returncode == 3
    assert control_bytes(refused.stderr) == []


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("how", ["argument", "variable", "file", "output", "scheme"])
@pytest.mark.parametrize("password", [SECRET, f"a/{SECRET}", f"{SECRET}@b", f"{SECRET}#?c"])
def test_row_60_a_password_is_said_nowhere(
    how: str, password: str, streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"rtsp://me:{password}@camera/1?token={SECRET}"
    arguments: list[object] = ["-v", "--no-show", "--summary", "run.json"]
    given = streamer.folder / "given.yaml"
    match how:
        case "argument":
            arguments.append(address)
        case "variable":
            monkeypatch.setenv("STREAMER_SOURCE", address)
        case "file":
            given.write_text(f"source: '{address}'\n")
            arguments += ["-c", given]
        case "output":
            arguments += ["test:frames=3,live=no", "--jsonl", f"http://me:{password}@host/o.jsonl"]
        case _:
            arguments.append(f"concat:rtsp://me:{password}@camera/1|b")
    ended = streamer(*arguments)
    assert ended.code == (5 if how == "output" else 3)
    assert SECRET not in ended.err
    assert control_bytes(ended.err.encode()) == []
    kept = [path for path in streamer.folder.rglob("*") if path.is_file() and path != given]
    assert streamer.folder / "run.json" in kept
    hits = [path for path in kept if SECRET.encode() in path.read_bytes() or SECRET in str(path)]
    hidden = not hits and SECRET not in ended.err
    report(60, f"a password in an address: {len(hits)} hits in files and messages", line="0 hits", passed=hidden)
    assert hits == []


def test_row_60_settings_are_shown_without_the_password() -> None:
    variables = environment(None) | {"STREAMER_SOURCE": f"rtsp://me:{SECRET}@camera/1"}
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "config", "show"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        timeout=40,
        check=True,
    )
    assert SECRET.encode() not in done.stdout + done.stderr
    assert b"rtsp://***@camera/1" in done.stdout

"""FAULTS 36-38: models, cards and labels that are programs or traps, and machines with too little.

What each part does of its own is shown in tests/models/safety, models/test_card_files.py and test_labels.py.
"""

import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.cli import failures
from streamer.models.formats.recognise import recognise
from streamer.models.safety.checks import concerns
from tests import tflite_models
from tests.conftest import shared
from tests.faults.conftest import Ended, Streamer
from tests.faults.figures import report
from tests.frozen_graphs import save_graph
from tests.hostile_models import (
    DEEDS,
    PLACES,
    hungry_graph,
    save_hostile,
    save_lambda_detector,
    traces,
    write_from_frozen_graph,
)
from tests.model_forms import save_form
from tests.xvfb import ROOT

HOSTILE = [(deed, "signature") for deed in DEEDS] + [("write", place) for place in PLACES[1:]]


def only_error(ended: Ended, code: int) -> str:
    """The one line of a run that ended so, after the one that names its source."""
    assert ended.code == code, ended.err
    (error,) = ended.errors
    assert ended.err.splitlines()[-1] == error
    assert error.isprintable()
    return error


@pytest.mark.allow_error_logs
def test_row_36_a_hostile_model_is_refused_before_anything_of_it_runs(streamer: Streamer) -> None:
    streamer.detector = None
    canary, left = streamer.folder / "canary", 0
    for number, (deed, place) in enumerate(HOSTILE):
        model = save_hostile(streamer.folder / str(number), canary, deed=DEEDS[deed][0], place=place)
        error = only_error(streamer("0", "--model", model, "--no-show"), 4)
        left += len(traces(canary))
        assert DEEDS[deed][1].split(": ")[1] in error
        assert "--trust-model" in error
    assert streamer.opened == []
    refused = len(HOSTILE)
    report(
        36, f"SavedModels: {refused} of {refused} refused, {left} files", line="all refused, 0 files", passed=left == 0
    )
    assert left == 0


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(("python", "operation"), [(False, "WriteFile"), (True, "PyFunc")])
@pytest.mark.parametrize("pair", [False, True], ids=["frozen graph", "OpenCV's pair"])
def test_row_36_a_hostile_frozen_graph_is_refused(
    python: bool,  # noqa: FBT001 - a parameter of pytest's
    operation: str,
    pair: bool,  # noqa: FBT001 - as above
    streamer: Streamer,
) -> None:
    streamer.detector = None
    canary = streamer.folder / "canary"
    model = save_form("OpenCV's pair", streamer.folder / "pair") if pair else streamer.folder / "m.pb"
    save_graph(model, write_from_frozen_graph(canary, python=python))
    error = only_error(streamer("0", "--model", model, "--no-show"), 4)
    assert f"{operation} in the main graph" in error
    assert "--trust-model" in error
    left = len(traces(canary))
    report(36, f"frozen graphs: refused, {left} files", line="all refused, 0 files", passed=left == 0)
    assert traces(canary) == []
    assert streamer.opened == []


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("operation", ["FlexWriteFile", "FlexEagerPyFunc", "my_operation"])
def test_row_36_a_tflite_file_with_other_operations_is_refused(operation: str, streamer: Streamer) -> None:
    streamer.detector = None
    model = streamer.folder / "m.tflite"
    model.write_bytes(tflite_models.with_custom_operator(tflite_models.network(), operation))
    assert operation in only_error(streamer("0", "--model", model, "--no-show"), 4)
    assert "--trust-model" not in only_error(streamer("0", "--model", model, "--no-show", "--trust-model"), 4)
    report(36, "TFLite files: refused", line="all refused", passed=streamer.opened == [])
    assert streamer.opened == []


@pytest.mark.parametrize("form", ["SavedModel", "frozen graph"])
def test_row_36_who_trusts_a_model_is_told_what_it_does(form: str, streamer: Streamer) -> None:
    streamer.detector = None
    canary, model = streamer.folder / "canary", streamer.folder / "m.pb"
    if form == "SavedModel":
        model = save_hostile(streamer.folder / "m", canary)
    else:
        save_graph(model, write_from_frozen_graph(canary))
    ended = streamer("test:frames=2,live=no", "--model", model, "--trust-model", "--no-show")
    assert ended.code == 0
    assert "the model is trusted, though it contains operations that read or write files: WriteFile" in ended.err
    assert traces(canary) == ["canary"]


@pytest.mark.allow_error_logs
def test_row_36_no_settings_file_trusts_a_model(streamer: Streamer) -> None:
    (streamer.folder / "beside.yaml").write_text("trust_model: true\n")
    assert streamer("test:", "-c", "beside.yaml", "--no-show").code == 2


@pytest.mark.needs_shared
def test_row_36_real_models_raise_no_false_alarm() -> None:
    folders = [path.parent for path in shared("models").glob("**/saved_model.pb")]
    files = [path for ending in ("pb", "tflite") for path in shared("models").glob(f"*/*.{ending}")]
    began_s = time.monotonic()
    alarms = {path.name: found for path in (*folders, *files) if (found := concerns(recognise(path)))}
    took_s = time.monotonic() - began_s
    print(f"{took_s:.1f} s for all")
    figure = f"{len(alarms)} false alarms on {len(folders) + len(files)} real models"
    report(36, figure, line="0 false alarms", passed=not alarms)
    assert len(folders) + len(files) >= 10
    assert alarms == {}


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_row_37_a_lambda_runs_only_where_it_is_trusted(ending: str, streamer: Streamer) -> None:
    streamer.detector = None
    canary = streamer.folder / "canary"
    model = save_lambda_detector(streamer.folder / f"m{ending}", canary)
    error = only_error(streamer("0", "--model", model, "--no-show"), 4)
    assert "Lambda 'deed'" in error
    assert "--trust-model" in error
    left = len(traces(canary))
    assert traces(canary) == []
    ended = streamer("test:frames=2,live=no", "--model", model, "--no-show", "--trust-model")
    report(37, f"a Lambda: refused, {left} files", line="refused unless --trust-model", passed=left == 0)
    assert ended.code == 0
    assert "the model is trusted, though it contains parts that run Python code" in ended.err
    assert traces(canary) == ["canary"]


class Bomb:
    """What makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.canary,)


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("ending", [".pkl", ".h5", ".keras", ".pb", ".tflite", ".joblib", ""])
def test_row_37_a_pickle_is_never_read(ending: str, streamer: Streamer) -> None:
    streamer.detector = None
    canary, model = streamer.folder / "canary", streamer.folder / f"m{ending}"
    model.write_bytes(pickle.dumps(Bomb(canary)))
    assert "a pickle" in only_error(streamer("0", "--model", model, "--no-show", "--trust-model"), 4)
    report(37, f"pickles: refused, {int(canary.exists())} files", line="refused", passed=not canary.exists())
    assert not canary.exists()


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("ending", [".keras", ".zip"])
@pytest.mark.parametrize("name", ["../evil", "/tmp/streamer-evil", "a/../../evil", "..\\evil", "assets/../../evil"])
def test_row_37_an_archive_that_leads_out_of_its_folder_is_refused(name: str, ending: str, streamer: Streamer) -> None:
    streamer.detector = None
    home = streamer.folder / "home"
    home.mkdir()
    model = save_form(".keras", home / "whole")
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr(name, "was here")
    model = model.rename(home / f"m{ending}")
    before = sorted(streamer.folder.rglob("*"))
    assert "refused" in only_error(streamer("0", "--model", model, "--no-show", "--trust-model"), 4)
    written = len(set(streamer.folder.rglob("*")) - set(before)) + Path("/tmp/streamer-evil").exists()
    report(37, f"archives that lead out: refused, {written} files", line="0 files outside", passed=written == 0)
    assert sorted(streamer.folder.rglob("*")) == before
    assert not Path("/tmp/streamer-evil").exists()


def card(text: str | bytes) -> Callable[[Path], object]:
    content = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / "m.model.yaml").write_bytes(content)


def anchors(content: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "a.npy").write_bytes(content)
        card(FILE.format("a.npy"))(folder)

    return make


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode()


def piped(folder: Path) -> None:
    os.mkfifo(folder / "a.npy")
    card(FILE.format("a.npy"))(folder)


def linked(folder: Path) -> None:
    (folder / "labels.txt").symlink_to("/etc/passwd")
    card("labels: labels.txt\n")(folder)


FILE = "head: {{kind: anchors, boxes: output_0, scores: output_1, anchors: {{kind: file, file: {}}}}}\n"
SHAPE = "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, 4)}}"

TRAPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "labels out": (card("labels: ../../../etc/passwd\n"), "the name of a file beside the card"),
    "labels elsewhere": (card("labels: /etc/passwd\n"), "the name of a file beside the card"),
    "labels by a link": (linked, "lies outside the card's folder"),
    "anchors out": (card(FILE.format("../../etc/passwd")), "the name of a file beside the card"),
    "anchors elsewhere": (card(FILE.format("/etc/passwd")), "the name of a file beside the card"),
    "anchors pickled": (anchors(pickle.dumps([1])), "cannot be read as anchors"),
    "anchors of objects": (anchors(npy("{'descr': '|O', 'fortran_order': False, 'shape': (5, 4)}")), "allow_pickle"),
    "anchors without end": (anchors(npy("{'descr': (")), "cannot be read as anchors"),
    "anchors nested": (anchors(npy("-" * 5000 + "1")), "cannot be read as anchors"),
    "anchors of 29 TiB": (anchors(npy(SHAPE.format(10**12))), "cannot be read as anchors"),
    "anchors beyond counting": (anchors(npy(SHAPE.format(10**30))), "cannot be read as anchors"),
    "anchors from a pipe": (piped, "it is no file"),
    "10 MB": (card("name: " + "x" * 10_000_000), "too large: 9766 KiB"),
    "a bomb": (card("a: &a [x,x]\nb: &b [*a,*a]\nname: [*b,*b]\n"), "anchors and aliases"),
    "nested": (card("head: " + "[" * 5000), "nested too deeply"),
    "a program": (card("name: !!python/object/apply:os.system [touch canary]\n"), "tags (!) are not used"),
    "no text": (card(b"\xff\xfe\x93"), "not UTF-8"),
    "NUL": (card("name: a\0b\n"), "a NUL byte"),
    "escapes": (card('input: {scale: "\\e[2J\\x9b31m"}\n'), "is not allowed"),
}


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("verb", ["run", "inspect"])
def test_row_37_a_card_is_no_program_and_no_key_to_other_files(verb: str, streamer: Streamer) -> None:
    streamer.detector = None
    slowest_ms = 0.0
    for number, (name, (make, text)) in enumerate(TRAPS.items()):
        model = save_form("TFLite", streamer.folder / str(number))
        make(model.parent)
        line = ("run", "0", "--no-show", "--model", model) if verb == "run" else ("inspect", model)
        began_ns = time.perf_counter_ns()
        ended = streamer(*line)
        slowest_ms = max(slowest_ms, (time.perf_counter_ns() - began_ns) / 1e6)
        assert text in only_error(ended, 2), name
        assert "root:" not in ended.err, name
    left = (streamer.folder / "canary").exists()
    figure = f"{len(TRAPS)} of {len(TRAPS)} cards refused, slowest {{:.0f}} ms"
    report(37, figure, slowest_ms, line="0 files", passed=not left)
    assert streamer.opened == []
    assert not (streamer.folder / "canary").exists()
    assert slowest_ms < 5000


LABELS: dict[str, tuple[str, bytes, str]] = {
    "no text": ("l.txt", np.random.default_rng(1).bytes(3000), "is no text"),
    "20 MB": ("l.txt", b"x" * 20_000_000, "too large"),
    "nested": ("l.json", b"[" * 100_000, "nested too deeply"),
    "a long number": ("l.json", b'{"1": ' + b"9" * 5000 + b"}", "too long"),
    "a long field": ("l.csv", b'1,"' + b"x" * 200_000, "no CSV"),
}


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("verb", ["run", "inspect"])
def test_row_37_labels_that_are_none_are_one_line(verb: str, streamer: Streamer) -> None:
    streamer.detector = None
    model = save_form("TFLite", streamer.folder / "m")
    for name, (file, content, text) in LABELS.items():
        (streamer.folder / file).write_bytes(content)
        line = ("run", "0", "--no-show", "--model", model) if verb == "run" else ("inspect", model)
        assert text in only_error(streamer(*line, "--labels", file), 2), name
    report(37, f"{len(LABELS)} of {len(LABELS)} files of labels refused", line="refused", passed=True)
    assert streamer.opened == []


def child(model: Path, *, limit_kb: int | None = None, **variables: str) -> tuple[int, str]:
    """Exit code and stderr of a run in a process of its own, with so much address space."""
    line = [sys.executable, "-m", "streamer", "test:frames=2,live=no", "--no-show", "--model", str(model)]
    if limit_kb is not None:
        line = ["sh", "-c", f'ulimit -v {limit_kb}; exec "$@"', "sh", *line]
    quiet = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | variables
    done = subprocess.run(line, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=55, check=False)
    return done.returncode, done.stderr


def told(err: str) -> list[str]:
    """All that is on stderr but the line that names the source."""
    return [line for line in err.splitlines() if not line.startswith("streamer: source: ")]


@pytest.mark.slow
def test_row_38_without_a_gpu_the_cpu_does_it_and_the_line_says_so(tmp_path: Path) -> None:
    code, err = child(save_form("frozen graph", tmp_path / "m"), CUDA_VISIBLE_DEVICES="")
    assert code == 0
    (line,) = [line for line in err.splitlines() if line.startswith("streamer: model: ")]
    report(38, f"no GPU: exit {code}, said: {line[-3:]}", line="CPU fallback note", passed=line.endswith(" CPU"))
    assert "; TensorFlow 2." in line
    assert line.endswith(" CPU")
    assert all(line.startswith("streamer: ") for line in err.splitlines())


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs limits of address space")


@LINUX
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_38_a_model_that_needs_more_memory_than_there_is_ends_with_4(tmp_path: Path) -> None:
    began_s = time.monotonic()
    code, err = child(save_graph(tmp_path / "m.pb", hungry_graph), limit_kb=6_000_000)
    took_s = time.monotonic() - began_s
    clean = code == 4 and len(told(err)) == 1
    report(
        38, f"a model of 8 GB: exit {code} after {{:.0f}} s, one line", took_s, line="clean ModelError", passed=clean
    )
    assert code == 4
    (line,) = told(err)
    assert line.startswith("streamer: error: the model fails: OOM when allocating tensor with shape[480,1024,4096]")


@LINUX
def test_row_38_no_room_for_tensorflow_is_told(tmp_path: Path) -> None:
    code, err = child(save_form("frozen graph", tmp_path / "m"), limit_kb=1_000_000)
    assert code == 4
    (line,) = told(err)
    report(38, f"no room for TensorFlow: exit {code}, one line", line="clean ModelError", passed=True)
    assert line.startswith("streamer: error: TensorFlow cannot be imported: ")
    assert line.endswith("(there is not enough memory)")


@LINUX
def test_row_38_no_room_for_the_file_is_told(tmp_path: Path) -> None:
    model = save_form("TFLite", tmp_path / "m")
    os.truncate(model, 900_000_000)
    code, err = child(model, limit_kb=1_000_000)
    assert code == 4
    (line,) = told(err)
    report(38, f"no room for the file: exit {code}, one line", line="clean ModelError", passed=True)
    assert line == f"streamer: error: {model}: there is not enough memory for it"


def test_row_38_memory_that_runs_out_elsewhere_is_no_bug_of_ours() -> None:
    assert failures.told(MemoryError()) == ["there is not enough memory"]
    assert failures.told(MemoryError("1 GB")) == ["there is not enough memory: 1 GB"]

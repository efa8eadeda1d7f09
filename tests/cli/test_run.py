"""`streamer run` as a person calls it, in this process: order of opening, what is said, what is kept, exit codes."""

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from streamer import cli
from streamer.cli import parts
from streamer.config import setting_fields
from streamer.errors import ModelLoadError, SinkError, StreamerError
from streamer.frame import Image, Result
from streamer.interfaces import Sink
from streamer.pyav import av
from streamer.service.health import read_health
from streamer.sinks.recorder import Recorder
from streamer.sinks.tables import JsonLines
from streamer.sources.devices import Device
from tests.clips import write_clip, write_picture
from tests.e2e.child import DescribedDetector

Load = Callable[..., DescribedDetector]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, without a display and without variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for known in setting_fields().values():
        monkeypatch.delenv(known.variable, raising=False)
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("STREAMER_MODEL", "model")
    return tmp_path


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the detector is loaded with; it is a fake, and is there at once."""
    calls: list[dict[str, object]] = []

    def load(
        path: Path, options: object, *, input_size_px: tuple[int, int] | None, pictures: Callable[[], Sequence[Image]]
    ) -> DescribedDetector:
        calls.append({"path": path, "options": options, "input_size_px": input_size_px, "pictures": pictures})
        return DescribedDetector()

    monkeypatch.setattr(parts, "load_detector", load)
    return calls


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(arguments))
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def test_without_a_model_the_one_inside_is_used_and_named(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMER_MODEL")
    clip = write_clip(here / "clip.mp4", frames=2, size_px=(160, 120))
    assert ended(str(clip), "out.mp4", "--no-show") == 0
    assert loaded[0]["path"] is None
    assert "no --model: the one inside is used, which finds faces and people" in capsys.readouterr().err


@pytest.mark.allow_error_logs
def test_a_camera_that_is_not_there_is_told_before_the_model_is_loaded(
    loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    webcam = Device(0, "HD Webcam", "/dev/video0", "v4l2")
    monkeypatch.setattr(parts, "list_devices", lambda _: [webcam])
    assert ended("cam:nikon", "--no-show") == 3
    assert "cam:nikon: no camera is called like this (here are: 0 HD Webcam (/dev/video0))" in capsys.readouterr().err
    assert not loaded


@pytest.mark.usefixtures("loaded")
def test_standard_input_is_recorded_without_a_loss(here: Path) -> None:
    clip, before = write_clip(here / "clip.mkv", frames=9, size_px=(160, 120)), os.dup(0)
    try:
        with clip.open("rb") as file:
            os.dup2(file.fileno(), 0)
        assert ended("-", "out.mp4", "--no-show", "--jsonl", "o.jsonl") == 0
    finally:
        os.dup2(before, 0)
        os.close(before)
    with av.open("out.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 9
    rows = [json.loads(line) for line in (here / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["source"] for row in rows] == ["stdin"] * 9


def test_with_every_third_frame_looked_at_all_are_kept_and_lines_say_whose_boxes_they_hold(
    here: Path, loaded: list[dict[str, object]]
) -> None:
    source = "test:size=160x120,fps=10,frames=7,live=no"
    assert ended(source, "out.mp4", "--detect-every", "3", "--jsonl", "o.jsonl", "--summary", "s.json") == 0
    rows = [json.loads(line) for line in (here / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["detected"] for row in rows] == [True, False, False, True, False, False, True]
    assert [row["age_ms"] for row in rows] == pytest.approx([0, 100, 200, 0, 100, 200, 0])
    assert all(row["detections"] == rows[0]["detections"] != [] for row in rows)
    ledger = json.loads((here / "s.json").read_text(encoding="utf-8"))["ledger"]
    assert (ledger["inferred"], ledger["carried"], ledger["recorded"]) == (3, 4, 7)
    assert len(loaded) == 1


def test_smooth_boxes_are_the_recordings_and_the_lines_tell_what_was_seen(
    here: Path, loaded: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = list[Result]()
    write = Recorder.write

    def keeping(recorder: Recorder, result: Result) -> None:
        kept.append(result)
        write(recorder, result)

    monkeypatch.setattr(Recorder, "write", keeping)
    source = "test:size=160x120,fps=10,frames=7,live=no"
    arguments = ["--detect-every", "3", "--box-timing", "smooth", "--jsonl", "o.jsonl", "--summary", "s.json"]
    assert ended(source, "out.mp4", *arguments) == 0
    assert [result.interpolated for result in kept] == [False, True, True, False, True, True, False]
    lines = [json.loads(line) for line in (here / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["age_ms"] for line in lines] == [0, 100, 200, 0, 100, 200, 0]
    assert json.loads((here / "s.json").read_text(encoding="utf-8"))["ledger"]["recorded"] == 7
    with av.open(str(here / "out.mp4")) as container:
        assert container.metadata["comment"].endswith("boxes: smooth")
    assert len(loaded) == 1


def test_a_file_goes_in_and_video_lines_and_summary_come_out(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(here / "clip.mp4", frames=12, size_px=(160, 120))
    code = ended(str(clip), "out.mp4", "--jsonl", "out.jsonl", "--summary", "run.json", "--no-show", "--conf", "0.3")
    out, err = capsys.readouterr()
    assert (code, out) == (0, "")
    assert loaded[0]["input_size_px"] == (160, 120)
    glimpsed = loaded[0]["pictures"]
    assert callable(glimpsed)
    assert {image.shape for image in glimpsed()} == {(120, 160, 3)}
    assert loaded[0]["path"] == Path("model")
    assert (here / "out.jsonl").read_text(encoding="utf-8").count("\n") == 12
    summary = json.loads((here / "run.json").read_text(encoding="utf-8"))
    assert summary["exit_code"] == 0
    assert summary["ledger"]["produced"] == summary["ledger"]["recorded"] == 12
    assert summary["recorded"] == ["out.mp4"]
    assert summary["source"]["frame_count"] == 12
    assert summary["settings"]["conf"]["place"] == "--conf"
    lines = err.splitlines()
    assert lines[0].startswith(f"streamer: source: {clip.name}") or "clip.mp4" in lines[0]
    assert lines[1] == "streamer: model: a fake that sees the same box everywhere"
    assert lines[-1].startswith("streamer: 12 produced, 12 inferred")
    assert lines[-1].endswith("end of stream")


def test_quiet_is_silent(here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(here / "clip.mp4")
    assert ended("-q", str(clip), "out.mp4") == 0
    assert capsys.readouterr() == ("", "")
    assert len(loaded) == 1


def test_log_json_is_json_to_the_last_line(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(here / "clip.mp4")
    assert ended("--log-json", str(clip), "--no-show", "--jsonl", "o.jsonl") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert lines[-1]["ledger"]["produced"] == 12
    assert lines[-1]["ended"] == "end of stream"
    assert len(loaded) == 1


def test_pictures_give_pictures(here: Path, loaded: list[dict[str, object]]) -> None:
    (here / "in").mkdir()
    for number in range(3):
        write_picture(here / "in" / f"{number}.png", number)
    assert ended("in/", "out/", "--no-show", "--summary", "run.json") == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    assert len(loaded) == 1


@pytest.mark.usefixtures("loaded")
def test_each_flag_of_drawing_changes_what_is_kept(here: Path) -> None:
    write_picture(here / "one.png", size_px=(320, 240))
    flags: tuple[tuple[str, ...], ...] = (
        (),
        ("--theme", "minimal"),
        ("--theme", "high-contrast"),
        ("--box-style", "corners"),
        ("--line-width", "5"),
        ("--hide-labels",),
        ("--hide-conf",),
        ("--timestamp",),
        ("--source-name",),
    )
    kept = set()
    for number, given in enumerate(flags):
        assert ended("one.png", f"out{number}.png", "--no-show", *given) == 0
        kept.add((here / f"out{number}.png").read_bytes())
    assert len(kept) == len(flags)
    assert ended("one.png", "same.png", "--no-show", "--line-width", "0", "--hide-tracks") == 0
    assert (here / "same.png").read_bytes() in kept


@pytest.mark.allow_error_logs
def test_pictures_named_by_a_pattern_are_never_replaced(here: Path, loaded: list[dict[str, object]]) -> None:
    write_picture(here / "a.png", 1)
    write_picture(here / "b.png", 2)
    before = (here / "a.png").read_bytes()
    assert ended("*.png", ".", "--no-show", "--force") == 5
    assert ended("*.png", "out/", "--no-show", "--summary", "a.png", "--force") == 5
    assert (here / "a.png").read_bytes() == before
    assert len(loaded) <= 1


def test_settings_come_from_the_file_too(here: Path, loaded: list[dict[str, object]]) -> None:
    clip = write_clip(here / "clip.mp4")
    text = f"source: {clip}\nconf: 0.25\nshow: no\njsonl: o.jsonl\nclasses: [person]\n"
    (here / "s.yaml").write_text(text, encoding="utf-8")
    assert ended("-c", "s.yaml") == 0
    options = loaded[0]["options"]
    assert (getattr(options, "conf", None), getattr(options, "classes", None)) == (0.25, ("person",))


def test_a_missing_display_is_told_once_and_the_run_goes_on(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(here / "clip.mp4")
    assert ended(str(clip), "--jsonl", "o.jsonl") == 0
    assert capsys.readouterr().err.count("streamer: warning: no window: ") == 1
    assert len(loaded) == 1


def untouched(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"clip.mp4", "model", "taken"}


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.mp4"], 3, "none.mp4: "),
        (["clip.mp4", "--model", "none"], 4, "none: no such file or folder"),
        (["0", "--model", "none"], 4, "none: no such file or folder"),
        (["clip.mp4", "nowhere/out.mp4"], 5, "its folder does not exist"),
        (["0", "nowhere/out.mp4"], 5, "its folder does not exist"),
        (["clip.mp4", "clip.mp4", "--force"], 5, "is an input"),
        (["clip.mp4", "model"], 2, "record must be a place of its own, not that of model"),
        (["clip.mp4", "taken"], 5, "exists already"),
        (["clip.mp4", "out.xyz"], 2, "nothing is written to .xyz"),
        (["clip.mp4", "--jsonl", "clip.mp4"], 5, "clip.mp4"),
        (["clip.mp4", "--summary", "clip.mp4", "--force"], 5, "is an input"),
        (["clip.mp4", "--summary", "nowhere/s.json"], 5, "its folder does not exist"),
        (["clip.mp4", "--summary", "a", "--jsonl", "a"], 2, "summary must be a place of its own"),
        (["clip.mp4", "a.mp4", "--summary", "model/../a.mp4"], 2, "summary must be a place of its own"),
        (["clip.mp4", "a.mp4", "--jsonl", "./model/../a.mp4", "--force"], 2, "jsonl must be a place of its own"),
        (["clip.mp4", "--labels", "taken/clip.mp4", "--jsonl", "taken/clip.mp4", "--force"], 2, "not that of labels"),
        (["clip.mp4", "--snapshot-dir", "nowhere"], 5, "nowhere: no such folder"),
        (["clip.mp4", "--font", "taken/clip.mp4"], 2, "taken/clip.mp4: is no font"),
        (["clip.mp4", "--font", "none.ttf"], 2, "none.ttf: no such file"),
        (["clip.mp4", "--show"], 5, "--show: no window can be opened"),
        (["rtsp://me:hunter2@/1"], 3, "rtsp://***@/1: this address has no host"),
    ],
)
def test_what_cannot_be_had_is_told_before_a_model_is_loaded(
    arguments: list[str],
    code: int,
    said: str,
    here: Path,
    loaded: list[dict[str, object]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "taken").mkdir()
    (here / "taken" / "clip.mp4").write_text("is there", encoding="utf-8")
    write_clip(here / "clip.mp4")
    before = (here / "clip.mp4").read_bytes()
    assert ended(*arguments) == code
    err = capsys.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("streamer: error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "hunter2" not in err
    assert loaded == []
    assert untouched(here) == set()
    assert (here / "clip.mp4").read_bytes() == before


@pytest.mark.allow_error_logs
def test_a_model_that_cannot_be_loaded_leaves_no_file_but_the_summary(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        raise ModelLoadError("damaged", where="model")

    monkeypatch.setattr(parts, "load_detector", load)
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "out.mp4", "--jsonl", "o.jsonl", "--summary", "run.json", "--no-show") == 4
    assert capsys.readouterr().err.splitlines()[-1] == "streamer: error: model: damaged"
    assert untouched(here) == {"run.json"}
    summary = json.loads((here / "run.json").read_text(encoding="utf-8"))
    assert (summary["exit_code"], summary["error"], summary["ledger"]) == (4, "model: damaged", None)


@pytest.mark.allow_error_logs
def test_a_bug_is_told_as_one_and_the_ledger_is_still_the_last_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], loaded: list[dict[str, object]]
) -> None:
    def write(_self: JsonLines, _result: Result) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(JsonLines, "write", write)
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "--jsonl", "o.jsonl", "--no-show") == 70
    lines = capsys.readouterr().err.splitlines()
    assert "a bug of ours: ZeroDivisionError: oops" in lines[-2]
    assert " produced, " in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert len(loaded) == 1


@pytest.mark.allow_error_logs
def test_a_sink_that_fails_gives_its_exit_code_and_the_others_go_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, loaded: list[dict[str, object]]
) -> None:
    def write(_self: JsonLines, _result: Result) -> None:
        raise SinkError("the disk is full", where="o.jsonl")

    monkeypatch.setattr(JsonLines, "write", write)
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "out.mp4", "--jsonl", "o.jsonl", "--summary", "run.json", "--no-show") == 5
    summary = json.loads((here / "run.json").read_text(encoding="utf-8"))
    assert summary["ledger"]["recorded"] == 12
    assert summary["report"]["errors"] == ["o.jsonl: the disk is full"]
    assert len(loaded) == 1


def test_ctrl_c_while_the_model_loads_ends_with_130_and_a_summary(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(30)

    monkeypatch.setattr(parts, "load_detector", load)
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "out.mp4", "--summary", "run.json", "--no-show") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "streamer: stopped before the run began"
    assert untouched(here) == {"run.json"}
    assert json.loads((here / "run.json").read_text(encoding="utf-8"))["exit_code"] == 130


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_run_drains_it(
    signum: signal.Signals, code: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(number: int) -> None:
        if number == 5:
            os.kill(os.getpid(), signum)

    monkeypatch.setattr(parts, "load_detector", lambda *_, **__: DescribedDetector(on_detect=at))
    source = "test:size=64x48,live=no"
    assert ended(source, "out.mp4", "--jsonl", "o.jsonl", "--summary", "run.json", "--no-show") == code
    summary = json.loads((here / "run.json").read_text(encoding="utf-8"))
    ledger = summary["ledger"]
    assert ledger["balanced"]
    assert ledger["in_flight"] == 0
    assert (here / "o.jsonl").read_text(encoding="utf-8").count("\n") == ledger["recorded"] > 5
    assert (summary["exit_code"], summary["report"]["ended"]) == (code, "stopped")


def test_a_pipe_is_opened_once_and_gets_all_of_it(here: Path, loaded: list[dict[str, object]]) -> None:
    write_clip(here / "clip.mp4")
    got: dict[str, str] = {}

    def read(name: str) -> None:
        got[name] = (here / name).read_text(encoding="utf-8")

    readers = [threading.Thread(target=read, args=(name,)) for name in ("lines", "summary")]
    for name, reader in zip(("lines", "summary"), readers, strict=True):
        os.mkfifo(here / name)
        reader.start()
    assert ended("clip.mp4", "--jsonl", "lines", "--summary", "summary", "--no-show") == 0
    for reader in readers:
        reader.join()
    assert got["lines"].count("\n") == 12
    assert json.loads(got["summary"])["exit_code"] == 0
    assert len(loaded) == 1


def test_a_slash_says_that_it_is_a_folder(here: Path, loaded: list[dict[str, object]]) -> None:
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "results.v2/", "--no-show", "--summary", "run.json") == 0
    summary = json.loads((here / "run.json").read_text(encoding="utf-8"))
    assert summary["recorded"] == ["results.v2/clip.mp4"]
    assert summary["settings"]["record"]["value"] == "results.v2/"
    assert len(loaded) == 1


def test_nothing_to_show_and_nothing_to_keep_is_said(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(here / "clip.mp4")
    assert ended("clip.mp4", "--no-show") == 0
    assert "warning: nothing is shown and nothing is kept" in capsys.readouterr().err
    assert len(loaded) == 1


@pytest.mark.allow_error_logs
def test_what_was_opened_is_closed_when_a_later_part_fails(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = DescribedDetector()
    monkeypatch.setattr(parts, "load_detector", lambda *_, **__: detector)
    write_clip(here / "clip.mp4")
    calls = 0

    def opened(*_: object, **__: object) -> list[Sink]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StreamerError("gone meanwhile")
        return []

    monkeypatch.setattr(parts, "open_sinks", opened)
    assert ended("clip.mp4", "--no-show") == 70
    assert detector.closed


@pytest.mark.allow_error_logs
def test_a_health_file_that_cannot_be_written_is_told_before_the_model_is_loaded(
    here: Path, loaded: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "notes.txt").write_text("precious")
    for place, said in (
        ("missing/h.json", "its folder does not exist"),
        ("notes.txt", "is there already, and is no health file"),
    ):
        assert ended("test:frames=2", "--no-show", "--health", place) == 5
        assert said in capsys.readouterr().err
    assert loaded == []
    assert (here / "notes.txt").read_text() == "precious"


def test_a_run_that_is_over_says_so_in_its_health_file(here: Path, loaded: list[dict[str, object]]) -> None:
    for _ in range(2):  # its own file from before is no obstacle
        assert ended("test:frames=5,fps=100", "--no-show", "--health", "h.json") == 0
    assert len(loaded) == 2
    health = read_health(here / "h.json")
    assert (health.state, health.exit_code, health.ledger.produced, health.live) == ("ended", 0, 5, True)
    assert [path.name for path in here.iterdir() if path.is_file()] == ["h.json"]

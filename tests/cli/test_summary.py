"""The summary of a run: whole or not there, and without credentials."""

import json
import os
from pathlib import Path

import pytest

import streamer
from streamer.cli.summary import claim_summary, summarised, write_summary
from streamer.config import resolve
from streamer.errors import SinkError
from streamer.flow.report import Report, SinkReport
from streamer.frame import Ledger
from streamer.interfaces import SourceInfo

REPORT = Report(
    ledger=Ledger(produced=10, inferred=8, dropped=2, recorded=8),
    elapsed_s=2.0,
    ended="end of stream",
    sinks=(SinkReport("recording out.mp4", 8, 0),),
    latency_ms=(1.0, 2.0, 3.0),
    detect_ms=(4.0, 5.0, 6.0),
)


def test_it_holds_the_books_the_settings_the_versions_and_the_source() -> None:
    resolved = resolve(flags={"source": "rtsp://me:hunter2@cam/1", "conf": "0.3"})
    info = SourceInfo("clip", size_px=(64, 48), fps=25.0, frame_count=10)
    summary = summarised(resolved, exit_code=0, report=REPORT, source=info, recorded=(Path("out.mp4"),))
    text = json.dumps(summary)
    assert "hunter2" not in text
    back = json.loads(text)
    assert back["ledger"]["produced"] == 10
    assert back["ledger"]["balanced"] is True
    assert back["report"]["ended"] == "end of stream"
    assert back["report"]["fps"] == 4.0
    assert back["report"]["latency_ms"] == {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    assert back["settings"]["conf"] == {"value": "0.3", "origin": "flag", "place": "--conf"}
    assert back["source"]["size_px"] == [64, 48]
    assert back["recorded"] == ["out.mp4"]
    assert back["versions"]["streamer"] == streamer.__version__
    assert back["error"] is None


def test_a_run_that_never_began_has_a_summary_too() -> None:
    summary = summarised(resolve(), exit_code=4, error="\x1b[2Jno model at http://a:b@c/")
    assert summary["ledger"] is None
    assert summary["report"] is None
    assert summary["error"] == "[2Jno model at http://***@c/"


def test_it_is_written_in_one_piece_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for force in (False, True):
        write_summary(path, {"force": force}, force=force)
        assert json.loads(path.read_text(encoding="utf-8")) == {"force": force}
        assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_what_somebody_put_there_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    path = claim_summary(tmp_path / "run.json", inputs=(), force=False)
    path.write_text("a recording", encoding="utf-8")
    with pytest.raises(SinkError, match="File exists"):
        write_summary(path, {"a": 1})
    assert path.read_text(encoding="utf-8") == "a recording"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_place_that_cannot_be_written_is_an_error_of_output(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="the summary cannot be written"):
        write_summary(tmp_path / "none" / "run.json", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(SinkError):
        write_summary(tmp_path / "folder", {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        claim_summary(path, inputs=(), force=False)
        write_summary(path, {"a": 1})
        assert json.loads(os.read(reader, 4096)) == {"a": 1}
    finally:
        os.close(reader)
    assert path.is_fifo()

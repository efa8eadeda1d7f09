"""`streamer status`: one line and one exit code for whoever looks after a run."""

import json
import time
from pathlib import Path

import pytest

from streamer import cli
from streamer.frame import Ledger
from streamer.service.health import Health
from streamer.service.process import this_process
from tests.service.healths import health


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["status", *arguments])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "health.json"


def written(path: Path, **changes: object) -> Health:
    """As a run of this process has just written it."""
    now = health(updated_ns=time.monotonic_ns(), **changes)
    path.write_text(now.model_dump_json())
    return now


def test_a_run_that_is_well_is_0_and_a_readable_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(path, capture_fps=29.97, detect_fps=14.9, latency_p95_ms=47.6, ledger=Ledger(produced=1234, dropped=2))
    assert ended(str(path)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("running · clip.mp4 · 1234 frames · capture 30.0 fps, detect 14.9 fps · p95 48 ms · newest")
    assert f"2 dropped · process {this_process().pid} up 60 min · told 0." in out
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"state": "waiting", "detail": "no signal for 8 s"}, 3, "waiting · clip.mp4: no signal for 8 s"),
        ({"state": "stalled", "stalls": "render (draw, 9 s)"}, 1, "stalled · clip.mp4: render (draw, 9 s)"),
        ({"state": "ended", "exit_code": 0}, 1, "ended · clip.mp4: exit code 0"),
        ({"state": "failed", "exit_code": 5, "error": "disk full"}, 1, "failed · clip.mp4: disk full (exit code 5)"),
    ],
)
def test_what_is_not_well_is_not_0(
    path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], code: int, said: str
) -> None:
    written(path, **changes)
    assert ended(str(path)) == code
    assert capsys.readouterr().out.startswith(said)


def test_the_age_that_is_allowed_can_be_given(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = health(updated_ns=time.monotonic_ns() - 30 * 10**9)
    path.write_text(old.model_dump_json())
    assert ended(str(path)) == 1
    assert "stale · clip.mp4: nothing was written for 30 s; running then" in capsys.readouterr().out
    assert ended(str(path), "--max-age", "1h") == 0


def test_as_json_it_holds_the_file_and_what_is_made_of_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = written(path, state="connecting")
    assert ended(str(path), "--json") == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["alive"], told["verdict"], told["exit_code"]) == (False, "connecting", 3)
    assert told["health"] == now.model_dump(mode="json")


def test_no_file_yet_is_a_run_that_is_not_there(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(str(path)) == 1
    assert "no such file" in capsys.readouterr().out
    assert ended(str(path), "--json") == 1
    assert json.loads(capsys.readouterr().out)["health"] is None


@pytest.mark.allow_error_logs
def test_another_file_and_a_wrong_time_are_mistakes_of_the_user(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("{}")
    assert ended(str(path)) == 2
    assert capsys.readouterr().err.startswith(f"streamer: error: {path}: is no health file")
    written(path)
    assert ended(str(path), "--max-age", "soon") == 2
    assert "--max-age: 'soon' is no time" in capsys.readouterr().err


def test_what_stands_in_the_file_cannot_paint_the_terminal(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(path, source="\x1b[2Jcam\nera", detail="\x1b]0;x\x07")
    assert ended(str(path)) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\n") == 1

"""`streamer doctor`, as a person at a shell has it, on machines that lack something."""

import json
import sys

import pytest

from streamer import cli
from streamer.doctor import checkup

OK = ("OpenCV", "encoder h264 (libx264)", "TensorFlow")


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["doctor", *arguments])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def machine_with(monkeypatch: pytest.MonkeyPatch, *names: str, program: str = "") -> None:
    """The libraries of this machine: `names` are good; `program` is what the child does after that."""
    told = [{"names": names}, *({"name": name, "verdict": "ok", "found": "1.0", "advice": ""} for name in names)]
    lines = "\n".join(map(json.dumps, told))
    command = (sys.executable, "-c", f"print({lines!r}, flush=True)\n{program}")
    monkeypatch.setattr(checkup, "all_commands", lambda: {"libraries": command})


def test_a_good_machine_is_one_line_a_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(monkeypatch, *OK)
    assert ended() == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith("ok       streamer ")
    assert lines[-1] == f"ok       {'TensorFlow':<32} 1.0"
    assert {line.split()[0] for line in lines} <= {"ok", "missing", "broken"}


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (OK[:2], 4, "nothing here runs a model"),
        (OK[::2], 5, "H.264 cannot be written"),
        (OK[1:], 5, "OpenCV does not work"),
    ],
)
def test_what_a_run_needs_decides_the_exit_code(
    names: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(monkeypatch, *names)
    assert ended() == code
    out, err = capsys.readouterr()
    assert err.startswith(f"streamer: error: {said}")
    assert out.count("\n") > 9


@pytest.mark.parametrize(("names", "code"), [(OK, 0), (OK[:2], 4)])
def test_json_has_all_of_it(
    names: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(monkeypatch, *names)
    assert ended("--json") == code
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == code
    assert told["checks"][-1] == {"name": names[-1], "verdict": "ok", "found": "1.0", "advice": ""}


def test_a_child_that_crashes_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    machine_with(monkeypatch, program="import os; os._exit(3)")
    assert ended() == 5
    assert "broken   libraries" not in capsys.readouterr().out  # it had announced nothing to try
    monkeypatch.setattr(
        checkup, "all_commands", lambda: {"libraries": (sys.executable, "-c", "import os; os._exit(3)")}
    )
    assert ended() == 5
    assert "libraries                        it ends its process with code 3" in capsys.readouterr().out


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    machine_with(monkeypatch, *OK)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    assert ended() == 0
    out = capsys.readouterr().out
    assert "what to do" in out.splitlines()[0]
    assert "encoder h264 (libx264)" in out


def test_nothing_of_the_environment_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(monkeypatch, *OK)
    monkeypatch.setenv("STREAMER_SOURCE", "rtsp://me:hunter2@camera")
    monkeypatch.setenv("API_TOKEN", "hunter2")
    assert ended() == 0
    assert "hunter2" not in "".join(capsys.readouterr())

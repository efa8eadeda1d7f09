"""The way in: which verb a command line means, and how everything that goes wrong ends."""

import subprocess
import sys
from pathlib import Path

import pytest

import streamer
from streamer import cli
from streamer.cli.flags import Flags
from streamer.config import setting_fields
from streamer.errors import ModelLoadError, SourceOpenError


def ended(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    code = leaving.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Flags]:
    """What the verb run is called with, instead of running."""
    calls: list[Flags] = []

    def resolve(*, flags: Flags, environ: object) -> None:
        del environ
        calls.append(flags)
        raise SourceOpenError("enough", where="here")

    monkeypatch.setattr("streamer.cli.run.resolve", resolve)
    return calls


@pytest.mark.parametrize(
    "arguments",
    [
        ["clip.mp4", "out.mp4", "--model", "m"],
        ["run", "clip.mp4", "out.mp4", "-m", "m"],
        ["--model", "m", "clip.mp4", "out.mp4"],
        ["clip.mp4", "-m", "m", "--record", "out.mp4"],
        ["-m", "m", "-o", "out.mp4", "clip.mp4"],
    ],
)
def test_run_is_the_verb_of_a_command_line_without_one(arguments: list[str], seen: list[Flags]) -> None:
    assert ended(arguments) == 3
    assert seen == [{"source": "clip.mp4", "record": "out.mp4", "model": "m"}]


def test_flags_arrive_as_they_were_typed(seen: list[Flags]) -> None:
    typed = ["0", "--start", "1:30", "--label-offset", "-1", "--no-show", "--no-loop", "-q", "--scale", "-1..1"]
    typed += ["--no-verbose", "--no-force", "--no-log-json"]
    ended(typed)
    wanted = {"source": "0", "start": "1:30", "label_offset": "-1", "show": "false", "loop": "false", "quiet": "true"}
    wanted |= {"verbose": "false", "force": "false", "log_json": "false"}
    assert seen == [{**wanted, "scale": "-1..1"}]


def test_an_error_is_one_clear_line_and_its_exit_code(seen: list[Flags], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["0"]) == 3
    assert capsys.readouterr() == ("", "streamer: error: here: enough\n")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0", "--zork"], "No such option: --zork"),
        (["0", "--modle", "x"], "--modle"),
        (["0", "out.mp4", "third"], "unexpected extra argument"),
        (["0", "--model"], "requires an argument"),
        (["config", "shwo"], "shwo"),
        (["config", "check"], "Missing argument"),
        (["0", "out.mp4", "--record", "other.mp4"], "given twice, as OUT and as --record"),
        (["0", "--conf", "7"], "--conf: '7' is not allowed; allowed: a number from 0 to 1"),
        (["0", "--conf", "7", "--crf", "x"], "--crf: 'x' is not allowed"),
        (["--model", "m"], "there is nothing to watch"),
        (["0", "-c", "none.yaml"], "none.yaml: no such file"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STREAMER_MODEL", "STREAMER_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    assert ended(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said.lower() in err.lower()
    assert all(line.startswith("streamer: error: ") for line in err.splitlines())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_alone_it_says_what_it_can_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(arguments) == 0
    out, err = capsys.readouterr()
    assert "Usage: streamer" in out
    assert err == ""


def test_help_has_every_setting_and_its_group(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert ended(["run", "--help"]) == 0
    out = capsys.readouterr().out
    for known in setting_fields().values():
        assert known.name == "source" or f"{known.flag} " in out, known.name
        assert known.setting.group == "source" or f" {known.setting.group.capitalize()} " in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"streamer {streamer.__version__}\n"


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(**_: object) -> None:
        raise error

    monkeypatch.setattr("streamer.cli.run.resolve", resolve)


def test_a_bug_ends_with_70_and_shows_where_it_came_from_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(ZeroDivisionError("by \x1b[2Jzero"), monkeypatch)
    assert ended(["0"]) == 70
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "a bug of ours: ZeroDivisionError: by [2Jzero at test_main.py:" in err
    assert ended(["0", "-v"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    assert ended(["0"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_credentials_and_control_characters_reach_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(ModelLoadError("no \x1b]0;evil\x07 http://me:hunter2@host/x?token=t0k", where="a\rb"), monkeypatch)
    assert ended(["0"]) == 4
    err = capsys.readouterr().err
    assert err.rstrip("\n").isprintable()
    assert "hunter2" not in err
    assert "t0k" not in err


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m streamer config show | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("source ")


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_a_stderr_that_takes_nothing_changes_no_exit_code(stream: str, tmp_path: Path) -> None:
    for arguments, code in (("none.mp4 -m none", 4), ("0 --zork", 2), ("config check none.yaml", 2)):
        command = f"{sys.executable} -m streamer {arguments} {stream}"
        assert subprocess.run(command, shell=True, cwd=tmp_path, timeout=50, check=False).returncode == code


def test_python_m_streamer_is_streamer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "none.mp4"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "none.mp4: no such file" in done.stderr

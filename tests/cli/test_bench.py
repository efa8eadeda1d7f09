"""`streamer bench`: what a person at a shell is told, and what is refused before anything is measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamer import cli
from streamer.benchmark import figures, measuring
from streamer.benchmark.measuring import Measured
from streamer.benchmark.runs import Job
from streamer.config import setting_fields
from tests.benchmark.made import a_measurement


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (known.variable for known in setting_fields().values()):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "load", lambda: 0.1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was to be measured; nothing is."""
    seen: dict[str, Any] = {}

    def measured(job: Job, **how: object) -> Measured:
        seen.update(how, job=job)
        return a_measurement()

    monkeypatch.setattr(measuring, "measure", measured)
    return seen


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["bench", *arguments])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def test_the_table_is_on_stdout(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended() == 0
    out, err = capsys.readouterr()
    assert "times the copied loop" in out
    assert err == ""
    assert asked["job"].source == "test:size=1280x720,fps=30,frames=200,live=no"
    assert (asked["job"].model, asked["repeats"], asked["with_loop"]) == (None, 5, True)


def test_json_is_all_there_is_on_stdout(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--json", "--no-loop", "--repeats", "2", "--frames", "9", "--seconds", "1.5") == 0
    assert json.loads(capsys.readouterr().out)["repeats"] == 3
    assert (asked["with_loop"], asked["repeats"], asked["frames"], asked["seconds"]) == (False, 2, 9, 1.5)


def test_the_settings_of_the_model_are_those_of_a_run(asked: dict[str, Any], tmp_path: Path) -> None:
    assert ended("-s", "clip.mp4", "-m", str(tmp_path), "--conf", "0.7", "--blur", "face") == 0
    job = asked["job"]
    assert (job.source, job.model, job.options.conf, job.blur) == ("clip.mp4", tmp_path, 0.7, ("face",))


def test_a_plot_is_written(asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--plot", "plot.svg") == 0
    assert "1280x720" in (tmp_path / "plot.svg").read_text()
    assert "plot.svg" in capsys.readouterr().err
    assert asked


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--plot", "plot.pdf"], 5, "plots end in .svg or .png"),
        (["--plot", "there.svg"], 5, "exists already"),
        (["-m", "no/such/model"], 4, "no/such/model"),
        (["--conf", "7"], 2, "conf"),
        (["--repeats", "0"], 2, "repeats"),
    ],
)
def test_what_is_wrong_is_said_first(
    asked: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "there.svg").write_text("mine")
    assert ended(*arguments) == code
    assert said in capsys.readouterr().err
    assert not asked


def test_a_busy_machine_is_warned_of(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "load", lambda: 1000.0)
    assert ended() == 0
    assert "the machine is busy, load 1000.0" in capsys.readouterr().err
    assert asked


def test_a_window_needs_a_display(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamer.sinks.window.display_problem", lambda: "no display")
    assert ended("--show") == 5
    assert "no display" in capsys.readouterr().err
    assert not asked

"""`streamer bench --runtimes`: every way of running a model, as a table and as JSON."""

import json
from pathlib import Path

import pytest

from streamer import cli
from streamer.models.choosing import choice
from tests.saved_models import build_ssd_mobilenet


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_ssd_mobilenet(tmp_path_factory.mktemp("ssd") / "model")


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choice, "ROUND_S", 0.01)
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STREAMER_RUNTIME", "auto")


def bench(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["bench", "--runtimes", *map(str, arguments)])
    return leaving.value.code


def test_every_way_is_told_with_its_speed_and_what_it_sees(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--model", model, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    ways = {(way["runtime"].split()[0], way["extent"]): way for way in told["table"] if not way["refused"]}
    assert ("TensorFlow", "as saved") in ways
    assert ("OpenVINO", "cut after its resize and before its suppression") in ways
    for way in ways.values():
        assert way["equal"]
        assert way["cpu_ms"] > 0
        assert way["fps"] > 0
        assert way["latency_ms"] > 0
        assert way["agreement"] is None or way["agreement"]["matched"] == way["agreement"]["boxes"] > 0
    assert set(told["chosen"]) == {"files", "live"}


def test_the_table_is_for_people(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--model", model) == 0
    out = capsys.readouterr().out
    assert "as saved" in out
    assert "itself" in out
    assert "chosen for files: " in out


@pytest.mark.allow_error_logs
def test_a_runtime_that_cannot_run_the_form_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--model", model, "--runtime", "opencv") == 4
    assert "opencv cannot run a model of this form" in capsys.readouterr().err

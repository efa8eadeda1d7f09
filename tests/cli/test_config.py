"""`streamer config`: what it prints, checks and writes."""

import json
from pathlib import Path

import pytest

from streamer import cli
from streamer.config import setting_fields


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in setting_fields().values():
        monkeypatch.delenv(known.variable, raising=False)


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["config", *arguments])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def test_show_prints_every_value_and_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cam.yaml").write_text("conf: 0.4\nsource: rtsp://me:hunter2@cam/1\n", encoding="utf-8")
    monkeypatch.setenv("STREAMER_CRF", "30")
    assert ended("show", "-c", "cam.yaml", "--max-det", "7") == 0
    out, err = capsys.readouterr()
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert list(rows) == list(setting_fields())
    assert rows["conf"] == ["0.4", "cam.yaml:1"]
    assert rows["source"] == ["rtsp://***@cam/1", "cam.yaml:2"]
    assert rows["crf"] == ["30", "STREAMER_CRF"]
    assert rows["max_det"] == ["7", "--max-det"]
    assert rows["panel"] == ["true", "default"]
    assert rows["model"] == ["-", "default"]
    assert err == ""


def test_show_as_json_names_kind_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("show", "--json", "--conf", "0.25") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["conf"] == {"value": "0.25", "origin": "flag", "place": "--conf"}
    assert shown["model"] == {"value": None, "origin": "default", "place": None}


def test_show_on_a_terminal_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert ended("show", "--classes", "[red],car") == 0
    out = capsys.readouterr().out
    assert "setting" in out.splitlines()[0]
    assert "[red],car" in out


def test_a_flag_that_takes_a_list_may_be_given_more_than_once(capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["--camera-control", "gain=1", "--camera-control", "exposure=2,hue=3", "--classes", "person"]
    assert ended("show", "--json", *typed) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["camera_control"]["value"] == "gain=1,exposure=2,hue=3"
    assert shown["classes"]["value"] == "person"
    assert shown["blur"]["value"] is None


def test_show_warns_of_a_variable_that_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMER_MODLE", "x")
    assert ended("show") == 0
    assert "did you mean STREAMER_MODEL?" in capsys.readouterr().err


def test_check_lists_everything_that_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("conf: 2\ncrf: 99\nmodle: x\n", encoding="utf-8")
    assert ended("check", str(path)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"streamer: error: {path}:") for line in lines)


def test_check_counts_what_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.yaml"
    path.write_text("conf: 0.2\ncrf: 9\nmodel:\n", encoding="utf-8")
    assert ended("check", str(path)) == 0
    assert capsys.readouterr().out == f"{path}: 2 settings, all right\n"


def test_init_writes_a_file_that_is_right_and_never_overwrites_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.yaml"
    assert ended("init", str(path)) == 0
    assert ended("check", str(path)) == 0
    capsys.readouterr()
    before = path.read_bytes()
    assert ended("init", str(path)) == 5
    assert "is there already" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert ended("init", str(tmp_path / "none" / "new.yaml")) == 5

"""The health file: whole at every moment, never another's, and never the run's misfortune."""

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SinkOpenError
from streamer.service.health import read_health
from streamer.service.health_file import HealthFile
from streamer.sinks.outfile import publish
from tests.service.healths import health


def test_it_is_there_with_the_first_state_and_is_replaced_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    file = HealthFile(path, health(state="starting"), force=False)
    assert read_health(path) == health(state="starting")
    number = path.stat().st_ino
    file.write(health())
    assert read_health(path) == health()
    assert path.stat().st_ino != number
    assert [entry.name for entry in tmp_path.iterdir()] == ["health.json"]


def test_that_of_a_run_that_is_over_is_replaced_also_if_it_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    killed = health().process.model_copy(update={"pid": 2**22 + 1})
    for before in (health(exit_code=0, state="ended"), health(process=killed)):
        path.write_text(before.model_dump_json())
        HealthFile(path, health(state="starting"), force=False)
        assert read_health(path).state == "starting"


def test_that_of_a_run_that_goes_on_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    parent = os.getppid()
    fields = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()
    other = health().process.model_copy(update={"pid": parent, "started_ticks": int(fields[19])})
    path.write_text(health(process=other).model_dump_json())
    with pytest.raises(SinkOpenError, match=f"a run that goes on, process {parent}"):
        HealthFile(path, health(), force=False)
    assert read_health(path).process == other
    HealthFile(path, health(), force=True)
    assert read_health(path) == health()


@pytest.mark.parametrize("text", ["", "precious", "[]", '{"kind": "other"}', '{"kind": "streamer health"}'])
def test_what_is_no_health_file_is_not_replaced_without_force(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(SinkOpenError, match="is no health file"):
        HealthFile(path, health(), force=False)
    assert path.read_text() == text
    HealthFile(path, health(), force=True)
    assert read_health(path) == health()


def test_what_is_read_and_what_is_no_ordinary_file_is_refused_even_with_force(tmp_path: Path) -> None:
    clip, pipe = tmp_path / "clip.mp4", tmp_path / "pipe"
    clip.write_bytes(b"x")
    os.mkfifo(pipe)
    for path in (clip, pipe, tmp_path, Path("/dev/null")):
        with pytest.raises(SinkOpenError):
            HealthFile(path, health(), force=True, inputs=[clip])
    assert clip.read_bytes() == b"x"
    assert Path("/dev/null").is_char_device()


def test_a_place_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError, match="missing"):
        HealthFile(tmp_path / "missing" / "health.json", health(), force=False)


def test_a_folder_that_goes_away_is_warned_of_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    file = HealthFile(folder / "health.json", health(), force=False)
    folder.rename(tmp_path / "away")
    with caplog.at_level(logging.INFO, "streamer"):
        for _ in range(3):
            file.write(health())
        assert len(caplog.records) == 1
        assert "cannot be written" in caplog.text
        folder.mkdir()
        file.write(health(state="waiting"))
    assert "is written again" in caplog.text
    assert read_health(folder / "health.json").state == "waiting"


def test_a_full_disk_costs_nothing_and_leaves_what_was_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    full = False

    def write(path: Path, data: bytes, *, force: bool) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        publish(path, data, force=force)

    path = tmp_path / "health.json"
    file = HealthFile(path, health(), force=False, write=write)
    full = True
    for _ in range(3):
        file.write(health(state="waiting"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left" in caplog.text
    assert read_health(path) == health()


def test_a_damaged_or_hostile_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    whole = health().model_dump_json()
    for text in (whole[:-5], "[" * 50_000, whole.replace('"version":1', '"version":2'), "x" * 70_000, "\0"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="health file"):
            read_health(path)
    with pytest.raises(ConfigError, match="no ordinary file"):
        read_health(tmp_path)
    assert json.loads(whole)["kind"] == "streamer health"

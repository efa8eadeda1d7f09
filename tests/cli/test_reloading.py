"""Settings read again: what is taken over, what is not, and what is said of it."""

import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from streamer.cli.reloading import Prepared, Reloading
from streamer.clock import FakeClock
from streamer.config import Resolved, resolve
from streamer.errors import ConfigError


class Run:
    """Takes everything that it is given, or says what it cannot."""

    def __init__(self, *, refuses: frozenset[str] = frozenset(), fails: str = "") -> None:
        self.took: list[dict[str, object]] = []
        self._refuses = refuses
        self._fails = fails

    def prepared(self, names: Collection[str], resolved: Resolved) -> Prepared:
        if self._fails and self._fails in names:
            raise ConfigError("no such class", where=f"{resolved.origins[self._fails]}: {self._fails}")
        taken = {name: getattr(resolved.settings, name) for name in names if name not in self._refuses}
        commits: tuple[Callable[[], None], ...] = (lambda: self.took.append(taken),) if taken else ()
        return Prepared(commits, self._refuses & set(names))


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []

    def reloading(self) -> None:
        self.said.append("reloading")

    def reloaded(self) -> None:
        self.said.append("reloaded")


class Place:
    """A run, its settings file, and the clock by which it is looked at."""

    def __init__(self, folder: Path, text: str = "conf: 0.5\n", *, run: Run | None = None, **flags: str) -> None:
        self.path = folder / "settings.yaml"
        self.path.write_text(text)
        self.clock, self.run, self.told = FakeClock(), run or Run(), Told()
        given = {"config": str(self.path), **flags}
        environ = {"STREAMER_THEME": "minimal"}
        resolved = resolve(flags=given, environ=environ)
        self.reloading = Reloading(resolved, flags=given, environ=environ, clock=self.clock)
        self.reloading.attach(self.run, announce=self.told)
        self.looks()

    def looks(self, seconds: float = 2.0) -> None:
        for _ in range(round(seconds / 0.25)):
            self.reloading.look()
            self.clock.advance(0.25)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.looks()


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "streamer")
    return caplog


def lines(heard: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in heard.records]


def test_what_has_changed_is_taken_over_and_nothing_else(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    place.write("conf: 0.8\nhide-labels: true\n")
    assert place.run.took == [{"conf": 0.8, "hide_labels": True}]
    assert place.reloading.running.settings.conf == 0.8
    assert str(place.reloading.running.origins["conf"]) == f"{place.path}:1"
    assert (place.reloading.count, place.told.said) == (1, ["reloading", "reloaded"])
    assert lines(heard) == ["settings read again: conf 0.5 -> 0.8, hide_labels false -> true"]
    place.write("hide-labels: true\n")
    assert place.run.took[1:] == [{"conf": 0.5}]


def test_a_file_that_stays_the_same_is_not_read_again(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    for _ in range(3):
        place.path.touch()
        place.looks()
    assert (place.run.took, lines(heard), place.told.said) == ([], [], [])


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for part in ("", "conf: 0.", "conf: 0.7"):
        place.path.write_text(part)
        place.looks(0.25)
    assert place.run.took == []
    place.looks()
    assert place.run.took == [{"conf": 0.7}]


def test_a_change_while_the_model_was_loaded_is_not_missed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    run, reloading = (
        Run(),
        Reloading(place.reloading.running, flags={"config": str(place.path)}, environ={}, clock=place.clock),
    )
    place.path.write_text("conf: 0.6\n")
    reloading.look()
    reloading.attach(run)
    for _ in range(8):
        reloading.look()
        place.clock.advance(0.25)
    assert {"conf": 0.6}.items() <= run.took[0].items()


def test_a_replaced_file_and_a_swapped_link_are_seen(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "new").write_text("conf: 0.6\n")
    (tmp_path / "new").replace(place.path)
    place.looks()
    one, two = tmp_path / "..1", tmp_path / "..2"
    for folder, conf in ((one, 0.7), (two, 0.9)):
        folder.mkdir()
        (folder / "settings.yaml").write_text(f"conf: {conf}\n")
    data = tmp_path / "..data"  # as Kubernetes lays out a ConfigMap
    data.symlink_to(one)
    place.path.unlink()
    place.path.symlink_to(data / "settings.yaml")
    place.looks()
    (tmp_path / "..tmp").symlink_to(two)
    (tmp_path / "..tmp").replace(data)
    place.looks()
    assert place.run.took == [{"conf": 0.6}, {"conf": 0.7}, {"conf": 0.9}]


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conf: 0.6\ntheme: [\n", "settings.yaml:3: not YAML"),
        ("hide_labels: true\nconf: 7\n", "settings.yaml:2: conf: '7' is not allowed; allowed: a number from 0 to 1"),
        ("conf: 7\nmax_det: x\nfoo: 1\n", "; and 2 more, which streamer config check tells"),
        ("conf: \0\n", "NUL"),
    ],
)
def test_a_broken_file_is_one_line_and_changes_nothing(
    tmp_path: Path, heard: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    place = Place(tmp_path)
    place.write(text)
    place.looks()
    (line,) = lines(heard)
    assert line.startswith("the settings stay as they were: ")
    assert said in line
    assert "\n" not in line
    assert (place.run.took, place.reloading.count) == ([], 0)
    assert place.told.said == ["reloading", "reloaded"]
    place.write("conf: 0.6\n")
    assert place.run.took == [{"conf": 0.6}]


@pytest.mark.allow_error_logs
def test_a_file_that_has_gone_is_said_once_and_found_again(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    place.path.unlink()
    place.looks(10)
    (line,) = lines(heard)
    assert "settings.yaml: no such file" in line
    os.mkfifo(place.path)  # nobody writes to it: whoever opened it to read would wait for ever
    place.looks(10)
    place.path.unlink()
    place.write("conf: 0.9\n")
    assert place.run.took == [{"conf": 0.9}]


@pytest.mark.allow_error_logs
def test_a_value_that_the_run_cannot_have_takes_nothing_of_the_file(
    tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path, run=Run(fails="classes"))
    place.write("conf: 0.7\nclasses: unicorn\n")
    assert place.run.took == []
    assert lines(heard) == [f"the settings stay as they were: {place.path}:2: classes: no such class"]
    assert place.reloading.running.settings.conf == 0.5


def test_what_needs_a_restart_is_named_once_and_the_rest_is_taken(
    tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path, run=Run(refuses=frozenset({"max_det"})))
    for conf in ("0.6", "0.7"):
        place.write(f"conf: {conf}\nrecord: other.mp4\nmax_det: 3\nstride: 2\n")
    warnings = [record.getMessage() for record in heard.records if record.levelno == logging.WARNING]
    assert warnings == ["max_det, record, stride: changed in the settings, and taken over by a restart only"]
    assert place.run.took == [{"conf": 0.6}, {"conf": 0.7}]
    assert place.reloading.running.settings.record is None


def test_a_flag_and_a_variable_still_win_and_that_is_said_once(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path, "conf: 0.5\n", conf="0.4")
    place.write("conf: 0.6\ntheme: high-contrast\n")
    place.write("conf: 0.7\ntheme: default\n")
    assert place.run.took == []
    assert lines(heard) == [
        f"{place.path}:1: conf has changed, and --conf overrules it",
        f"{place.path}:2: theme has changed, and STREAMER_THEME overrules it",
    ]


def test_when_it_is_asked_for_it_is_read_at_once(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    place.path.write_text("conf: 0.6\n")
    for _ in range(2):
        place.reloading.ask()
        place.reloading.look()
    place.looks()
    assert place.run.took == [{"conf": 0.6}]
    assert lines(heard) == [
        "settings read again: conf 0.5 -> 0.6",
        "settings read again: nothing has changed that a run can take over",
    ]
    assert place.told.said == ["reloading", "reloaded"] * 2


def test_without_a_file_there_is_nothing_to_read_again(heard: pytest.LogCaptureFixture) -> None:
    run, reloading = Run(), Reloading(resolve(), flags={}, environ={})
    told = Told()
    reloading.attach(run, announce=told)
    reloading.ask()
    reloading.look()
    assert lines(heard) == ["SIGHUP: there is no settings file (--config) that could be read again; the run goes on"]
    assert (run.took, told.said) == ([], ["reloading", "reloaded"])


def test_no_password_is_said(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    place.write("source: rtsp://me:hunter2@cam/1\nconf: 0.6\n")
    assert "source: changed" in heard.text
    assert "hunter2" not in heard.text

"""Outputs are opened before anything is captured: all of them or none, and nothing that exists is lost (FAULTS 40)."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SinkOpenError, StreamerError
from streamer.interfaces import SourceInfo
from streamer.labels import Labels
from streamer.sinks import SinkOptions, open_sinks
from streamer.sinks.folder import Folder
from streamer.sinks.pictures import Pictures
from streamer.sinks.recorder import Recorder
from streamer.sinks.tables import Coco, CommaSeparated, JsonLines, Mot
from tests.sinks.scenes import grey, result

INFO = SourceInfo("clip.avi", fps=10.0)
TABLES = ("jsonl", "csv", "coco", "mot")


def table_at(path: Path, name: str, options: SinkOptions = SinkOptions()) -> SinkOptions:  # noqa: B008 - it is frozen
    """`options` with a table in the format `name` at `path`."""
    return replace(options, **{name: path})  # type: ignore[arg-type]


def refused(options: SinkOptions) -> StreamerError:
    with pytest.raises(StreamerError) as raised:
        open_sinks(options, labels=Labels(), source=INFO)
    return raised.value


def kinds(options: SinkOptions) -> list[type]:
    sinks = open_sinks(options, labels=Labels(), source=INFO)
    for sink in sinks:
        sink.close()
    return [type(sink) for sink in sinks]


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "dotted.d").mkdir()
    assert kinds(SinkOptions()) == []
    assert kinds(SinkOptions(out=tmp_path / "a.mp4", jsonl=tmp_path / "a.jsonl")) == [Recorder, JsonLines]
    assert kinds(SinkOptions(out=tmp_path / "A.MP4")) == [Recorder]
    assert kinds(SinkOptions(out=tmp_path / "a.png", pictures=True)) == [Pictures]
    assert kinds(SinkOptions(out=tmp_path / "new")) == [Folder]
    assert kinds(SinkOptions(out=tmp_path / "dotted.d", pictures=True, many=True)) == [Folder]
    assert [path.name for path in tmp_path.iterdir()] == ["dotted.d"]


@pytest.mark.parametrize(
    ("name", "pictures", "many", "text"),
    [
        (
            "a.avi",
            False,
            False,
            ".mp4, .mov, .mkv, .webm, .ts (video), .png, .jpg, .jpeg (picture), or a folder",
        ),
        ("a.mp4", True, False, "pictures give pictures"),
        ("a.png", False, False, "a video gives a video"),
        ("a.mp4", False, True, "several inputs go to a folder"),
        ("a.png", True, True, "several inputs go to a folder"),
    ],
)
def test_an_ending_that_does_not_suit_is_a_mistake_of_usage(
    tmp_path: Path, name: str, *, pictures: bool, many: bool, text: str
) -> None:
    error = refused(SinkOptions(out=tmp_path / name, pictures=pictures, many=many))
    assert isinstance(error, ConfigError)
    assert error.exit_code == 2
    assert text in str(error)


def _missing(folder: Path) -> Path:
    return folder / "missing" / "out"


def _below_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "out"


def _read_only(_folder: Path) -> Path:
    """A place where not even root can make a file."""
    if not Path("/sys/kernel").is_dir():
        pytest.skip("needs sysfs")
    return Path("/sys/out")


@pytest.mark.parametrize("ending", [".mp4", ".png", ".jsonl", ""])
@pytest.mark.parametrize(
    ("place", "text"),
    [
        (_missing, "its folder does not exist (make it first: mkdir -p"),
        (_below_a_file, "lies below something that is a file"),
        (_read_only, "may not be written (choose another folder, or change its permissions)"),
    ],
)
def test_a_place_that_cannot_be_written_says_why(
    tmp_path: Path, ending: str, place: Callable[[Path], Path], text: str
) -> None:
    path = place(tmp_path)
    path = path.with_name(path.name + ending)
    before = sorted(tmp_path.iterdir())
    if ending == ".jsonl":
        error = refused(SinkOptions(jsonl=path))
    else:
        error = refused(SinkOptions(out=path, pictures=ending == ".png"))
    assert isinstance(error, SinkOpenError)
    assert error.exit_code == 5
    assert f"{path}: {text}" in str(error)
    assert sorted(tmp_path.iterdir()) == before


def test_each_format_has_a_table_of_its_own(tmp_path: Path) -> None:
    options = SinkOptions(jsonl=tmp_path / "a", csv=tmp_path / "b", coco=tmp_path / "c", mot=tmp_path / "d")
    assert kinds(options) == [JsonLines, CommaSeparated, Coco, Mot]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "other"), list(combinations(TABLES, 2)))
def test_no_two_tables_are_one_file(tmp_path: Path, name: str, other: str) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    error = refused(table_at(tmp_path / "a", name, replace(table_at(tmp_path / "b", other), force=True)))
    assert isinstance(error, ConfigError)
    assert f"{name} and {other} cannot be one file" in str(error)
    assert (tmp_path / "a").read_text() == "mine"


@pytest.mark.parametrize("name", TABLES)
def test_tables_keep_to_the_rules_of_places(tmp_path: Path, name: str) -> None:
    taken, given = tmp_path / "taken", tmp_path / "clip.mp4"
    taken.write_text("mine")
    given.write_text("film")
    assert "exists already (--force replaces it)" in str(refused(table_at(taken, name)))
    assert "its folder does not exist" in str(refused(table_at(tmp_path / "none" / "a", name)))
    inputs = SinkOptions(inputs=(given,), force=True)
    assert "is an input" in str(refused(table_at(given, name, inputs)))
    both = table_at(tmp_path / "a.mp4", name, SinkOptions(out=tmp_path / "a.mp4"))
    assert "the video and the report cannot be one file" in str(refused(both))
    assert sorted(tmp_path.iterdir()) == [given, taken]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("live", [True, False])
def test_tables_of_a_live_source_say_when(tmp_path: Path, name: str, *, live: bool) -> None:
    (sink,) = open_sinks(table_at(tmp_path / "o", name, SinkOptions(live=live)), labels=Labels(), source=INFO)
    one = result(grey(1))
    sink.write(replace(one, frame=replace(one.frame, captured_ns=time.monotonic_ns())))
    sink.close()
    assert (f"{datetime.now(UTC):%Y-}" in (tmp_path / "o").read_text()) == (live and name != "mot")


@pytest.mark.parametrize("name", ["out.mp4", "out.png", "out.jsonl"])
def test_what_exists_is_replaced_only_by_force(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("mine")
    options = SinkOptions(jsonl=path) if name.endswith("jsonl") else SinkOptions(out=path, pictures=name == "out.png")
    error = refused(options)
    assert isinstance(error, SinkOpenError)
    assert "exists already (--force replaces it)" in str(error)
    assert len(kinds(replace(options, force=True))) == 1
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["out.jsonl", "out"])
def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path, name: str) -> None:
    if name == "out":
        (tmp_path / name).touch()
        error = refused(SinkOptions(out=tmp_path / name, force=True))
        assert "is a file, and a folder is wanted" in str(error)
    else:
        (tmp_path / name).mkdir()
        error = refused(SinkOptions(jsonl=tmp_path / name, force=True))
        assert "is a folder, and a file is to be written" in str(error)
    assert isinstance(error, SinkOpenError)


@pytest.mark.parametrize("how", ["same", "symbolic link", "hard link"])
def test_the_input_is_never_the_output_even_with_force(tmp_path: Path, how: str) -> None:
    given = tmp_path / "clip.mp4"
    given.write_text("film")
    out = given if how == "same" else tmp_path / "other.mp4"
    if how == "symbolic link":
        out.symlink_to(given)
    elif how == "hard link":
        out.hardlink_to(given)
    for options in (
        SinkOptions(out=out, inputs=(given,), force=True),
        SinkOptions(jsonl=out, inputs=(given,), force=True),
        SinkOptions(out=tmp_path, inputs=(given,), force=True),
    ):
        error = refused(options)
        assert isinstance(error, SinkOpenError)
        assert "is an input" in str(error)
    assert given.read_text() == "film"


@pytest.mark.parametrize("spelling", ["a.mp4", "sub/../a.mp4", "link/a.mp4", "link.mp4", "hard.mp4"])
def test_the_video_and_the_report_cannot_be_one_file(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    if spelling == "hard.mp4":
        (tmp_path / "a.mp4").write_text("mine")
        (tmp_path / spelling).hardlink_to(tmp_path / "a.mp4")
    before = sorted(tmp_path.iterdir())
    error = refused(SinkOptions(out=tmp_path / "a.mp4", jsonl=tmp_path / spelling, force=True))
    assert isinstance(error, ConfigError)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["out.mp4", "out.png", "out.jsonl", "out"])
def test_a_link_into_nowhere_is_followed_only_by_force(tmp_path: Path, name: str) -> None:
    link, target = tmp_path / name, tmp_path / "elsewhere"
    link.symlink_to(target)
    options = SinkOptions(jsonl=link) if name.endswith("jsonl") else SinkOptions(out=link, pictures=name == "out.png")
    assert isinstance(refused(options), SinkOpenError)
    if name != "out":
        assert len(kinds(replace(options, force=True))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert link.is_symlink()


def test_with_force_a_report_goes_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").symlink_to(tmp_path / "real.jsonl")
    (sink,) = open_sinks(SinkOptions(jsonl=tmp_path / "seen.jsonl", force=True), labels=Labels(), source=INFO)
    sink.write(result(grey(1)))
    sink.close()
    assert (tmp_path / "real.jsonl").read_text().count("\n") == 1
    assert (tmp_path / "seen.jsonl").is_symlink()


def test_with_force_a_link_into_a_missing_folder_says_which(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl").symlink_to(tmp_path / "missing" / "real.jsonl")
    error = refused(SinkOptions(jsonl=tmp_path / "seen.jsonl", force=True))
    assert f"mkdir -p {tmp_path / 'missing'}" in str(error)


def test_what_is_said_to_be_a_folder_is_one_whatever_it_is_called(tmp_path: Path) -> None:
    assert kinds(SinkOptions(out=tmp_path / "results.v2", folder=True)) == [Folder]
    assert kinds(SinkOptions(out=tmp_path / "out.mp4", folder=True, many=True)) == [Folder]


@pytest.mark.parametrize("out", ["a.mp4", "a.png", "folder"])
def test_when_one_fails_what_the_others_made_is_gone(tmp_path: Path, out: str) -> None:
    options = SinkOptions(out=tmp_path / out, jsonl=tmp_path / "missing" / "a.jsonl", pictures=out == "a.png")
    assert isinstance(refused(options), SinkOpenError)
    assert list(tmp_path.iterdir()) == []


def test_importing_the_sinks_imports_neither_opencv_nor_pyav() -> None:
    code = "import sys, streamer.sinks; print(sorted({'cv2', 'av', 'tensorflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""`streamer clip`, as a person at a shell has it."""

from pathlib import Path

import pytest

from streamer import cli
from streamer.cli.clip import differences
from streamer.config import setting_fields
from streamer.cutting.clip import Clip
from tests.clips import write_clip, write_sound
from tests.cutting.looks import look


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for known in setting_fields().values():
        monkeypatch.delenv(known.variable, raising=False)
    write_clip(tmp_path / "in.mp4", frames=40, key_every=12)
    return tmp_path


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["clip", *arguments])
    code = leaving.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    "times",
    [
        ("--start", "1.5", "--end", "0:02.5"),
        ("--start", "0:00:01.5", "--duration", "1"),
        ("--start", "1.5", "--end", "3", "--duration", "1"),
    ],
)
def test_a_part_is_cut_and_what_is_behind_it_said(times: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("in.mp4", *times, "-o", "out.mp4") == 0
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first.startswith(
        "streamer: warning: a copy begins at a keyframe: the 0.30 s before the start are in the file"
    )
    assert last == "streamer: out.mp4: 1.00 s, from 1.50 s to 2.50 s, copied"
    assert len(look(Path("out.mp4")).digests) == 10


def test_another_container_begins_earlier_and_says_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("in.mp4", "--start", "1.5", "-o", "out.mkv") == 0
    assert "it begins at 1.20 s, 0.30 s before the start (.mp4 and .mov can hide that" in capsys.readouterr().err


def test_exact_and_quiet_have_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("in.mp4", "--start", "1.5", "--end", "2", "--exact", "-q", "-o", "out.mp4") == 0
    assert capsys.readouterr() == ("", "")
    assert ended("in.mp4", "--start", "1.2", "--end", "2", "--force", "-o", "out.mp4") == 0
    assert capsys.readouterr().err == "streamer: out.mp4: 0.80 s, from 1.20 s to 2.00 s, copied\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["in.mp4", "-o", "in.mp4", "--force"], 5, "in.mp4: is an input"),
        (["in.mp4", "-o", "there.mp4"], 5, "there.mp4: exists already (--force replaces it)"),
        (["in.mp4", "-o", "out.webm"], 5, ".webm cannot hold h264"),
        (["in.mp4", "-o", "out.gif"], 2, "no clip is written to .gif (allowed: .mp4, .mov, .mkv, .webm, .ts)"),
        (["in.mp4", "-o", "out"], 2, "no clip is written without an ending"),
        (["in.mp4"], 2, "Missing option"),
        (["-o", "out.mp4"], 2, "Missing argument"),
        (["in.mp4", "-o", "out.mp4", "--start", "9"], 3, "start (9 s) is beyond the end"),
        (["in.mp4", "-o", "out.mp4", "--start", "2", "--end", "1"], 2, "end must be later than start"),
        (["in.mp4", "-o", "out.mp4", "--start", "1:99"], 2, "minutes and seconds behind a colon stay below 60"),
        (["in.mp4", "-o", "out.mp4", "--duration", "0"], 2, "duration must be more than 0 s"),
        (["none.mp4", "-o", "out.mp4"], 3, "none.mp4: no such file"),
        (["sound.mp4", "-o", "out.mp4"], 3, "it holds only sound"),
        (["text.mp4", "-o", "out.mp4"], 3, "not a video, but text"),
        ([".", "-o", "out.mp4"], 3, "is a directory"),
    ],
)
def test_what_is_wrong_is_one_line_and_its_exit_code(
    arguments: list[str], code: int, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "there.mp4").write_bytes(b"mine")
    (here / "text.mp4").write_text("to whom it may concern")
    write_sound(here / "sound.mp4")
    assert ended(*arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert sorted(path.name for path in here.iterdir()) == ["in.mp4", "sound.mp4", "text.mp4", "there.mp4"]


def clip(**changed: object) -> Clip:
    told: dict[str, object] = {
        "path": Path("o.mkv"), "first_s": 1.0, "wanted_s": 1.0, "end_s": 3.0, "hidden_s": 0.0, "frames": 9, "extra": 0,
        "copied": True, "left_out": (),
    }  # fmt: skip
    return Clip(**{**told, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"extra": 2, "end_s": 3.2}, ["what is shown last needs what comes after it: it ends 0.20 s after the end"]),
        ({"end_s": 2.5}, ["the file ends before 3 s: at 2.50 s"]),
        ({"left_out": ("chapters",)}, ["left out, because it cannot be kept here: chapters"]),
    ],
)
def test_every_difference_is_said(changed: dict[str, object], said: list[str]) -> None:
    assert list(differences(clip(**changed), end_s=3.0)) == said

from pathlib import Path

import pytest

from streamer.cli.parts import inputs_of
from streamer.config import resolve
from streamer.errors import SourceOpenError
from streamer.sources import SourceOptions, open_source
from streamer.sources.images import PicturesSource
from tests.clips import number_of, write_clip, write_picture


def _list(folder: Path, text: str) -> str:
    (folder / "list.txt").write_text(text, encoding="utf-8")
    return str(folder / "list.txt")


def _refused(path: str) -> str:
    with pytest.raises(SourceOpenError) as caught:
        open_source(path)
    return str(caught.value)


def test_files_and_pictures_come_in_the_order_of_the_list_from_its_folder_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    clip = write_clip(tmp_path / "b.mp4", frames=2)
    write_picture(tmp_path / "lists" / "a #1.png", 7)
    source = open_source(_list(tmp_path / "lists", f"\ufeff# first the clip\n../b.mp4\n\n  a #1.png  \n{clip}\n"))
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 7, 0, 1]
    assert [frame.epoch for frame in frames] == [0, 0, 1, 2, 2]
    assert source.info.several


def test_a_list_of_pictures_is_pictures(tmp_path: Path) -> None:
    for number in (3, 1):
        write_picture(tmp_path / f"{number}.png", number)
    source = open_source(_list(tmp_path, "3.png\n1.png\n3.png\n"))
    assert isinstance(source, PicturesSource)
    assert [number_of(frame.image) for frame in source.frames()] == [3, 1, 3]


def test_what_is_missing_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_clip(tmp_path / "a.mp4", frames=2)
    source = open_source(_list(tmp_path, "gone.mp4\na.mp4\n"), SourceOptions())
    assert len(list(source.frames())) == 2
    assert "gone.mp4: no such file; it is left out" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty list"),
        ("# nothing\n", "an empty list"),
        ("nothing to see\nhere\n", "not a video, but text: not one of its 2 lines is a file"),
        ("# a\nrtsp://anna:s3cret@h/\n", "line 2: only files and pictures stand in a list"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, says: str) -> None:
    error = _refused(_list(tmp_path, text))
    assert says in error
    assert "s3cret" not in error


def test_what_is_no_text_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00" * 99)
    assert "cannot be read as a list" in _refused(str(tmp_path / "list.txt"))
    assert "no such file" in _refused(str(tmp_path / "none.txt"))


def test_what_stands_in_a_list_is_an_input(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    path = _list(tmp_path, "a.mp4\n")
    settings = resolve(flags={"source": path}).settings
    assert inputs_of(settings) == (Path(path), clip)

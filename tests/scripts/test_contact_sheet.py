"""The contact sheet: which frames are on it, and that it holds for every kind of video."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts.contact_sheet import GAP_PX, SHEET_PX, Moment, caption, cell_px, chosen, clock, contact_sheet, title
from streamer.errors import SourceOpenError
from streamer.frame import Image
from tests.clips import number_of, write_clip, write_picture

PROGRAM = Path(__file__).resolve().parents[2] / "scripts" / "contact_sheet.py"


def moments(*times_s: float | None) -> list[Moment]:
    return [Moment(number, time_s, "clip.mp4", (64, 48)) for number, time_s in enumerate(times_s)]


def pictures_on(sheet: Image, size_px: tuple[int, int], columns: int, count: int) -> list[Image]:
    """The pictures of a sheet, cut out again; nothing else on it is as wide and as bright."""
    width, height = size_px
    top = int(np.flatnonzero(sheet[:, GAP_PX + 1].min(axis=1) > 200)[0])  # each has a white upper left corner
    pitch_y = (sheet.shape[0] - top) // -(-count // columns)
    places = [divmod(place, columns) for place in range(count)]
    corners = [(top + row * pitch_y, GAP_PX + column * (width + GAP_PX)) for row, column in places]
    return [sheet[y : y + height, x : x + width] for y, x in corners]


@pytest.mark.parametrize("size_px", [(64, 48), (48, 96), (320, 80)], ids=["landscape", "portrait", "wide"])
def test_frames_evenly_spaced_in_time_are_on_the_sheet_in_order(size_px: tuple[int, int], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=36, fps=12, size_px=size_px)
    sheet = contact_sheet([str(clip)], columns=4, rows=3)
    shown = pictures_on(sheet, cell_px(size_px, 12), columns=4, count=12)
    assert [number_of(image) for image in shown] == list(range(1, 36, 3))


def test_where_frames_come_irregularly_it_is_time_that_is_even() -> None:
    quick_at_first = moments(*(at / 100 for at in range(100)), 1.0, 2.0, 3.0)
    picked = chosen(quick_at_first, 4)
    assert [moment.time_s for moment in picked] == [0.5, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_of_few_frames_all_are_on_it(count: int, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=count)
    sheet = contact_sheet([str(clip)])
    shown = pictures_on(sheet, cell_px((64, 48), count), columns=min(4, count), count=count)
    assert [number_of(image) for image in shown] == list(range(count))


def test_pictures_have_no_time_and_are_counted_and_named(tmp_path: Path) -> None:
    for number in range(20):
        write_picture(tmp_path / f"shot-{number}.png", number)
    picked = chosen(moments(*[None] * 20), 4)
    assert [moment.number for moment in picked] == [2, 7, 12, 17]
    assert caption(Moment(0, None, "folder/shot-7.png", (64, 48))) == "shot-7.png"
    shown = pictures_on(contact_sheet([str(tmp_path)], columns=2, rows=2), cell_px((64, 48), 4), columns=2, count=4)
    assert [number_of(image) for image in shown] == [2, 7, 12, 17]


def test_several_videos_come_one_after_another(tmp_path: Path) -> None:
    clips = [str(write_clip(tmp_path / f"{name}.mp4", frames=6)) for name in "ab"]
    shown = pictures_on(contact_sheet(clips, columns=4, rows=1), cell_px((64, 48), 4), columns=4, count=4)
    assert [number_of(image) for image in shown] == [1, 4, 1, 4]


@pytest.mark.parametrize("size_px", [(176, 144), (640, 480), (1080, 1920), (3840, 2160), (16, 4000)])
def test_pictures_keep_their_shape_and_the_sheet_its_size(size_px: tuple[int, int]) -> None:
    width, height = cell_px(size_px, 12)
    assert 12 * width * height <= SHEET_PX * 1.01
    assert max(width, height) >= 140
    assert width / height == pytest.approx(size_px[0] / size_px[1], rel=0.02, abs=0.01)


@pytest.mark.parametrize(
    ("time_s", "text"), [(0.0, "0:00.00"), (7.5, "0:07.50"), (59.999, "1:00.00"), (3727.5, "1:02:07.50")]
)
def test_times_are_written_as_people_read_them(time_s: float, text: str) -> None:
    assert clock(time_s) == text


def test_the_title_says_what_it_is_and_leaves_out_what_is_not_of_one_kind() -> None:
    assert title(["x/clip.mp4"], moments(0.0, 0.5)) == "clip.mp4   64x48   to 0:00.50   2 frames"
    mixed = [*moments(None), Moment(1, None, "b.png", (32, 32))]
    assert title(["a.png", "b.png"], mixed) == "a.png and 1 more   2 frames"


def test_what_cannot_be_read_is_told_as_by_streamer(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError, match="no such file"):
        contact_sheet([str(tmp_path / "missing.mp4")])


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_the_program_writes_a_picture_over_an_older_one(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=8)
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"older")
    done = run(clip, sheet, "--columns", "2", "--rows", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert cv2.imread(str(sheet)) is not None


def test_the_program_ends_with_the_code_of_what_went_wrong(tmp_path: Path) -> None:
    done = run(tmp_path / "missing.mp4", tmp_path / "sheet.png")
    assert done.returncode == 3
    assert "no such file" in done.stderr
    assert not (tmp_path / "sheet.png").exists()

"""The timeline: which frames it shows, and what of them can be seen."""

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.benchmark.plot import claim, save_plot
from streamer.benchmark.png import picture
from streamer.benchmark.svg import svg
from streamer.benchmark.timeline import COLORS, WIDTH, Drawing, chosen, timeline, written_px
from streamer.errors import SinkError, SinkOpenError
from streamer.trace import Span
from tests.benchmark.made import MS, a_run, frame_spans

TITLE = "a title with <letters> & signs"


@pytest.fixture
def drawing() -> Drawing:
    return timeline(chosen(a_run(frames=60).spans), title=TITLE)


def bgr(color: str) -> list[int]:
    return [int(color[at : at + 2], 16) for at in (5, 3, 1)]


def test_fifty_frames_of_the_middle_are_shown() -> None:
    indexes = {span.index for span in chosen(a_run(frames=60).spans)}
    assert indexes == set(range(5, 55))
    assert {span.index for span in chosen(a_run(frames=8).spans)} == set(range(8))


def test_each_thread_has_a_lane_in_the_order_of_the_work(drawing: Drawing) -> None:
    names = ["capture", "inference", "render", "recording", "JSON lines"]
    heights = [next(words.y for words in drawing.words if words.text == name and words.x < 100) for name in names]
    legend = next(words.y for words in drawing.words if words.text == "capture")
    assert legend not in heights[1:]
    assert heights[1:] == sorted(heights[1:])


def test_every_stage_is_in_the_legend(drawing: Drawing) -> None:
    words = {words.text for words in drawing.words}
    assert {"capture", "preprocess", "infer", "postprocess", "draw", "encode", "report"} <= words
    assert "view" not in words


def test_numbers_stand_in_the_boxes_that_have_room_for_them(drawing: Drawing) -> None:
    infer = [box for box in drawing.boxes if box.told.startswith("infer")]
    numbers = [words for words in drawing.words if words.anchor == "middle" and words.text.isdigit()]
    for index, box in zip(range(5, 55), infer, strict=True):
        inside = [words for words in numbers if box.x <= words.x <= box.x + box.width and words.text == str(index)]
        assert any(written_px(words.text, words.cap) <= box.width for words in inside)
    assert not any(written_px(words.text, words.cap) > WIDTH for words in drawing.words)


def test_nothing_is_drawn_outside_the_paper(drawing: Drawing) -> None:
    assert all(box.x >= 0 and box.x + box.width <= drawing.width for box in drawing.boxes)
    assert all(box.y >= 0 and box.y + box.height <= drawing.height for box in drawing.boxes)


def test_the_time_axis_has_round_steps_in_ms(drawing: Drawing) -> None:
    ticks = [float(words.text) for words in drawing.words if words.y > drawing.height - 50 and words.text[0].isdigit()]
    assert ticks[0] == 0
    assert len(ticks) <= 15
    assert {later - earlier for earlier, later in pairwise(ticks)} == {100.0}


@pytest.mark.parametrize("duration_ms", [0.0, 0.01, 3.0, 90_000.0])
def test_any_length_can_be_drawn(duration_ms: float) -> None:
    one = Span("infer", 0, "thread", 5 * MS, 5 * MS + round(duration_ms * MS), 0)
    drawn = timeline([one], title="short or long")
    assert all(np.isfinite([box.x, box.width]).all() for box in drawn.boxes)


def test_a_stage_that_nobody_knows_is_drawn_too() -> None:
    words = {words.text for words in timeline([Span("dream", 0, "thread", 0, MS, 0)], title="").words}
    assert "dream" in words


def test_the_svg_is_well_formed_and_tells_each_box(drawing: Drawing) -> None:
    root = ET.fromstring(svg(drawing))
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "infer, frame 5: 14.00 ms" in titles
    assert TITLE in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_is_on_white_and_has_the_colours_of_the_stages(drawing: Drawing) -> None:
    image = picture(drawing)
    assert image.shape == (round(2 * drawing.height), 2 * WIDTH, 3)
    assert (image[0] == 255).all()
    for stage in ("capture", "infer", "draw", "encode"):
        assert (image == bgr(COLORS[stage])).all(axis=2).sum() > 1000


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_a_plot_is_saved_and_never_replaces_anything(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"plot{ending}"
    claim(path, force=False)
    assert not path.exists()
    save_plot(path, frame_spans(3), title=TITLE, force=False)
    before = path.read_bytes()
    with pytest.raises(SinkError):
        save_plot(path, frame_spans(4), title=TITLE, force=False)
    with pytest.raises(SinkOpenError):
        claim(path, force=False)
    assert path.read_bytes() == before
    save_plot(path, frame_spans(4), title=TITLE, force=True)
    assert path.read_bytes() != before
    if ending == ".png":
        assert cv2.imread(str(path)) is not None


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError, match=r"plots end in \.svg or \.png"):
        claim(tmp_path / "plot.pdf", force=False)


def test_a_run_without_spans_cannot_be_plotted(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no stage said"):
        save_plot(tmp_path / "plot.svg", (), title=TITLE, force=False)
    assert not list(tmp_path.iterdir())

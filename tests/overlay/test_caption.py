"""The time and the source's name, burnt into a corner."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from streamer.clock import MonotonicClock
from streamer.frame import Detections, Frame, Image
from streamer.labels import Labels
from streamer.overlay import annotate, draw, time_of_day
from streamer.overlay.caption import NOTHING, Caption, caption_of, lay_out
from streamer.style import Style, ThemeName
from tests.overlay.test_themes import SIZES, THEMES, changed, crowd

BOTH = Style(timestamp=True, source_name=True)
LIVE = Caption("rtsp://***@camera.local/front", ("2026-11-27 19:28:05.123", "19:28:05.123", "19:28:05", "19:28"))


def frame(*, source: str = "clip.mp4", pts_s: float | None = 3690.5, size_px: tuple[int, int] = (320, 240)) -> Frame:
    return Frame(backdrop("grey", size_px), index=17, captured_ns=5, pts_s=pts_s, source=source)


def backdrop(kind: str, size_px: tuple[int, int]) -> Image:
    width, height = size_px
    if kind == "noise":
        return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return np.full((height, width, 3), {"black": 0, "grey": 128, "white": 255}[kind], np.uint8)


def seen_at_half_past_seven(captured_ns: int) -> datetime:
    assert captured_ns == 5
    return datetime(2026, 11, 27, 19, 30, 0, 7000, UTC)


class TestWords:
    def test_a_file_has_the_time_in_the_media_and_the_last_part_of_its_path(self) -> None:
        caption = caption_of(frame(source=str(Path("/home/someone/clip.mp4"))), BOTH, wall_clock=None)
        assert caption == Caption("clip.mp4", ("1:01:30.500", "1:01:30"))

    def test_a_live_stream_has_the_time_of_day(self) -> None:
        caption = caption_of(frame(source="0"), BOTH, wall_clock=seen_at_half_past_seven)
        assert caption.times[0] == "2026-11-27 19:30:00.007"
        assert caption.times[-1] == "19:30"
        assert sorted(map(len, caption.times), reverse=True) == list(map(len, caption.times))

    def test_a_picture_without_a_time_has_its_number(self) -> None:
        assert caption_of(frame(pts_s=None), BOTH, wall_clock=None).times == ("#17",)

    def test_only_what_is_asked_for_is_there(self) -> None:
        assert caption_of(frame(), Style(), wall_clock=None) == NOTHING
        assert caption_of(frame(), Style(timestamp=True), wall_clock=None).source == ""
        assert caption_of(frame(), Style(source_name=True), wall_clock=None).times == ()

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("rtsp://user:pa/ss@camera.local/front", "rtsp://***@camera.local/front"),
            ("http://camera.local/video?token=abc&size=2", "http://camera.local/video?token=***&size=2"),
            ("folder/\x1b[2J\u202ename\n.mp4", "[2Jname .mp4"),
            ("/dev/video0", "video0"),
        ],
    )
    def test_a_name_is_safe_to_show(self, source: str, name: str) -> None:
        assert caption_of(frame(source=source), BOTH, wall_clock=None).source == name

    @pytest.mark.parametrize(("pts_s", "time"), [(0.0, "0:00:00.000"), (59.9996, "0:01:00.000"), (-0.2, "0:00:00.000")])
    def test_times_are_rounded_to_milliseconds(self, pts_s: float, time: str) -> None:
        assert caption_of(frame(pts_s=pts_s), BOTH, wall_clock=None).times[0] == time


def test_the_time_of_day_is_that_of_the_capture() -> None:
    a_minute_ago = time_of_day(MonotonicClock().now_ns() - 60_000_000_000)
    assert 59.9 < (datetime.now().astimezone() - a_minute_ago).total_seconds() < 61


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size_px", [(64, 48), *SIZES, (240, 1000), (1000, 60)])
def test_it_stands_inside_in_the_lower_left_corner(theme: ThemeName, size_px: tuple[int, int]) -> None:
    image = backdrop("grey", size_px)
    inked = changed(image, draw(image, Detections.empty(), Labels(), Style(theme=theme), caption=LIVE))
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    assert rows[-1] >= size_px[1] - 1 - max(1, size_px[1] // 30)
    assert columns[0] <= max(1, size_px[0] // 30)
    laid_out = lay_out(LIVE, Style(theme=theme), size_px=size_px)
    assert laid_out is not None
    left, top, right, bottom = laid_out.box
    assert (left, top) <= (columns[0], rows[0])
    assert rows[-1] < bottom <= size_px[1]
    assert columns[-1] < right <= size_px[0]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", ["black", "grey", "white", "noise"])
@pytest.mark.parametrize("size_px", SIZES)
def test_it_can_be_read_on_any_background(theme: ThemeName, kind: str, size_px: tuple[int, int]) -> None:
    drawn = draw(backdrop(kind, size_px), Detections.empty(), Labels(), Style(theme=theme), caption=LIVE)
    laid_out = lay_out(LIVE, Style(theme=theme), size_px=size_px)
    assert laid_out is not None
    left, top, right, bottom = laid_out.box
    inner = drawn[top:bottom, left + laid_out.pad_px : right - laid_out.pad_px].max(axis=2)
    letters = np.vstack([np.pad(line, ((0, 0), (0, inner.shape[1] - line.shape[1]))) for line in laid_out.lines])
    assert inner[letters > 250].min() > 240
    assert inner[letters == 0].max() < 75
    assert 0.05 < (letters > 127).mean() < 0.5


def test_a_small_picture_has_the_short_time_and_no_name_where_only_one_fits() -> None:
    def width_px(size_px: tuple[int, int]) -> int:
        laid_out = lay_out(Caption(times=LIVE.times), Style(), size_px=size_px)
        assert laid_out is not None
        return int(laid_out.lines[-1].shape[1])

    assert width_px((320, 240)) > width_px((150, 120)) > width_px((80, 60))
    flat = lay_out(LIVE, Style(), size_px=(320, 20))
    assert flat is not None
    assert len(flat.lines) == 1
    tiny = lay_out(LIVE, Style(), size_px=(48, 60))
    assert tiny is not None
    assert len(tiny.lines) == 1, "three letters of a name tell nobody anything"
    assert lay_out(LIVE, Style(), size_px=(30, 20)) is None
    assert lay_out(NOTHING, Style(), size_px=(640, 480)) is None


def test_a_running_time_does_not_twitch() -> None:
    boxes = set()
    for time in ("11:11:11.111", "00:00:00.000", "19:28:05.473"):
        laid_out = lay_out(Caption(times=(time,)), Style(), size_px=(640, 480))
        assert laid_out is not None
        boxes.add(laid_out.box)
    assert len(boxes) == 1


def test_each_millisecond_changes_the_picture() -> None:
    image = backdrop("grey", (640, 480))
    drawn = {
        draw(image, Detections.empty(), Labels(), Style(), caption=Caption(times=(f"0:00:00.{ms:03d}",))).tobytes()
        for ms in range(20)
    }
    assert len(drawn) == 20


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_is_drawn_over_it_and_labels_keep_clear(theme: ThemeName) -> None:
    size_px = (640, 480)
    style = Style(theme=theme, boxes=False)
    laid_out = lay_out(LIVE, style, size_px=size_px)
    assert laid_out is not None
    left, top, right, bottom = laid_out.box
    image = backdrop("grey", size_px)
    alone = draw(image, Detections.empty(), Labels(), style, caption=LIVE)
    crowded = draw(image, crowd(50, size_px, seed=1), Labels(), style, caption=LIVE)
    differing = changed(alone, crowded)
    assert differing.any()
    assert differing[top:bottom, left:right].mean() < 0.2


def test_it_is_in_what_the_pipeline_draws() -> None:
    here = frame()
    nothing = Detections.empty()
    plain = annotate(here, nothing, labels=Labels(), style=Style())
    media = annotate(here, nothing, labels=Labels(), style=Style(timestamp=True))
    live = annotate(here, nothing, labels=Labels(), style=Style(timestamp=True), wall_clock=seen_at_half_past_seven)
    named = annotate(here, nothing, labels=Labels(), style=Style(source_name=True))
    np.testing.assert_array_equal(plain, here.image)
    assert len({picture.tobytes() for picture in (plain, media, live, named)}) == 4

"""Boxes, labels and the panel over pictures of any size."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.frame import Detections, Image, Ledger, Status
from streamer.labels import Labels
from streamer.overlay import draw, draw_view
from streamer.overlay.lettering import (
    BLACK,
    WHITE,
    ascii_text,
    cap_px,
    contrasting,
    fitted,
    line_px,
    padding_px,
    text_mask,
    text_px,
)
from streamer.overlay.placement import place
from streamer.style import Style

SIZES = ((176, 144), (320, 240), (640, 480), (1280, 720), (3840, 2160))
LABELS = Labels({0: "person", 1: "bicycle", 2: "dining table", 3: "Fußgängerüberweg", 4: "人", 5: "x" * 900})
STATUS = Status(
    state="running",
    live=True,
    capture_fps=30.0,
    detect_fps=5.0,
    view_fps=29.97,
    latency_p95_ms=211.7,
    age_ms=183.0,
    conf=0.5,
    runtime="TensorFlow 2.21 CPU",
    decoder="PyAV (OpenCV cannot decode av1)",
    ledger=Ledger(dropped=12),
)


def canvas(size_px: tuple[int, int], *, value: int = 128) -> Image:
    return np.full((size_px[1], size_px[0], 3), value, np.uint8)


def crowd(count: int, size_px: tuple[int, int], *, seed: int = 0) -> Detections:
    random = np.random.default_rng(seed)
    middle = random.uniform(0, 1, (count, 2))
    half = random.uniform(0.03, 0.2, (count, 2))
    boxes = np.hstack([middle - half, middle + half]) * np.tile(size_px, 2)
    return Detections.from_raw(boxes, random.uniform(0, 1, count), random.integers(0, 9, count), size_px=size_px)


def one(box: tuple[float, float, float, float], *, class_id: int = 0) -> Detections:
    return Detections(np.array([box], np.float32), np.array([0.87], np.float32), np.array([class_id], np.int32))


def changed(before: Image, after: Image) -> np.ndarray:
    """Where the two differ, as (height, width) bool."""
    return np.asarray((before != after).any(axis=2))


@given(
    size_px=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    drawn_for=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    count=st.integers(0, 40),
    seed=st.integers(0, 1000),
    style=st.builds(Style, boxes=st.booleans(), labels=st.booleans(), conf=st.booleans()),
)
@settings(deadline=None, max_examples=150)
def test_any_detections_can_be_drawn_on_an_image_of_any_size_which_stays_as_it_was(
    size_px: tuple[int, int], drawn_for: tuple[int, int], count: int, seed: int, style: Style
) -> None:
    image = canvas(size_px)
    image.setflags(write=False)
    drawn = draw(image, crowd(count, drawn_for, seed=seed), LABELS, style)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert drawn.flags.writeable
    assert not np.shares_memory(drawn, image)
    assert (image == 128).all()


def test_10_000_wild_rows_are_drawn_inside_the_image_at_the_usual_cost() -> None:
    random = np.random.default_rng(3)
    wild = random.uniform(-1, 1, (10_000, 4)) * 10.0 ** random.integers(0, 21, (10_000, 4))
    wild[::7] = np.nan
    wild[1::7] = np.inf
    begin = time.perf_counter()
    for rows in np.array_split(wild.astype(np.float32), 100):
        ids = np.arange(len(rows), dtype=np.int32)
        detections = Detections(rows, np.linspace(1, 0, len(rows), dtype=np.float32), ids)
        assert draw(canvas((640, 480)), detections, LABELS).shape == (480, 640, 3)
    assert time.perf_counter() - begin < 20, "a box with a wild corner costs 10 to 20 s when OpenCV is asked to fill it"


def test_a_box_outside_the_image_leaves_no_mark() -> None:
    image = canvas((100, 80))
    for box in ((100, 10, 140, 40), (10, 80, 40, 120), (-50, -50, 0, 0)):
        assert (draw(image, one(box), LABELS) == image).all()


def test_a_box_as_large_as_the_image_shows_all_of_its_line() -> None:
    drawn = draw(canvas((640, 480)), one((0, 0, 640, 480)), LABELS, Style(labels=False))
    color = np.array(LABELS.color(0))
    for line in (drawn[:5, 320], drawn[-5:, 320], drawn[240, :5], drawn[240, -5:]):
        assert (line == color).all(axis=1).sum() == 2


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("class_id", range(12))
def test_a_box_stands_out_from_any_background(value: int, class_id: int) -> None:
    drawn = draw(canvas((640, 480), value=value), one((100, 100, 300, 300), class_id=class_id), LABELS)
    across = drawn[200, 90:110].astype(int).mean(axis=1)
    assert across.max() - across.min() > 80


def test_lines_grow_with_the_image() -> None:
    widths = []
    for size_px in SIZES:
        middle = (size_px[0] * 0.25, size_px[1] * 0.25, size_px[0] * 0.75, size_px[1] * 0.75)
        drawn = draw(canvas(size_px), one(middle), LABELS, Style(labels=False))
        widths.append(int(changed(canvas(size_px), drawn)[size_px[1] // 2, : size_px[0] // 2].sum()))
    assert widths == sorted(widths)
    assert widths[0] == 3
    assert widths[-1] >= 9


@pytest.mark.parametrize("size_px", SIZES)
def test_text_is_high_enough_to_be_read(size_px: tuple[int, int]) -> None:
    cap = cap_px(size_px)
    inked = np.flatnonzero((text_mask("H", cap) > 127).any(axis=1))
    assert abs(len(inked) - cap) <= 1
    assert cap >= 8
    assert size_px[1] / 75 < cap < size_px[1] / 12


def test_the_better_score_lies_on_top() -> None:
    boxes = np.array([(100, 100, 300, 300), (102, 102, 302, 302)], np.float32)
    detections = Detections(boxes, np.array([0.9, 0.5], np.float32), np.array([0, 1], np.int32))
    alone = draw(canvas((640, 480)), detections[:1], LABELS, Style(labels=False))
    both = draw(canvas((640, 480)), detections, LABELS, Style(labels=False))
    line = changed(canvas((640, 480)), alone)
    assert (both[line] == alone[line]).all()


def test_style_takes_boxes_and_labels_and_scores_away() -> None:
    image, detections = canvas((640, 480)), one((100, 100, 300, 300))
    inked = {
        style: int(changed(image, draw(image, detections, LABELS, style)).sum())
        for style in (
            Style(),
            Style(conf=False),
            Style(labels=False),
            Style(boxes=False),
            Style(boxes=False, labels=False),
        )
    }
    assert inked[Style()] > inked[Style(conf=False)] > inked[Style(labels=False)] > inked[Style(boxes=False)] > 0
    assert inked[Style(boxes=False, labels=False)] == 0


@pytest.mark.parametrize("label", ["\u202e", "", "\U000e0041"])
def test_a_label_that_the_font_lacks_is_drawn_as_its_number(label: str) -> None:
    image, detections = canvas((640, 480)), one((100, 100, 300, 300), class_id=4)
    assert (draw(image, detections, Labels({4: label})) == draw(image, detections, Labels())).all()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("café", "cafe"),
        ("Fußgänger", "Fussganger"),
        ("Łódź", "Lodz"),
        ("日本 cat", "cat"),
        ("a…", "a..."),
        ("ﬁsh", "fish"),
    ],
)
def test_letters_that_the_font_lacks_are_replaced_by_their_like(text: str, plain: str) -> None:
    assert ascii_text(text) == plain


@given(text=st.text(max_size=64), cap=st.integers(8, 40), width_px=st.integers(0, 500))
@settings(deadline=None, max_examples=60)
def test_fitted_text_fits(text: str, cap: int, width_px: int) -> None:
    cut = fitted(ascii_text(text), cap, width_px)
    assert not cut or text_px(cut, cap) <= width_px


def test_a_long_label_is_cut_with_an_ellipsis() -> None:
    assert fitted("a very long label indeed", 10, 90).endswith("...")
    assert fitted("short", 10, 90) == "short"


@pytest.mark.parametrize("class_id", range(40))
def test_letters_on_a_class_colour_have_a_contrast_of_at_least_4_5(class_id: int) -> None:
    def luminance(color: tuple[int, int, int]) -> float:
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(color) / 255]
        return float(np.dot(channels, (0.0722, 0.7152, 0.2126)))

    color = LABELS.color(class_id)
    lower, higher = sorted((luminance(color), luminance(contrasting(color))))
    assert (higher + 0.05) / (lower + 0.05) >= 4.5
    assert contrasting(color) in {BLACK, WHITE}


def places(boxes: list[tuple[int, int, int, int]], *, label_px: tuple[int, int] = (60, 16)) -> list[np.ndarray | None]:
    sizes = np.tile(np.array([label_px, (label_px[0] // 2, label_px[1])], np.int32), (len(boxes), 1, 1))
    found = place(np.array(boxes, np.int32), sizes, size_px=(640, 480), edge_px=2)
    return [
        None if spot is None else np.array((spot.x, spot.y, spot.x + sizes[0, spot.size, 0], spot.y + label_px[1]))
        for spot in found
    ]


def overlap(one_box: np.ndarray, other: np.ndarray) -> int:
    sides = np.minimum(one_box[2:], other[2:]) - np.maximum(one_box[:2], other[:2])
    return int(np.prod(np.maximum(sides, 0)))


def test_a_label_goes_above_its_box_and_below_the_edge_of_the_image() -> None:
    above, top = places([(100, 100, 200, 200), (300, 2, 400, 300)])
    assert above is not None
    assert top is not None
    assert tuple(above) == (100, 84, 160, 100)
    assert tuple(top) == (302, 4, 362, 20)


def test_two_boxes_on_one_another_get_labels_beside_each_other() -> None:
    first, second = places([(100, 100, 300, 300), (102, 102, 302, 302)])
    assert first is not None
    assert second is not None
    assert overlap(first, second) == 0


@given(
    corners=st.lists(st.tuples(st.integers(0, 620), st.integers(0, 460)), min_size=1, max_size=60),
    side_px=st.integers(1, 300),
)
@settings(deadline=None, max_examples=80)
def test_labels_stay_in_the_image_and_hide_little_of_each_other(corners: list[tuple[int, int]], side_px: int) -> None:
    found = places([(x, y, min(640, x + side_px), min(480, y + side_px)) for x, y in corners])
    shown = [spot for spot in found if spot is not None]
    assert found[0] is not None
    for spot in shown:
        assert (spot >= 0).all()
        assert (spot <= np.array((640, 480, 640, 480))).all()
    for later, spot in enumerate(shown):
        area = np.prod(spot[2:] - spot[:2])
        assert max((overlap(spot, other) for other in shown[:later]), default=0) <= 0.2 * area


def test_twenty_boxes_at_their_usual_density_all_keep_their_labels_apart() -> None:
    boxes = [
        (20 + 150 * column, 30 + 90 * row, 120 + 150 * column, 100 + 90 * row)
        for row in range(5)
        for column in range(4)
    ]
    found = places(boxes)
    assert all(spot is not None for spot in found)
    for one_spot, other in itertools.combinations([spot for spot in found if spot is not None], 2):
        assert overlap(one_spot, other) == 0


@pytest.mark.parametrize("size_px", SIZES)
@pytest.mark.parametrize("full", [True, False])
def test_the_panel_stays_in_its_corner_and_leaves_its_input_alone(size_px: tuple[int, int], full: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    image = canvas(size_px)
    image.setflags(write=False)
    inked = changed(image, draw_view(image, STATUS, panel=full))
    assert inked.any() == full
    assert not inked[round(0.75 * size_px[1]) :].any()
    assert not inked[:, round(0.75 * size_px[0]) :].any()


@pytest.mark.parametrize("state", ["starting", "paused", "stalled", "draining", "ended"])
def test_what_must_not_be_missed_is_shown_without_the_panel(state: str) -> None:
    image = canvas((640, 480))
    assert changed(image, draw_view(image, Status(state=state), panel=False)).any()
    assert changed(image, draw_view(image, Status(state="running", recording=True), panel=False)).any()
    assert not changed(image, draw_view(image, Status(state="running"), panel=False)).any()


@pytest.mark.parametrize(("state", "color"), [("paused", (40, 180, 250)), ("stalled", (50, 50, 205))])
def test_a_run_that_stands_still_has_a_coloured_head(state: str, color: tuple[int, int, int]) -> None:
    drawn = draw_view(canvas((640, 480)), Status(state=state, detail="waits for the camera"))
    assert (drawn == np.array(color)).all(axis=2).sum() > 1000


def test_a_recording_has_a_red_dot() -> None:
    drawn = draw_view(canvas((640, 480)), Status(state="running", recording=True))
    assert (drawn == np.array((60, 60, 240))).all(axis=2).sum() > 30


@given(size_px=st.tuples(st.integers(1, 400), st.integers(1, 400)), detail=st.text(max_size=300))
@settings(deadline=None, max_examples=80)
def test_the_panel_and_the_keys_can_be_drawn_on_an_image_of_any_size(size_px: tuple[int, int], detail: str) -> None:
    image = canvas(size_px)
    status = Status(state="stalled", detail=detail, live=True, capture_fps=1e9, latency_p95_ms=1e12, recording=True)
    assert draw_view(image, status).shape == image.shape
    assert draw_view(image, status, keys=True).shape == image.shape
    assert (image == 128).all()


def test_the_view_is_copied_once_or_not_at_all() -> None:
    image = canvas((640, 480))
    image.setflags(write=False)
    assert draw_view(image, Status(state="running"), panel=False) is image
    drawn = draw_view(image, STATUS, keys=True)
    assert not np.shares_memory(drawn, image)
    own = canvas((640, 480))
    assert draw_view(own, STATUS, keys=True, own=True) is own
    np.testing.assert_array_equal(own, drawn)


@pytest.mark.parametrize("size_px", SIZES)
def test_all_keys_fit_on_the_image(size_px: tuple[int, int]) -> None:
    inked = changed(canvas(size_px), draw_view(canvas(size_px), Status(state="running"), panel=False, keys=True))
    assert inked.any()
    assert not inked[0].any()
    assert not inked[-1].any()
    assert not inked[:, 0].any()


def test_the_usual_frame_is_drawn_within_5_ms() -> None:
    image, detections = canvas((640, 480)), crowd(16, (640, 480))
    draw(image, detections, LABELS)
    durations = []
    for _ in range(100):
        begin = time.thread_time_ns()
        draw(image, detections, LABELS)
        durations.append((time.thread_time_ns() - begin) / 1e6)
    assert sorted(durations)[98] < 5.0


def test_a_line_of_text_has_room_for_its_tails() -> None:
    large = 96
    lowest = np.flatnonzero((text_mask("gjpqy", large) > 127).any(axis=1))[-1]
    tail = (lowest + 1 - padding_px(large) - large) / large
    assert 0.2 < tail < 0.42
    for cap in range(8, 64):
        assert line_px(cap) == cap + 2 * padding_px(cap)
        assert tail * cap <= padding_px(cap)

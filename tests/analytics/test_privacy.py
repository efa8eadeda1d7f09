"""Which pixels are hidden, for how long, and what is reported all the same."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.analytics.privacy import GROWTH_PER_S, MARGIN, STALE_NS, Blur, hide
from streamer.clock import NS_PER_MS, NS_PER_S
from streamer.errors import ConfigError
from streamer.frame import Detections, Frame, Image
from streamer.labels import Labels
from tests.fakes import FakeDetector

SIZE_PX = (320, 240)
FACE = 2
BLUR = Blur(frozenset({FACE}))


def noise() -> Image:
    return np.random.default_rng(7).integers(0, 256, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)


FRAME = Frame(noise(), 0, 0)


def seen(*boxes: tuple[float, float, float, float], class_id: int = FACE, age_ns: int = 0) -> Detections:
    rows = np.array(boxes).reshape(-1, 4)
    return Detections.from_raw(rows, [0.9] * len(rows), [class_id] * len(rows), size_px=SIZE_PX).aged(age_ns)


def hidden_by(detections: Detections) -> NDArray[np.bool_]:
    """The pixels of FRAME that are not what they were; of noise, that is nearly all that was touched."""
    image = BLUR.update(FRAME, detections).image
    return np.zeros(SIZE_PX[::-1], bool) if image is None else (image != FRAME.image).any(axis=2)


def extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def test_the_box_is_hidden_with_its_margin_and_nothing_else() -> None:
    mask = hidden_by(seen((100, 100, 140, 160)))
    across, down = MARGIN * 40, MARGIN * 60
    assert extent(mask) == (100 - across, 100 - down, 140 + across, 160 + down)
    assert mask[round(100 - down) : round(160 + down), round(100 - across) : round(140 + across)].mean() > 0.99


def test_the_captured_image_stays_as_it_was_and_is_handed_on_where_nothing_is_hidden() -> None:
    before = noise()
    assert BLUR.update(FRAME, seen((9, 9, 60, 60), class_id=1)).image is None
    assert BLUR.update(FRAME, Detections.empty()).image is None
    assert BLUR.update(FRAME, seen((9, 9, 60, 60))).image is not None
    np.testing.assert_array_equal(FRAME.image, before)


@pytest.mark.parametrize("off", [(-0.2, 0.0), (0.2, 0.0), (0.0, -0.2), (0.2, 0.2)])
def test_a_box_that_lies_a_fifth_beside_its_face_hides_it_all_the_same(off: tuple[float, float]) -> None:
    dx, dy = off[0] * 40, off[1] * 60
    assert hidden_by(seen((100 + dx, 100 + dy, 140 + dx, 160 + dy)))[100:160, 100:140].mean() > 0.99


@pytest.mark.parametrize("age_ms", [50, 100, 200, 400])
def test_a_head_that_leans_over_does_not_leave_its_old_box(age_ms: int) -> None:
    moved = round(0.5 / 0.16 * 40 * age_ms / 1000)  # half a metre a second, of a face that is 16 cm wide
    mask = hidden_by(seen((100, 100, 140, 160), age_ns=age_ms * NS_PER_MS))
    assert mask[100:160, 100 + moved : 140 + moved].mean() > 0.99


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_older_boxes_hide_more(one_ms: int, other_ms: int) -> None:
    box = (150, 110, 162, 126)
    younger, older = sorted((one_ms, other_ms))
    inner, outer = (extent(hidden_by(seen(box, age_ns=ms * NS_PER_MS))) for ms in (younger, older))
    assert outer[0] <= inner[0]
    assert outer[1] <= inner[1]
    assert outer[2] >= inner[2]
    assert outer[3] >= inner[3]


def test_they_grow_by_their_shorter_side() -> None:
    mask = hidden_by(seen((150, 80, 160, 120), age_ns=NS_PER_S // 2))
    reach = GROWTH_PER_S / 2 * 10
    assert extent(mask) == (147 - reach, 70 - reach, 163 + reach, 130 + reach)


@pytest.mark.parametrize(
    "detections",
    [
        Detections.unknown(),
        seen(age_ns=STALE_NS + 1),
        seen((9, 9, 20, 20), class_id=1, age_ns=STALE_NS + 1),
    ],
    ids=["nobody looked", "stale", "stale, and another class"],
)
def test_what_nobody_knows_is_hidden_whole(detections: Detections) -> None:
    assert hidden_by(detections).mean() > 0.99


def test_boxes_of_two_seconds_still_count() -> None:
    assert not hidden_by(seen(age_ns=STALE_NS)).any()


def test_boxes_at_the_edge_are_hidden_to_the_edge() -> None:
    mask = hidden_by(seen((0, 0, 20, 30), (300, 200, 320, 240)))
    assert mask[:30, :20].mean() > 0.98
    assert mask[200:, 300:].mean() > 0.98


class TestHide:
    LABELS = Labels({1: "person", 2: "face"})

    def detector(self) -> FakeDetector:
        boxes = [(10, 10, 60, 200), (100, 20, 130, 60), (200, 20, 230, 60)]
        return FakeDetector(boxes=boxes, scores=(0.9, 0.8, 0.3), class_ids=(1, 2, 2), labels=self.LABELS)

    def test_the_names_are_those_of_the_model(self) -> None:
        with pytest.raises(ConfigError, match=r"--blur: no class is called 'fase' \(did you mean face\?\)"):
            hide(self.detector(), ["person", "fase"])
        with pytest.raises(ConfigError, match=r"--classes: no class is called 'dog'"):
            hide(self.detector(), ["face"], classes=["dog"])

    def test_it_hides_what_is_not_reported_and_reports_what_is_hidden(self) -> None:
        wary, blur = hide(self.detector(), ["Face"])
        analysis = blur.update(FRAME, wary.detect([FRAME.image])[0])
        assert analysis.detections.class_ids.tolist() == [1, 2]
        assert analysis.image is not None
        changed = (analysis.image != FRAME.image).any(axis=2)
        assert changed[20:60, 100:130].mean() > 0.98
        assert changed[20:60, 200:230].mean() > 0.98
        assert not changed[100:].any()

    def test_several_classes(self) -> None:
        wary, blur = hide(self.detector(), ["face", "person"], classes=["person"], max_det=1)
        analysis = blur.update(FRAME, wary.detect([FRAME.image])[0])
        assert analysis.detections.class_ids.tolist() == [1]
        assert analysis.image is not None
        assert (analysis.image != FRAME.image)[10:200, 10:60].any(axis=2).mean() > 0.98

    def test_it_says_what_it_does_and_what_it_cannot(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        hide(self.detector(), ["face"])
        assert "blurred: face, from a score of 0.15 on; where the model misses one on a frame" in caplog.text

"""Nothing that leaves the pipeline holds what is hidden: sinks, view, snapshots, results."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.analytics.privacy import GROWTH_PER_S, STALE_NS, Blur, hide
from streamer.analytics.wary import Wary
from streamer.cli.desk import Desk
from streamer.clock import NS_PER_S, FakeClock
from streamer.frame import Detections, Frame, Image, Result
from streamer.interfaces import Analysis, Command
from streamer.labels import Labels
from streamer.overlay import annotate
from streamer.pipeline import Pipeline
from streamer.style import Style
from tests.fakes import FakeDetector, Gate
from tests.rooms import ListSink, ScriptedSource, ScriptedView

SIZE_PX = (160, 120)
BOX = (40, 30, 80, 80)
LABELS = Labels({1: "person", 2: "face"})
STYLE = Style(boxes=False, labels=False)


def original(index: int) -> Image:
    return np.random.default_rng(index).integers(0, 256, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)


class NoisySource(ScriptedSource):
    """Every frame another noise, so that each of its pixels is known again; a new epoch from frame `epoch_at` on."""

    epoch_at = 10**9

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            image, pts_s = original(frame.index), None if self.live else frame.pts_s
            epoch = int(frame.index >= self.epoch_at)
            yield Frame(image, frame.index, frame.captured_ns, pts_s=pts_s, epoch=epoch, source=frame.source)


def kept(image: Image, index: int) -> NDArray[np.bool_]:
    """Which pixels are those that were captured."""
    same: NDArray[np.bool_] = (image == original(index)).all(axis=2)
    return same


def hides_the_box(image: Image, index: int) -> bool:
    """Whether the box is hidden, and the rest of the picture is not."""
    x1, y1, x2, y2 = BOX
    same = kept(image, index)
    return not hides_all(image, index) and same[y1:y2, x1:x2].mean() < 0.01 and bool(same[:, 120:].all())


def hides_all(image: Image, index: int) -> bool:
    return bool(kept(image, index).mean() < 0.01)


def fake(*, score: float = 0.9, raise_at: frozenset[int] = frozenset(), on_detect: Gate | None = None) -> FakeDetector:
    return FakeDetector(
        boxes=(BOX,), scores=(score,), class_ids=(2,), labels=LABELS, raise_at=raise_at, on_detect=on_detect
    )


def hiding(detector: FakeDetector) -> tuple[Wary, Blur]:
    return hide(detector, ["face"])


def test_an_analyzers_picture_takes_the_place_of_the_frame_for_all_that_come_after() -> None:
    class Dark:
        def update(self, frame: Frame, detections: Detections) -> Analysis:
            return Analysis(detections, image=np.zeros_like(frame.image))

    class Looks:
        def __init__(self) -> None:
            self.brightest = 0

        def update(self, frame: Frame, detections: Detections) -> Analysis:
            self.brightest = max(self.brightest, int(frame.image.max()))
            return Analysis(detections)

    before, after, sink, lines = Looks(), Looks(), ListSink(), ListSink(role="report", needs_image=False)
    source = NoisySource(3, size_px=SIZE_PX)
    Pipeline(source, fake(), [sink, lines], analyzers=[before, Dark(), after]).run()
    assert (before.brightest, after.brightest) == (255, 0)
    for result in (*sink.results, *lines.results):
        assert not result.frame.image.any()
        assert not result.frame.image.flags.writeable
    assert all(result.image is not None and not result.image.any() for result in sink.results)
    assert [result.frame.pts_s for result in sink.results] == [0, 1 / 30, 2 / 30]


def test_sinks_view_and_snapshot_get_no_pixel_of_it(tmp_path: Path) -> None:
    detector, blur = hiding(fake())
    sink, lines = ListSink(), ListSink(role="report", needs_image=False)
    view = ScriptedView([(3, Command.PAUSE), (4, Command.SNAPSHOT), (5, Command.REDRAW), (6, Command.PAUSE)])
    desk = Desk(LABELS, style=STYLE, snapshot_dir=tmp_path)
    source = NoisySource(8, size_px=SIZE_PX)
    Pipeline(source, detector, [sink, lines], view=view, draw=desk.draw, analyzers=[blur], on_command=desk.obey).run()
    assert len(sink.results) == len(lines.results) == 8
    for result in (*sink.results, *lines.results):
        assert hides_the_box(result.frame.image, result.frame.index)
        assert len(result.detections) == 1
    assert all(result.image is not None and hides_the_box(result.image, result.frame.index) for result in sink.results)
    assert len(view.shown) > 8
    for image in view.shown:
        assert any(hides_the_box(image, index) for index in range(8))
    (snapshot,) = tmp_path.glob("*.png")
    taken = np.asarray(cv2.imread(str(snapshot)), np.uint8)
    assert any(hides_the_box(taken, index) for index in range(8))


def test_results_hold_no_pixel_of_it() -> None:
    detector, blur = hiding(fake())
    drawn = partial(annotate, labels=LABELS, style=STYLE)
    results = list(Pipeline(NoisySource(5, size_px=SIZE_PX), detector, draw=drawn, analyzers=[blur]).results())
    assert len(results) == 5
    for result in results:
        assert result.image is not None
        assert hides_the_box(result.image, result.frame.index)
        assert hides_the_box(result.frame.image, result.frame.index)


def test_a_frame_on_which_the_detector_fails_is_hidden_whole() -> None:
    detector, blur = hiding(fake(raise_at=frozenset({3})))
    sink = ListSink()
    report = Pipeline(NoisySource(8, size_px=SIZE_PX), detector, [sink], analyzers=[blur]).run()
    assert [hides_all(result.frame.image, result.frame.index) for result in sink.results] == [n == 3 for n in range(8)]
    assert [result.failed for result in sink.results] == [n == 3 for n in range(8)]
    assert (report.ledger.inferred, report.ledger.failed, report.ledger.recorded) == (7, 1, 8)


def test_the_keys_move_what_is_reported_and_uncover_nothing() -> None:
    detector, blur = hiding(fake(score=0.6))
    view = ScriptedView([(count, Command.CONF_UP) for count in range(1, 6)] + [(8, Command.QUIT)])
    sink = ListSink()
    source = NoisySource(40, size_px=SIZE_PX)
    Pipeline(source, detector, [sink], view=view, analyzers=[blur]).run()
    assert detector.conf == pytest.approx(0.75)
    assert len(sink.results[0].detections) == 1
    assert len(sink.results[-1].detections) == 0
    assert all(hides_the_box(result.frame.image, result.frame.index) for result in sink.results)
    assert all(any(hides_the_box(image, index) for index in range(40)) for image in view.shown)


def test_boxes_that_are_carried_are_grown_by_their_age_and_no_longer_trusted_after_two_seconds() -> None:
    detector, blur = hiding(fake())
    sink = ListSink()
    report = Pipeline(NoisySource(120, size_px=SIZE_PX), detector, [sink], analyzers=[blur], detect_every=100).run()
    assert (report.ledger.inferred, report.ledger.carried) == (2, 118)
    for result in sink.results:
        hidden, age_s = ~kept(result.frame.image, result.frame.index), result.frame.index % 100 / 30
        assert hides_all(result.frame.image, result.frame.index) or age_s <= STALE_NS / NS_PER_S
        reach = round(0.9 * GROWTH_PER_S * age_s * (BOX[2] - BOX[0]))
        assert hidden[max(0, BOX[1] - reach) : BOX[3] + reach, max(0, BOX[0] - reach) : BOX[2] + reach].mean() > 0.98
    assert hides_the_box(sink.results[5].frame.image, 5)
    assert hides_the_box(sink.results[100].frame.image, 100)


def test_with_every_nth_looked_at_what_nobody_has_seen_is_hidden_whole() -> None:
    detector, blur = hiding(fake(raise_at=frozenset({1})))
    sink, source = ListSink(), NoisySource(24, size_px=SIZE_PX)
    source.epoch_at = 18
    Pipeline(source, detector, [sink], analyzers=[blur], detect_every=4).run()
    whole = [n for n, result in enumerate(sink.results) if hides_all(result.frame.image, n)]
    assert whole == [4, 18, 19]
    assert not any(kept(result.frame.image, n)[30:80, 40:80].mean() > 0.01 for n, result in enumerate(sink.results))


class TestLive:
    def test_until_the_detector_has_seen_an_epoch_all_of_it_is_hidden(self) -> None:
        gate = Gate(at=1)
        results = _run(20, fake(on_detect=gate), gate, epoch_at=10)
        for result in results[5:10]:
            assert hides_the_box(result.frame.image, result.frame.index)
        for result in results[10:]:
            assert hides_all(result.frame.image, result.frame.index)

    def test_a_detector_that_never_answers_uncovers_nothing(self) -> None:
        gate = Gate(at=0)
        results = _run(20, fake(on_detect=gate), gate)
        assert all(hides_all(result.frame.image, result.frame.index) for result in results)

    def test_boxes_that_are_too_old_are_no_longer_trusted(self) -> None:
        gate = Gate(at=1)
        results = _run(30, fake(on_detect=gate), gate, interval_s=0.1)
        old = [result for result in results if result.detections.age_ns > STALE_NS]
        assert old
        assert all(hides_all(result.frame.image, result.frame.index) for result in old)
        young = [result for result in results[5:] if result.detections.age_ns < STALE_NS / 4]
        assert not any(hides_all(result.frame.image, result.frame.index) for result in young)

    def test_a_frame_on_which_it_fails_goes_under_the_boxes_before(self) -> None:
        gate = Gate(at=2)
        results = _run(20, fake(on_detect=gate, raise_at=frozenset({1})), gate)
        assert all(hides_the_box(result.frame.image, result.frame.index) for result in results[5:])
        assert not any(kept(result.frame.image, result.frame.index)[30:80, 40:80].mean() > 0.01 for result in results)


def _run(
    count: int, detector: FakeDetector, gate: Gate, *, interval_s: float = 0.001, epoch_at: int = 10**9
) -> list[Result]:
    """Frames come as fast as they are kept, and from the fifth on while the detector is held."""
    sink, clock = ListSink(), FakeClock()

    def read(number: int) -> None:
        _wait_for(lambda: sink.written == number)
        assert number < 5 or gate.reached.wait(30)

    source = NoisySource(count, live=True, on_read=read, clock=clock, interval_s=interval_s, size_px=SIZE_PX)
    source.epoch_at = epoch_at
    wary, blur = hiding(detector)
    pipeline = Pipeline(source, wary, [sink], analyzers=[blur], clock=clock)
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    _wait_for(lambda: sink.written == count)
    gate.opened.set()
    runner.join()
    assert pipeline.ledger.balanced
    return sink.results


def _wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0.001)

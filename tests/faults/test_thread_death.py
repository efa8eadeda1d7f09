"""FAULTS 51: a stage's thread dies anywhere; the whole run ends, with the first cause, and nothing is left."""

import itertools
import random
import threading
import time
from typing import Any

import pytest

from streamer.channel import Channel
from streamer.clock import MonotonicClock
from streamer.flow.between import Between
from streamer.frame import Detections, Frame, Image, Result, Status
from streamer.interfaces import Analysis
from streamer.pipeline import Pipeline
from tests.fakes import FakeDetector
from tests.faults.figures import report
from tests.rooms import ListSink, ScriptedSource, ScriptedView

POINTS = 300
SITES = [
    "source.read",
    "source.close",
    "detector",
    "analyzer",
    "draw",
    "between",
    "sink.write",
    "sink.close",
    "view.render",
    "view.show",
    "clock",
    "channel.put",
    "channel.get",
    "channel.close",
    "channel.abort",
]


class Death(BaseException):
    """Not an Exception, so that nothing that forgives exceptions forgives it."""


class Killer:
    """Raises Death the n-th time that `site` is passed; remembers when."""

    def __init__(self, site: str, *, at: int) -> None:
        self.site = site
        self.struck_ns: int | None = None
        self._left = at
        self._lock = threading.Lock()

    def passes(self, site: str) -> None:
        if site != self.site:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
            self.struck_ns = time.monotonic_ns()
        raise Death(site)


class MortalClock(MonotonicClock):
    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def now_ns(self) -> int:
        self._killer.passes("clock")
        return super().now_ns()


class MortalView(ScriptedView):
    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    def render(self, result: Result, status: Status) -> Image:
        self._killer.passes("view.render")
        return super().render(result, status)

    def show(self, image: Image) -> None:
        self._killer.passes("view.show")
        super().show(image)


class MortalSource(ScriptedSource):
    killer: Killer

    def close(self) -> None:
        super().close()
        self.killer.passes("source.close")


class MortalAnalyzer:
    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def update(self, _frame: Frame, detections: Detections) -> Analysis:
        self._killer.passes("analyzer")
        return Analysis(detections)


def mortal_channels(monkeypatch: pytest.MonkeyPatch, killer: Killer) -> None:
    for verb in ("put", "get", "close", "abort"):
        original = getattr(Channel, verb)

        def deadly(self: Any, *args: Any, _original: Any = original, _verb: str = verb, **kwargs: Any) -> Any:
            killer.passes(f"channel.{_verb}")
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Channel, verb, deadly)


def mortal_smoothing(monkeypatch: pytest.MonkeyPatch, killer: Killer) -> None:
    original = Between.at

    def deadly(self: Between, share: float) -> Detections:
        killer.passes("between")
        return original(self, share)

    monkeypatch.setattr(Between, "at", deadly)


def one_death(monkeypatch: pytest.MonkeyPatch, seed: int) -> tuple[str, float | None]:
    """Run once with a death chosen by `seed`; the site, and the milliseconds until the run was over if it struck."""
    chance = random.Random(seed)
    killer = Killer(chance.choice(SITES), at=chance.randrange(1, 40))
    if killer.site.endswith(".close") or killer.site == "channel.abort":
        killer = Killer(killer.site, at=chance.randrange(1, 4))
    live = chance.random() < 0.5
    count = chance.choice([None, 60])
    source = MortalSource(count, live=live, interval_s=0.0005, on_read=lambda _number: killer.passes("source.read"))
    source.killer = killer

    def draw(frame: Frame, _detections: Detections) -> Image:
        killer.passes("draw")
        return frame.image.copy()

    sinks = [
        ListSink(on_write=lambda _number: killer.passes("sink.write"), on_close=lambda: killer.passes("sink.close")),
        ListSink(role="report", needs_image=False),
    ]
    view = MortalView(killer) if chance.random() < 0.5 else None
    concurrency = chance.choice([1, 2, 3])
    pipeline = Pipeline(
        source,
        FakeDetector(on_detect=lambda _number: killer.passes("detector"), concurrency=concurrency),
        sinks,
        view=view,
        draw=draw,
        analyzers=[MortalAnalyzer(killer)],
        detect_every=chance.choice([1, 4]),
        box_timing=chance.choice(["now", "smooth"]),
        clock=MortalClock(killer),
    )
    # What is only passed at the end would never be reached in a stream without one.
    rescue = threading.Timer(0.2, pipeline.stop)
    rescue.start()
    outcome: list[BaseException | None] = []
    with monkeypatch.context() as patch:
        mortal_channels(patch, killer)
        mortal_smoothing(patch, killer)
        try:
            pipeline.run()
            outcome.append(None)
        except Death as death:
            outcome.append(death)
    ended_ns = time.monotonic_ns()
    rescue.cancel()
    rescue.join()
    if killer.struck_ns is None:
        assert outcome == [None]
        return killer.site, None
    assert isinstance(outcome[0], Death), (killer.site, seed, outcome)
    return killer.site, (ended_ns - killer.struck_ns) / 1e6


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_row_51_death_anywhere_ends_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    struck: dict[str, list[float]] = {}
    seeds = itertools.count()
    while sum(map(len, struck.values())) < POINTS:
        seed = next(seeds)
        site, took_ms = one_death(monkeypatch, seed)
        if took_ms is not None:
            struck.setdefault(site, []).append(took_ms)
        assert set(threading.enumerate()) == before, (seed, site)
    worst_ms = max(max(times) for times in struck.values())
    figure = f"{POINTS} deaths at {len(SITES)} kinds of places, 0 hangs, 0 threads left, worst {{:.1f}} ms"
    report(51, figure, worst_ms, line="0 hangs, 0 leaked threads", passed=set(threading.enumerate()) == before)
    for site in SITES:
        print(f"  {site:14} {len(struck[site]):3} deaths, worst {max(struck[site]):.1f} ms")

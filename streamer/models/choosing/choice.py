"""Which way of running a model is the fastest that sees the same: all are made, compared and timed, and one is kept.

The reference is the graph as it was saved. Called by opening.py on the first use of a model.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from streamer.errors import ModelError, ModelLoadError, StreamerError
from streamer.frame import Detections, Image
from streamer.models.choosing.agreement import MOST_SCORE, Agreement, agreement
from streamer.models.choosing.lowerings import Refused, lowerings
from streamer.models.choosing.record import Measured, Record, keep, workshop
from streamer.models.choosing.tflite_ways import tflite_ways
from streamer.models.detector import ModelDetector
from streamer.models.loaded import Loaded
from streamer.models.lowering.scenery import texture
from streamer.models.naming import Naming
from streamer.models.networks import cores, open_network
from streamer.models.options import ModelOptions
from streamer.models.plan import Plan
from streamer.models.running import Lowered, LoweredRun, RuntimeName
from streamer.models.runtimes.litert import LiteRTGraph
from streamer.text import printable

logger = logging.getLogger(__name__)

LEVELS = (0.3, 0.1, 0.03, 0.02)
"""Scores from which on detections are compared: the highest at which there are ENOUGH of them."""

ENOUGH = 20
ROUNDS = 8
ROUND_S = 0.15
"""Each way is timed so often, for so long, in turns; its best round counts: what else the machine does only adds."""

_PICTURES = 8
"""The most that ways are compared on; quantising may look at more."""

_TEXTURES_PX = ((640, 480), (400, 600))
"""(width, height) of what is looked at besides."""

_WARM_UPS = 2

GAIN = 1.05
"""Another way than the reference has to be so much faster: less is noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model that is loaded and understood, and where it is from."""

    path: Path
    loaded: Loaded
    plan: Plan
    naming: Naming


@dataclass(slots=True)
class _Contestant:
    """A way that was found equal, with its times."""

    lowered: Lowered | None
    extent: str
    files: ModelDetector
    live: ModelDetector
    agreement: Agreement | None
    latencies_s: list[float] = field(default_factory=list)
    rates_fps: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    @property
    def computed_s(self) -> float:
        """What a picture of a file costs: processor time, which other work on the machine hardly moves.

        While a file is run every core has something to do. On a GPU it is the time that passes.
        """
        on_gpu = "GPU" in self.files.runtime
        return 1 / max(self.rates_fps) if on_gpu else min(self.cpu_s) / cores()

    @property
    def is_fit(self) -> bool:
        """Whether it sees the same, or was asked for as it is."""
        int8 = self.lowered is not None and self.lowered.int8
        return self.agreement is None or self.agreement.is_equal or int8

    def measured(self) -> Measured:
        return Measured(
            runtime=self.files.runtime,
            extent=self.extent,
            latency_ms=1000 * min(self.latencies_s),
            fps=max(self.rates_fps),
            cpu_ms=1000 * min(self.cpu_s),
            agreement=self.agreement,
        )


def choose(subject: Subject, options: ModelOptions, *, key: str, key_for_any: str, pictures: Sequence[Image]) -> Record:
    """Compare, time and keep. The subject's graph stays open.

    key: what the record is found by; key_for_any: the same where what was chosen takes frames of any size.
    pictures: photographs, (H, W, 3) uint8 BGR, that the model is looked at on; some textures are added.

    Raises ModelLoadError where a runtime was asked for by name and cannot run the model.
    """
    wanted = options.runtime_in_use
    logger.info("measuring which runtime is the fastest for this model, once; --runtime saved leaves that out")
    with workshop() as folder:
        contest = _Contest(subject, options, pictures, folder)
        try:
            contest.hold(_asked(wanted))
            record = contest.record(wanted)
        finally:
            contest.close()
        takes_any = all(way is None or way.feeding is not None for way in (record.files, record.live))
        kept = keep(key_for_any if takes_any else key, record, folder)
        if kept.folder == Path() and (kept.files or kept.live):
            return replace(record, files=None, live=None)  # nowhere to keep the networks: the graph as it was saved
    _tell(kept, options)
    return kept


def _asked(wanted: str) -> tuple[RuntimeName, ...]:
    everything: tuple[RuntimeName, ...] = ("openvino", "litert", "tensorflow")
    return everything if wanted == "auto" else tuple(name for name in everything if name == wanted)


class _Contest:
    """The comparison of one model's ways."""

    def __init__(self, subject: Subject, options: ModelOptions, pictures: Sequence[Image], folder: Path) -> None:
        self._subject = subject
        self._conf = options.conf
        self._options = replace(options, conf=LEVELS[-1] - MOST_SCORE, classes=(), max_det=100)
        scenes = [*pictures[:_PICTURES], *(texture(size_px, seed) for seed, size_px in enumerate(_TEXTURES_PX))]
        self._scenes, self._pictures = scenes, pictures or scenes
        self._folder = folder
        reference = ModelDetector(
            subject.loaded, subject.plan, options=self._options, naming=subject.naming, warns=False
        )
        self._reference = _Contestant(None, "as saved", reference, reference, None)
        self._equal = [self._reference]
        self._refused: list[Measured] = []
        self._seen = [reference.detect([scene])[0] for scene in scenes]
        self._level = _level(self._seen)

    def hold(self, runtimes: Sequence[RuntimeName]) -> None:
        """Make every way, compare it, and time those that are equal."""
        for way in self._ways(runtimes):
            if isinstance(way, Refused):
                self._refused.append(Measured(runtime=way.runtime, extent=way.extent, refused=way.why))
                continue
            try:
                self._enter(way)
            except StreamerError as error:
                self._refused.append(Measured(runtime=way.runtime, extent=way.extent, refused=error.what))
        self._time()

    def _ways(self, runtimes: Sequence[RuntimeName]) -> Iterator[Lowered | Refused]:
        subject = self._subject
        yield from tflite_ways(subject.path, subject.loaded, subject.plan, folder=self._folder, runtimes=runtimes)
        yield from lowerings(
            subject.loaded,
            subject.plan,
            folder=self._folder,
            scenes=self._scenes,
            pictures=self._pictures,
            runtimes=runtimes,
            int8=self._options.int8,
            device=self._options.device,
        )

    def _enter(self, lowered: Lowered) -> None:
        files = self._detector(lowered, live=False)
        try:
            seen = [files.detect([scene])[0] for scene in self._scenes]
            agreed = agreement(self._seen, seen, conf=self._level)
            allowed = agreed.is_equal or (lowered.int8 and agreed.boxes > 0) or self._options.runtime_in_use != "auto"
            logger.debug("%s, %s: %s", files.runtime, lowered.extent, agreed)
            if not allowed:
                self._refused.append(
                    Measured(
                        runtime=files.runtime,
                        extent=lowered.extent,
                        agreement=agreed,
                        refused="it does not see the same",
                    )
                )
                files.close()
                return
            live = self._detector(lowered, live=True)
        except BaseException:
            files.close()
            raise
        self._equal.append(_Contestant(lowered, lowered.extent, files, live, agreed))

    def _detector(self, lowered: Lowered, *, live: bool) -> ModelDetector:
        subject = self._subject
        network = open_network(lowered, self._folder, live=live, threads=self._options.threads)
        run = LoweredRun(network, lowered, subject.plan)
        return ModelDetector(
            subject.loaded, subject.plan, options=self._options, naming=subject.naming, run=run, warns=False
        )

    def _time(self) -> None:
        scene = self._scenes[0]
        for contestant in list(self._equal):
            contestant.files.conf = contestant.live.conf = self._conf  # the usual number of boxes
            with self._unless_it_fails(contestant):
                for _ in range(_WARM_UPS):
                    contestant.live.detect([scene])
                    _rate_fps(contestant.files, scene, seconds=0)
        for _ in range(ROUNDS):
            for contestant in list(self._equal):
                with self._unless_it_fails(contestant):
                    rate_fps, _ = _rate_fps(contestant.live, scene, seconds=ROUND_S, calls_at_once=1)
                    contestant.latencies_s.append(1 / rate_fps)
                    rate_fps, cpu_s = _rate_fps(contestant.files, scene, seconds=ROUND_S)
                    contestant.rates_fps.append(rate_fps)
                    contestant.cpu_s.append(cpu_s)

    @contextmanager
    def _unless_it_fails(self, contestant: _Contestant) -> Iterator[None]:
        """Leave it out then; if the reference itself fails, that is raised."""
        try:
            yield
        except StreamerError as error:
            if contestant is self._reference:
                raise
            self._equal.remove(contestant)
            contestant.files.close()
            contestant.live.close()
            failed = Measured(runtime=contestant.files.runtime, extent=contestant.extent, refused=error.what)
            self._refused.append(failed)

    def record(self, wanted: str) -> Record:
        """What is to be kept. Raises ModelLoadError: the runtime that was asked for cannot run it."""
        loaded = self._subject.loaded
        contestants = list(self._equal)
        if wanted not in {"auto", self._of_reference}:
            contestants.remove(self._reference)
        if not contestants:
            whys = "; ".join(dict.fromkeys(one.refused for one in self._refused)) or "it is of another form"
            raise ModelLoadError(f"{wanted} cannot run it: {whys}", hint="--runtime auto takes what can")
        by_cost = sorted(contestants, key=lambda one: (not one.is_fit, one.computed_s))
        by_latency = sorted(contestants, key=lambda one: (not one.is_fit, min(one.latencies_s)))
        return Record(
            signature=loaded.signature,
            form=loaded.form,
            signatures=loaded.signatures,
            hints=loaded.hints,
            writer=loaded.writer,
            parameters=loaded.parameters,
            files=self._winner(by_cost, lambda one: one.computed_s),
            live=self._winner(by_latency, lambda one: min(one.latencies_s)),
            table=(*(one.measured() for one in by_cost), *self._refused),
        )

    def _winner(self, order: Sequence[_Contestant], cost: Callable[[_Contestant], float]) -> Lowered | None:
        best, reference = order[0], self._reference
        if reference in order and cost(best) * GAIN > cost(reference):
            return None
        return best.lowered

    @property
    def _of_reference(self) -> str:
        """The runtime of the graph as it was saved."""
        return "litert" if isinstance(self._subject.loaded.graph, LiteRTGraph) else "tensorflow"

    def close(self) -> None:
        """Close all but the subject's own graph."""
        for contestant in self._equal:
            if contestant is not self._reference:
                contestant.files.close()
                contestant.live.close()


def _level(seen: Sequence[Detections]) -> float:
    scores = np.concatenate([detections.scores for detections in seen]) if seen else np.empty(0)
    return next((level for level in LEVELS if np.count_nonzero(scores >= level) >= ENOUGH), LEVELS[-1])


def _rate_fps(
    detector: ModelDetector, scene: Image, *, seconds: float, calls_at_once: int | None = None
) -> tuple[float, float]:
    """Pictures a second, and processor time of one in s, with as many calls at once as the detector gains by."""
    callers = calls_at_once or detector.concurrency
    counts = [0] * callers
    failures: list[BaseException] = []
    end_s = time.monotonic() + seconds

    def work(caller: int) -> None:
        try:
            while counts[caller] == 0 or time.monotonic() < end_s:
                detector.detect([scene])
                counts[caller] += 1
        except BaseException as error:  # noqa: BLE001 - raised below, on the thread that asked
            failures.append(error)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(1, callers)]
    began_s, cpu_s = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    if failures:
        raise ModelError(f"it fails: {printable(str(failures[0]), limit=160)}") from failures[0]
    total = sum(counts)
    return total / max(1e-9, time.monotonic() - began_s), (time.process_time() - cpu_s) / total


def _tell(record: Record, options: ModelOptions) -> None:
    chosen = record.chosen(live=options.live)
    if chosen is None:
        logger.info("runtime: the model as it was saved: %s", why_none(record))
        return
    names = [one for one in record.table if one.extent == chosen.extent and chosen.runtime in one.runtime.casefold()]
    reference = [one for one in record.table if one.agreement is None and not one.refused]
    for one in names[:1]:
        beside = "".join(f", as saved in {other.runtime} {other.cpu_ms:.1f}" for other in reference)
        logger.info("runtime: %s, %s: %.1f ms of processor a picture%s", one.runtime, one.extent, one.cpu_ms, beside)
        if one.agreement is not None and not one.agreement.is_equal:
            logger.warning("it does not see what the model as it was saved sees: %s", one.agreement)


def why_none(record: Record) -> str:
    """Why no other way than the reference was taken."""
    others = [one for one in record.table if one.agreement is not None or one.refused]
    if not others:
        return "there is no other way for this form"
    if all(one.refused for one in others):
        return "; ".join(dict.fromkeys(f"{one.runtime}: {one.refused}" for one in others))
    return "nothing is faster"

"""The corridor: joins a source, a detector, sinks and a view, and knows none of them by name.

A capture thread reads frames, inference threads run the detector (one for a live stream, for a file as many as suit the
detector), a render thread draws, and each sink has a thread of its own; the thread that calls `run` owns the view and
supervises. Two plans of wiring:

    file   capture -> inference -> render -> sinks, view      every hand-over waits: lossless, and in order
    live   capture -> inference (newest frame only)           every hand-over discards what is oldest
           capture -> render (every frame, newest boxes) -> sinks, view

One rule ends it, whatever the reason: a stage that leaves closes what is downstream and aborts what is upstream. The
first cause is what the caller gets.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Literal, get_args

from streamer.channel import Channel, ChannelClosed, ChannelEmpty, Policy
from streamer.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock
from streamer.errors import ConfigError
from streamer.flow.finishing import Finishing
from streamer.flow.front import Front
from streamer.flow.inference import Inference, Look
from streamer.flow.lane import Lane
from streamer.flow.meters import Meters
from streamer.flow.newest import Newest
from streamer.flow.report import Ending, Report
from streamer.flow.stage import Stage, Work
from streamer.flow.supervisor import TICK_S, Supervisor
from streamer.flow.tally import Tally
from streamer.flow.turns import Turns
from streamer.frame import Detections, Frame, Image, Ledger, Moment, Result, Status
from streamer.interfaces import Analyzer, BoxTiming, Command, Detector, Sink, Source, SourceInfo, View
from streamer.trace import span

logger = logging.getLogger(__name__)

PolicyName = Literal["auto", "all", "latest"]
"""`auto`: as the source is. `all`: nothing is lost. `latest`: the newest frame wins."""

AHEAD_ITEMS = 2
"""Frames that wait between two stages of a file: one ready while one is worked on is all that overlap needs."""
CARRIED_ITEMS = 32
"""The most that wait where the detector looks at every Nth only: a round of one that is looked at and those between."""
BURST_ITEMS = 16
"""Frames of a live stream that wait to be drawn: a burst of the network passes, a slow machine does not pile up."""
AHEAD_BYTES = 256 * 1024 * 1024
STATUS_NS = NS_PER_S // 4
AWAY_NS = 10**18
"""As good as for ever."""
SLOW_FRAMES = 3
"""Frames that a slow source may be late before that is called a stall."""


class Pipeline:
    """One run, from the source to the sinks and the view.

    draw: makes the annotated image of a frame and its detections; called for frames that a sink or the view
        needs drawn. Without it they get the frame's own image.
    analyzers: see every rendered frame in order, after the detector. What one makes of the picture is all that
        whatever comes after it ever gets: analyzers, drawing, sinks, the view, the caller of `results`.
    detect_every: the detector looks at frames whose index is a multiple of this; the others go under the detections of
        the newest one before them, with their age.
    box_timing: `smooth` lets the sinks that record wait until it is known what was seen next, and gives them boxes
        between; the view, the reports and the caller of `results` have those of `now`.
    hold: for pictures: the view begins paused on the first and stays on the last.
    on_status: called about four times a second on the thread that runs the pipeline.
    on_command: called there with what the view's user asked for and the pipeline does not do itself (snapshot, record,
        labels, boxes, tracks), and the result that is being shown.
    grace_s: how long a thread that hangs may hold up the end. stall_s: how long before it is reported.
    source_grace_s: how long a read may take before it is no more the source that gives nothing, but a stage that hangs:
        longer than the source's own timeouts.

    The pipeline owns what it is given: all of it is closed when the run ends, however it ends.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        sinks: Sequence[Sink] = (),
        *,
        view: View | None = None,
        draw: Callable[[Frame, Detections], Image] | None = None,
        analyzers: Sequence[Analyzer] = (),
        policy: PolicyName = "auto",
        detect_every: int = 1,
        box_timing: BoxTiming = "now",
        hold: bool = False,
        clock: Clock | None = None,
        on_status: Callable[[Status], None] | None = None,
        on_command: Callable[[Command, Result], None] | None = None,
        grace_s: float = 5.0,
        stall_s: float = 2.0,
        source_grace_s: float = 35.0,
    ) -> None:
        if policy not in get_args(PolicyName):
            raise ConfigError(f"{policy!r} is no policy", where="policy", hint="auto, all or latest")
        if box_timing not in get_args(BoxTiming):
            raise ConfigError(f"{box_timing!r} is no timing of boxes", where="box_timing", hint="now or smooth")
        if detect_every < 1:
            raise ConfigError(f"{detect_every} is not 1 or more", where="detect_every")
        self.report: Report | None = None
        self._source = source
        self._detector = detector
        self._view = view
        self._finishing = Finishing(draw=draw, analyzers=analyzers, detector=detector)
        self._live = source.live if policy == "auto" else policy == "latest"
        self._policy = Policy.LATEST if self._live else Policy.BLOCK
        self._clock = MonotonicClock() if clock is None else clock
        self._on_status = on_status

        self._tally = Tally()
        self._meters = Meters()
        self._inference = Inference(detector, clock=self._clock, tally=self._tally, meters=self._meters)
        self._detect_every = detect_every
        round_items = max(detector.batch, min(detector.batch * detect_every, CARRIED_ITEMS))
        self._workers = 1 if self._live else detector.concurrency
        self._turns = Turns(self._gather, workers=self._workers)
        self._newest = Newest(self._clock, depth=2 * BURST_ITEMS if self._live else 1, live=self._live)
        self._patience_ns = 0

        late = self._finishing.drawn if box_timing == "smooth" else None
        self._lanes = [
            Lane(sink, policy=self._policy, draw_late=None if sink.role == "report" else late) for sink in sinks
        ]
        self._to_detect: Channel[Frame] = Channel(
            "detect",
            capacity=1 if self._live else max(AHEAD_ITEMS, round_items, self._workers + 1),
            policy=self._policy,
            size_of=lambda frame: frame.image.nbytes,
            max_bytes=AHEAD_BYTES,
            on_drop=self._not_detected,
        )
        self._to_render: Channel[Result] = Channel(
            "render",
            capacity=BURST_ITEMS if self._live else max(AHEAD_ITEMS, round_items),
            policy=self._policy,
            size_of=lambda result: result.frame.image.nbytes,
            max_bytes=AHEAD_BYTES,
            on_drop=self._not_rendered,
        )
        self._results: Channel[Result] | None = None
        self._front: Front | None = None
        if view is not None:
            self._front = Front(
                view,
                policy=self._policy,
                hold=hold,
                clock=self._clock,
                tally=self._tally,
                meters=self._meters,
                detector=detector,
                redraw=self._finishing.redrawn,
                on_command=on_command,
            )

        self._capturing: Stage | None = None
        self._awaited: Work | None = None
        self._supervisor = Supervisor(grace_s=grace_s, stall_s=stall_s)
        self._ended: Ending = "end of stream"
        self._detail = self._stalls = ""
        self._source_grace_ns = round(source_grace_s * NS_PER_S)
        self._begun = False
        self._caller_left = False
        self._warned = False
        self._status = Status(live=self._live)
        self._status_ns = 0

    @property
    def ledger(self) -> Ledger:
        """The books as they stand; from any thread."""
        recorded = sum(lane.sink.written for lane in self._lanes if lane.sink.role == "record")
        info = self._source.info
        return self._tally.ledger(recorded=recorded, reconnects=info.reconnects, left_out=info.left_out)

    @property
    def status(self) -> Status:
        """How the run is doing; from any thread."""
        now_ns = self._clock.now_ns()
        latency_p50_ms, latency_p95_ms = self._meters.latency.percentiles_ms((50, 95))
        ledger, source = self.ledger, self._source.info
        return Status(
            state=self._state(ledger, source),
            detail=source.detail or self._detail,
            no_signal="" if source.state == "running" else source.detail,
            live=self._live,
            capture_fps=self._meters.capture.rate(now_ns),
            detect_fps=self._meters.detect.rate(now_ns),
            view_fps=self._meters.view.rate(now_ns),
            latency_p50_ms=latency_p50_ms,
            latency_p95_ms=latency_p95_ms,
            age_ms=self._meters.age_ns / NS_PER_MS,
            conf=self._detector.conf,
            runtime=self._detector.runtime,
            decoder=source.decoder,
            recording=source.state == "running"  # of one that is away there is nothing to record
            and any(lane.open and lane.sink.role == "record" and lane.sink.needs_image for lane in self._lanes),
            stalls=self._stalls,
            frame_ns=self._meters.frame_ns,
            ledger=ledger,
        )

    def stop(self) -> None:
        """Capture no more, finish what is under way, close everything. From any thread, and from a signal handler."""
        self._ended = "stopped"
        self._supervisor.request_stop()

    def run(self) -> Report:
        """Run to the end on this thread, which must be the main one if there is a view.

        Returns when everything is closed. Raises the first cause when a stage failed, a StreamerError unless it is a
        bug; everything is closed and `report` is there all the same.
        """
        began_ns = self._begin()
        try:
            self._start()
            while self._supervisor.running or (self._front is not None and self._front.waiting):
                if self._front is None or self._front.closed:
                    self._supervisor.rest()
                elif not self._front.pump(self._status):
                    self.stop()
                    self._ended = "window closed"
                self._supervise()
        except BaseException as error:  # noqa: BLE001 - raised again by _conclude
            self._supervisor.fail(error)
        return self._conclude(began_ns)

    def results(self) -> Generator[Result, None, None]:
        """Run in the background and give each result to the caller, who may stop whenever it likes.

        A file waits for the caller; a live stream does not, and gives the newest. Raises as `run` does. When the caller
        leaves, what is under way still reaches the sinks.
        """
        began_ns = self._begin()
        self._results = Channel("results", capacity=1, policy=self._policy)
        try:
            self._start()
            while self._supervisor.running or self._results.depth:
                try:
                    result = self._results.get(TICK_S)
                except ChannelEmpty:
                    pass
                except ChannelClosed:
                    self._supervisor.rest()
                else:
                    yield result
                self._supervise()
        except GeneratorExit:
            self.stop()
        except BaseException as error:  # noqa: BLE001 - raised again by _conclude
            self._supervisor.fail(error)
        self._conclude(began_ns)

    def close(self) -> None:
        """Let go of everything if the run was never begun; else it does that itself. Idempotent."""
        if not self._begun:
            self._begin()
            self._close_everything()

    def _begin(self) -> int:
        if self._begun:
            raise RuntimeError("a pipeline runs once")
        self._begun = True
        return self._clock.now_ns()

    # The stages: each body runs on a thread of its own.

    def _start(self) -> None:
        infer = self._infer_newest if self._live else self._infer_every
        stages = [
            self._stage("capture", self._capture, self._leave_capture),
            *(
                self._stage(name, partial(infer, worker), partial(self._leave_inference, worker))
                for worker, name in enumerate(self._inference_names)
            ),
            self._stage("render", self._render, self._leave_render),
        ]
        self._capturing = stages[0]
        self._supervisor.start([*stages, *(lane.stage(self._clock) for lane in self._lanes)])

    def _stage(self, name: str, body: Callable[[Stage], None], leave: Callable[[], None]) -> Stage:
        return Stage(name, body, leave=leave, clock=self._clock)

    @property
    def _inference_names(self) -> list[str]:
        if self._workers == 1:
            return ["inference"]
        return [f"inference {number}" for number in range(1, self._workers + 1)]

    def _capture(self, stage: Stage) -> None:
        frames = self._source.frames()
        expected = 0
        try:
            while not self._supervisor.stop_requested:
                with stage.busy("read"), span("capture", expected):
                    frame = next(frames, None)
                if frame is None:
                    break
                self._tally.unusable(frame.index - expected)
                self._tally.captured(frame.index)
                expected = frame.index + 1
                self._meters.capture.mark(frame.captured_ns)
                self._meters.frame_ns = frame.captured_ns
                self._pass_on(frame)
        finally:
            self._tally.unusable(max(0, self._source.produced - expected))

    def _pass_on(self, frame: Frame) -> None:
        try:
            if self._live and not self._due(frame):
                self._not_detected(frame)
            else:
                self._to_detect.put(frame)
            if self._live:
                self._to_render.put(Result(frame, Detections.unknown()))
        except ChannelClosed:
            self._tally.discarded(frame.index)
            raise

    def _infer_every(self, worker: int, stage: Stage) -> None:
        for turn, frames in self._turns.taken_by(worker):
            looks = self._inference.look(stage, [frame for frame in frames if self._due(frame)])
            with self._turns.turn(turn):
                self._release(frames, iter(looks))

    def _release(self, frames: Sequence[Frame], looks: Iterator[Look]) -> None:
        """Hand the frames on, those that were looked at with what was seen on them; in their turn."""
        for frame in frames:
            self._to_render.put(self._counted(next(looks)) if self._due(frame) else self._carried(frame))

    def _infer_newest(self, _worker: int, stage: Stage) -> None:
        for frame in self._to_detect:
            (look,) = self._inference.look(stage, [frame])
            detections = self._inference.count(look)
            if detections is None:
                self._newest.skip(frame.index)
            else:
                self._newest.publish(frame, detections)

    def _counted(self, look: Look) -> Result:
        detections = self._inference.count(look)
        if detections is None:
            return Result(look.frame, Detections.unknown(), failed=True)
        self._newest.publish(look.frame, detections)
        return Result(look.frame, detections, detected=True, made_on=Moment.of(look.frame))

    def _carried(self, frame: Frame) -> Result:
        self._tally.detected(frame.index, "skipped")
        return self._newest.under(frame, patience_ns=0)

    def _due(self, frame: Frame) -> bool:
        """Whether the detector is to look at this frame."""
        return frame.index % self._detect_every == 0

    def _gather(self) -> list[Frame]:
        """The next frames of a file, as many as are there and suit the detector; none at the end."""
        frames: list[Frame] = []
        try:
            frames.append(self._to_detect.get())
            while self._can_hold_more(frames):
                frames.append(self._to_detect.get(0))
        except (ChannelEmpty, ChannelClosed):
            pass
        return frames

    def _can_hold_more(self, frames: Sequence[Frame]) -> bool:
        return (
            sum(map(self._due, frames)) < self._detector.batch
            and len(frames) < self._to_detect.capacity
            and sum(frame.image.nbytes for frame in frames) < AHEAD_BYTES // self._workers
        )

    def _render(self, stage: Stage) -> None:
        for result in self._to_render:
            with stage.busy("draw"):
                finished = self._finish(result)
            self._hand_out(finished)
            self._tally.rendered(result.frame.index, "rendered")

    def _finish(self, result: Result) -> Result:
        if self._live:
            result = self._newest.under(result.frame, patience_ns=self._patience_ns)
        self._meters.age_ns = result.detections.age_ns
        result = self._finishing.analysed(result)
        watched = self._front is not None and not self._front.closed
        if watched or self._results is not None or any(lane.wants_drawn(result) for lane in self._lanes):
            return self._finishing.drawn(result)
        return result

    def _hand_out(self, result: Result) -> None:
        for lane in self._lanes:
            lane.put(result)
        if self._front is not None:
            self._front.put(result, self._status)
            return
        self._meters.latency.add(self._clock.now_ns() - result.frame.captured_ns)
        if self._results is not None:
            self._give(self._results, result)

    def _give(self, results: Channel[Result], result: Result) -> None:
        try:
            results.put(result)
        except ChannelClosed:
            if not self._caller_left:
                raise

    # How each stage leaves: close what is downstream, abort what is upstream.

    def _leave_capture(self) -> None:
        self._to_detect.close()
        if self._live:
            self._to_render.close()

    def _leave_inference(self, worker: int) -> None:
        if not self._live and not self._turns.leave(worker):
            return  # the others still owe frames
        self._to_detect.abort()
        self._newest.close()
        if not self._live:
            self._to_render.close()

    def _leave_render(self) -> None:
        self._to_render.abort()
        for lane in self._lanes:
            lane.channel.close()
        if self._front is not None:
            self._front.channel.close()
        if self._results is not None:
            self._results.close()

    def _not_detected(self, frame: Frame) -> None:
        self._tally.detected(frame.index, "skipped")
        self._newest.skip(frame.index)
        if not self._live:
            self._tally.rendered(frame.index, "dropped")

    def _not_rendered(self, result: Result) -> None:
        self._tally.rendered(result.frame.index, "dropped")
        if self._live and not self._warned and not self._supervisor.stop_requested:
            self._warned = True
            logger.warning("drawing is too slow for the stream: frames are dropped")

    # Supervision, on the thread that called run or results.

    def _supervise(self) -> None:
        now_ns = self._clock.now_ns()
        nobody_looks = self._front is None and self._results is None
        if nobody_looks and self._lanes and not any(lane.open for lane in self._lanes) and self._supervisor.capturing:
            self._supervisor.request_stop()
            self._ended = "no output left"
        if self._supervisor.stop_requested and not self._supervisor.leaving:
            logger.info("stopping: what is under way is finished")
            self._supervisor.leave()
            self._source.close()
            if self._front is not None:
                self._front.resume()
        self._give_patience()
        self._detail = self._supervisor.check(now_ns)
        self._stalls = self._supervisor.stalls_but(self._capturing, grace_ns=self._source_grace_ns)
        if now_ns - self._status_ns >= STATUS_NS:
            self._publish_status(now_ns)

    def _give_patience(self) -> None:
        """What a source says of itself, that it waits for its next try, is no stall of ours.

        Nor is the read that began meanwhile, which may not have returned yet when the source is back.
        """
        if self._capturing is None:
            return
        info, work = self._source.info, self._capturing.work
        if info.state in {"connecting", "waiting"}:
            self._awaited = work
        slow_ns = round(SLOW_FRAMES * NS_PER_S / info.fps) if info.fps else 0
        self._capturing.patience_ns = AWAY_NS if work is not None and work is self._awaited else slow_ns

    def _publish_status(self, now_ns: int) -> None:
        self._status, self._status_ns = self.status, now_ns
        self._patience_ns = self._meters.patience_ns(now_ns)
        if self._front is not None and self._front.stands_since(now_ns) >= STATUS_NS:
            self._front.show_again(self._status)
        if self._on_status is not None:
            self._on_status(self._status)

    def _conclude(self, began_ns: int) -> Report:
        """Wait for every thread, close everything, write the report, raise the first cause."""
        if self._front is not None:
            self._front.close()
        self._caller_left = True
        if self._results is not None:
            self._results.abort()
        while self._supervisor.running:
            try:
                self._supervisor.rest()
                self._supervise()
            except BaseException as error:  # noqa: BLE001 - raised below, when nothing runs any more
                self._supervisor.fail(error)
        self._supervisor.join()
        self._close_everything()
        if not self._supervisor.abandoned:
            self._tally.close()
        self.report = self._make_report(began_ns)
        if self._supervisor.error is not None:
            raise self._supervisor.error
        return self.report

    def _close_everything(self) -> None:
        hung = {stage.name for stage in self._supervisor.abandoned}
        parts: list[Source | Detector | Sink | View] = [self._source]
        parts += [self._view] if self._view is not None else []
        parts += [self._detector] if hung.isdisjoint(self._inference_names) else []
        parts += [lane.sink for lane in self._lanes if lane.stage_name not in hung]
        for last_act in (self._inference.check, *(part.close for part in parts)):
            try:
                last_act()
            except Exception as error:  # noqa: BLE001 - raised by _conclude, when all is closed
                self._supervisor.fail(error)

    def _make_report(self, began_ns: int) -> Report:
        return Report(
            ledger=self.ledger,
            elapsed_s=(self._clock.now_ns() - began_ns) / NS_PER_S,
            ended="failed" if self._supervisor.error is not None else self._ended,
            sinks=tuple(lane.report() for lane in self._lanes),
            errors=tuple(lane.error for lane in self._lanes if lane.error is not None),
            abandoned=tuple(stage.name for stage in self._supervisor.abandoned),
            rejected_boxes=self._meters.rejected_boxes,
            latency_ms=self._meters.latency.percentiles_ms(),
            detect_ms=self._meters.detect_time.percentiles_ms(),
        )

    def _state(self, ledger: Ledger, source: SourceInfo) -> str:
        if self.report is not None:
            return "ended"
        if self._supervisor.leaving:
            return "draining"
        if self._front is not None and self._front.paused:
            return "paused"
        if source.state != "running":
            return source.state
        if self._detail:
            return "stalled"
        return "running" if ledger.produced else "starting"

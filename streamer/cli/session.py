"""One run of the command line: opens the parts, runs the pipeline, says what happened, and finds the exit code.

The parts are opened in parts.py; this is what is around them. Called by the verbs run and render.
"""

import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from streamer.analytics.recorded import Recorded
from streamer.cli.failures import code_of, told
from streamer.cli.logs import Outlet
from streamer.cli.parts import Parts, inputs_of, open_parts
from streamer.cli.progress import Progress, open_progress
from streamer.cli.reloading import Reloading
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals, leave_now
from streamer.cli.summary import claim_summary, ledger_fields, summarised, write_summary
from streamer.cli.supervised import Supervised
from streamer.config import Resolved
from streamer.errors import SinkError
from streamer.flow.report import Report
from streamer.frame import Status
from streamer.pipeline import Pipeline

logger = logging.getLogger(__name__)

READ_GRACE_S = 30.0
"""How much longer than its timeout a read may take before it is taken for one that hangs; cameras have 10 s."""


class Session:
    """One run, from checked settings to an exit code.

    recorded: what stands in for the model, if anything does. reloading: reads the settings again while it goes on.
    """

    def __init__(
        self,
        resolved: Resolved,
        *,
        outlet: Outlet,
        signals: Signals,
        recorded: Recorded | None = None,
        reloading: Reloading | None = None,
    ) -> None:
        self._resolved = resolved
        self._supervised = Supervised(resolved, reloading=reloading)
        self._recorded = recorded
        self._outlet = outlet
        self._signals = signals
        self._parts: Parts | None = None
        self._pipeline: Pipeline | None = None
        self._summary_path: Path | None = None

    def run(self) -> int:
        """Run to the end, tell all, return the exit code; the process ends here if a thread had to be left behind."""
        failure: BaseException | None = None
        try:
            self._watch()
        except (Exception, Interrupted) as error:  # noqa: BLE001 - told below, and a bug as a bug
            failure = error
        report = None if self._pipeline is None else self._pipeline.report
        code = self._tell_failure(failure, report)
        code = self._summarise(code, failure, report)
        left_behind = not self._supervised.end(exit_code=code, error=_in_a_line(failure), report=report)
        if report is not None:
            _tell_ledger(report)
        if left_behind or (report is not None and report.abandoned):
            leave_now(code)
        return code

    def _watch(self) -> None:
        with ExitStack() as told:
            with ExitStack() as opened:
                pipeline = self._pipeline = self._joined(opened, told)
                opened.pop_all()  # from here on they are the pipeline's, which knows what must not be closed
            self._signals.hand_over(pipeline.stop, reload=self._supervised.ask_reload)
            pipeline.run()

    def _joined(self, opened: ExitStack, told: ExitStack) -> Pipeline:
        settings = self._resolved.settings
        inputs = inputs_of(settings, self._recorded)
        if settings.summary is not None:
            self._summary_path = claim_summary(settings.summary, inputs=inputs, force=settings.force)
        self._supervised.open(inputs=inputs)
        parts = self._parts = open_parts(settings, opened, recorded=self._recorded)
        self._supervised.attach(parts)
        progress = told.enter_context(
            open_progress(
                parts.source.info,
                live=parts.source.live,
                quiet=settings.quiet,
                as_json=settings.log_json,
                outlet=self._outlet,
            )
        )
        return Pipeline(
            parts.source,
            parts.detector,
            parts.sinks,
            view=parts.view,
            draw=parts.desk.draw,
            analyzers=parts.analyzers,
            policy=settings.policy,
            detect_every=settings.detect_every,
            box_timing=settings.box_timing,
            hold=parts.hold,
            on_status=partial(self._tell, progress),
            on_command=parts.desk.obey,
            source_grace_s=settings.read_timeout + READ_GRACE_S,
        )

    def _tell(self, progress: Progress, status: Status) -> None:
        progress.update(status)
        self._supervised.tell(status)

    def _tell_failure(self, failure: BaseException | None, report: Report | None) -> int:
        """Say what went wrong; the exit code that it has."""
        stopped = self._signals.exit_code
        if isinstance(failure, Interrupted):
            logger.info("stopped before the run began")
            return stopped or SIGINT_EXIT
        if failure is None and stopped is not None:
            return stopped
        if failure is None:
            return report.errors[0].exit_code if report is not None and report.errors else 0
        for line in told(failure):
            logger.error("%s", line)
        logger.debug("where it came from", exc_info=failure)
        return code_of(failure)

    def _summarise(self, code: int, failure: BaseException | None, report: Report | None) -> int:
        """Write the summary, if its place was found free; the exit code, 5 if all went well but this."""
        path = self._summary_path
        if path is None:
            return code
        parts = self._parts
        summary = summarised(
            self._supervised.resolved,
            exit_code=code,
            reloads=self._supervised.reloads,
            report=report,
            source=None if parts is None else parts.source.info,
            recorded=() if parts is None else parts.recorded_files,
            error=_in_a_line(failure),
        )
        try:
            write_summary(path, summary, force=self._resolved.settings.force)
        except SinkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a sentence for the user, not a traceback
            return code or error.exit_code
        return code


def _in_a_line(failure: BaseException | None) -> str | None:
    """What went wrong; None where a signal ended the run before it began, or nothing did."""
    return None if failure is None or isinstance(failure, Interrupted) else " ".join(told(failure))


def _tell_ledger(report: Report) -> None:
    """The last line of every run."""
    if report.ledger.produced == 0:
        logger.warning("the source gave no frame: nothing was seen, and nothing is kept")
    fields = {"ledger": ledger_fields(report.ledger), "elapsed_s": round(report.elapsed_s, 3), "ended": report.ended}
    late = "".join(f", {sink.dropped} too late for {sink.name}" for sink in report.sinks if sink.dropped)
    logger.info("%s%s; %.1f s, %s", report.ledger, late, report.elapsed_s, report.ended, extra={"fields": fields})

"""The front of the house: shows results on the thread that owns the window, and obeys the person before it."""

from collections.abc import Callable

from streamer.channel import Channel, ChannelClosed, ChannelEmpty, Policy
from streamer.clock import Clock
from streamer.flow.meters import Meters
from streamer.flow.tally import Tally
from streamer.frame import Image, Result, Status
from streamer.interfaces import Command, Detector, View
from streamer.trace import span

CONF_STEP = 0.05
IDLE_S = 0.02
"""How long the window is let breathe while the picture stands still."""
BRIEF_S = 0.001
"""How long while pictures come: what the window takes, the next picture waits."""
WAIT_S = 0.01
"""How long the next picture is waited for before the window is let breathe again."""


class Front:
    """Takes drawn results from the render thread and shows them on the thread that calls `pump`.

    Pausing a file holds the whole pipeline, since nothing is lost there; pausing a live stream holds the picture only.
    hold: begin paused on the first picture and stay on the last, as one looks at photographs.
    redraw: draws a result anew, for a picture that stands still while what is drawn on it changes.
    """

    def __init__(
        self,
        view: View,
        *,
        policy: Policy,
        hold: bool,
        clock: Clock,
        tally: Tally,
        meters: Meters,
        detector: Detector,
        redraw: Callable[[Result], Result],
        on_command: Callable[[Command, Result], None] | None,
    ) -> None:
        self.channel: Channel[tuple[Result, Image]] = Channel(
            "view", capacity=1 if policy is Policy.BLOCK else 2, policy=policy
        )
        self.paused = hold
        self.closed = False
        self._steps = 1 if hold else 0
        self._view = view
        self._clock = clock
        self._tally = tally
        self._meters = meters
        self._detector = detector
        self._redraw = redraw
        self._on_command = on_command
        self._last: Result | None = None
        self._shown_ns = 0

    @property
    def waiting(self) -> bool:
        """Whether there is still something to look at: results that wait, or a picture that is held."""
        return not self.closed and (self.paused or self.channel.depth > 0)

    def put(self, result: Result, status: Status) -> None:
        """From the render thread: one result to show."""
        if self.closed:
            return
        with span("view", result.frame.index):
            image = self._view.render(result, status)
        try:
            self.channel.put((result, image))
        except ChannelClosed:
            if not self.closed:
                raise

    def pump(self, status: Status) -> bool:
        """Show what is there and do what was asked; False once the person has left."""
        held = self.paused and self._steps == 0
        if not held:
            self._show_next()
        command = self._view.poll(IDLE_S if held else BRIEF_S)
        if command is Command.QUIT:
            self.close()
            self._view.close()
            return False
        if command is not None:
            self._obey(command)
            self.show_again(status)
        return True

    def show_again(self, status: Status) -> None:
        """Bring the standing picture up to date: what is drawn, and the panel."""
        if self._last is not None and not self.closed:
            with span("view", self._last.frame.index):
                self._view.show(self._view.render(self._redraw(self._last), status))
            self._shown_ns = self._clock.now_ns()

    def stands_since(self, now_ns: int) -> int:
        """Nanoseconds since the picture last changed."""
        return now_ns - self._shown_ns

    def resume(self) -> None:
        """Hold nothing back any more."""
        self.paused = False

    def close(self) -> None:
        """Nobody looks any more: discard what waits, and hold nobody up."""
        self.closed = True
        self.paused = False
        self.channel.abort()

    def _show_next(self) -> None:
        try:
            result, image = self.channel.get(WAIT_S)
        except ChannelEmpty:
            return
        except ChannelClosed:
            self._steps = 0
            return
        self._steps = max(0, self._steps - 1)
        with span("view", result.frame.index):
            self._view.show(image)
        self._last = result
        self._shown_ns = self._clock.now_ns()
        self._tally.shown()
        self._meters.view.mark(self._shown_ns)
        self._meters.latency.add(self._shown_ns - result.frame.captured_ns)

    def _obey(self, command: Command) -> None:
        if command is Command.PAUSE:
            self.paused = not self.paused
        elif command is Command.STEP:
            if self.paused:
                self._steps += 1
            self.paused = True
        elif command is Command.CONF_UP:
            self._detector.conf = max(self._detector.conf, round(min(0.95, self._detector.conf + CONF_STEP), 2))
        elif command is Command.CONF_DOWN:
            self._detector.conf = min(self._detector.conf, round(max(0.05, self._detector.conf - CONF_STEP), 2))
        elif command is not Command.REDRAW and self._on_command is not None and self._last is not None:
            self._on_command(command, self._last)

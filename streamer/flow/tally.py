"""The books of a run: what became of each frame, balanced at every moment.

Called by the pipeline's stages from their own threads; read by anybody as a `Ledger`.
"""

import threading
from dataclasses import dataclass
from typing import Literal

from streamer.frame import Ledger

Detected = Literal["inferred", "failed", "skipped"]
Rendered = Literal["rendered", "dropped"]


@dataclass(slots=True)
class _Fate:
    detected: Detected | None = None
    rendered: Rendered | None = None


class Tally:
    """Counts each frame once, when both of its ways have ended: through the detector, and through rendering.

    A frame on which the detector raised is `failed`. One that was discarded before it was drawn is `dropped`, whether
    the detector saw it or not: nobody else did. Of the rest, those that the detector saw are `inferred`, and those that
    it did not see, and that went under older detections, `carried`. Until both ways are known a frame is in flight.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[int, _Fate] = {}
        self._counts = {"inferred": 0, "carried": 0, "dropped": 0, "failed": 0}
        self._produced = 0
        self._unusable = 0
        self._shown = 0

    def captured(self, index: int) -> None:
        """The frame `index` entered the pipeline."""
        with self._lock:
            self._produced += 1
            self._pending[index] = _Fate()

    def unusable(self, count: int) -> None:
        """`count` frames of the source could not be used."""
        with self._lock:
            self._produced += count
            self._counts["failed"] += count
            self._unusable += count

    def detected(self, index: int, outcome: Detected) -> None:
        """What the detector's side made of the frame; the first outcome counts."""
        with self._lock:
            fate = self._pending.get(index)
            if fate is not None and fate.detected is None:
                fate.detected = outcome
                self._settle(index, fate)

    def rendered(self, index: int, outcome: Rendered) -> None:
        """What the rendering side made of the frame; the first outcome counts."""
        with self._lock:
            fate = self._pending.get(index)
            if fate is not None and fate.rendered is None:
                fate.rendered = outcome
                self._settle(index, fate)

    def discarded(self, index: int) -> None:
        """The frame leaves wherever it is: what is not known of it yet will not happen."""
        self.detected(index, "skipped")
        self.rendered(index, "dropped")

    def close(self) -> None:
        """The run is over: what is still in flight was lost with the thread that held it."""
        with self._lock:
            left = list(self._pending)
        for index in left:
            self.discarded(index)

    def shown(self) -> None:
        """A frame reached the view."""
        with self._lock:
            self._shown += 1

    def ledger(self, *, recorded: int = 0, reconnects: int = 0, left_out: int = 0) -> Ledger:
        """The books as they stand. left_out: so many of the unusable ones were good, and dropped by their source."""
        with self._lock:
            counts = self._counts.copy()
            left_out = min(left_out, self._unusable)  # the source may know of some before their gap is seen
            counts["failed"] -= left_out
            counts["dropped"] += left_out
            return Ledger(
                produced=self._produced,
                in_flight=len(self._pending),
                shown=self._shown,
                recorded=recorded,
                reconnects=reconnects,
                **counts,
            )

    def _settle(self, index: int, fate: _Fate) -> None:
        if fate.detected is None or fate.rendered is None:
            return
        if fate.rendered == "dropped" and fate.detected != "failed":
            self._counts["dropped"] += 1
        else:
            self._counts["carried" if fate.detected == "skipped" else fate.detected] += 1
        del self._pending[index]

"""A camera for people who have none, and the one that tests break on purpose.

Not a stub: it paces itself as a camera does, and each frame carries its number in its pixels, so that what comes out
of a pipeline can be compared with what went in.
"""

from collections.abc import Iterator

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.errors import SourceLost
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access
from streamer.sources.pacing import Pacer
from streamer.sources.pattern import Pattern, read_frame_number
from streamer.sources.script import parse_script

__all__ = ["SyntheticSource", "read_frame_number"]


class SyntheticSource:
    """A moving test pattern that takes a script of faults.

    script: `key=value` and `fault@frame[=argument]`, with commas between; empty for 640x480 at 30 fps for ever.

        size=640x480  fps=30  frames=N      how large, how fast, how many (endless if left out)
        live=yes|no                         yes: paced by the clock. no: like a file, as fast as it is asked
        seed=N                              where the moving shapes begin
        stall@N=2s                          nothing for so long before frame N (also 500ms)
        end@N                               the stream ends before frame N
        raise@N                             SourceLost instead of frame N
        none@N                              frame N has no picture: counted, and left out
        resize@N=320x240                    from frame N on, another size and a new epoch
        black@N=K  freeze@N=K               K frames from N are black, or repeat the picture of N
        burst@N=K                           K frames from N come at once

    Raises SourceOpenError for a script that is not understood. `frames` raises SourceLost where the script says so.
    """

    def __init__(self, script: str = "", *, clock: Clock | None = None) -> None:
        self._script = parse_script(script)
        self._name = f"test:{script}"
        self._clock = clock or MonotonicClock()
        self._access = Access(lambda: None, name=self._name)
        self._produced = 0
        self._epoch = 0
        self._first_ns: int | None = None
        self._due_s = 0.0
        self._burst_until = 0
        self._black_until = 0
        self._frozen_until = 0
        self._frozen: Image | None = None
        self._size_px = self._script.size_px
        self._pattern = self._new_pattern()

    @property
    def live(self) -> bool:
        return self._script.live

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        frames, fps = self._script.frames, self._script.fps
        return SourceInfo(
            name=self._name,
            size_px=self._size_px,
            fps=fps,
            frame_count=frames,
            duration_s=None if frames is None else frames / fps,
            decoder="test pattern",
            kind="pattern",
        )

    def frames(self) -> Iterator[Frame]:
        pacer = Pacer(self._clock, self._access.closing)
        try:
            while self._produced != self._script.frames and self._wait(self._produced, pacer):
                if self._produced in self._script.raises:
                    raise SourceLost("lost, as the script says", where=self._name)
                frame = self._next(self._produced)
                self._produced += 1
                if frame is not None:
                    yield frame
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _wait(self, index: int, pacer: Pacer) -> bool:
        """Wait until frame `index` is due; False if the source is being closed."""
        stall_s = self._script.stalls_s.get(index, 0.0)
        if not self._script.live:
            return not self._clock.wait(self._access.closing, stall_s)
        if index and index >= self._burst_until:
            self._due_s += 1 / self._script.fps
        if index in self._script.bursts:
            self._burst_until = index + self._script.bursts[index]
        self._due_s += stall_s
        return pacer.wait_until(self._due_s)

    def _next(self, index: int) -> Frame | None:
        """Frame `index`; None where the script says that it has no picture."""
        if index in self._script.resizes_px:
            self._size_px = self._script.resizes_px[index]
            self._pattern = self._new_pattern()
            self._epoch += 1
        captured_ns = self._clock.now_ns()
        if self._first_ns is None:
            self._first_ns = captured_ns
        if index in self._script.nones:
            return None
        pts_s = (captured_ns - self._first_ns) / NS_PER_S if self._script.live else index / self._script.fps
        image = self._picture(index)
        return Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, epoch=self._epoch, source=self._name)

    def _picture(self, index: int) -> Image:
        if index in self._script.blacks:
            self._black_until = index + self._script.blacks[index]
        if index < self._black_until:
            return self._pattern.black()
        if index in self._script.freezes:
            self._frozen_until = index + self._script.freezes[index]
            self._frozen = self._pattern.draw(index)
        if index < self._frozen_until and self._frozen is not None:
            return self._frozen
        return self._pattern.draw(index)

    def _new_pattern(self) -> Pattern:
        return Pattern(self._size_px, fps=self._script.fps, seed=self._script.seed)

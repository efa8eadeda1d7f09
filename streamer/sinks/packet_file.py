"""A video file of frames that are encoded already: an event's clip, of what came before and what comes."""

from streamer.sinks.containers import TICKS_PER_S
from streamer.sinks.heard import Listening
from streamer.sinks.original import Original
from streamer.sinks.outfile import OutFile
from streamer.sinks.video_file import Encoded, MediaFile, Recipe, coder_for


class PacketFile(MediaFile):
    """A video whose frames are encoded already, by `coder_for` with the same recipe.

    zero_ticks: the time of its first frame, in 1/TICKS_PER_S s of the media. listening: what is heard from then on.
    """

    def __init__(
        self,
        file: OutFile,
        recipe: Recipe,
        *,
        size_px: tuple[int, int],
        zero_ticks: int,
        original: Original | None = None,
        listening: Listening | None = None,
    ) -> None:
        self._end_ticks = 0
        self._zero_ticks = zero_ticks
        super().__init__(file, recipe, original=original, start_s=zero_ticks / TICKS_PER_S, listening=listening)
        self._zero_ticks -= round(self.lead_s * TICKS_PER_S)
        with self._sink_errors():
            # An encoder that encodes nothing: once it is open it says what those say whose frames come here.
            self._stream = coder_for(recipe, self.container, size_px=size_px, original=original).stream
            self._begin()

    @property
    def duration_s(self) -> float:
        return self._end_ticks / TICKS_PER_S

    def write(self, encoded: Encoded) -> None:
        """Add a frame. Raises SinkError."""
        packet = encoded.packet(self._stream, self._zero_ticks)
        self._end_ticks = encoded.ticks - self._zero_ticks + encoded.duration
        with self._sink_errors():
            self._mux([packet], sound_until_s=(encoded.ticks - self._zero_ticks) / TICKS_PER_S)

    def close(self) -> None:
        """Finish the file and let go. Idempotent. Raises SinkError."""
        if self._closed:
            return
        self._closed = True
        with self._sink_errors():
            if self.frames:
                self._finish(self.duration_s)
            else:
                self._let_go()

"""The timeline into a file, .svg or .png. Called by the verb bench."""

from collections.abc import Sequence
from pathlib import Path

from streamer.benchmark.timeline import chosen, timeline
from streamer.errors import SinkError, SinkOpenError
from streamer.sinks.outfile import OutFile, failure, publish
from streamer.sinks.pictures import save_picture
from streamer.trace import Span

ENDINGS = (".svg", ".png")


def claim(path: Path, *, force: bool) -> None:
    """Raise SinkOpenError unless a plot may be written to `path`; nothing is."""
    if path.suffix.lower() not in ENDINGS:
        raise SinkOpenError(f"plots end in {' or '.join(ENDINGS)}", where=str(path))
    OutFile(path, force=force).close()


def save_plot(path: Path, spans: Sequence[Span], *, title: str, force: bool) -> None:
    """Write the timeline of some frames. Raises SinkError, also where no stage said what it did."""
    shown = chosen(spans)
    if not shown:
        raise SinkError("there is nothing to plot: no stage said what it did", where=str(path))
    drawing = timeline(shown, title=title)
    if path.suffix.lower() == ".svg":
        from streamer.benchmark.svg import svg  # noqa: PLC0415 - one of the two

        try:
            publish(path, svg(drawing).encode(), force=force)
        except OSError as error:
            raise failure(path, error, saved="nothing of it is there") from error
        return
    from streamer.benchmark.png import picture  # noqa: PLC0415 - as above

    save_picture(path, picture(drawing), force=force)

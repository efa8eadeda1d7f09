"""A file that a card names: it may have come with the model, so it lies beside the card and nowhere else."""

from pathlib import Path

from streamer.errors import ConfigError
from streamer.text import printable


def beside(folder: Path, name: str) -> Path:
    """The path of `name` in the card's folder or below; it need not be there.

    Raises ConfigError for one that leads out, links followed, or that can be no path.
    """
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a link that leads to itself
        raise ConfigError(f"the file {printable(name)!r} of a card cannot be found", where=str(folder)) from error
    if not inside:
        raise ConfigError(f"the file {printable(name)!r} of a card lies outside the card's folder", where=str(folder))
    return path

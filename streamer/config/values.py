"""How text becomes a value: the types that settings have and pydantic has not.

Flags, environment variables and settings files all give text, so that `1:30` is a time and `no` may be the name of a
class wherever it is written. Called by settings.py only.
"""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_CLOCK = re.compile(r"(?:(?:(?P<h>\d{1,4}):)?(?P<m>\d{1,4}):)?(?P<s>\d{1,9}(?:\.\d{0,9})?)")


def parse_seconds(value: object) -> object:
    """`90`, `1:30` or `0:01:30.5` as seconds; what is no such text is passed on to be refused.

    Raises ValueError when minutes or seconds behind a colon are 60 or more.
    """
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    hours, minutes, seconds = int(match["h"] or 0), int(match["m"] or 0), float(match["s"])
    if (match["m"] and seconds >= 60) or (match["h"] and minutes >= 60):
        raise ValueError("minutes and seconds behind a colon stay below 60")
    return hours * 3600 + minutes * 60 + seconds


def _split_names(value: object) -> object:
    if isinstance(value, str):
        return [name for part in value.split(",") if (name := part.strip())]
    return value


def _plain_text(value: object) -> object:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("it holds a NUL byte")
        if not value.strip():
            raise ValueError("it is empty")
    return value


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such home folder") from error


def _with_its_slash(text: str) -> str:
    slash = "/" if text.endswith(("/", os.sep)) else ""
    return str(_from_home(Path(text))).removesuffix("/") + slash


Text = Annotated[str, BeforeValidator(_plain_text)]
"""Text that says something."""

FilePath = Annotated[Path, BeforeValidator(_plain_text), AfterValidator(_from_home)]
"""A path, relative to the folder that streamer is started in; `~` is the home folder."""

Place = Annotated[str, BeforeValidator(_plain_text), AfterValidator(_with_its_slash)]
"""A path that may end in a slash, which says that it is a folder and which Path would forget."""

Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(ge=0, allow_inf_nan=False)]
"""A time in seconds, written `90`, `1:30` or `0:01:30.5`."""

Names = Annotated[tuple[Text, ...], BeforeValidator(_split_names)]
"""Names, separated by commas or as a list."""

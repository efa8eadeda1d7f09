"""How text becomes a value: the types that settings have and pydantic has not.

Flags, environment variables and settings files all give text, so that `1:30` is a time and `no` may be the name of a
class wherever it is written. Called by settings.py only.
"""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_SPAN = re.compile(r"(?P<number>\d{1,9}(?:\.\d{0,9})?)\s*(?P<unit>[smhdw])")
_RATE = re.compile(r"(?P<number>\d{1,12}(?:\.\d{0,9})?)\s*(?P<unit>[kKMG]?)(?:bit/s|bps|b)?")
_SIZE = re.compile(r"(?P<number>\d{1,12}(?:\.\d{0,9})?)\s*(?P<unit>[kKMGT])B?")
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
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


def parse_span(value: object) -> object:
    """`10m`, `1h`, `7d`, or a time as `parse_seconds` has it, as seconds; what is no such text is passed on."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return parse_seconds(value) if match is None else float(match["number"]) * _UNITS_S[match["unit"]]


def parse_rate(value: object) -> object:
    """`4M`, `800k` or `4000000` as bits a second; what is no such text is passed on to be refused."""
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    return value if match is None else round(float(match["number"]) * _DECIMAL[match["unit"] or ""])


def kept_of(text: str) -> tuple[int | None, float | None]:
    """What `20G` or `7d` allows to stay: bytes, or seconds; the other is None.

    Raises ValueError where it is neither.
    """
    if size := _SIZE.fullmatch(text.strip()):
        return round(float(size["number"]) * _DECIMAL[size["unit"]]), None
    if span := _SPAN.fullmatch(text.strip()):
        return None, float(span["number"]) * _UNITS_S[span["unit"]]
    raise ValueError("it is no size and no time")


def _check_kept(text: str) -> str:
    if max(filter(None, kept_of(text)), default=0) <= 0:
        raise ValueError("nothing would stay")
    return text


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

Span = Annotated[float, BeforeValidator(parse_span), Field(ge=1, allow_inf_nan=False)]
"""A length of time in seconds, written `10m`, `1h`, `90` or `1:30`."""

Bitrate = Annotated[int, BeforeValidator(parse_rate), Field(ge=1000, le=10**10)]
"""Bits a second, written `4M`, `800k` or `4000000`."""

Kept = Annotated[str, BeforeValidator(_plain_text), AfterValidator(_check_kept)]
"""How much stays: `20G` or `7d`; `kept_of` reads it."""

Names = Annotated[tuple[Text, ...], BeforeValidator(_split_names)]
"""Names, separated by commas or as a list."""

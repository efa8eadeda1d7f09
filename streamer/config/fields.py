"""What is known of each setting, read from the one model: for flags, `--help`, messages and a commented file."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from streamer.config.settings import Setting, Settings

ENV_PREFIX = "STREAMER_"

_NOUNS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    str: "text",
}


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting: its name, type without None and default, what people are told of it, and which values it takes."""

    name: str
    kind: object
    default: object
    setting: Setting
    allowed: str

    @property
    def flag(self) -> str:
        """`--max-det`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """`STREAMER_MAX_DET`."""
        return ENV_PREFIX + self.name.upper()

    @property
    def many(self) -> bool:
        """Whether it is a list, with commas between on the command line."""
        return get_origin(self.kind) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it takes; none where it is no choice of words."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


@cache
def setting_fields() -> dict[str, SettingField]:
    """Every setting by name, in the order of the model."""
    return {name: _read(name, info) for name, info in Settings.model_fields.items()}


def _read(name: str, info: FieldInfo) -> SettingField:
    setting = next(item for item in info.metadata if isinstance(item, Setting))
    kind = _bare(info.annotation)
    return SettingField(name, kind, info.default, setting, setting.allowed or _allowed(kind, info.metadata))


def _bare(annotation: object) -> object:
    """The type itself: `float` of `Annotated[float, ...] | None`."""
    if get_origin(annotation) in {Union, UnionType}:
        return _bare(next(part for part in get_args(annotation) if part is not NoneType))
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _allowed(kind: object, limits: list[Any]) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    text = _NOUNS[kind]
    for limit in limits:
        if isinstance(limit, annotated_types.Ge):
            text += f" from {limit.ge}"
        elif isinstance(limit, annotated_types.Gt):
            text += f" above {limit.gt}"
        elif isinstance(limit, annotated_types.Le):
            text += f" to {limit.le}"
    return text

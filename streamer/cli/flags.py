"""Flags made from the settings: what typer reads instead of a signature written by hand.

A setting is a flag of the same name. Its value arrives here as text and is checked where all values are, so that a
flag, a variable and a line of a file are refused in the same words. Called by the verbs that take settings.
"""

import inspect
from collections.abc import Callable, Container, Mapping
from typing import Annotated, Any

import typer

from streamer.config import SettingField, setting_fields
from streamer.errors import ConfigError

Flags = dict[str, str | list[str]]
"""What was typed, by name of setting."""


_METAVARS: dict[object, str] = {int: "N", float: "X"}


def with_settings(
    verb: Callable[..., None], *, only: Container[str] | None = None, **own: tuple[Any, object]
) -> Callable[..., None]:
    """`verb(flags, **own)` as a command that takes SOURCE, OUT and every setting as a flag.

    only: the names of the settings that it takes instead, each as a flag.
    own: further parameters of the verb by name, each as (annotation, default).
    """
    parameters = _parameters() | own if only is None else own | _options(only)

    def command(**typed: object) -> None:
        further = {name: typed.pop(name) for name in own}
        verb(_flags(typed), **further)

    signature = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in parameters.items()
    ]
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {name: annotation for name, (annotation, _) in parameters.items()}
    command.__doc__ = verb.__doc__
    command.__name__ = verb.__name__
    return command


def _parameters() -> dict[str, tuple[Any, object]]:
    fields = setting_fields()
    source_help = fields["source"].setting.help
    out_help = "The annotated video or pictures; the same as --record."
    parameters: dict[str, tuple[Any, object]] = {
        "source": (Annotated[str | None, typer.Argument(metavar="SOURCE", help=source_help)], None),
        "out": (Annotated[str | None, typer.Argument(metavar="OUT", help=out_help)], None),
    }
    return parameters | _options(fields.keys() - {"source"})


def _options(names: Container[str]) -> dict[str, tuple[Any, object]]:
    return {known.name: (_option(known), None) for known in setting_fields().values() if known.name in names}


def _option(known: SettingField) -> Any:  # noqa: ANN401 - an annotation made at run time
    setting, names = known.setting, [known.flag, *filter(None, [known.setting.short])]
    if known.kind is bool:
        names[0] = f"{known.flag}/--no-{known.flag[2:]}"
    option = typer.Option(
        *names,
        help=setting.help + _note(known),
        metavar=_metavar(known),
        rich_help_panel=setting.group.capitalize(),
        show_default=False,
    )
    if known.kind is bool:
        return Annotated[bool | None, option]
    return Annotated[list[str] | None if known.many else str | None, option]


def _metavar(known: SettingField) -> str | None:
    if known.kind is bool:
        return None
    if known.setting.metavar or known.setting.unit:
        return known.setting.metavar or known.setting.unit.upper()
    return "|".join(known.choices) or _METAVARS.get(known.kind, "TEXT")


def _note(known: SettingField) -> str:
    """The unit and the default, as far as there are any."""
    notes = [known.setting.unit] if known.setting.unit else []
    if known.setting.metavar and known.choices:
        notes.append(known.allowed)
    if known.default not in {None, False, ()} and known.kind is not bool:
        notes.append(f"default {known.default}")
    return f" ({'; '.join(notes)})" if notes else ""


def _flags(typed: Mapping[str, object]) -> Flags:
    out = typed.get("out")
    if out is not None and typed.get("record") is not None:
        raise ConfigError("given twice, as OUT and as --record", where=str(out))
    flags: Flags = {}
    for name, value in typed.items():
        if isinstance(value, list):
            # Given more than once, or with commas between: the same.
            flags |= {name: ",".join(value)} if value else {}
        elif value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            flags["record" if name == "out" else name] = text
    return flags

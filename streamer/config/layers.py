"""Defaults, a settings file, the environment and flags, laid over each other: checked settings, and where each is from.

Called by the command line; it knows nothing of how flags are parsed.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from streamer.config.fields import ENV_PREFIX, SettingField, setting_fields
from streamer.config.files import Value, read_entries
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.text import printable, redacted, redacted_option

MAX_SHOWN_CHARS = 4096
"""How much of a refused value is looked at before it is shown."""

NO_SETTINGS = frozenset({"STREAMER_CACHE"})
"""Variables that are of the machine, not of a run: where models are kept."""

Kind = Literal["default", "file", "environment", "flag"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the kind of place, and the place: `webcam.yaml:3`, `STREAMER_CONF`, `--conf`."""

    kind: Kind = "default"
    place: str = ""

    def __str__(self) -> str:
        return self.place or self.kind


@dataclass(frozen=True, slots=True)
class Given:
    """One value as somebody wrote it, and where."""

    value: Value
    origin: Origin


@dataclass(frozen=True, slots=True)
class Resolved:
    """Checked settings; where each value came from; and what people should know of the places that were looked at.

    overruled: what stands in the file and does not count, because a flag or a variable says it, too.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = field(default=())
    overruled: Mapping[str, Given] = field(default_factory=dict)

    def shown(self, name: str) -> str:
        """The value of a setting as people write it, on one line and without credentials; empty where it is not set."""
        value: object = getattr(self.settings, name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if name == "source_options":
            value = tuple(map(redacted_option, self.settings.source_options))
        text = ",".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
        return printable(redacted(text), limit=256)

    def described(self) -> dict[str, dict[str, str | None]]:
        """Every value as text with the kind and the place of its origin, ready for JSON; no credentials."""
        return {
            name: {"value": self.shown(name) or None, "origin": origin.kind, "place": origin.place or None}
            for name, origin in self.origins.items()
        }


def resolve(
    *, flags: Mapping[str, Value] | None = None, environ: Mapping[str, str] | None = None, path: Path | None = None
) -> Resolved:
    """Settings from flags over `environ` over the file over defaults.

    flags: values by name of setting. path: a settings file; None takes the one that flags or `environ` name, if any.
    Raises ConfigError that lists everything that is wrong, each with its place, its value and what is allowed.
    """
    variables, warnings = _from_environment(environ or {})
    fields = setting_fields()
    typed = {name: Given(value, Origin("flag", fields[name].flag)) for name, value in (flags or {}).items()}
    problems: list[ConfigError] = []
    chosen = path or _named_file(typed.get("config") or variables.get("config"))
    written = _from_file(chosen, problems) if chosen is not None else {}
    given = {**written, **variables, **typed}
    overruled = {name: value for name, value in written.items() if given[name] is not value}
    settings = _checked(given, problems)
    origins = {name: given[name].origin if name in given else Origin() for name in fields}
    return Resolved(settings, origins, warnings, overruled)


def _named_file(given: Given | None) -> Path | None:
    if given is None:
        return None
    try:
        return Settings.model_validate({"config": given.value}).config
    except ValidationError as error:
        raise _refusal(setting_fields()["config"], given, error.errors()[0]) from error


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Given], tuple[str, ...]]:
    by_variable = {known.variable: known.name for known in setting_fields().values()}
    given: dict[str, Given] = {}
    warnings: list[str] = []
    for variable, value in environ.items():
        if name := by_variable.get(variable):
            if value:
                given[name] = Given(value, Origin("environment", variable))
        elif variable.startswith(ENV_PREFIX) and variable not in NO_SETTINGS:
            shown = printable(variable)
            bare = [name.removeprefix(ENV_PREFIX) for name in by_variable]
            hint = _nearest(variable.removeprefix(ENV_PREFIX), bare, prefix=ENV_PREFIX)
            warnings.append(f"{shown} in the environment is no setting{hint}")
    return given, tuple(warnings)


def _from_file(path: Path, problems: list[ConfigError]) -> dict[str, Given]:
    fields = {name: known for name, known in setting_fields().items() if known.setting.in_file}
    given: dict[str, Given] = {}
    seen: dict[str, int] = {}
    for entry in read_entries(path):
        name, where = entry.key.replace("-", "_"), f"{path}:{entry.line}"
        if name not in fields:
            what = f"unknown setting{_nearest(name, fields)}"
            problems.append(ConfigError(what, where=f"{where}: {printable(entry.key) or 'an empty name'}"))
        elif name in seen:
            problems.append(ConfigError(f"given twice; first on line {seen[name]}", where=f"{where}: {name}"))
        elif entry.value is not None:
            given[name] = Given(entry.value, Origin("file", where))
        seen.setdefault(name, entry.line)
    return given


def _nearest(name: str, names: Iterable[str], *, prefix: str = "") -> str:
    close = difflib.get_close_matches(name[:64], names, n=1)
    return f"; did you mean {prefix}{close[0]}?" if close else "; streamer config show lists all of them"


def _checked(given: dict[str, Given], problems: list[ConfigError]) -> Settings:
    fields = setting_fields()
    settings = Settings()
    try:
        settings = Settings.model_validate({name: item.value for name, item in given.items()})
    except ValidationError as error:
        wrong = {str(detail["loc"][0]): detail for detail in error.errors()}
        problems += [_refusal(fields[name], given[name], detail) for name, detail in wrong.items()]
    settings = _settled(settings, given)
    for name, what in settings.contradictions():
        origin = given[name].origin if name in given else Origin()
        problems.append(ConfigError(f"{name} {what}", where=_place(name, origin)))
    _raise_all(problems)
    return settings


def _settled(settings: Settings, given: dict[str, Given]) -> Settings:
    """Of two switches that exclude each other the one from the lower layer goes off, and `given` says by whom."""
    kinds = get_args(Kind)
    for pair in settings.rivals():
        lower, higher = sorted(pair, key=lambda name: kinds.index(given[name].origin.kind))
        if given[lower].origin.kind != given[higher].origin.kind:
            given[lower] = Given("false", given[higher].origin)
            settings = settings.model_copy(update={lower: False})
    return settings


def _refusal(known: SettingField, given: Given, detail: Mapping[str, object]) -> ConfigError:
    raw = given.value if isinstance(given.value, str) else f"[{', '.join(given.value)}]"
    shown = redacted_option if known.name == "source_options" else redacted
    value = printable(shown(raw[:MAX_SHOWN_CHARS]))
    reason = str(detail["msg"]).removeprefix("Value error, ") if detail["type"] == "value_error" else "not allowed"
    what = f"{value!r} is {reason}" if reason == "not allowed" else f"{value!r}: {reason}"
    return ConfigError(f"{what}; allowed: {known.allowed}", where=_place(known.name, given.origin))


def _place(name: str, origin: Origin) -> str:
    return f"{origin.place}: {name}" if origin.kind == "file" else origin.place or name


def _raise_all(problems: list[ConfigError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("\n".join(map(str, problems)))

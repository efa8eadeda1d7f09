"""How the parts of a run take new values of settings, between two frames. Called by reloading.py through `Tunable`."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Protocol, runtime_checkable

from streamer.cli.logs import level_of
from streamer.cli.parts import Parts, style_of
from streamer.cli.reloading import Prepared
from streamer.config import Resolved
from streamer.overlay.typesetting import typesetter
from streamer.sinks.conditions import Condition, Watching
from streamer.sources.reconnecting import Persistent

_STYLE = {
    "hide_labels": "labels",
    "hide_conf": "conf",
    "hide_tracks": "tracks",
    "theme": "theme",
    "box_style": "box_style",
    "line_width": "line_px",
    "font": "font",
    "timestamp": "timestamp",
    "source_name": "source_name",
}
"""Settings, and the fields of the style that come from them."""

_CLIPS = frozenset({"clip_on", "pre", "post"})


@runtime_checkable
class Selective(Protocol):
    """A detector whose choice of detections may be changed while it runs. classes: ids; None for all."""

    classes: frozenset[int] | None
    max_det: int


class Retuning:
    """The parts of one run.

    Every change is one attribute that is replaced, and that whoever uses it reads once for a frame: no frame sees half.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def prepared(self, names: Collection[str], resolved: Resolved) -> Prepared:
        """See `Tunable`."""
        ways = (self._detecting, self._watching, self._drawing, self._beside)
        prepared = [way(frozenset(names), resolved) for way in ways]
        commits = tuple(commit for one in prepared for commit in one.commits)
        return Prepared(commits, frozenset().union(*(one.refused for one in prepared)))

    def _detecting(self, names: frozenset[str], resolved: Resolved) -> Prepared:
        settings, detector = resolved.settings, self._parts.detector
        values: dict[str, object] = {"conf": settings.conf} if "conf" in names else {}
        chosen = names & {"classes", "max_det"}
        if not isinstance(detector, Selective):
            return Prepared(_set(detector, values), refused=chosen)
        if "classes" in chosen:
            where = f"{resolved.origins['classes']}: classes"
            labels = self._parts.detector.labels
            values["classes"] = labels.ids(settings.classes, where=where) if settings.classes else None
        if "max_det" in chosen:
            values["max_det"] = settings.max_det
        return Prepared(_set(detector, values))

    def _watching(self, names: frozenset[str], resolved: Resolved) -> Prepared:
        """Clips: into one folder, and one file at most; they do not begin or end to be kept."""
        settings, names = resolved.settings, names & _CLIPS
        keeps = [sink for sink in self._parts.sinks if sink.role != "report"]
        kept = any(sink.role == "clips" for sink in keeps)
        watching = [sink for sink in keeps if isinstance(sink, Watching)]
        if kept is not (settings.clip_on is not None) or (kept and len(watching) < len(keeps)):
            return Prepared(refused=names)
        if not names or settings.clip_on is None:
            return Prepared()
        where = f"{resolved.origins['clip_on']}: clip_on"
        condition = Condition(settings.clip_on, self._parts.detector.labels, where=where)
        return Prepared(
            tuple(partial(sink.watch_for, condition, pre_s=settings.pre, post_s=settings.post) for sink in watching)
        )

    def _drawing(self, names: frozenset[str], resolved: Resolved) -> Prepared:
        settings, style = resolved.settings, style_of(resolved.settings)
        if "font" in names and settings.font is not None:
            typesetter(settings.font)
        changes = {field: getattr(style, field) for name, field in _STYLE.items() if name in names}
        commits: tuple[Callable[[], None], ...] = (partial(self._parts.desk.restyle, changes),) if changes else ()
        view = self._parts.view
        return Prepared(commits + (_set(view, {"panel": settings.panel}) if "panel" in names and view else ()))

    def _beside(self, names: frozenset[str], resolved: Resolved) -> Prepared:
        settings, source = resolved.settings, self._parts.source
        commits: list[Callable[[], None]] = []
        if "reconnect_max" in names and isinstance(source, Persistent):
            commits.append(partial(source.give_up_after, settings.reconnect_max))
        if names & {"quiet", "verbose"}:
            commits.append(partial(logging.getLogger("streamer").setLevel, level_of(settings)))
        return Prepared(tuple(commits))


def _set(owner: object, values: Mapping[str, object]) -> tuple[Callable[[], None], ...]:
    return tuple(partial(setattr, owner, name, value) for name, value in values.items())

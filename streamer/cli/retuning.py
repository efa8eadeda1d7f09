"""How the parts of a run take new values of settings, between two frames. Called by reloading.py through `Tunable`."""

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol, runtime_checkable

from streamer.cli.logs import level_of
from streamer.cli.parts import Parts, style_of
from streamer.cli.reloading import Prepared
from streamer.config import Resolved
from streamer.labels import Labels
from streamer.overlay.typesetting import typesetter

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
        settings, parts = resolved.settings, self._parts
        commits: list[Callable[[], None]] = []
        refused: set[str] = set()
        if "conf" in names:
            commits.append(partial(setattr, parts.detector, "conf", settings.conf))
        if chosen := {"classes", "max_det"} & set(names):
            if isinstance(parts.detector, Selective):
                commits += _selecting(chosen, resolved, parts.detector, parts.detector.labels)
            else:
                refused |= chosen
        if drawn := _STYLE.keys() & set(names):
            if settings.font is not None:
                typesetter(settings.font)
            style = style_of(settings)
            changes = {_STYLE[name]: getattr(style, _STYLE[name]) for name in drawn}
            commits.append(partial(parts.desk.restyle, changes))
        if "panel" in names and parts.view is not None:
            commits.append(partial(setattr, parts.view, "panel", settings.panel))
        if {"quiet", "verbose"} & set(names):
            commits.append(partial(logging.getLogger("streamer").setLevel, level_of(settings)))
        return Prepared(tuple(commits), frozenset(refused))


def _selecting(
    names: Collection[str], resolved: Resolved, detector: Selective, labels: Labels
) -> list[Callable[[], None]]:
    settings = resolved.settings
    values: dict[str, object] = {}
    if "classes" in names:
        where = f"{resolved.origins['classes']}: classes"
        values["classes"] = labels.ids(settings.classes, where=where) if settings.classes else None
    if "max_det" in names:
        values["max_det"] = settings.max_det
    return [partial(setattr, detector, name, value) for name, value in values.items()]

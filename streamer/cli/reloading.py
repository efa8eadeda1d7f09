"""The settings of a run read again: when SIGHUP asks for it, and when their file has changed.

What is applied is what differs from what the run has, no more: what keys in the window have changed since stays, unless
the file says something new of it. Either all that a new file says can be taken over, or nothing of it.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.config import Resolved, resolve, setting_fields
from streamer.config.files import MAX_BYTES, Value
from streamer.errors import StreamerError

logger = logging.getLogger(__name__)

SETTLED_NS = NS_PER_S // 2
"""A file that changed is read when it has stayed the same for so long: an editor may still be writing it."""

_GONE = b"gone"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be taken over: called one after the other, none of `commits` fails.

    refused: settings that this run cannot take, though others could.
    """

    commits: tuple[Callable[[], None], ...] = ()
    refused: frozenset[str] = frozenset()


class Tunable(Protocol):
    """A run that can take new values."""

    def prepared(self, names: Collection[str], resolved: Resolved) -> Prepared:
        """How it takes these settings from `resolved`; nothing is done yet. Raises StreamerError for a wrong value."""


class Announce(Protocol):
    """Who is told that settings are read again."""

    def reloading(self) -> None: ...

    def reloaded(self) -> None: ...


class Reloading:
    """Looks after the settings of one run. All but `ask` is called on one thread.

    resolved: as they were read at the start, from the same `flags` and `environ`. The file is looked at as a whole each
    time: 5 KB that the system holds in memory, and neither a time stamp nor a link has to be trusted.
    """

    def __init__(
        self,
        resolved: Resolved,
        *,
        flags: Mapping[str, Value],
        environ: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        self.running = resolved
        """The settings as the run has them now."""
        self.count = 0
        """How often something was taken over."""
        self._read = resolved
        self._flags, self._environ = dict(flags), dict(environ)
        self._path = resolved.settings.config
        self._clock = clock or MonotonicClock()
        self._tunable: Tunable | None = None
        self._announce: Announce | None = None
        self._asked = False
        self._taken: bytes | None = None
        self._seen: bytes | None = None
        self._seen_ns = 0
        self._told_overruled: set[str] = set()

    @property
    def watches(self) -> bool:
        """Whether there is a file to look at."""
        return self._path is not None

    def attach(self, tunable: Tunable, *, announce: Announce | None = None) -> None:
        """There is a run now that takes new values."""
        self._announce = announce
        self._tunable = tunable

    def ask(self) -> None:
        """Have them read again at the next look; from any thread, and without waiting."""
        self._asked = True

    def look(self) -> None:
        """Read them again if that was asked for, or if their file has changed and settled."""
        if self._tunable is None:
            return
        if self._asked:
            self._asked = False
            self._announced(self._tunable, asked=True)
        elif self._path is not None and self._has_settled(self._path):
            if self._taken is None:  # it may have changed while the model was loaded
                self._taken = self._seen
                self._take_over(self._tunable, asked=False)
            else:
                self._announced(self._tunable, asked=False)

    def _has_settled(self, path: Path) -> bool:
        """Whether it differs from what was read last, and has for long enough."""
        now_ns, content = self._clock.now_ns(), _content(path)
        if content != self._seen:
            self._seen, self._seen_ns = content, now_ns
            return False
        return content != self._taken and now_ns - self._seen_ns >= SETTLED_NS

    def _announced(self, tunable: Tunable, *, asked: bool) -> None:
        if self._announce is not None:
            self._announce.reloading()
        try:
            self._taken = self._seen if self._path is None else _content(self._path)
            self._take_over(tunable, asked=asked)
        finally:
            if self._announce is not None:
                self._announce.reloaded()

    def _take_over(self, tunable: Tunable, *, asked: bool) -> None:
        if self._path is None:
            logger.warning("SIGHUP: there is no settings file (--config) that could be read again; the run goes on")
            return
        try:
            new = resolve(flags=self._flags, environ=self._environ)
            changed = {name for name in setting_fields() if _of(new, name) != _of(self.running, name)}
            live = {name for name in changed if setting_fields()[name].setting.reloads}
            prepared = tunable.prepared(live, new)
        except StreamerError as error:
            first, *more = str(error).splitlines()
            further = f"; and {len(more)} more, which streamer config check tells" if more else ""
            logger.error("the settings stay as they were: %s%s", first, further)  # noqa: TRY400 - the user's error
            return
        for commit in prepared.commits:
            commit()
        taken = live - prepared.refused
        self._tell_taken(new, taken, asked=asked)
        self._tell_stuck(new, changed - taken)
        self._tell_overruled(new)
        values = {name: _of(new, name) for name in taken}
        origins = {**self.running.origins, **{name: new.origins[name] for name in taken}}
        settings = self.running.settings.model_copy(update=values)
        self.running = replace(self.running, settings=settings, origins=origins)
        self._read = new
        self.count += bool(taken)

    def _tell_taken(self, new: Resolved, taken: Collection[str], *, asked: bool) -> None:
        if taken:
            changes = (f"{name} {_said(self.running, name)} -> {_said(new, name)}" for name in sorted(taken))
            logger.info("settings read again: %s", ", ".join(changes))
        elif asked:
            logger.info("settings read again: nothing has changed that a run can take over")

    def _tell_stuck(self, new: Resolved, stuck: Collection[str]) -> None:
        """Each change once."""
        if names := sorted(name for name in stuck if _of(new, name) != _of(self._read, name)):
            logger.warning("%s: changed in the settings, and taken over by a restart only", ", ".join(names))

    def _tell_overruled(self, new: Resolved) -> None:
        """Each setting once."""
        for name, given in new.overruled.items():
            before = self._read.overruled.get(name)
            if (before is None or before.value != given.value) and name not in self._told_overruled:
                self._told_overruled.add(name)
                logger.info("%s: %s has changed, and %s overrules it", given.origin, name, new.origins[name])


def _of(resolved: Resolved, name: str) -> object:
    return getattr(resolved.settings, name)


def _said(resolved: Resolved, name: str) -> str:
    return resolved.shown(name) or "nothing"


def _content(path: Path) -> bytes:
    """What stands in a settings file, as a digest; `_GONE` where there is none."""
    try:
        # A pipe that was put in its place must not hold up the look.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return hashlib.sha256(file.read(MAX_BYTES + 1)).digest()
    except (OSError, ValueError):
        return _GONE

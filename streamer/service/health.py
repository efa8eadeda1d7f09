"""How a run is doing, as it stands in its health file. health_file.py writes it, verdict.py judges it.

Its age is told by the monotonic clock, which every process of one start of the machine reads alike and nobody sets; the
times of day in it are for people.
"""

import stat
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from streamer.errors import ConfigError
from streamer.frame import Ledger
from streamer.service.process import ProcessId

KIND: Literal["streamer health"] = "streamer health"
VERSION = 1
MAX_BYTES = 64 * 1024
"""The largest file that is read; one has 1.5 KB."""


class Health(BaseModel):
    """One state of one run. Holds no credentials: whoever fills it takes them out.

    kind: what tells it from every other file. started, updated: time of day, ISO 8601. updated_ns: monotonic.
    state: as in Status; at the end `ended`, or `failed` with `error`. exit_code: at the end.
    stalls: the run's own stages that stand still. last_frame_age_s: as of `updated_ns`; None before the first frame.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    kind: Literal["streamer health"]
    version: int = VERSION
    streamer: str
    process: ProcessId
    started: str
    updated: str
    updated_ns: int
    uptime_s: float
    state: str
    detail: str = ""
    stalls: str = ""
    source: str = ""
    live: bool = False
    capture_fps: float = 0.0
    detect_fps: float = 0.0
    view_fps: float = 0.0
    latency_p95_ms: float = 0.0
    last_frame_age_s: float | None = None
    reconnects: int = 0
    reloads: int = 0
    ledger: Ledger = Ledger()
    error: str | None = None
    exit_code: int | None = None

    @property
    def over(self) -> bool:
        """Whether the run has ended and said so."""
        return self.exit_code is not None


def read_health(path: Path) -> Health:
    """What stands in a health file.

    Raises FileNotFoundError, and ConfigError for what cannot be read or is no health file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError("is no ordinary file, and so no health file", where=str(path))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(getattr(error, "strerror", None) or str(error), where=str(path)) from error
    if len(data) > MAX_BYTES:
        raise ConfigError("is too large for a health file", where=str(path))
    try:
        health = Health.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError("is no health file", where=str(path), hint="streamer run --health FILE writes one") from error
    if health.version != VERSION:
        raise ConfigError(f"is a health file of version {health.version}, not {VERSION}", where=str(path))
    return health

"""What can be asked of a model, whatever its form. Not how it is run; config and Python callers fill it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamer.errors import ConfigError

Scale = Literal["auto", "0..1", "-1..1", "0..255"]
"""What the values of a pixel become; auto: 0..255 for a model that takes uint8, 0..1 for one that takes floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """How a model is to be read and which of its detections count.

    labels: a file of class names; None looks beside the model.
    conf: the lowest score that is reported, 0 to 1.
    classes: names, or `#17`, of the only classes that are reported; empty for all.
    max_det: the most boxes an image, 1 or more; more than `frame.MAX_DETECTIONS` are never given.
    label_offset: what is added to the ids of the label file; None finds it out.
    signature: the name of a SavedModel's signature; None takes serving_default, or the only one.
    scale: what the values of a pixel become.
    trust: whether a model is run that does more than detectors need, such as reading files; it is warned of.

    Raises ConfigError for a number out of range.
    """

    labels: Path | None = None
    conf: float = 0.5
    classes: tuple[str, ...] = ()
    max_det: int = 100
    label_offset: int | None = None
    signature: str | None = None
    scale: Scale = "auto"
    trust: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.conf <= 1.0:
            raise ConfigError(f"{self.conf} is no score", where="--conf", hint="0 to 1")
        if self.max_det < 1:
            raise ConfigError(f"{self.max_det} is no number of boxes", where="--max-det", hint="1 or more")

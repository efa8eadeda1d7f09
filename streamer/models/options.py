"""What can be asked of a model, whatever its form. Not how it is run; config and Python callers fill it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from streamer.errors import ConfigError

Scale = Literal["auto", "0..1", "-1..1", "0..255"]
"""What the values of a pixel become; auto: what the model's card, file or kind says, else 0..1 for floats."""

ChannelOrder = Literal["rgb", "bgr"]
"""In which order a model takes the channels of a pixel."""

Fit = Literal["stretch", "letterbox", "crop"]
"""How a frame of another shape is put into the input: its aspect given up, black beside it, or its edges cut off."""


Layout = Literal["nhwc", "nchw"]
"""Where the channels of a picture stand in a tensor: last, or first."""

Unit = Literal["fraction", "px"]
"""In which a model gives its boxes: 0..1 over its input, or pixels of it."""

Order = Literal["yxyx", "xyxy", "cxcywh", "xywh"]
"""What the four numbers of a box are: two corners, the centre and the size, or a corner and the size."""


Runtime = Literal["auto", "saved", "tensorflow", "openvino", "litert", "opencv"]
"""What runs a model. auto: the fastest that sees what the graph as it was saved sees, measured once. saved: that graph,
in the library that its form belongs to, without measuring anything."""

RUNTIME_VARIABLE = "STREAMER_RUNTIME"
"""The variable of the environment that says it where nobody else does."""

Device = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """How a model is to be read and which of its detections count.

    labels: a file of class names; None looks beside the model.
    conf: the lowest score that is reported, 0 to 1.
    classes: names, or `#17`, of the only classes that are reported; empty for all.
    max_det: the most boxes an image, 1 or more; more than `frame.MAX_DETECTIONS` are never given.
    label_offset: what is added to the ids of the label file; None finds it out.
    signature: the name of a SavedModel's signature; None takes serving_default, or the only one.
    card: a model card; None looks beside the model.
    scale, channel_order, fit: what the values of a pixel become, in which order, and how a frame is fitted in.
    layout, input_size_px: where the channels stand, and (width, height) in px for a model that takes any size.
    box_order, box_unit: what the numbers of finished boxes are.
    iou: above how much overlap the weaker of two boxes is left out, 0 to 1, where streamer does that itself.
    trust: whether a model is run that does more than detectors need, such as reading files; it is warned of.
    runtime: what runs it; None takes what STREAMER_RUNTIME says, else auto. threads: cores that it may take, None for
    as many as suit. device: where; auto takes a GPU that is found and is faster. gpu_mem_mb: the most of a GPU's memory
    that TensorFlow takes; None lets it grow. int8: whether a form whose numbers were brought to 8 bits may be taken.
    live: whether it is for a live stream, where the time of one picture counts, or for files, where their number does.

    Raises ConfigError for a number out of range.
    """

    labels: Path | None = None
    conf: float = 0.5
    classes: tuple[str, ...] = ()
    max_det: int = 100
    label_offset: int | None = None
    signature: str | None = None
    card: Path | None = None
    scale: Scale = "auto"
    channel_order: ChannelOrder | None = None
    fit: Fit | None = None
    layout: Layout | None = None
    input_size_px: tuple[int, int] | None = None
    box_order: Order | None = None
    box_unit: Unit | None = None
    iou: float | None = None
    trust: bool = False
    runtime: Runtime | None = None
    threads: int | None = None
    device: Device = "auto"
    gpu_mem_mb: int | None = None
    int8: bool = False
    live: bool = False

    @property
    def runtime_in_use(self) -> Runtime:
        """What `runtime` comes to. Raises ConfigError for a variable that says nothing known."""
        if self.runtime is not None:
            return self.runtime
        said = os.environ.get(RUNTIME_VARIABLE) or "auto"
        known: Runtime | None = next((name for name in get_args(Runtime) if name == said), None)
        if known is None:
            raise ConfigError(f"{said!r} is no runtime", where=RUNTIME_VARIABLE, hint=", ".join(get_args(Runtime)))
        return known

    def __post_init__(self) -> None:
        if not 0.0 <= self.conf <= 1.0:
            raise ConfigError(f"{self.conf} is no score", where="--conf", hint="0 to 1")
        if self.iou is not None and not 0.0 <= self.iou <= 1.0:
            raise ConfigError(f"{self.iou} is no overlap", where="--iou", hint="0 to 1")
        if self.max_det < 1:
            raise ConfigError(f"{self.max_det} is no number of boxes", where="--max-det", hint="1 or more")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"{self.threads} is no number of threads", where="--threads", hint="1 or more")

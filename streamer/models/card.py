"""The model card: what a model's file cannot say of itself, in a small YAML file beside it (docs/cards.md).

Here is what a card may say, checked; cards are read and written in card_files.py, and presets.py holds those of known
families. Called by understanding.py.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from streamer.models.options import ChannelOrder, Fit, Layout, Order, Unit

Range = Literal["0..1", "-1..1", "0..255"]
Activation = Literal["none", "sigmoid", "softmax"]
Background = Literal["none", "first", "last"]
Suppression = Literal["per_class", "agnostic", "none"]
Column = Literal["x1", "y1", "x2", "y2", "cx", "cy", "w", "h", "score", "class", "skip"]
Triple = tuple[float, float, float]
BOX_COLUMNS: Mapping[Order, tuple[Column, Column, Column, Column]] = {
    "xyxy": ("x1", "y1", "x2", "y2"),
    "cxcywh": ("cx", "cy", "w", "h"),
    "xywh": ("x1", "y1", "w", "h"),
}
"""Which columns make a box, by its order."""

Positive = Annotated[float, Field(gt=0)]
Stride = Annotated[float, Field(ge=1, le=4096)]
Cells = Annotated[int, Field(ge=1, le=4096)]
Share = Annotated[float, Field(ge=0, le=1)]


def _beside(name: str) -> str:
    """A card may have come with its model, so it names no file elsewhere."""
    if (
        not name
        or "\0" in name
        or any(kind(name).anchor or ".." in kind(name).parts for kind in (PurePosixPath, PureWindowsPath))
    ):
        raise ValueError("the name of a file beside the card is wanted")
    return name


FileName = Annotated[str, AfterValidator(_beside)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputCard(_Part):
    """How a picture is put in. All of it may be left out: None is decided by the signature, or by looking.

    size: (width, height) in px for a model that takes any. multiple_of: what both sides of such an input must be
    multiples of, in px. scale: what the values of a pixel become. mean, std: instead of scale, for each channel in the
    model's order: (pixel - mean) / std with pixels 0..255. fit: how a frame of another shape is put in.
    """

    size: tuple[Annotated[int, Field(ge=1, le=8192)], Annotated[int, Field(ge=1, le=8192)]] | None = None
    multiple_of: Annotated[int, Field(ge=1, le=1024)] | None = None
    layout: Layout | None = None
    channel_order: ChannelOrder | None = None
    scale: Range | None = None
    mean: Triple | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    fit: Fit | None = None

    @model_validator(mode="after")
    def _one_way_of_scaling(self) -> "InputCard":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together")
        if self.mean is not None and self.scale is not None:
            raise ValueError("either scale, or mean and std")
        return self


class GridAnchors(_Part):
    """Boxes of given shapes around the middle of each cell of one or more grids, cell by cell, row by row.

    maps: (columns, rows) of each grid; None takes the input's size over each of `strides`, in px, rounded up.
    shapes: for each grid, the (width, height) of the boxes of a cell, as fractions of the input or in px of it.
    """

    kind: Literal["grid"] = "grid"
    maps: tuple[tuple[Cells, Cells], ...] | None = None
    strides: tuple[Stride, ...] | None = None
    shapes: tuple[tuple[tuple[Positive, Positive], ...], ...]
    unit: Unit = "fraction"
    clip: bool = False

    @model_validator(mode="after")
    def _as_many_shapes_as_grids(self) -> "GridAnchors":
        if (self.maps is None) == (self.strides is None):
            raise ValueError("either maps or strides")
        if len(self.shapes) != len(self.maps or self.strides or ()):
            raise ValueError("shapes are wanted for each grid")
        return self


class MultiscaleAnchors(_Part):
    """Those of RetinaNet and EfficientDet: on levels of stride 2**level, `scale` strides wide, in octaves and ratios.

    As multiscale_grid_anchor_generator of the Object Detection API makes them: normalised over the input.
    `like: automl` as EfficientDet's own code and TensorFlow's Model Garden do: the ratios change faster than the
    octaves, and cells are the input's size over the map's, their middles half a cell from the edge.
    """

    kind: Literal["multiscale"] = "multiscale"
    min_level: Annotated[int, Field(ge=0, le=12)] = 3
    max_level: Annotated[int, Field(ge=0, le=12)] = 7
    scale: Positive = 4.0
    ratios: tuple[Positive, ...] = (1.0, 2.0, 0.5)
    scales_per_octave: Annotated[int, Field(ge=1, le=8)] = 2
    like: Literal["api", "automl"] = "api"

    @model_validator(mode="after")
    def _levels_upwards(self) -> "MultiscaleAnchors":
        if self.min_level > self.max_level:
            raise ValueError("min_level is above max_level")
        return self


class SsdAnchors(_Part):
    """Those of the first SSDs: ssd_anchor_generator of the Object Detection API, scales from min to max over layers.

    maps: (columns, rows) of each grid; None takes those of a MobileNet at this input: a sixteenth, and halves of it.
    """

    kind: Literal["ssd"] = "ssd"
    layers: Annotated[int, Field(ge=2, le=16)] = 6
    min_scale: Positive = 0.2
    max_scale: Positive = 0.95
    ratios: tuple[Positive, ...] = (1.0, 2.0, 0.5, 3.0, 0.3333)
    interpolated_ratio: float = 1.0
    reduce_lowest: bool = True
    maps: tuple[tuple[Cells, Cells], ...] | None = None

    @model_validator(mode="after")
    def _a_map_for_each_layer(self) -> "SsdAnchors":
        if self.maps is not None and len(self.maps) != self.layers:
            raise ValueError(f"{self.layers} layers want as many maps")
        return self


class MediapipeAnchors(_Part):
    """Points, one anchor of the size of the input each: SsdAnchorsCalculator of MediaPipe with fixed_anchor_size.

    strides: in px, in the order of the outputs; per_cell: how many a cell for each of them.
    """

    kind: Literal["mediapipe"] = "mediapipe"
    strides: Annotated[tuple[Stride, ...], Field(min_length=1)] = (8, 16, 16, 16)
    per_cell: Annotated[int, Field(ge=1, le=16)] = 2


class FileAnchors(_Part):
    """Anchors from a file beside the card: .npy or .csv, (N, 4), cx cy w h as fractions of the input."""

    kind: Literal["file"] = "file"
    file: FileName


Anchors = Annotated[
    GridAnchors | MultiscaleAnchors | SsdAnchors | MediapipeAnchors | FileAnchors, Field(discriminator="kind")
]


class _Suppressing(_Part):
    nms: Suppression = "per_class"
    iou: Share = 0.6


class DecodedHead(_Suppressing):
    """Boxes, scores and classes as finished outputs of their own, one row a detection.

    The names may be left out where the outputs' names or shapes tell. scores may be [N, classes]: then the best class
    of each row counts, `activation` is applied and `background` left out.
    """

    kind: Literal["decoded"] = "decoded"
    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    order: Order | None = None
    unit: Unit | None = None
    activation: Activation = "none"
    background: Background = "none"
    nms: Suppression = "none"


class RowsHead(_Suppressing):
    """One output, a detection a row: `columns` says what stands where. YOLO exports with NMS, OpenCV's DetectionOutput.

    unit: None tells it from the numbers: fractions where all of them are small.
    """

    kind: Literal["rows"] = "rows"
    rows: str | None = None
    columns: tuple[Column, ...] = ("x1", "y1", "x2", "y2", "score", "class")
    unit: Unit | None = None
    nms: Suppression = "none"

    @model_validator(mode="after")
    def _one_box_a_row(self) -> "RowsHead":
        named = [column for column in self.columns if column != "skip"]
        if len(named) != len(set(named)):
            raise ValueError("a column stands there twice")
        if set(named) - {"class"} not in [{*box, "score"} for box in BOX_COLUMNS.values()]:
            boxes = " or ".join(" ".join(box) for box in BOX_COLUMNS.values())
            raise ValueError(f"a score and the four numbers of one box are wanted: {boxes}")
        return self


class AnchorHead(_Suppressing):
    """Raw outputs of an SSD: offsets from anchors, and scores of every class for each.

    coding: `centre`, offsets of the centre and logarithms of the size, as Faster R-CNN and SSD have them; `linear`,
    centre and size in px of the input, as BlazeFace has them; `distance`, from the anchor's middle to the four sides
    in sizes of the anchor, as FCOS and SCRFD have them in strides.
    order: of the four numbers: horizontal first, or vertical as the Object Detection API has them. variances: what the
    numbers of `centre` and `distance` are multiplied by, in the order in which they come.
    Further numbers in a row of boxes, such as keypoints, are not read.
    """

    kind: Literal["anchors"] = "anchors"
    boxes: str | None = None
    scores: str | None = None
    anchors: Anchors
    coding: Literal["centre", "linear", "distance"] = "centre"
    order: Literal["cycxhw", "cxcywh"] = "cxcywh"
    variances: tuple[Positive, Positive, Positive, Positive] = (0.1, 0.1, 0.2, 0.2)
    activation: Activation = "sigmoid"
    background: Background = "none"


class YoloHead(_Suppressing):
    """One output of a YOLO without NMS: [4+classes, N] as version 8 and later have it, or [N, 5+classes] as version 5.

    objectness: whether the fifth number is the score of there being an object. order, unit: of the boxes; a unit of
    None is told from the numbers, for one network is exported with either: fractions where all of them are small.
    """

    kind: Literal["yolo"] = "yolo"
    rows: str | None = None
    objectness: bool = False
    transposed: bool = True
    order: Literal["cxcywh", "xyxy"] = "cxcywh"
    unit: Unit | None = None
    activation: Activation = "none"


class CenterNetHead(_Suppressing):
    """Raw outputs of a CenterNet: a heat map for each class, sizes and offsets; peaks of 3x3 cells are detections.

    order: of the two numbers of sizes and offsets.
    """

    kind: Literal["centernet"] = "centernet"
    heatmap: str | None = None
    sizes: str | None = None
    offsets: str | None = None
    order: Literal["hw", "wh"] = "hw"
    unit: Literal["cells", "px"] = "cells"
    activation: Activation = "sigmoid"
    nms: Suppression = "none"


HeadCard = Annotated[DecodedHead | RowsHead | AnchorHead | YoloHead | CenterNetHead, Field(discriminator="kind")]


CardLabels = tuple[str, ...] | dict[int, str] | FileName
"""Names from `first_class_id` on, names by id, or a file beside the card."""


class Card(_Part):
    """What a card says of one model.

    preset: the family whose card this one adds to; what stands here wins.
    name, about, licence: for people. labels: names, ids with names, or a file beside the card. first_class_id: the id
    that the model gives to the first of them.
    """

    preset: str | None = None
    name: str = ""
    about: str = ""
    licence: str = ""
    input: InputCard = InputCard()
    head: HeadCard | None = None
    labels: CardLabels | None = None
    first_class_id: Annotated[int, Field(ge=0, le=1000)] | None = None

"""Anchors: the boxes that the raw outputs of an SSD are offsets from. Each kind is made as its source makes it.

Called by heads/building.py, once a run.
"""

import math
import tokenize
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.models.beside import beside
from streamer.models.card import Anchors, FileAnchors, GridAnchors, MediapipeAnchors, MultiscaleAnchors, SsdAnchors
from streamer.text import printable

MAX_ANCHORS = 1_000_000
"""No detector has more; EfficientDet-D7 at 1536 px has 441,936."""

MAX_FILE_BYTES = 64_000_000
"""The largest file of anchors that is read."""

_DAMAGE = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, MemoryError, OverflowError, RecursionError),
    tokenize.TokenError,
)
"""What numpy raises on bytes that are no such file; it reads the header of a .npy as Python."""

_REDUCED = ((0.1, 1.0), (None, 2.0), (None, 0.5))
"""(scale, ratio) of the lowest layer of an SSD; None is the layer's own scale."""

_LOWEST_STRIDE = 16
"""Of an SSD on a MobileNet, in px; every further layer halves the map."""

Size = tuple[int, int]
_Shapes = NDArray[np.float64]


def make_anchors(card: Anchors, *, input_size_px: Size, folder: Path | None = None) -> NDArray[np.float64]:
    """(N, 4) cx cy w h as fractions of the input, in the order of the model's rows. Read-only, made once.

    input_size_px: (width, height). folder: where a file of anchors lies.

    Raises ConfigError for a file that cannot be read, and for more anchors than any detector has.
    """
    return _from_file(card, folder) if isinstance(card, FileAnchors) else _made(card, input_size_px)


@lru_cache(maxsize=16)
def _made(card: GridAnchors | MultiscaleAnchors | SsdAnchors | MediapipeAnchors, size_px: Size) -> NDArray[np.float64]:
    match card:
        case GridAnchors():
            layers = _grid(card, size_px)
        case MultiscaleAnchors():
            layers = _multiscale(card, size_px)
        case SsdAnchors():
            layers = _ssd(card, size_px)
        case MediapipeAnchors():
            layers = _mediapipe(card, size_px)
    if (count := sum(columns * rows * len(shapes) for (columns, rows), _, _, shapes in layers)) > MAX_ANCHORS:
        raise ConfigError(f"the card makes {count} anchors at {size_px[0]}x{size_px[1]}", where="anchors")
    anchors = np.concatenate([_tiled(*layer) for layer in layers])
    if isinstance(card, GridAnchors) and card.clip:
        np.clip(anchors, 0.0, 1.0, out=anchors)
    anchors.setflags(write=False)
    return anchors


_Layer = tuple[Size, tuple[float, float], tuple[float, float], _Shapes]
"""A map's (columns, rows), (width, height) of a cell, (x, y) of the middle of the first one, (K, 2) sizes of its boxes;
fractions of the input, boxes may be larger."""


def _tiled(cells: Size, step: tuple[float, float], first: tuple[float, float], shapes: _Shapes) -> NDArray[np.float64]:
    """Every shape in every cell, row by row; shapes change fastest."""
    columns, rows = cells
    anchors = np.empty((rows, columns, len(shapes), 4))
    anchors[..., 0] = (np.arange(columns) * step[0] + first[0])[np.newaxis, :, np.newaxis]
    anchors[..., 1] = (np.arange(rows) * step[1] + first[1])[:, np.newaxis, np.newaxis]
    anchors[..., 2:] = shapes
    return anchors.reshape(-1, 4)


def _even(cells: Size, shapes: _Shapes) -> _Layer:
    """Cells that share the input evenly."""
    step = (1 / cells[0], 1 / cells[1])
    return cells, step, (step[0] / 2, step[1] / 2), shapes


def _cells(size_px: Size, stride_px: float) -> Size:
    return math.ceil(size_px[0] / stride_px), math.ceil(size_px[1] / stride_px)


def _grid(card: GridAnchors, size_px: Size) -> list[_Layer]:
    """Priors as define_img_size of Ultra-Light-Fast-Generic-Face-Detector-1MB and PriorBox of RetinaFace make them from
    strides, and generate_anchors of AIZOO's FaceMaskDetection from maps.
    """
    sizes = [np.asarray(shapes, np.float64) / (size_px if card.unit == "px" else 1) for shapes in card.shapes]
    if card.maps is not None:
        return [_even(cells, shapes) for cells, shapes in zip(card.maps, sizes, strict=True)]
    layers: list[_Layer] = []
    for stride, shapes in zip(card.strides or (), sizes, strict=True):
        step = (stride / size_px[0], stride / size_px[1])
        layers.append((_cells(size_px, stride), step, (step[0] / 2, step[1] / 2), shapes))
    return layers


def _multiscale(card: MultiscaleAnchors, size_px: Size) -> list[_Layer]:
    """multiscale_grid_anchor_generator.py of the Object Detection API: the first middle is half a stride from the edge
    where the stride divides the side, else on the edge. `automl`: efficientdet/tf2/anchors.py of google/automl.
    """
    octaves = 2.0 ** (np.arange(card.scales_per_octave) / card.scales_per_octave)
    ratios = np.sqrt(np.asarray(card.ratios, np.float64))
    by_ratio = card.like == "automl"
    scales, roots = (
        np.repeat(octaves, len(ratios)) if by_ratio else np.tile(octaves, len(ratios)),
        np.tile(ratios, len(octaves)) if by_ratio else np.repeat(ratios, len(octaves)),
    )
    boxes = card.scale * scales[:, np.newaxis] * np.stack([roots, 1 / roots], axis=1)
    layers: list[_Layer] = []
    for level in range(card.min_level, card.max_level + 1):
        stride, cells = 2**level, _cells(size_px, 2**level)
        if by_ratio:
            layers.append(_even(cells, boxes / cells))
            continue
        step = (stride / size_px[0], stride / size_px[1])
        first = tuple(0.0 if side % stride else part / 2 for side, part in zip(size_px, step, strict=True))
        layers.append((cells, step, (first[0], first[1]), boxes * step))
    return layers


def _ssd(card: SsdAnchors, size_px: Size) -> list[_Layer]:
    """create_ssd_anchors in multiple_grid_anchor_generator.py of the Object Detection API."""
    spread = (card.max_scale - card.min_scale) / (card.layers - 1)
    scales = [*(card.min_scale + spread * layer for layer in range(card.layers)), 1.0]
    square = np.asarray([min(size_px) / size_px[0], min(size_px) / size_px[1]])
    return [
        _even(cells, _ssd_shapes(card, layer, scales) * square)
        for layer, cells in enumerate(card.maps or _halved(_cells(size_px, _LOWEST_STRIDE), card.layers))
    ]


def _ssd_shapes(card: SsdAnchors, layer: int, scales: Sequence[float]) -> _Shapes:
    scale = scales[layer]
    if layer == 0 and card.reduce_lowest:
        boxes = [(own or scale, ratio) for own, ratio in _REDUCED]
    else:
        boxes = [(scale, ratio) for ratio in card.ratios]
        if card.interpolated_ratio > 0:
            boxes.append((math.sqrt(scale * scales[layer + 1]), card.interpolated_ratio))
    return np.asarray([(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for scale, ratio in boxes])


def _halved(cells: Size, layers: int) -> list[Size]:
    maps = [cells]
    while len(maps) < layers:
        columns, rows = maps[-1]
        maps.append(((columns + 1) // 2, (rows + 1) // 2))
    return maps


def _mediapipe(card: MediapipeAnchors, size_px: Size) -> list[_Layer]:
    """ssd_anchors_calculator.cc of MediaPipe: neighbouring layers of one stride share their cells."""
    layers: list[_Layer] = []
    for stride, same in groupby(card.strides):
        shapes = np.ones((card.per_cell * len(list(same)), 2))
        layers.append(_even(_cells(size_px, stride), shapes))
    return layers


def _from_file(card: FileAnchors, folder: Path | None) -> NDArray[np.float64]:
    path = beside(folder or Path(), card.file)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ConfigError("cannot be read as anchors: it is no file", where=str(path))
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"has more than {MAX_FILE_BYTES // 1_000_000} MB: it holds no anchors", where=str(path))
        found = _npy(path) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", ndmin=2)
    except _DAMAGE as error:
        what = printable(str(error), limit=160)
        raise ConfigError(f"cannot be read as anchors: {what}", where=str(path)) from error
    return _checked(found, path)


def _npy(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _checked(found: NDArray[np.generic], path: Path) -> NDArray[np.float64]:
    if found.ndim != 2 or found.shape[1] != 4 or found.dtype.kind not in "fiu" or not 0 < len(found) <= MAX_ANCHORS:
        raise ConfigError(f"holds {found.dtype} {found.shape}, where (N, 4) numbers are wanted", where=str(path))
    anchors = found.astype(np.float64)
    if not np.isfinite(anchors).all() or (anchors[:, 2:] <= 0).any():
        raise ConfigError("holds anchors that are no boxes: cx cy w h are wanted", where=str(path))
    anchors.setflags(write=False)
    return anchors

"""Training samples that look like webcams and clips: every scale from close-up to crowd, every kind of bad picture.

Geometry first (one affine warp, or four in a mosaic), then light, then what optics and codecs do. All chance comes
from the generator that is passed in, so a sample is known by its seed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from train_detector.data import Floats, Image, Labels, Sample

MATCH_SIDE_PX = 320
"""Pictures are judged with their longer side at this length."""


@dataclass(frozen=True)
class Recipe:
    """How often and how strongly; probabilities are per sample."""

    mosaic: float = 0.3
    flip: float = 0.5
    zoom: tuple[float, float] = (0.6, 1.8)
    """Longer side of the picture over the side of the canvas, log-uniform."""

    mosaic_zoom: tuple[float, float] = (0.4, 1.1)
    stretch: float = 1.3
    """Largest change of the aspect ratio."""

    rotate: float = 0.12
    rotate_degrees: float = 10.0
    light: float = 0.8
    low_light: float = 0.06
    grey: float = 0.08
    saturation: float = 0.3
    blur: float = 0.08
    motion: float = 0.07
    coarse: float = 0.1
    noise: float = 0.1
    jpeg: float = 0.15
    erase: float = 0.1
    keep_visible: float = 0.4
    """A box of which less than this stays in the canvas becomes an ignored area."""

    smallest_px: tuple[float, float] = (8.0, 4.0)
    """Shorter side of a person and of a face below which a box becomes an ignored area."""


FINISH = Recipe(mosaic=0.1, zoom=(0.7, 1.5), stretch=1.15, rotate=0.1, blur=0.08, motion=0.06, coarse=0.08, erase=0.05)
"""For the last epochs: nearer to what the detector will see."""

Pick = Callable[[int], Sample]


def make_sample(
    rng: np.random.Generator, pick: Pick, *, count: int, index: int, side_px: int, recipe: Recipe
) -> Sample:
    """Picture `index` (and three more in a mosaic, of `count` that `pick` knows) on a square canvas."""
    if rng.random() < recipe.mosaic:
        others = rng.integers(0, count, 3)
        sample = _mosaic(rng, [pick(index), *(pick(int(other)) for other in others)], side_px, recipe)
    else:
        sample = _place(rng, pick(index), (side_px, side_px), recipe, recipe.zoom)
    image = _light(rng, sample.image, recipe)
    image = _degrade(rng, image, recipe)
    return Sample(image, _demote(sample.labels, recipe))


def _mosaic(rng: np.random.Generator, samples: list[Sample], side_px: int, recipe: Recipe) -> Sample:
    split_x, split_y = (int(side_px * rng.uniform(0.35, 0.65)) for _ in range(2))
    image = np.empty((side_px, side_px, 3), np.uint8)
    labels = []
    corners = [(0, 0), (split_x, 0), (0, split_y), (split_x, split_y)]
    for sample, (x, y) in zip(samples, corners, strict=True):
        size = (split_x if x == 0 else side_px - split_x, split_y if y == 0 else side_px - split_y)
        part = _place(rng, sample, size, recipe, recipe.mosaic_zoom, reference_px=side_px)
        image[y : y + size[1], x : x + size[0]] = part.image
        shift = np.array([x, y, x, y], np.float32)
        labels.append(Labels(part.labels.boxes + shift, part.labels.classes, part.labels.ignored))
    return Sample(image, Labels.join(labels))


def _place(
    rng: np.random.Generator,
    sample: Sample,
    size_px: tuple[int, int],
    recipe: Recipe,
    zoom: tuple[float, float],
    *,
    reference_px: int | None = None,
) -> Sample:
    """Warp a picture onto a canvas (width, height) at a random zoom and place; labels follow and are clipped."""
    height_px, width_px = sample.image.shape[:2]
    scale = (reference_px or max(size_px)) / max(height_px, width_px) * _log_uniform(rng, *zoom)
    stretch = math.sqrt(_log_uniform(rng, 1 / recipe.stretch, recipe.stretch))
    linear = np.diag([scale * stretch, scale / stretch])
    if rng.random() < recipe.rotate:
        linear = linear @ _rotation(math.radians(rng.uniform(-recipe.rotate_degrees, recipe.rotate_degrees)))
    if rng.random() < recipe.flip:
        linear = linear @ np.diag([-1.0, 1.0])
    matrix = np.empty((2, 3))
    matrix[:, :2] = linear
    matrix[:, 2] = _offset(rng, linear, sample, size_px)
    fill = [float(value) for value in rng.integers(0, 256, 3)] if rng.random() < 0.5 else [114.0] * 3
    image = cv2.warpAffine(
        sample.image, matrix, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )
    return Sample(np.asarray(image, np.uint8), _warp_labels(sample.labels, matrix, size_px, recipe))


def _offset(rng: np.random.Generator, linear: np.ndarray, sample: Sample, size_px: tuple[int, int]) -> np.ndarray:
    """Where the picture goes: anywhere it fits; if it is larger than the canvas, often with a labelled box in view."""
    height_px, width_px = sample.image.shape[:2]
    corners = linear @ np.array([[0, width_px, 0, width_px], [0, 0, height_px, height_px]], float)
    low, high = corners.min(axis=1), corners.max(axis=1)
    room = np.array(size_px) - (high - low)
    offset = -low + room * rng.random(2)
    labelled = sample.labels.boxes[~sample.labels.ignored]
    if len(labelled) and (room < 0).any() and rng.random() < 0.7:
        box = labelled[rng.integers(len(labelled))]
        centre = linear @ np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        wanted = np.array(size_px) * rng.uniform(0.2, 0.8, 2) - centre
        cropped = np.clip(wanted, np.minimum(room, 0) - low, np.maximum(room, 0) - low)
        offset = np.where(room < 0, cropped, offset)
    return np.asarray(offset)


def _warp_labels(labels: Labels, matrix: np.ndarray, size_px: tuple[int, int], recipe: Recipe) -> Labels:
    if not len(labels.boxes):
        return labels
    boxes = _warp_boxes(labels.boxes, matrix)
    limit = np.array([*size_px, *size_px], np.float32)
    clipped = np.clip(boxes, 0, limit)
    visible = _areas(clipped) / np.maximum(_areas(boxes), 1e-6)
    ignored = labels.ignored | (visible < recipe.keep_visible)
    return Labels(clipped, labels.classes, ignored).keep(np.all(clipped[:, 2:] - clipped[:, :2] > 1, axis=1))


def _warp_boxes(boxes: Floats, matrix: np.ndarray) -> Floats:
    """Boxes around the warped ellipses inscribed in them: rotation hardly inflates these, unlike warped corners."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def _demote(labels: Labels, recipe: Recipe) -> Labels:
    """Boxes too small to ask for become ignored areas."""
    shorter = (labels.boxes[:, 2:] - labels.boxes[:, :2]).min(axis=1, initial=np.inf)
    return Labels(
        labels.boxes, labels.classes, labels.ignored | (shorter < np.array(recipe.smallest_px)[labels.classes])
    )


def _light(rng: np.random.Generator, image: Image, recipe: Recipe) -> Image:
    """Exposure, contrast, gamma and white balance in one table; then saturation and grey."""
    levels = np.arange(256, dtype=np.float32)[:, None] / 255
    changed = False
    if rng.random() < recipe.light:
        levels = levels ** _log_uniform(rng, 0.6, 1.6) * _log_uniform(rng, 0.7, 1.35)
        levels = (levels - 0.5) * _log_uniform(rng, 0.7, 1.35) + 0.5
        levels = levels * rng.uniform(0.88, 1.12, 3)
        changed = True
    if rng.random() < recipe.low_light:
        levels = np.clip(levels, 0, None) ** rng.uniform(1.0, 1.6) * rng.uniform(0.1, 0.4)
        changed = True
    if changed:
        table = np.ascontiguousarray(np.broadcast_to(np.clip(levels * 255, 0, 255), (256, 3)).astype(np.uint8))
        image = np.asarray(cv2.LUT(image, table[:, None, :].transpose(1, 0, 2).copy()), np.uint8)
    saturation = 0.0 if rng.random() < recipe.grey else 1.0
    if saturation and rng.random() < recipe.saturation:
        saturation = rng.uniform(0.3, 1.6)
    if saturation != 1.0:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        image = np.asarray(cv2.addWeighted(image, saturation, grey, 1 - saturation, 0), np.uint8)
    return image


def _degrade(rng: np.random.Generator, image: Image, recipe: Recipe) -> Image:
    """What optics, motion, sensors and codecs do to a picture, in that order."""
    if rng.random() < recipe.erase:
        image = _erase(rng, image)
    if rng.random() < recipe.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.8)), np.uint8)
    if rng.random() < recipe.motion:
        image = np.asarray(cv2.filter2D(image, -1, _streak(rng)), np.uint8)
    if rng.random() < recipe.coarse:
        image = _coarsen(rng, image)
    if rng.random() < recipe.noise:
        spread = rng.uniform(2, 14)
        noise = rng.normal(0, spread, image.shape[:2]).astype(np.float32)[..., None]
        coloured = noise + rng.normal(0, spread / 2, (1, 1, 3)).astype(np.float32)
        image = np.clip(image + coloured, 0, 255).astype(np.uint8)
    if rng.random() < recipe.jpeg:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 75))])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image


def _erase(rng: np.random.Generator, image: Image) -> Image:
    """A few plain patches, as hands and furniture hide parts."""
    image = image.copy()
    side_px = image.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        width, height = (int(side_px * rng.uniform(0.03, 0.15)) for _ in range(2))
        x, y = int(rng.integers(0, side_px - width)), int(rng.integers(0, side_px - height))
        image[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return image


def _coarsen(rng: np.random.Generator, image: Image) -> Image:
    """Down and up again: a distant camera, a digital zoom, or a resize without smoothing."""
    side_px = image.shape[0]
    small_px = int(side_px / rng.uniform(1.3, 3.0))
    down = cv2.INTER_NEAREST if rng.random() < 0.3 else cv2.INTER_AREA
    small = cv2.resize(image, (small_px, small_px), interpolation=down)
    return np.asarray(cv2.resize(small, (side_px, side_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def _streak(rng: np.random.Generator) -> Floats:
    """The kernel of a straight motion of 3 to 9 pixels."""
    length = int(rng.integers(3, 10)) | 1
    kernel = np.zeros((length, length), np.float32)
    angle, middle = rng.uniform(0, math.pi), length // 2
    reach = np.array([math.cos(angle), math.sin(angle)]) * middle
    start, end = (np.round([middle, middle] + sign * reach).astype(int) for sign in (-1, 1))
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _rotation(radians: float) -> np.ndarray:
    return np.array([[math.cos(radians), -math.sin(radians)], [math.sin(radians), math.cos(radians)]])

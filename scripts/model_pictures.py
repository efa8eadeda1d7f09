#!/usr/bin/env python3
"""Draws the pictures of what the model inside sees: drawn people in good and in bad conditions, watched, and hidden.

One more shows how it is inspected where it says less of itself.

python -m scripts.model_pictures [FOLDER], by default docs/pictures. The people are tests/portraits.py's.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from scripts.pictures import STATUS
from streamer.analytics.privacy import hide
from streamer.frame import Frame, Image
from streamer.inspection.inspect import inspect_model
from streamer.inspection.sheet import sheet_of
from streamer.interfaces import Analyzer, Detector
from streamer.models import MODEL_INSIDE, ModelOptions, load_detector
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.overlay import draw, draw_view
from streamer.overlay.lettering import BLACK, WHITE, line_px, tile
from streamer.sinks.pictures import save_picture
from tests.portraits import LOOKS, Look, portrait

TILE_PX = 240
CAP_PX = 11
COLUMNS = 6
PAPER = (196, 190, 184)

Change = Callable[[Image], Image]


def turned(degrees: float) -> Change:
    """About the middle of the picture."""

    def change(image: Image) -> Image:
        side = image.shape[0]
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(image, matrix, (side, side), borderValue=PAPER), np.uint8)

    return change


def darker(share: float) -> Change:
    """Light times `share`, with the noise of the dark."""

    def change(image: Image) -> Image:
        noise = np.random.default_rng(1).normal(0, 5, image.shape)
        return np.clip(image * share + noise, 0, 255).astype(np.uint8)

    return change


def blurred(sigma_px: float) -> Change:
    """Out of focus."""
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def far(side_px: int) -> Change:
    """So small a part of the picture."""

    def change(image: Image) -> Image:
        room = np.full_like(image, PAPER)
        small = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
        at = (image.shape[0] - side_px) // 2
        room[at : at + side_px, at : at + side_px] = small
        return room

    return change


def cut(share: float) -> Change:
    """Standing behind the left edge with `share` of the width."""
    return lambda image: np.ascontiguousarray(np.roll(image, -round(share * image.shape[1]), axis=1)) * _kept(share)


def _kept(share: float) -> Image:
    columns = np.arange(TILE_PX) < round((1 - share) * TILE_PX)
    return np.broadcast_to(columns[None, :, None], (TILE_PX, TILE_PX, 3)).astype(np.uint8)


def same(image: Image) -> Image:
    """As it is."""
    return image


CONDITIONS: tuple[tuple[str, Look, Change], ...] = (
    ("upright", LOOKS[0], same),
    ("beard", LOOKS[1], same),
    ("long hair", LOOKS[2], same),
    ("glasses", LOOKS[3], same),
    ("mask", Look(mask=True), same),
    ("half out of view", LOOKS[1], cut(0.5)),
    ("turned by 20 degrees", LOOKS[2], turned(20)),
    ("turned by 45 degrees", LOOKS[0], turned(45)),
    ("lying", LOOKS[2], turned(90)),
    ("upside down", LOOKS[3], turned(180)),
    ("a quarter of the light", LOOKS[0], darker(0.25)),
    ("a tenth of the light", LOOKS[0], darker(0.1)),
    ("out of focus", LOOKS[3], blurred(4)),
    ("far out of focus", LOOKS[3], blurred(9)),
    ("face of 24 px of 240", LOOKS[0], far(64)),
    ("face of 12 px", LOOKS[0], far(32)),
    ("face of 6 px", LOOKS[0], far(16)),
    ("face of 3 px", LOOKS[0], far(8)),
)


def seen(detector: Detector, caption: str, look: Look, change: Change) -> Image:
    """One condition: the picture with what the model reports, and what it is."""
    image = change(portrait(look, side_px=TILE_PX))
    (found,) = detector.detect([image])
    shown = draw(image, found, detector.labels)
    strip = np.full((line_px(CAP_PX), TILE_PX, 3), 255, np.uint8)
    lettering = tile(caption, CAP_PX, BLACK, WHITE)
    strip[:, 4 : 4 + lettering.shape[1]] = lettering[:, : TILE_PX - 4]
    return np.asarray(
        cv2.copyMakeBorder(np.vstack([shown, strip]), 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=WHITE), np.uint8
    )


def conditions() -> Image:
    """The sheet of all of them."""
    detector = load_detector(input_size_px=(TILE_PX, TILE_PX))
    try:
        tiles = [seen(detector, *condition) for condition in CONDITIONS]
    finally:
        detector.close()
    return np.vstack([np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)])


def call() -> Image:
    """Four people at their cameras, side by side: 1280x720."""
    height, width = 360, 640
    windows = []
    for look, side_px, left in zip(LOOKS, (330, 300, 340, 280), (300, 190, 120, 230), strict=True):
        window = np.full((height, width, 3), look.background, np.uint8)
        window[height - side_px :, left : left + side_px] = portrait(look, side_px=side_px)
        windows.append(window)
    return np.vstack([np.hstack(windows[:2]), np.hstack(windows[2:])])


def watched(*, hidden: bool) -> Image:
    """The call as the window shows it, with --blur face or without."""
    image = call()
    frame = Frame(image, index=0, captured_ns=0)
    detector: Detector = load_detector(input_size_px=frame.size_px)
    try:
        analyzers: list[Analyzer] = []
        if hidden:
            detector, blur = hide(detector, ["face"])
            analyzers.append(blur)
        (found,) = detector.detect([image])
        for analyzer in analyzers:
            analysis = analyzer.update(frame, found)
            found, image = analysis.detections, image if analysis.image is None else analysis.image
        status = replace(STATUS, runtime=detector.runtime)
        return draw_view(draw(image, found, detector.labels), status)
    finally:
        detector.close()


def save_unexplained(folder: Path) -> Path:
    """The model inside as somebody else might have exported it: floats in 0..1, which nothing in the file says."""
    tf = import_tensorflow()
    whole = tf.saved_model.load(str(MODEL_INSIDE))

    def look(image: object) -> dict[str, object]:
        pixels = tf.clip_by_value(tf.round(image * 255.0), 0, 255)
        found = whole.signatures["serving_default"](tf.cast(pixels, tf.uint8))
        return {name: found[f"detection_{name}"] for name in ("boxes", "scores", "classes")}

    module = tf.Module()
    module.kept = whole
    spec = tf.TensorSpec([1, None, None, 3], tf.float32, name="image")
    function = tf.function(look).get_concrete_function(spec)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    return folder


def inspected() -> Image:
    """The contact sheet of `streamer inspect --image` for a model that leaves all open."""
    with TemporaryDirectory() as folder:
        model = save_unexplained(Path(folder) / "detector")
        card = model / "model.yaml"
        card.write_text("head: {kind: decoded, unit: fraction, order: yxyx}\n", encoding="utf-8")
        options = ModelOptions(labels=MODEL_INSIDE / "labels.txt", channel_order="rgb", card=card)
        inspection = inspect_model(model, options, pictures={"call.png": call()})
    if inspection.looked is None:
        raise AssertionError("the model leaves nothing open")
    return sheet_of(inspection.looked, inspection.labels, model="detector")


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    save_picture(folder / "conditions.jpg", conditions(), force=True)
    save_picture(folder / "people.jpg", watched(hidden=False), force=True)
    save_picture(folder / "hidden.jpg", watched(hidden=True), force=True)
    save_picture(folder / "inspect.jpg", inspected(), force=True)


if __name__ == "__main__":
    main()

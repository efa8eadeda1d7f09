"""One network in every form gives the same boxes, whether TensorFlow decodes them in its graph or streamer outside."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import Detections
from streamer.models import ModelOptions, load_detector
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.saved_models import SSD_CLASSES, SsdMobileNet, build_ssd_mobilenet

SEED = 7

CARD = """\
input: {scale: -1..1, channel_order: rgb}
head:
  kind: anchors
  boxes: BOXES
  scores: SCORES
  anchors: {kind: file, file: anchors.csv}
  coding: centre
  order: cycxhw
  variances: [0.1, 0.1, 0.2, 0.2]
  activation: sigmoid
  background: none
  nms: per_class
  iou: 0.3
first_class_id: 0
labels: [NAMES]
"""

MAX_OFF_PX = 0.05
MAX_OFF_SCORE = 5e-4


@pytest.fixture(scope="module")
def network() -> SsdMobileNet:
    return SsdMobileNet(SEED)


@pytest.fixture(scope="module")
def folder(network: SsdMobileNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as it would be published: raw heads in three forms, a card for each, and the anchors."""
    tf = import_tensorflow()
    folder = tmp_path_factory.mktemp("forms")
    module = tf.Module()
    module.kept = network.variables
    spec = tf.TensorSpec([1, network.SIDE_PX, network.SIDE_PX, 3], tf.float32, name="image")
    function = tf.function(network.heads).get_concrete_function(spec)
    tf.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": function})
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: PLC0415

    frozen = convert_variables_to_constants_v2(function)
    (folder / "frozen.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    (folder / "lite.tflite").write_bytes(converter.convert())

    y, x, height, width = network.anchors().T
    for place in (folder, folder / "saved"):
        np.savetxt(place / "anchors.csv", np.stack([x, y, width, height], axis=1), delimiter=",", fmt="%.9g")
    return folder


def _picture(seed: int) -> NDArray[np.uint8]:
    """Something to see at the very size of the input, so that nobody's way of resizing plays a part."""
    side = SsdMobileNet.SIDE_PX
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (side // 16, side // 16, 3), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    return np.ascontiguousarray(image)


def _carded(model: Path, *, outputs: tuple[str, str]) -> Path:
    card = model.with_name(f"{model.stem}.card.yaml") if model.is_file() else model / "card.yaml"
    text = CARD.replace("BOXES", outputs[0]).replace("SCORES", outputs[1]).replace("NAMES", ", ".join(SSD_CLASSES))
    card.write_text(text, encoding="utf-8")
    return card


def _seen(model: Path, card: Path | None = None) -> list[Detections]:
    detector = load_detector(model, ModelOptions(conf=0.3, card=card), input_size_px=(SsdMobileNet.SIDE_PX,) * 2)
    assert card is None or detector.labels.name(0) == SSD_CLASSES[0]
    try:
        return detector.detect([_picture(seed) for seed in range(6)])
    finally:
        detector.close()


def _outputs_by_width(model: Path) -> tuple[str, str]:
    """The names of the offsets and of the logits, as the form has them: conversion may rename both."""
    from streamer.models.formats.loading import load  # noqa: PLC0415 - TensorFlow is loaded when a test needs it
    from streamer.models.formats.recognise import recognise  # noqa: PLC0415

    loaded = load(recognise(model))
    loaded.graph.close()
    named = {spec.shape[-1]: spec.name for spec in loaded.signature.outputs if spec.shape}
    return named[4], named[len(SSD_CLASSES)]


FORMS: dict[str, Callable[[Path], Path]] = {
    "SavedModel": lambda folder: folder / "saved",
    "frozen graph": lambda folder: folder / "frozen.pb",
    "TFLite": lambda folder: folder / "lite.tflite",
}


@pytest.mark.parametrize("form", FORMS)
def test_raw_heads_decoded_here_are_what_tensorflow_makes_of_them_in_its_graph(
    form: str, folder: Path, tmp_path: Path
) -> None:
    model = FORMS[form](folder)
    ours = _seen(model, _carded(model, outputs=_outputs_by_width(model)))
    theirs = _seen(build_ssd_mobilenet(tmp_path / "whole", seed=SEED))
    assert sum(map(len, theirs)) > 20
    off_px = off_score = 0.0
    for mine, reference in zip(ours, theirs, strict=True):
        assert len(mine) == len(reference)
        twin = _twins(mine, reference)
        np.testing.assert_allclose(mine.scores[twin], reference.scores, atol=MAX_OFF_SCORE)
        np.testing.assert_allclose(mine.boxes[twin], reference.boxes, atol=MAX_OFF_PX)
        np.testing.assert_array_equal(mine.class_ids[twin] + 1, reference.class_ids)
        off_px = max(off_px, float(np.abs(mine.boxes[twin] - reference.boxes).max()))
        off_score = max(off_score, float(np.abs(mine.scores[twin] - reference.scores).max()))
    print(f"{form}: {off_px:.5f} px, {off_score:.1e} of a score, {sum(map(len, theirs))} boxes")


def _twins(mine: Detections, reference: Detections) -> NDArray[np.intp]:
    """Of each reference the row in `mine` that is nearest: scores that are all but equal may change places."""
    off = np.abs(mine.boxes[np.newaxis] - reference.boxes[:, np.newaxis]).sum(axis=2)
    off += 1000.0 * (mine.class_ids[np.newaxis] + 1 != reference.class_ids[:, np.newaxis])
    twins = np.asarray(off.argmin(axis=1), np.intp)
    assert len(set(twins.tolist())) == len(reference)
    return twins

"""Real models whose raw outputs are read here: what comes out is what they make of them, or what is in the picture."""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from streamer.models.card import AnchorHead, FileAnchors, GridAnchors, HeadCard, MediapipeAnchors, MultiscaleAnchors
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.anchors import make_anchors
from streamer.models.heads.building import build_head, decoded_card
from streamer.models.heads.coding import corners, decode
from streamer.models.signature import Signature, TensorSpec
from tests.conftest import shared
from tests.models.heads.test_anchors import ULFG

pytestmark = pytest.mark.needs_shared

_SIZES = [(0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72)]

BLAZEFACE = AnchorHead(anchors=MediapipeAnchors(), coding="linear", nms="agnostic", iou=0.3)
ULTRA_LIGHT = AnchorHead(anchors=ULFG, activation="none", background="first", nms="agnostic", iou=0.3)
AIZOO = AnchorHead(
    anchors=GridAnchors(
        maps=((33, 33), (17, 17), (9, 9), (5, 5), (3, 3)),
        shapes=tuple(
            tuple((size * ratio**0.5, size / ratio**0.5) for size, ratio in ((s, 1), (t, 1), (s, 0.62), (s, 0.42)))
            for s, t in _SIZES
        ),
    ),
    activation="none",
    nms="agnostic",
    iou=0.4,
)
FPNLITE = AnchorHead(
    anchors=MultiscaleAnchors(), order="cycxhw", background="first", boxes="encodings", scores="logits"
)


def _picture(name: str, size_px: tuple[int, int]) -> NDArray[np.float32]:
    """(1, H, W, 3) RGB, 0 to 255."""
    image = cv2.imread(str(shared(f"images/{name}")))
    assert image is not None
    resized = cv2.resize(image, size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)[np.newaxis], np.float32)


def _outputs_of(values: Outputs, *, batch: int | None = 1) -> Signature:
    specs = [TensorSpec(name, str(found.dtype), (batch, *found.shape[1:])) for name, found in values.items()]
    return Signature("serving_default", (TensorSpec("image", "float32", (1, None, None, 3)),), tuple(specs))


def _run_tflite(path: str, tensor: NDArray[Any]) -> Outputs:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(shared(path)))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    return {spec["name"]: interpreter.get_tensor(spec["index"]) for spec in interpreter.get_output_details()}


@cache
def _frozen(path: str) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        definition = tf.compat.v1.GraphDef()
        definition.ParseFromString(shared(path).read_bytes())
        tf.import_graph_def(definition, name="")
    return graph


def _run_frozen(path: str, feed: str, tensor: NDArray[Any], fetch: dict[str, str]) -> Outputs:
    with tf.compat.v1.Session(graph=_frozen(path)) as session:
        found: Outputs = session.run({name: f"{tensor}:0" for name, tensor in fetch.items()}, {f"{feed}:0": tensor})
    return found


def _read(card: HeadCard, outputs: Outputs, size_px: tuple[int, int], *, conf: float) -> RawDetections:
    head = build_head(card, _outputs_of(outputs), input_size_px=size_px)
    return head.read(outputs, input_size_px=size_px, conf=conf, max_det=100)


FACES = {
    "human_ai-upper.jpg": [(0.43, 0.28)],
    "human_ai-face.jpg": [(0.5, 0.5)],
    "human_person-vlado.jpg": [(0.585, 0.24)],
    "human_group-2.jpg": [(0.28, 0.245), (0.505, 0.14)],
}
"""Middles of the faces that each of the three detectors has to find, as fractions of the picture."""


def _assert_finds(found: RawDetections, name: str, size_px: tuple[int, int]) -> None:
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 / size_px
    for face in FACES[name]:
        assert np.abs(middles - face).max(axis=1).min() < 0.06, (face, middles)


@pytest.mark.parametrize("name", FACES)
def test_blazeface_finds_the_faces(name: str) -> None:
    size_px = (128, 128)
    outputs = _run_tflite(
        "models/tflite/face_detection_short_range.tflite", _picture(name, size_px) / np.float32(127.5) - 1
    )
    found = _read(BLAZEFACE, outputs, size_px, conf=0.5)
    _assert_finds(found, name, size_px)
    assert set(found.class_ids) == {0}
    assert len(found.scores) == len(FACES[name])


@pytest.mark.parametrize("name", FACES)
def test_the_ultra_light_detector_finds_the_faces(name: str) -> None:
    size_px = (320, 240)
    outputs = _run_tflite("models/tflite/ulfg_slim-320.tflite", (_picture(name, size_px) - 127) / 128)
    found = _read(ULTRA_LIGHT, outputs, size_px, conf=0.8)
    _assert_finds(found, name, size_px)
    assert set(found.class_ids) == {1}


AIZOO_OUTPUTS = {"loc": "loc_branch_concat_1/concat", "cls": "cls_branch_concat_1/concat"}


def _aizoo(name: str) -> RawDetections:
    size_px = (260, 260)
    path = "models/pb/aizoo_face_mask_detection.pb"
    outputs = _run_frozen(path, "data_1", _picture(name, size_px) / 255, AIZOO_OUTPUTS)
    return _read(AIZOO, outputs, size_px, conf=0.5)


@pytest.mark.parametrize("name", FACES)
def test_the_face_mask_detector_finds_the_faces_and_no_mask_on_them(name: str) -> None:
    found = _aizoo(name)
    _assert_finds(found, name, (260, 260))
    assert set(found.class_ids) == {1}


def test_the_face_mask_detector_finds_as_many_as_were_verified() -> None:
    verified = {"human_ai-upper.jpg": (1, 1), "human_group-1.jpg": (5, 20), "coral_face.jpg": (4, 4)}
    for name, (least, most) in verified.items():
        scores = _aizoo(name).scores
        assert least <= np.count_nonzero(scores >= 0.975) <= most, name


HANDTRACK = "models/converted/handtrack_ssd_mnv2_fpnlite_320_frozen.pb"
POST = "StatefulPartitionedCall/Postprocessor"
CENTRES = f"{POST}/Decode/get_center_coordinates_and_sizes"
INSIDE = {
    "encodings": f"{POST}/Reshape_1",
    "boxes": "raw_detection_boxes",
    "detection_boxes": "detection_boxes",
    "detection_scores": "detection_scores",
    "detection_classes": "detection_classes",
    "num_detections": "num_detections",
    "cx": f"{CENTRES}/add_1",
    "cy": f"{CENTRES}/add",
    "w": f"{CENTRES}/sub",
    "h": f"{CENTRES}/sub_1",
}
HANDS = ["human_ai-upper.jpg", "human_group-1.jpg", "coral_face.jpg"]


def _handtrack(name: str) -> Outputs:
    """Outputs of the model, the numbers before its decoding, and its anchors, which its conversion has rounded."""
    logits = _frozen(HANDTRACK).get_operation_by_name(f"{POST}/convert_scores").inputs[0].op.name
    picture = _picture(name, (320, 320)).astype(np.uint8)
    found = dict(_run_frozen(HANDTRACK, "image_tensor", picture, {**INSIDE, "logits": logits}))
    for part in ("encodings", "logits"):
        found[part] = found[part].reshape(1, 12_804, -1)
    return found


def _raw(outputs: Outputs) -> Outputs:
    return {part: outputs[part] for part in ("encodings", "logits")}


def _own(outputs: Outputs, *, conf: float) -> RawDetections:
    finished = {name: outputs[name] for name in outputs if name.startswith(("detection_", "num_"))}
    return _read(decoded_card(_outputs_of(finished)), finished, (320, 320), conf=conf)


def _own_anchors(outputs: Outputs) -> NDArray[np.float64]:
    return np.stack([outputs[part] for part in ("cx", "cy", "w", "h")], axis=1).astype(np.float64)


def test_the_anchors_are_those_in_the_model_as_far_as_its_conversion_kept_them() -> None:
    anchors = make_anchors(FPNLITE.anchors, input_size_px=(320, 320))
    levels_apart = np.asarray([0.9875, 0.9875, 3.13, 3.13]) / 255  # 8 bits for each constant
    assert (np.abs(anchors - _own_anchors(_handtrack(HANDS[0]))) <= levels_apart / 2 + 1e-6).all()


@pytest.mark.parametrize("name", HANDS)
def test_every_box_is_decoded_as_the_object_detection_api_decodes_it(name: str) -> None:
    outputs = _handtrack(name)
    boxes = decode(
        outputs["encodings"][0],
        _own_anchors(outputs),
        coding=FPNLITE.coding,
        order=FPNLITE.order,
        variances=FPNLITE.variances,
        input_size_px=(320, 320),
    )
    own = corners(outputs["boxes"][0], order="yxyx", unit="fraction", input_size_px=(320, 320))
    np.testing.assert_allclose(boxes, own, atol=2e-3)


@pytest.mark.parametrize("name", HANDS)
def test_raw_outputs_give_what_the_model_itself_makes_of_them(tmp_path: Path, name: str) -> None:
    outputs = _handtrack(name)
    np.save(tmp_path / "anchors.npy", _own_anchors(outputs))
    card = FPNLITE.model_copy(update={"anchors": FileAnchors(file="anchors.npy")})
    head = build_head(card, _outputs_of(_raw(outputs)), input_size_px=(320, 320), folder=tmp_path)
    found = head.read(_raw(outputs), input_size_px=(320, 320), conf=0.05, max_det=100)
    own = _own(outputs, conf=0.05)
    assert len(own.scores) > 0
    np.testing.assert_allclose(found.scores, own.scores, atol=1e-5)
    np.testing.assert_allclose(np.clip(found.boxes, 0, 320), own.boxes, atol=2e-3)
    np.testing.assert_array_equal(found.class_ids, np.rint(own.class_ids))


@pytest.mark.parametrize("name", HANDS)
def test_the_anchors_of_the_card_give_the_same_to_a_pixel_or_two(name: str) -> None:
    outputs = _handtrack(name)
    found, own = _read(FPNLITE, _raw(outputs), (320, 320), conf=0.5), _own(outputs, conf=0.5)
    assert sorted(found.class_ids) == sorted(np.rint(own.class_ids))
    for box, score in zip(own.boxes, own.scores, strict=True):
        nearest = np.abs(np.clip(found.boxes, 0, 320) - box).max(axis=1).argmin()
        assert found.scores[nearest] == pytest.approx(score, abs=1e-5)
        assert np.abs(np.clip(found.boxes[nearest], 0, 320) - box).max() < 0.06 * (box[2:] - box[:2]).max()


def test_the_face_of_a_known_picture_is_found_at_99() -> None:
    found = _read(FPNLITE, _raw(_handtrack("human_ai-upper.jpg")), (320, 320), conf=0.5)
    assert found.scores[0] == pytest.approx(0.99, abs=0.01)
    assert found.class_ids[0] == 5

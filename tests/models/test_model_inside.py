"""The model inside the package: small, a SavedModel like any other, and it finds faces and people."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models import MODEL_INSIDE, ModelOptions, load_detector
from streamer.models.detector import ModelDetector
from streamer.models.formats.savedmodel import load_saved_model
from tests.conftest import shared
from tests.portraits import LOOKS, Look, face_box, portrait

MAX_BYTES = 8_000_000
SIDE_PX = 512


@pytest.fixture(scope="module")
def detector() -> Iterator[ModelDetector]:
    loaded = load_detector(options=ModelOptions(conf=0.5), input_size_px=(SIDE_PX, SIDE_PX))
    yield loaded
    loaded.close()


def found(detector: ModelDetector, image: Image) -> dict[str, list[list[float]]]:
    (detections,) = detector.detect([image])
    boxes: dict[str, list[list[float]]] = {}
    for box, class_id in zip(detections.boxes.tolist(), detections.class_ids.tolist(), strict=True):
        boxes.setdefault(detector.labels.name(class_id), []).append(box)
    return boxes


def overlap(box: Sequence[float], other: Sequence[float] | NDArray[np.float64]) -> float:
    """Intersection over union."""
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    shared_px = max(0.0, across) * max(0.0, down)
    areas_px = sum((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return float(shared_px / (areas_px - shared_px))


def test_it_is_small_and_says_what_it_is() -> None:
    files = [path for path in MODEL_INSIDE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert {"saved_model.pb", "labels.txt", "model.yaml"} <= {path.name for path in files}


def test_its_signature_is_that_of_the_object_detection_api() -> None:
    loaded = load_saved_model(MODEL_INSIDE, signature=None)
    loaded.graph.close()
    signature = loaded.signature
    assert signature.name == "serving_default"
    (image,) = signature.inputs
    assert (image.name, image.dtype, image.shape) == ("input_tensor", "uint8", (1, None, None, 3))
    assert {output.name for output in signature.outputs} == {
        "detection_boxes",
        "detection_classes",
        "detection_scores",
        "num_detections",
        "raw_detection_boxes",
        "raw_detection_scores",
    }


@pytest.mark.parametrize("look", [*LOOKS, Look(mask=True)], ids=repr)
def test_it_finds_a_face_and_the_person_around_it(detector: ModelDetector, look: Look) -> None:
    boxes = found(detector, portrait(look, side_px=SIDE_PX))
    (face,) = boxes["face"]
    assert overlap(face, face_box(0, 0, SIDE_PX)) > 0.6
    (person,) = boxes["person"]
    assert person[0] < face[0]
    assert person[2] > face[2]


def test_it_finds_each_of_several(detector: ModelDetector) -> None:
    room = np.full((SIDE_PX, SIDE_PX, 3), 180, np.uint8)
    places = [(20, 30, 200), (280, 60, 220), (60, 290, 180), (300, 330, 160)]
    for look, (left, top, side_px) in zip(LOOKS, places, strict=True):
        room[top : top + side_px, left : left + side_px] = portrait(look, side_px=side_px)
    faces = found(detector, room)["face"]
    assert len(faces) == len(places)
    for place in places:
        assert max(overlap(face, face_box(*place)) for face in faces) > 0.5


def test_shape_and_size_of_the_picture_do_not_matter(detector: ModelDetector) -> None:
    for width_px, height_px, side_px in ((320, 320, 320), (1024, 1024, 1024), (1280, 480, 480), (360, 900, 360)):
        image = np.full((height_px, width_px, 3), 190, np.uint8)
        left, top = (width_px - side_px) // 2, (height_px - side_px) // 2
        image[top : top + side_px, left : left + side_px] = portrait(side_px=side_px)
        (face,) = found(detector, image)["face"]
        assert overlap(face, face_box(left, top, side_px)) > 0.6


@pytest.mark.parametrize("colour", [0, 114, 255])
def test_it_sees_nothing_where_nothing_is(detector: ModelDetector, colour: int) -> None:
    assert found(detector, np.full((480, 640, 3), colour, np.uint8)) == {}


@pytest.mark.needs_shared
def test_it_counts_a_group() -> None:
    group = cv2.imread(str(shared("images/human_group-1.jpg")))
    assert group is not None
    detector = load_detector(input_size_px=(group.shape[1], group.shape[0]))
    boxes = found(detector, np.asarray(group, np.uint8))
    detector.close()
    assert len(boxes["face"]) >= 5
    assert boxes["person"]


def test_an_installed_package_holds_it(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from setuptools import setup; setup()",
            "-q",
            "build_py",
            "--build-lib",
            tmp_path / "lib",
        ],
        cwd=root,
        env=os.environ | {"SETUPTOOLS_USE_DISTUTILS": "local"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    inside = {path.relative_to(MODEL_INSIDE) for path in MODEL_INSIDE.rglob("*") if path.is_file()}
    built = tmp_path / "lib/streamer/models/face"
    assert {path.relative_to(built) for path in built.rglob("*") if path.is_file()} == inside

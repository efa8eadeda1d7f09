"""SavedModels are loaded, refused with a reason, and run; nothing that TensorFlow writes reaches the user raw."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.cli.retuning import Selective
from streamer.errors import ConfigError, ModelError, ModelLoadError, SignatureError
from streamer.frame import MAX_DETECTIONS
from streamer.models import ModelOptions, load_detector
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.conftest import shared
from tests.saved_models import BOXES, build_ssd_mobilenet, save_constant, save_red_finder, save_ssd_labels

IMAGE = np.zeros((100, 200, 3), np.uint8)

OTHERS = {
    "missing": (lambda path: path, "no such file or folder.*saved_model.pb"),
    "empty folder": (lambda path: path.mkdir(), "the folder is empty.*saved_model.pb"),
    "other folder": (lambda path: (path.mkdir(), (path / "a").touch()), "no saved_model.pb in this folder"),
    "empty graph": (lambda path: (path.mkdir(), (path / "saved_model.pb").touch()), "saved_model.pb is empty"),
    "text": (lambda path: path.write_text("x"), "a file of no known form"),
}


@pytest.mark.parametrize(("make", "message"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_savedmodel_is_refused_at_once(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "model"
    make(path)
    started = time.perf_counter()
    with pytest.raises(ModelLoadError, match=message) as caught:
        load_detector(path)
    assert time.perf_counter() - started < 1.0
    assert caught.value.exit_code == 4
    assert str(path) in str(caught.value)


def test_the_graph_inside_the_folder_points_to_its_folder(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    with pytest.raises(ModelLoadError, match="give the folder"):
        load_detector(folder / "saved_model.pb")


def test_a_path_that_is_no_savedmodel_costs_no_import() -> None:
    code = (
        "import sys\n"
        "from streamer.errors import ModelLoadError\n"
        "from streamer.models import load_detector\n"
        "try:\n    load_detector('/nowhere')\n"
        "except ModelLoadError:\n    print('tensorflow' in sys.modules, 'cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_tensorflow_itself_writes_nothing(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    code = f"from streamer.models import load_detector; load_detector({str(folder)!r})"
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=quiet)
    assert (done.stdout, done.stderr) == ("", "")


def _truncate(folder: Path) -> None:
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])


def _randomise(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(np.random.default_rng(27).bytes(5000))


def _drop_variables(folder: Path) -> None:
    shutil.rmtree(folder / "variables")


def _drop_data(folder: Path) -> None:
    next((folder / "variables").glob("*.data-*")).unlink()


@pytest.mark.parametrize("damage", [_truncate, _randomise, _drop_variables, _drop_data])
def test_a_damaged_model_is_refused_in_one_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = save_constant(tmp_path / "m")
    damage(folder)
    with pytest.raises(ModelLoadError, match="damaged or incomplete") as caught:
        load_detector(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


UNREADABLE = {
    "signature": ({}, ModelOptions(signature="detect"), "no signature 'detect'.*serving_default"),
    "input rank": ({"input_shape": (1, 300)}, ModelOptions(), r"its input is no image.*image uint8 \[1,300\]"),
    "input dtype": ({"input_dtype": "string", "input_shape": (None,)}, ModelOptions(), "it takes string"),
    "two inputs": ({"extra_input": True}, ModelOptions(), "takes 2 inputs.*threshold"),
    "boxes": ({"names": {"boxes": None}}, ModelOptions(), r"gives no boxes.*detection_scores float32 \[1,3\]"),
    "scores": ({"names": {"scores": None}}, ModelOptions(), "gives no scores"),
}


@pytest.mark.parametrize(("model", "options", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_detector_is_refused_with_what_it_has(
    tmp_path: Path, model: dict[str, object], options: ModelOptions, message: str
) -> None:
    folder = save_constant(tmp_path / "m", **model)  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match=message):
        load_detector(folder, options)


def test_any_signature_can_be_asked_for(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m", signature="detect")
    assert "detect:" in load_detector(folder).describe()
    assert "detect:" in load_detector(folder, ModelOptions(signature="detect")).describe()


@pytest.mark.parametrize(
    "names",
    [
        {"boxes": "z", "scores": "a_scores", "classes": "detection_classes", "count": None},
        {"boxes": "BOXES", "scores": "Scores", "classes": "labels", "count": "num"},
    ],
)
def test_outputs_are_found_whatever_their_names_and_order(tmp_path: Path, names: dict[str, str | None]) -> None:
    found = load_detector(save_constant(tmp_path / "m", names=names)).detect([IMAGE])[0]
    assert found.class_ids.tolist() == [1, 2]
    ymin, xmin, ymax, xmax = BOXES[0]
    np.testing.assert_allclose(found.boxes[0], [xmin * 200, ymin * 100, xmax * 200, ymax * 100], atol=30)


def test_fractional_class_ids_are_rounded(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m", classes=(1.988, 0.6, 3.0))
    assert load_detector(folder).detect([IMAGE])[0].class_ids.tolist() == [2, 1]


def test_a_model_without_classes_or_count_works(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m", names={"classes": None, "count": None})
    assert load_detector(folder).detect([IMAGE])[0].class_ids.tolist() == [1, 1]


def test_rows_that_are_no_detections_are_counted_and_warned_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [(np.nan, 0, 1, 1), (0, np.inf, 1, 1), (0.1, 0.1, 0.5, 0.5), (0.5, 0.5, 0.4, 0.4), (0, 0, 1e20, 1e20)]
    folder = save_constant(tmp_path / "m", boxes=boxes, scores=[0.9, 0.9, 0.9, 0.9, np.nan], classes=[1] * 5)
    with caplog.at_level(logging.WARNING, logger="streamer"):
        detector = load_detector(folder)
        results = [detector.detect([IMAGE])[0] for _ in range(3)]
    assert [len(found) for found in results] == [1, 1, 1]
    assert detector.rejected == 3 * 4
    assert caplog.text.count("no detections") == 1


def test_a_hundred_thousand_rows_are_bounded(tmp_path: Path) -> None:
    rows = 100_000
    folder = save_constant(
        tmp_path / "m",
        boxes=np.tile([0.1, 0.1, 0.9, 0.9], (rows, 1)),
        scores=np.linspace(0, 1, rows),
        classes=np.ones(rows),
    )
    detector = load_detector(folder, ModelOptions(max_det=10_000, conf=0.0))
    assert len(detector.detect([IMAGE])[0]) == MAX_DETECTIONS


def test_a_model_that_fails_once_says_so_in_one_line_and_goes_on(tmp_path: Path) -> None:
    detector = load_detector(save_constant(tmp_path / "m", fail_at_call=4))
    assert len(detector.detect([IMAGE])[0]) == 2
    with pytest.raises(ModelError, match=r"the model fails: .*it broke") as caught:
        detector.detect([IMAGE])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
    assert len(detector.detect([IMAGE])[0]) == 2


def test_a_model_that_fails_at_once_is_refused_before_a_camera_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it broke"):
        load_detector(save_constant(tmp_path / "m", fail_at_call=2))


def test_outputs_that_do_not_belong_together_are_found_before_a_camera_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"scores of shape \[1,2\], where 3 rows"):
        load_detector(save_constant(tmp_path / "m", scores=(0.9, 0.8)))


def _red_rectangle(width: int, height: int, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    image = np.full((height, width, 3), 128, np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = (0, 0, 255)
    return image


FINDERS: dict[str, dict[str, object]] = {
    "any size": {},
    "fixed size": {"input_shape": (1, 240, 320, 3)},
    "no batch dimension": {"input_shape": (240, 320, 3)},
    "any batch": {"input_shape": (None, None, None, 3)},
    "floats": {"input_dtype": "float32", "red_from": 0.8, "other_to": 0.25},
}


@pytest.mark.parametrize("finder", FINDERS.values(), ids=FINDERS)
def test_boxes_come_back_to_the_pixels_of_frames_of_any_size(tmp_path: Path, finder: dict[str, object]) -> None:
    detector = load_detector(save_red_finder(tmp_path / "m", **finder), input_size_px=(640, 480))  # type: ignore[arg-type]
    for width, height in ((640, 480), (1280, 720), (320, 240), (300, 900), (641, 479)):
        box = (width // 4, height // 5, width // 2, height // 2)
        found = detector.detect([_red_rectangle(width, height, box)])[0]
        assert len(found) == 1, (width, height)
        pixel = max(1.0, width / 320, height / 240)
        np.testing.assert_allclose(found.boxes[0], box, atol=1.5 * pixel)


def test_red_is_red_and_not_blue(tmp_path: Path) -> None:
    detector = load_detector(save_red_finder(tmp_path / "m"), input_size_px=(64, 48))
    red = _red_rectangle(64, 48, (10, 10, 30, 30))
    assert len(detector.detect([red])[0]) == 1
    assert len(detector.detect([np.ascontiguousarray(red[:, :, ::-1])])[0]) == 0


def test_a_model_of_any_batch_is_given_one_image_at_a_time(tmp_path: Path) -> None:
    detector = load_detector(save_red_finder(tmp_path / "m", input_shape=(None, None, None, 3)))
    shapes: list[tuple[int, ...]] = []
    graph = detector._loaded.graph
    run = graph.run

    def watched(images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        shapes.append(images.shape)
        return run(images)

    graph.run = watched  # type: ignore[method-assign]
    image = _red_rectangle(640, 480, (160, 120, 320, 240))
    for count in (1, 3, 2):
        assert [len(found) for found in detector.detect([image] * count)] == [1] * count
    assert detector.batch == 1
    assert set(shapes) == {(1, 480, 640, 3)}


def test_only_the_wanted_classes_are_reported(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    (folder / "labels.txt").write_text("person\ncar\ndog\n")
    found = load_detector(folder, ModelOptions(classes=("car", "#3"), conf=0.1)).detect([IMAGE])[0]
    assert found.class_ids.tolist() == [2, 3]
    with pytest.raises(ConfigError, match=r"did you mean car\?"):
        load_detector(folder, ModelOptions(classes=("cars",)))


def test_a_wanted_class_is_found_behind_a_flood_of_others(tmp_path: Path) -> None:
    corners = np.stack(np.divmod(np.arange(401), 21), axis=1) / 25
    boxes = np.concatenate([corners, corners + 0.03], axis=1)
    scores = np.zeros((401, 2), np.float32)
    scores[:400, 0], scores[400, 1] = 0.9, 0.8
    folder = save_constant(tmp_path / "m", boxes=boxes, scores=scores, names={"classes": None, "count": None})
    (folder / "model.yaml").write_text("head: {kind: decoded, nms: per_class}\nlabels: [person, dog]\n")
    found = load_detector(folder, ModelOptions(classes=("dog",))).detect([IMAGE])[0]
    assert len(found) == 1


def test_classes_and_the_number_of_boxes_can_be_changed_while_it_runs(tmp_path: Path) -> None:
    boxes, scores = [(0.1, 0.2 * n, 0.9, 0.2 * n + 0.2) for n in range(4)], [0.9, 0.8, 0.7, 0.6]
    detector = load_detector(save_constant(tmp_path / "m", boxes=boxes, scores=scores, classes=[1, 2, 1, 3]))
    assert isinstance(detector, Selective)

    def ids() -> list[int]:
        return list(map(int, detector.detect([IMAGE])[0].class_ids))

    assert ids() == [1, 2, 1, 3]
    detector.classes = frozenset({1, 3})
    assert ids() == [1, 1, 3]
    detector.max_det = 2
    assert ids() == [1, 1]
    detector.classes, detector.max_det, detector.conf = None, 10_000, 0.75
    assert ids() == [1, 2]


def test_a_scale_that_the_model_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--scale"):
        load_detector(save_constant(tmp_path / "m"), ModelOptions(scale="-1..1"))


def test_one_line_says_what_was_found(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m", input_dtype="float32", names={"count": None})
    (folder / "labels.txt").write_text("person\n")
    line = load_detector(folder, input_size_px=(320, 200)).describe()
    for part in (
        "SavedModel serving_default",
        "image float32 [1,?,?,3] as RGB 0..255? at 320x200 letterboxed",
        "boxes detection_boxes, scores detection_scores, classes detection_classes: finished boxes, yxyx as fractions",
        "labels.txt, 1 name, offset +1",
        "TensorFlow 2.",
    ):
        assert part in line
    assert line.isprintable()


def test_a_small_ssd_mobilenet_gives_what_its_own_signature_gives(tmp_path: Path) -> None:
    folder = build_ssd_mobilenet(tmp_path / "m")
    save_ssd_labels(folder)
    image = np.random.default_rng(3).integers(0, 256, (480, 640, 3), np.uint8)
    image[100:300, 200:400] = (40, 200, 90)
    found = load_detector(folder, ModelOptions(conf=0.3)).detect([image])[0]
    tf = import_tensorflow()
    raw = tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant(image[np.newaxis, :, :, ::-1]))
    scores = raw["detection_scores"].numpy()[0]
    assert len(found) == int((scores >= 0.3).sum()) > 0
    ymin, xmin, ymax, xmax = raw["detection_boxes"].numpy()[0, 0]
    np.testing.assert_allclose(found.boxes[0], [xmin * 640, ymin * 480, xmax * 640, ymax * 480], atol=1e-2)


def test_the_same_seed_builds_the_same_network(tmp_path: Path) -> None:
    image = np.random.default_rng(5).integers(0, 256, (480, 640, 3), np.uint8)
    options = ModelOptions(conf=0.2)
    one, same, other = (
        load_detector(build_ssd_mobilenet(tmp_path / str(n), seed=seed), options).detect([image])[0]
        for n, seed in enumerate((1, 1, 2))
    )
    np.testing.assert_array_equal(one.boxes, same.boxes)
    assert one.boxes.shape != other.boxes.shape or not np.array_equal(one.boxes, other.boxes)


@pytest.mark.needs_shared
def test_a_public_hand_detector_finds_the_face() -> None:
    image = cv2.imread(str(shared("images/human_ai-upper.jpg")))
    folder = shared("models/converted/handtrack_ssd_mnv2_fpnlite_320_savedmodel")
    assert image is not None
    height, width = image.shape[:2]
    found = load_detector(folder, input_size_px=(width, height)).detect([image.astype(np.uint8)])[0]
    assert found.class_ids[0] == 5
    assert found.scores[0] > 0.97
    x1, y1, x2, y2 = found.boxes[0]
    assert 100 < x1 < 180
    assert 0 < y1 < 80
    assert 350 < x2 < 430
    assert 280 < y2 < 370


@pytest.mark.needs_shared
def test_a_public_coco_detector_names_the_person() -> None:
    image = cv2.imread(str(shared("images/human_ai-upper.jpg")))
    folder = shared("models/converted/centernet_mnv3_coco_savedmodel")
    assert image is not None
    height, width = image.shape[:2]
    options = ModelOptions(labels=shared("models/labels/mscoco_label_map.pbtxt"), classes=("person",))
    detector = load_detector(folder, options, input_size_px=(width, height))
    found = detector.detect([image.astype(np.uint8)])[0]
    assert detector.labels.name(int(found.class_ids[0])) == "person"
    assert found.scores[0] == pytest.approx(0.718, abs=0.02)

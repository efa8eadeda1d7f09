"""Frozen graphs with a text graph: loaded by OpenCV's dnn, read from the text, refused where they do not fit."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.card import Column, RowsHead
from streamer.models.formats import opencv_dnn
from streamer.models.formats.opencv_dnn import load_opencv_dnn
from streamer.models.formats.text_graph import MAX_BYTES
from streamer.models.opening import open_model
from streamer.models.options import ModelOptions
from streamer.models.runtimes.opencv_trial import try_net
from streamer.models.signature import TensorSpec
from tests.conftest import shared
from tests.opencv_models import save_red_finder

ROOT = Path(__file__).parents[3]

Pixels = NDArray[np.float32]

COLUMNS: tuple[Column, ...] = ("skip", "class", "score", "x1", "y1", "x2", "y2")


def _picture(*, channel: int = 0) -> Pixels:
    """One full cell, in the second row and the third column."""
    picture = np.zeros((1, 3, 32, 32), np.float32)
    picture[0, channel, 8:16, 16:24] = 255
    return picture


def _edited(text: Path, edit: Callable[[str], str]) -> Path:
    text.write_text(edit(text.read_text(encoding="utf-8")), encoding="utf-8")
    return text


def _without_shape(text: str) -> str:
    before, _, rest = text.partition('  attr { key: "shape"')
    return before + rest.partition("} } }\n")[2]


def test_what_is_in_the_picture_is_found_where_it_is(tmp_path: Path) -> None:
    loaded = load_opencv_dnn(*save_red_finder(tmp_path))
    rows = loaded.graph.run(_picture())["found"][0, 0]
    assert np.allclose(rows[0], [0, 1, 0.9933, 0.5, 0.25, 0.75, 0.5], atol=1e-4)
    assert (rows[1:, 2] < 0.5).all()
    assert loaded.graph.run(_picture(channel=1))["found"][0, 0, :, 2].max() < 0.5, "the order of the channels is kept"
    loaded.graph.close()


def test_input_output_and_head_are_those_of_the_text(tmp_path: Path) -> None:
    loaded = load_opencv_dnn(*save_red_finder(tmp_path))
    assert loaded.form == "OpenCV dnn"
    assert loaded.graph.runtime.startswith(f"OpenCV {cv2.__version__.split('.')[0]}.")
    assert loaded.signature.inputs == (TensorSpec("data", "float32", (1, 3, 32, 32)),)
    assert loaded.signature.outputs == (TensorSpec("found", "float32", (1, 1, None, 7)),)
    assert loaded.hints.head == RowsHead(rows="found", columns=COLUMNS, unit="fraction")
    assert (loaded.hints.first_class_id, loaded.hints.class_count) == (1, 1)
    assert loaded.hints.normalization is None
    assert loaded.hints.channel_order == "bgr", "data is what Caffe's nets call their input"
    assert loaded.parameters == 8 * 8 * 3 * 6 + 6


@pytest.mark.parametrize(("background", "expected"), [(0, (1, 1)), (1, (0, 1)), (3, (0, 2))])
def test_the_first_class_depends_on_where_the_background_is(
    tmp_path: Path, background: int, expected: tuple[int, int]
) -> None:
    hints = load_opencv_dnn(*save_red_finder(tmp_path, background=background)).hints
    assert (hints.first_class_id, hints.class_count) == expected


STEP = 'attr { key: "step" value { f: 64.0 } }'
WIDTHS = " ".join(
    f'attr {{ key: "{side}" value {{ tensor {{ dtype: DT_FLOAT tensor_shape {{ dim {{ size: 2 }} }} '
    f"float_val: {0.95 * size} float_val: {0.95**0.5 * size} }} }} }}"
    for side, size in (("width", 96), ("height", 64))
)
MIN_SIZE = 'attr { key: "min_size" value { i: 8 } }'


@pytest.mark.parametrize(
    ("priors", "shape", "usual"),
    [
        (f"{MIN_SIZE} {STEP}", (1, 3, 64, 64), None),
        (WIDTHS, (1, 3, 64, 96), None),
        (MIN_SIZE, (1, 3, None, None), (300, 300)),
    ],
    ids=["steps", "widths", "none"],
)
def test_without_a_shape_the_size_is_that_of_the_priors(
    tmp_path: Path, priors: str, shape: tuple[int | None, ...], usual: tuple[int, int] | None
) -> None:
    graph, text = save_red_finder(tmp_path, boxes_per_cell=2 if "width" in priors else 1)
    _edited(text, lambda old: _without_shape(old).replace(MIN_SIZE, priors))
    loaded = load_opencv_dnn(graph, text)
    assert loaded.signature.inputs[0].shape == shape
    assert loaded.hints.input_size_px == usual


PREPROCESSOR = """
node { name: "two" op: "Const" attr { key: "value" value { tensor {
  dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1.0 } } } }
node { name: "Preprocessor/mul" op: "Mul" input: "image_tensor" input: "two" }
"""


def _of_the_api(text: str) -> str:
    """With the names that the Object Detection API gives, its preprocessing cut off."""
    names = {'"data:0"': '"image_tensor"', '"data"': '"image_tensor"'}
    names |= {f'"{name}"': f'"FeatureExtractor/{name}"' for name in ("conf", "loc")}
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def _with_preprocessing(text: str) -> str:
    convolutions = _of_the_api(text).replace('"Conv2D" input: "image_tensor"', '"Conv2D" input: "Preprocessor/mul"')
    head, node, rest = convolutions.partition('node {\n  name: "FeatureExtractor/conf"')
    return head + PREPROCESSOR + node + rest


@pytest.mark.parametrize(
    ("edit", "normalization"),
    [(_of_the_api, ((127.5,) * 3, (127.5,) * 3)), (_with_preprocessing, ((0.0,) * 3, (1.0,) * 3))],
)
def test_the_range_is_that_of_the_api_with_or_without_its_preprocessing(
    tmp_path: Path, edit: Callable[[str], str], normalization: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    graph, text = save_red_finder(tmp_path)
    loaded = load_opencv_dnn(graph, _edited(text, edit))
    assert loaded.hints.normalization == normalization
    assert loaded.hints.channel_order == "rgb"
    assert loaded.graph.run(_picture())["found"][0, 0, 0, 2] > 0.9


def test_rows_without_a_detection_output_are_known_by_their_shape(tmp_path: Path) -> None:
    text = """
        node { name: "data" op: "Placeholder" attr { key: "shape" value { shape {
          dim { size: 1 } dim { size: 1 } dim { size: 7 } dim { size: 3 } } } } }
        node { name: "as" op: "Const" attr { key: "value" value { tensor {
          dtype: DT_INT32 tensor_shape { dim { size: 4 } } int_val: 1 int_val: 3 int_val: 7 int_val: 1 } } } }
        node { name: "flat" op: "Flatten" input: "data" }
        node { name: "rows" op: "Reshape" input: "flat" input: "as" }
    """
    graph, path = save_red_finder(tmp_path)
    loaded = load_opencv_dnn(graph, _edited(path, lambda _: text))
    (output,), hints = loaded.signature.outputs, loaded.hints
    assert hints.head == RowsHead(rows=output.name, columns=COLUMNS, unit="fraction")
    assert (hints.first_class_id, hints.class_count) == (None, None)


def test_outputs_are_copies_and_a_closed_model_says_so(tmp_path: Path) -> None:
    graph = load_opencv_dnn(*save_red_finder(tmp_path)).graph
    first = graph.run(_picture())["found"]
    kept = first.copy()
    graph.run(np.zeros((1, 3, 32, 32), np.float32))
    assert np.array_equal(first, kept)
    graph.close()
    graph.close()
    with pytest.raises(ModelError, match="the model is closed"):
        graph.run(_picture())


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (1, 5, 32, 32), (1, 3, 0, 0), (3,)])
def test_an_image_that_does_not_fit_is_one_short_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], shape: tuple[int, ...]
) -> None:
    graph = load_opencv_dnn(*save_red_finder(tmp_path)).graph
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(ModelError, match=r"the model fails: |OpenCV's dnn cannot run it: ") as caught:
        graph.run(np.zeros(shape, np.float32))
    assert str(caught.value).isprintable()
    assert len(caught.value.what) < 200
    assert capfd.readouterr() == ("", "")
    assert cv2.utils.logging.getLogLevel() == level


HUGE = " ".join(f"dim {{ size: {side} }}" for side in (1, 99999, 99999, 3))

NO_TEXT_GRAPH = {
    "label map": ("item { id: 1 name: 'x' }", "there is no node in it"),
    "empty": ("", "there is no node in it"),
    "picture": ("\x89PNG\x00\x01", "is no text graph"),
    "cut off": ('node { name: "a" op: "Conv2D"', "is no text graph"),
    "without an operation": ('node { name: "a" }', "does nothing"),
    "the same name twice": ('node { name: "a" op: "Relu" } node { name: "a" op: "Relu" }', "one name"),
    "a circle": (
        'node { name: "a" op: "Relu" input: "b" } node { name: "b" op: "Relu" input: "a:0" }',
        "wait for each other",
    ),
    "no input": ('node { name: "a" op: "Relu" input: "conf/bias" }', "no Placeholder"),
    "deep": ("node { attr " + "{ value " * 5000, "is no text graph"),
    "a label map of OpenCV's": ("person\nbicycle\n", "is no text graph"),
    "huge input": (
        f'node {{ name: "a" op: "Placeholder" attr {{ key: "shape" value {{ shape {{ {HUGE} }} }} }} }}',
        "99999x99999 px",
    ),
}


@pytest.mark.parametrize(("content", "message"), NO_TEXT_GRAPH.values(), ids=NO_TEXT_GRAPH)
def test_what_is_no_text_graph_is_told(tmp_path: Path, content: str, message: str) -> None:
    graph, text = save_red_finder(tmp_path)
    text.write_text(content, encoding="utf-8")
    with pytest.raises(ModelLoadError, match=message) as caught:
        load_opencv_dnn(graph, text)
    assert str(caught.value).startswith(str(text))
    assert str(caught.value).isprintable()


def test_the_text_graph_of_another_network_is_told(tmp_path: Path) -> None:
    graph, text = save_red_finder(tmp_path)
    _edited(text, lambda old: old.replace("conf/weights", "other/weights"))
    with pytest.raises(ModelLoadError, match=r"another network: 'other/weights', which 'conf' takes, .* red\.pb"):
        load_opencv_dnn(graph, text)


def test_the_text_graph_of_a_network_with_the_same_names_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph, text = save_red_finder(tmp_path)
    _edited(text, lambda old: old.replace("int_val: -1 int_val: 2", "int_val: -1 int_val: 5"))
    with pytest.raises(ModelLoadError, match=r"OpenCV's dnn cannot run it: .*does the text graph belong"):
        load_opencv_dnn(graph, text)
    assert capfd.readouterr() == ("", "")


def test_an_operation_that_opencv_does_not_know_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph, text = save_red_finder(tmp_path)
    with pytest.raises(ModelLoadError, match=r"OpenCV's dnn cannot run it: .*Unheard"):
        load_opencv_dnn(graph, _edited(text, lambda old: old.replace('op: "Softmax"', 'op: "Unheard"')))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["", "."])
def test_a_module_in_the_working_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    files = save_red_finder(tmp_path)
    for name in ("numpy", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place, *sys.path])
    monkeypatch.setenv("PYTHONPATH", place)
    loaded = load_opencv_dnn(*files)
    assert loaded.graph.run(_picture())["found"][0, 0, 0, 2] > 0.9
    assert not (tmp_path / "ran").exists()


def test_a_source_checkout_is_found_by_the_process_that_tries(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    shutil.copytree(ROOT / "streamer", checkout / "streamer", ignore=shutil.ignore_patterns("__pycache__"))
    first = checkout / "streamer" / "__init__.py"
    with first.open("a", encoding="utf-8") as file:
        file.write("\nwith open('imported', 'a') as file:\n    file.write(__file__ + '\\n')\n")
    files = save_red_finder(elsewhere)
    code = (
        f"import sys; sys.path.insert(0, {str(checkout)!r}); from pathlib import Path\n"
        "from streamer.models.runtimes.opencv_trial import try_net\n"
        "print(try_net(*map(Path, sys.argv[1:]), (1, 3, 32, 32)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *(file.name for file in files)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stdout.strip() == "{'found': (1, 1, 100, 7)}"
    assert (elsewhere / "imported").read_text(encoding="utf-8").splitlines() == [str(first)] * 2, "here and there"


@pytest.mark.parametrize("program", ["true", "echo"])
def test_a_process_that_ends_well_and_tells_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"there is no {program}")
    monkeypatch.setattr(sys, "executable", found)
    with pytest.raises(ModelLoadError, match="it ends the process that runs it before that could tell"):
        load_opencv_dnn(*save_red_finder(tmp_path))


def test_a_size_at_which_the_net_may_end_its_process_is_tried_in_another(tmp_path: Path) -> None:
    graph = load_opencv_dnn(*save_red_finder(tmp_path)).graph
    with pytest.raises(ModelError):  # OpenCV 5.0: SIGFPE, 4 px are less than a kernel's 8
        graph.run(np.zeros((1, 3, 4, 4), np.float32))
    assert graph.run(_picture())["found"][0, 0, 0, 2] > 0.9


def test_each_size_is_tried_once_before_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []

    def counting(graph: Path, text: Path, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        shapes.append(shape)
        return try_net(graph, text, shape)

    monkeypatch.setattr(opencv_dnn, "try_net", counting)
    graph, text = save_red_finder(tmp_path)
    loaded = load_opencv_dnn(graph, _edited(text, _without_shape))
    assert shapes == [(1, 3, 300, 300)], "the text does not say it"
    for side_px in (300, 32, 32, 300):
        loaded.graph.run(np.zeros((1, 3, side_px, side_px), np.float32))
    assert shapes == [(1, 3, 300, 300), (1, 3, 32, 32)]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_told(tmp_path: Path, missing: int) -> None:
    files = save_red_finder(tmp_path)
    files[missing].unlink()
    with pytest.raises(ModelLoadError, match="cannot be read: No such file") as caught:
        load_opencv_dnn(*files)
    assert str(files[missing]) in str(caught.value)


def test_a_huge_text_is_refused_unread(tmp_path: Path) -> None:
    graph, text = save_red_finder(tmp_path)
    with text.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelLoadError, match="too large for a text graph"):
        load_opencv_dnn(graph, text)


@pytest.mark.parametrize("ending", ["pb", "pbtxt"])
def test_fifty_damaged_models_end_no_process(tmp_path: Path, ending: str) -> None:
    command = [sys.executable, "-m", "tests.models.formats.opencv_child", str(tmp_path), ending, "0", "50"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    assert done.stderr == ""
    codes = [line.split()[1] for line in done.stdout.splitlines()]
    assert len(codes) == 50, "nothing but our own lines is on stdout"
    assert set(codes) <= {"0", "4"}
    assert codes.count("4") >= 25


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("picture", "faces"), [("human_ai-upper.jpg", 1), ("coral_face.jpg", 4), ("human_group-1.jpg", 2)]
)
def test_the_face_detector_of_opencv_finds_its_faces(picture: str, faces: int) -> None:
    loaded = load_opencv_dnn(
        shared("models/pb/opencv_face_detector_uint8.pb"), shared("models/pb/opencv_face_detector.pbtxt")
    )
    assert loaded.signature.inputs[0].shape == (1, 3, 300, 300), "its last prior has a step of 300"
    assert (loaded.hints.first_class_id, loaded.hints.class_count) == (1, 1)
    assert loaded.hints.normalization is None, "a BatchNorm does not tell what it was trained on"
    assert loaded.hints.channel_order == "bgr"
    image = cv2.imread(str(shared(f"images/{picture}")))
    assert image is not None
    sized = cv2.resize(image, (300, 300)).astype(np.float32) - np.array((104, 177, 123), np.float32)
    rows = loaded.graph.run(sized.transpose(2, 0, 1)[np.newaxis])["detection_out"][0, 0]
    sure = rows[rows[:, 2] > 0.5]
    assert len(sure) == faces
    assert ((sure[:, 3:] > -0.1) & (sure[:, 3:] < 1.1)).all()


@pytest.mark.needs_shared
def test_the_face_detector_of_opencv_gets_the_mean_that_it_was_trained_with() -> None:
    opened = open_model(shared("models/pb/opencv_face_detector_uint8.pb"), ModelOptions())
    assert opened.plan.input.channel_order == "bgr"
    assert opened.plan.input.mean == (104.0, 177.0, 123.0)
    assert opened.plan.input.std == (1.0, 1.0, 1.0)
    opened.loaded.graph.close()

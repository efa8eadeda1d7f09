"""LiteRT by itself: any size, any numbers, nothing printed, and errors of one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.loaded import Graph
from streamer.models.runtimes.litert import LiteRTGraph, LiteRTNetwork, converted
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests import tflite_models as made

PICTURE: NDArray[np.float32] = np.random.default_rng(3).random((1, 8, 8, 3)).astype(np.float32)

SCORES = "scores"


def graph_of(content: bytes, *, is_sized: bool = True) -> LiteRTGraph:
    return LiteRTGraph(
        content,
        signature="serving_default",
        input_name="image",
        input_tensor=0,
        output_tensors={},
        is_sized=is_sized,
    )


def scores(numbers: made.Numbers, picture: NDArray[np.generic]) -> NDArray[np.float32]:
    graph = graph_of(made.network(numbers))
    try:
        return graph.run(picture)[SCORES]
    finally:
        graph.close()


def test_it_is_a_graph_that_says_what_it_is() -> None:
    graph: Graph = graph_of(made.network())
    assert graph.runtime.startswith("LiteRT 2.")
    assert graph.runtime.endswith(" CPU")


@pytest.mark.parametrize(
    ("numbers", "picture", "difference"),
    [
        ("float16", PICTURE, 0.005),
        ("dynamic", PICTURE, 0.02),
        ("uint8", np.round(PICTURE * 255).astype(np.uint8), 0.03),
        ("int8", np.round(PICTURE * 255 - 128).astype(np.int8), 0.03),
    ],
)
def test_all_kinds_of_numbers_say_the_same(
    numbers: made.Numbers, picture: NDArray[np.generic], difference: float
) -> None:
    plain, found = scores("float32", PICTURE), scores(numbers, picture)
    assert found.dtype == np.float32
    assert plain.std() > 0.1
    np.testing.assert_allclose(found, plain, atol=difference)


def test_integers_of_one_scale_for_each_channel_are_what_they_stand_for() -> None:
    graph = graph_of(made.scaled_by_channel(scales=(0.5, 2.0, 10.0), zero_points=(0, 1, -1)))
    outputs = graph.run(np.array([[[[1, 2, 3], [-4, -5, -6]]]], np.int8))
    np.testing.assert_allclose(outputs["copy"], [[[[0.5, 2.0, 40.0], [-2.0, -12.0, -50.0]]]])
    assert outputs["copy"].dtype == np.float32


@pytest.mark.parametrize("shape", [(1, None, None, 3), (None, None, None, 3)])
def test_any_size_is_taken_and_may_change(shape: tuple[int | None, ...]) -> None:
    graph = graph_of(made.network(shape=shape), is_sized=False)
    expected = scores("float32", np.full((1, 8, 8, 3), 0.5, np.float32))
    for height, width in ((8, 8), (16, 24), (16, 24), (8, 8)):
        found = graph.run(np.full((1, height, width, 3), 0.5, np.float32))[SCORES]
        assert found.shape == (1, 16)
        if (height, width) == (8, 8):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_several_images_at_once_are_taken_where_the_batch_is_open() -> None:
    graph = graph_of(made.network(shape=(None, 8, 8, 3)))
    pair = np.concatenate([PICTURE, 1 - PICTURE])
    found = graph.run(pair)[SCORES]
    np.testing.assert_allclose(found[:1], graph.run(pair[:1])[SCORES], atol=1e-6)
    np.testing.assert_allclose(found[1:], graph.run(pair[1:])[SCORES], atol=1e-6)


@pytest.mark.parametrize("signature", ["serving_default", None])
def test_outputs_are_left_alone_by_later_runs(signature: str | None) -> None:
    content = made.detector(signature=signature)
    graph = LiteRTGraph(
        content,
        signature=signature,
        input_name="image",
        input_tensor=0,
        output_tensors=made.output_tensors(content),
        is_sized=True,
    )
    first = graph.run(made.colours({5: 0}))
    kept = {name: array.copy() for name, array in first.items()}
    graph.run(made.colours({10: 2, 3: 1}))
    for name, array in kept.items():
        np.testing.assert_array_equal(first[name], array)
    assert len(first) == 4


def test_an_image_that_does_not_fit_is_an_error_of_one_line() -> None:
    graph = graph_of(made.network())
    for images in (np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 5), np.float32), np.zeros((8, 8), np.float32)):
        with pytest.raises(ModelError, match="the model fails: ") as caught:
            graph.run(images)
        assert "\n" not in str(caught.value)
        assert ".cc:" not in str(caught.value)
    np.testing.assert_allclose(graph.run(PICTURE)[SCORES], scores("float32", PICTURE), atol=1e-6)


def test_what_litert_does_not_take_is_an_error_of_one_line() -> None:
    with pytest.raises(ModelLoadError, match="LiteRT does not take the file: ") as caught:
        graph_of(b"\0\0\0\0TFL3" + bytes(100))
    assert "\n" not in str(caught.value)


def test_closing_twice_is_once_and_then_nothing_runs() -> None:
    graph = graph_of(made.network())
    graph.close()
    graph.close()
    with pytest.raises(ModelError, match="the model is closed"):
        graph.run(PICTURE)


def test_without_litert_tensorflow_has_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scores("float32", PICTURE)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    graph = graph_of(made.network())
    assert graph.runtime.startswith("TensorFlow Lite 2.")
    np.testing.assert_allclose(graph.run(PICTURE)[SCORES], expected, atol=1e-5)
    graph.close()


def test_nothing_is_printed_and_tensorflow_stays_out(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(made.network(shape=(1, None, None, 3)))
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from streamer.models.formats.tflite import load_tflite\n"
        f"graph = load_tflite(Path({str(path)!r})).graph\n"
        "for side in (8, 12): graph.run(np.zeros((1, side, side, 3), np.float32))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_converter_does_not_take_is_said_in_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    tf = import_tensorflow()
    weird = tf.function(
        lambda image: tf.raw_ops.Bincount(arr=tf.cast(image[0], tf.int32), size=5, weights=tf.ones([4]))
    )
    function = weird.get_concrete_function(tf.TensorSpec([1, 4], tf.float32))
    capfd.readouterr()
    with pytest.raises(ModelLoadError, match="LiteRT's converter does not take it: ") as raised:
        converted(function)
    assert "\n" not in raised.value.what
    assert capfd.readouterr().err == ""


def test_what_is_converted_by_examples_has_numbers_of_8_bits() -> None:
    tf = import_tensorflow()
    random = np.random.default_rng(1)
    weights = random.normal(size=(3, 3, 3, 64)).astype(np.float32)
    network = tf.function(lambda image: tf.nn.relu(tf.nn.conv2d(image, weights, 2, "SAME")))
    function = network.get_concrete_function(tf.TensorSpec([1, 16, 16, 3], tf.float32))
    examples = [random.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32) for _ in range(4)]
    small, plain = converted(function, examples=examples), converted(function)
    assert len(small) < len(plain)
    given, wanted = (
        LiteRTNetwork(content, outputs={"features": ""}, streams=1, threads=1).run(examples[0], frame_size_px=(16, 16))
        for content in (small, plain)
    )
    assert given["features"].dtype == np.float32
    off = np.abs(given["features"] - wanted["features"])
    assert 0 < off.max() < 0.05 * wanted["features"].max()

"""SavedModels of both TensorFlows and of Keras: one signature of each is found, described and run."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelLoadError, SignatureError
from streamer.models.formats.savedmodel import load_saved_model
from streamer.models.loaded import Loaded
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.hostile_models import edit, save_tf1
from tests.keras_models import WEIGHTS, network, writing
from tests.saved_models import build_ssd_mobilenet, save_constant


def described(loaded: Loaded) -> tuple[list[str], list[str]]:
    return [str(spec) for spec in loaded.signature.inputs], [str(spec) for spec in loaded.signature.outputs]


def save_v1(folder: Path, *tag_sets: list[str], signatures: tuple[str, ...] = ("serving_default",)) -> Path:
    """One small graph for each set of tags, as the builder of TensorFlow 1 writes them."""
    v1 = import_tensorflow().compat.v1
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        image = v1.placeholder(v1.uint8, [None, None, None, 3], name="image_tensor")
        text = v1.placeholder(v1.string, [None], name="text")
        scale = v1.get_variable("scale", [2, 3], initializer=v1.ones_initializer(), use_resource=True)
        session.run(v1.global_variables_initializer())
        outputs = {"boxes": v1.cast(v1.shape(image), v1.float32) * v1.reduce_mean(scale)}
        sees = v1.saved_model.predict_signature_def({"inputs": image}, outputs)
        reads = v1.saved_model.predict_signature_def({"inputs": text}, {"classes": v1.strings.length(text)})
        known = {name: reads if name == "classify" else sees for name in signatures}
        builder = v1.saved_model.Builder(str(folder))
        first, *others = tag_sets
        builder.add_meta_graph_and_variables(session, first, signature_def_map=known)
        for tags in others:
            builder.add_meta_graph(tags, signature_def_map=known)
        builder.save()
    return folder


def test_an_export_of_tensorflow_2(tmp_path: Path) -> None:
    loaded = load_saved_model(build_ssd_mobilenet(tmp_path / "m"), signature=None)
    inputs, outputs = described(loaded)
    assert inputs == ["input_tensor uint8 [1,?,?,3]"]
    assert outputs[0] == "detection_boxes float32 [1,100,4]"
    assert (loaded.form, loaded.signatures) == ("SavedModel", ("serving_default",))
    assert loaded.writer == f"TensorFlow {import_tensorflow().__version__}"
    assert loaded.parameters == sum(int(np.prod(known.shape)) for known in _variables(loaded))
    assert set(loaded.graph.run(np.zeros((1, 32, 48, 3), np.uint8))) == {spec.name for spec in loaded.signature.outputs}


def _variables(loaded: Loaded) -> Any:
    return loaded.graph._function.variables  # type: ignore[attr-defined]


def test_an_export_of_tensorflow_1(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.txt").write_text("person\ncar\n")
    loaded = load_saved_model(save_tf1(tmp_path / "m", tmp_path / "vocabulary.txt"), signature=None)
    inputs, outputs = described(loaded)
    assert inputs == ["inputs uint8 [1,?,?,3]"]
    assert outputs[0] == "detection_boxes float32 [1,1,4]"
    given = loaded.graph.run(np.zeros((1, 8, 8, 3), np.uint8))
    np.testing.assert_array_equal(given["detection_classes"], [[1.0]])
    loaded.graph.close()


TAGS: dict[str, tuple[list[list[str]], str]] = {
    "serve among others": ([["train"], ["serve"], ["serve", "gpu"]], ""),
    "one other": ([["predict"]], "taken is the one tagged predict"),
    "none": ([[]], "taken is the one tagged with nothing"),
    "several others": ([["a"], ["b", "c"]], "taken is the one of 2 tagged a"),
}


@pytest.mark.parametrize(("tags", "said"), TAGS.values(), ids=TAGS)
def test_tags_other_than_serve_are_taken_and_told(
    tmp_path: Path, tags: list[list[str]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="streamer"):
        loaded = load_saved_model(save_v1(tmp_path / "m", *tags), signature=None)
    assert said in caplog.text
    assert bool(said) == ("tagged serve" in caplog.text)
    assert loaded.parameters == 6
    np.testing.assert_allclose(loaded.graph.run(np.zeros((2, 4, 5, 3), np.uint8))["boxes"], [2, 4, 5, 3])


def test_the_signature_that_takes_a_picture_is_taken_where_none_has_the_usual_name(tmp_path: Path) -> None:
    folder = save_v1(tmp_path / "m", ["serve"], signatures=("classify", "predict_images"))
    assert load_saved_model(folder, signature=None).signature.name == "predict_images"
    assert load_saved_model(folder, signature="classify").signature.name == "classify"
    with pytest.raises(SignatureError, match=r"no signature 'detect' \(--signature may be one of: classify, predict_"):
        load_saved_model(folder, signature="detect")
    several = save_v1(tmp_path / "two", ["serve"], signatures=("predict", "predict_images"))
    with pytest.raises(SignatureError, match="one of: predict, predict_images"):
        load_saved_model(several, signature=None)


@pytest.mark.parametrize("shape", [(8, 24, 32, 3), (1, 24, 32, 3), (24, 32, 3), (None, 24, 32, 3)])
def test_fixed_sizes_and_batches_come_through(tmp_path: Path, shape: tuple[int | None, ...]) -> None:
    folder = save_constant(tmp_path / "m", input_shape=shape, input_dtype="float32")
    assert load_saved_model(folder, signature=None).signature.inputs[0].shape == shape


def test_what_keras_exports_runs(tmp_path: Path) -> None:
    model = network(named_outputs=False)
    with writing():
        model.export(str(tmp_path / "m"), verbose=False)
    loaded = load_saved_model(tmp_path / "m", signature=None)
    assert loaded.signatures == ("serve", "serving_default")
    assert described(loaded)[0] == ["image float32 [?,32,48,3]"]
    assert {spec.shape for spec in loaded.signature.outputs} == {(None, 15, 23, 4), (None, 15, 23, 2)}
    assert loaded.parameters == WEIGHTS
    image = np.random.default_rng(1).uniform(0, 255, (1, 32, 48, 3)).astype(np.float32)
    wanted = sorted((np.asarray(tensor) for tensor in model(image)), key=lambda array: array.shape[-1])
    given = sorted(loaded.graph.run(image).values(), key=lambda array: array.shape[-1])
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_model_of_keras_saved_by_tensorflow_runs(tmp_path: Path) -> None:
    import_tensorflow().saved_model.save(network(), str(tmp_path / "m"))
    loaded = load_saved_model(tmp_path / "m", signature=None)
    assert {spec.name for spec in loaded.signature.outputs} == {"b", "s"}
    assert set(loaded.graph.run(np.zeros((1, 32, 48, 3), np.float32))) == {"b", "s"}


@pytest.mark.parametrize("answer", ["dictionary", "list", "tensor"])
def test_a_model_without_signatures_is_run_by_its_own_function(tmp_path: Path, answer: str) -> None:
    tf = import_tensorflow()

    def detect(picture: Any) -> Any:
        boxes = tf.cast(picture, tf.float32)
        return {"dictionary": {"boxes": boxes}, "list": [boxes, boxes * 2], "tensor": boxes}[answer]

    module = tf.Module()
    module.detect = tf.function(detect, input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
    two = [tf.TensorSpec([2], tf.float32), tf.TensorSpec([2], tf.float32)]
    module.predict = tf.function(lambda one, other: one + other, input_signature=two)
    tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = load_saved_model(tmp_path / "m", signature=None)
    names = {"dictionary": ["boxes"], "list": ["output_0", "output_1"], "tensor": ["output_0"]}[answer]
    assert loaded.signature.name == "detect"
    assert described(loaded)[0] == ["picture uint8 [1,?,?,3]"]
    assert [spec.name for spec in loaded.signature.outputs] == names
    assert list(loaded.graph.run(np.ones((1, 2, 2, 3), np.uint8))) == names


def test_a_model_without_any_function_says_so(tmp_path: Path) -> None:
    tf = import_tensorflow()
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(SignatureError, match="the model has no signature"):
        load_saved_model(tmp_path / "m", signature=None)


def test_a_model_with_nothing_but_tags_says_so(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.meta_graphs[0].meta_info_def.tags[:] = ["\x1b[2Jodd"]
        model.meta_graphs[0].meta_info_def.tensorflow_version = "9\x1b.9"

    loaded = load_saved_model(edit(save_constant(tmp_path / "m"), change), signature=None)
    assert loaded.writer.isprintable()
    assert loaded.writer.startswith("TensorFlow 9")


def test_a_damaged_export_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    next((folder / "variables").glob("*.data-*")).unlink()
    with pytest.raises(ModelLoadError, match="damaged or incomplete") as caught:
        load_saved_model(folder, signature=None)
    assert str(caught.value).isprintable()

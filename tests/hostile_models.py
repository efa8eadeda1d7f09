"""Models that do more than they should: each is a detector, and does its deed in one place or another.

A deed that runs leaves a canary: a file that was not there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.keras_models import save_keras
from tests.model_forms import keras_detector

Tensor = Any
"""TensorFlow comes without types."""

Deed = Callable[[Path], Any]
"""Told where the canary goes; called while a function is traced, it returns what the function has to wait for."""


def write_file(canary: Path) -> Tensor:
    return import_tensorflow().io.write_file(str(canary), "was here")


def write_under_a_harmless_name(canary: Path) -> Tensor:
    tf = import_tensorflow()
    with tf.device("/device:CPU:0"):
        return tf.raw_ops.WriteFile(filename=str(canary), contents="was here", name="Relu6")


def copy_file(canary: Path) -> Tensor:
    tf = import_tensorflow()
    return tf.io.write_file(str(canary), tf.io.read_file(__file__))


def print_to_file(canary: Path) -> Tensor:
    return import_tensorflow().print("was here", output_stream=f"file://{canary}")


def save_checkpoint(canary: Path) -> Tensor:
    tf = import_tensorflow()
    return tf.raw_ops.SaveV2(
        prefix=str(canary), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant([1.0])]
    )


def call_python(canary: Path) -> Tensor:
    tf = import_tensorflow()

    def deed() -> Tensor:
        canary.write_text("was here")
        return tf.constant(1.0)

    return tf.py_function(deed, [], tf.float32)


def call_numpy(canary: Path) -> Tensor:
    tf = import_tensorflow()

    def deed() -> int:
        canary.write_text("was here")
        return 1

    return tf.numpy_function(deed, [], tf.int64)


DEEDS: dict[str, tuple[Deed, str]] = {
    "write": (write_file, "read or write files: WriteFile"),
    "write, named Relu6": (write_under_a_harmless_name, "read or write files: WriteFile"),
    "read": (copy_file, "read or write files: ReadFile"),
    "print": (print_to_file, "print by themselves: PrintV2"),
    "checkpoint": (save_checkpoint, "read or write files: SaveV2"),
    "python": (call_python, "call Python: EagerPyFunc"),
    "numpy": (call_numpy, "call Python: PyFunc"),
}
"""What each does, and what it is refused for."""

PLACES = ("signature", "nested function", "branch of a condition", "body of a loop", "initialisation")


def save_hostile(folder: Path, canary: Path, *, deed: Deed = write_file, place: str = "signature") -> Path:
    """A detector of nothing in particular that does `deed` in `place`."""
    tf = import_tensorflow()
    module = tf.Module()
    module.count = tf.Variable(0.0)

    def work(_: Tensor) -> Tensor:
        done = deed(canary)
        with tf.control_dependencies([] if done is None else [done]):
            module.count.assign_add(1.0)
        return tf.constant(1.0)

    around: dict[str, Callable[[Tensor], Tensor]] = {
        "signature": work,
        "nested function": tf.function(tf.function(work)),
        "branch of a condition": lambda size: tf.cond(size > 0, lambda: work(size), lambda: tf.constant(0.0)),
        "body of a loop": lambda size: tf.while_loop(lambda n: n < 1.0, lambda n: (n + work(size),), [0.0])[0],
        "initialisation": lambda _: tf.constant(1.0),
    }

    def detect(image: Tensor) -> dict[str, Tensor]:
        score = around[place](tf.size(image))
        return {
            "detection_boxes": tf.constant([[[0.1, 0.2, 0.5, 0.6]]]),
            "detection_scores": tf.reshape(score, [1, 1]),
            "detection_classes": tf.constant([[1.0]]),
        }

    if place == "initialisation":
        module.resource = _resource(work)
    function = tf.function(detect).get_concrete_function(tf.TensorSpec([1, None, None, 3], tf.uint8, name="image"))
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    if place == "initialisation":
        remove_traces(canary)
    return folder


def remove_traces(canary: Path) -> None:
    """Of deeds that were done while the model was made."""
    for path in canary.parent.glob(canary.name + "*"):
        path.unlink()


def traces(canary: Path) -> list[str]:
    """Names of the files that a deed left."""
    return sorted(path.name for path in canary.parent.glob(canary.name + "*"))


def _resource(work: Callable[[Tensor], Tensor]) -> Tensor:
    """An object of a model whose function runs while the model is loaded."""
    tf = import_tensorflow()
    base: Any = tf.saved_model.experimental.TrackableResource

    class Resource(base):  # type: ignore[misc]
        def _create_resource(self) -> Tensor:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="resource")

        def _initialize(self) -> Tensor:
            return work(None)

        def _destroy_resource(self) -> None:
            """Nothing to let go of."""

    resource = Resource()
    assert resource.resource_handle is not None
    return resource


def save_tf1(folder: Path, vocabulary: Path, *, deed: Deed | None = None, canary: Path | None = None) -> Path:
    """A SavedModel as TensorFlow 1 wrote it: a saver in the main graph, a table that is read from a file of assets/.

    deed: done by what loading runs.
    """
    tf = import_tensorflow()
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        image = v1.placeholder(tf.uint8, [1, None, None, 3], name="image_tensor")
        scale = v1.get_variable("scale", [1, 1], initializer=v1.ones_initializer(), use_resource=True)
        lines = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        known = tf.lookup.StaticHashTable(lines, -1).lookup(tf.constant([["car"]]))
        outputs = {
            "detection_boxes": tf.constant([[[0.1, 0.2, 0.5, 0.6]]]),
            "detection_scores": scale * tf.cast(tf.size(image) > 0, tf.float32),
            "detection_classes": tf.cast(known, tf.float32),
        }
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        start = v1.tables_initializer()
        if deed is not None:
            assert canary is not None
            start = tf.group(start, deed(canary))
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={"serving_default": v1.saved_model.predict_signature_def({"inputs": image}, outputs)},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=start,
        )
        builder.save()
    return folder


def edit(folder: Path, change: Callable[[Any], None]) -> Path:
    """Change the SavedModel message of a folder."""
    import_tensorflow()
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 - dear

    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model)
    file.write_bytes(model.SerializeToString())
    return folder


def write_from_frozen_graph(canary: Path, *, python: bool = False) -> Callable[[Any], None]:
    """A frozen detector that does its deed while it runs; what `save_graph` takes."""

    def build(v1: Any) -> None:
        image = v1.placeholder(v1.uint8, [None, None, None, 3], name="image_tensor")
        with v1.control_dependencies([call_numpy(canary) if python else write_file(canary)]):
            seen = v1.cast(v1.reduce_max(image), v1.float32)
        v1.identity(v1.constant([[[0.1, 0.2, 0.5, 0.6]]]) + 0.0 * seen, name="detection_boxes")
        v1.identity(v1.constant([[0.9]]), name="detection_scores")
        v1.identity(v1.constant([[1.0]]), name="detection_classes")

    return build


def hungry_graph(v1: Any) -> None:
    """A frozen detector that needs 8 GB for a picture of 480 lines."""
    image = v1.placeholder(v1.uint8, [None, None, None, 3], name="image_tensor")
    score = 0.9 * v1.reduce_max(v1.fill([v1.shape(image)[1], 1024, 4096], 1.0))
    v1.identity(v1.constant([[[0.1, 0.2, 0.5, 0.6]]]), name="detection_boxes")
    v1.identity(v1.reshape(score, [1, 1]), name="detection_scores")
    v1.identity(v1.constant([[1.0]]), name="detection_classes")


def save_lambda_detector(path: Path, canary: Path) -> Path:
    """A Keras detector, .keras or .h5, whose boxes go through a Lambda that makes a file."""
    keras = import_tensorflow().keras
    code = f"lambda x: (__import__('pathlib').Path({str(canary)!r}).touch(), x)[1]"
    save_keras(path, keras_detector(keras.layers.Lambda(eval(code), output_shape=(20,), name="deed")))
    remove_traces(canary)
    return path

"""What every Network does, whichever runtime it is in."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.choosing.lowerings import in_openvino
from streamer.models.formats.tflite_file import read_tflite_file
from streamer.models.lowering.flat import FlatGraph
from streamer.models.lowering.network import FRAME_SHAPE, cut_network, network_input
from streamer.models.networks import open_network
from streamer.models.running import Lowered, Network
from streamer.models.runtimes import litert, openvino
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.models.lowering.graphs import Tensor, flat, kernel

SHAPE = (1, 24, 32, 3)
STREAMS = 2


def _detector(image: Tensor) -> dict[str, Tensor]:
    """Boxes in pixels of the picture, which its network does not see, and scores."""
    tf = import_tensorflow()
    x = tf.image.resize(tf.cast(image, tf.float32), SHAPE[1:3]) / 127.5 - 1.0
    x = tf.nn.relu(tf.nn.conv2d(x, kernel(3, 3, 3, 8), 2, "SAME"))
    size = tf.cast(tf.shape(image)[1:3], tf.float32)
    boxes = tf.reshape(tf.sigmoid(tf.nn.conv2d(x, kernel(1, 1, 8, 4, seed=1), 1, "SAME")), [1, -1, 4])
    scores = tf.reshape(tf.sigmoid(tf.nn.conv2d(x, kernel(1, 1, 8, 2, seed=2), 1, "SAME")), [1, -1, 2])
    return {"scores": scores, "boxes": boxes * tf.concat([size, size], 0)}


@dataclass(frozen=True)
class Made:
    """folder: where the files are. lowered: one for each runtime. wanted: what the graph itself gives."""

    folder: Path
    lowered: dict[str, Lowered]
    wanted: Callable[[NDArray[Any], tuple[int, int]], dict[str, NDArray[Any]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("networks")
    graph = flat(_detector)
    network = cut_network(graph, network_input(graph), SHAPE, graph.outputs)
    assert FRAME_SHAPE in network.inputs
    (folder / "n.pb").write_bytes(network.definition.SerializeToString())
    openvino.convert(folder / "n.pb", folder / "n.xml")
    lone = FlatGraph(network.definition, "", network.outputs)
    function = lone.pruned(list(network.outputs.values()), feeds=list(network.inputs))
    (folder / "n.tflite").write_bytes(litert.converted(function))
    (signature,) = read_tflite_file(folder / "n.tflite").signatures
    tensors = {name: f"#{signature.outputs[f'output_{n}']}" for n, name in enumerate(network.outputs)}
    names = dict(network.outputs)
    lowered = {
        "tensorflow": Lowered(runtime="tensorflow", file="n.pb", outputs=names, frame_shape=True),
        "openvino": Lowered(runtime="openvino", file="n.xml", outputs=names, frame_shape=True),
        "litert": Lowered(runtime="litert", file="n.tflite", outputs=tensors, frame_shape=True),
    }
    (folder / "via").mkdir()
    (folder / "via" / "n.tflite").write_bytes((folder / "n.tflite").read_bytes())
    through = in_openvino(folder / "via" / "n.tflite", tensors)
    lowered["openvino of a .tflite"] = Lowered(
        runtime="openvino", file=f"via/{through.file}", outputs=through.outputs, frame_shape=True
    )
    call = lone.caller(list(network.outputs.values()), feeds=list(network.inputs))

    def wanted(tensor: NDArray[Any], size_px: tuple[int, int]) -> dict[str, NDArray[Any]]:
        shape = np.array([1, size_px[1], size_px[0], 3], np.int32)
        return dict(zip(network.outputs, call(tensor, shape), strict=True))

    return Made(folder, lowered, wanted)


KINDS = ("tensorflow", "openvino", "litert", "openvino of a .tflite")


def _opened(made: Made, kind: str, *, live: bool = False) -> Network:
    return open_network(made.lowered[kind], made.folder, live=live, threads=STREAMS)


@pytest.fixture(scope="module", params=KINDS)
def network(request: pytest.FixtureRequest, made: Made) -> Iterator[Network]:
    opened = _opened(made, request.param)
    yield opened
    opened.close()


def _tensor(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)


@pytest.mark.parametrize("size_px", [(640, 480), (33, 700)])
def test_it_gives_the_graphs_numbers_by_the_signatures_names(
    network: Network, made: Made, size_px: tuple[int, int]
) -> None:
    tensor = _tensor(1)
    given, wanted = network.run(tensor, frame_size_px=size_px), made.wanted(tensor, size_px)
    assert given.keys() == wanted.keys() == {"boxes", "scores"}
    assert wanted["boxes"].max() > 100
    for name in wanted:
        np.testing.assert_allclose(given[name], wanted[name], rtol=2e-4, atol=2e-4, err_msg=name)


def test_a_tensor_that_may_not_be_written_to_stays_as_it_was(network: Network) -> None:
    tensor = _tensor(2)
    before = tensor.copy()
    tensor.setflags(write=False)
    network.run(tensor, frame_size_px=(64, 48))
    np.testing.assert_array_equal(tensor, before)


def test_the_same_tensor_gives_the_same_after_another_one(network: Network) -> None:
    first = {name: array.copy() for name, array in network.run(_tensor(3), frame_size_px=(64, 48)).items()}
    network.run(_tensor(4), frame_size_px=(90, 20))
    again = network.run(_tensor(3), frame_size_px=(64, 48))
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)


def test_as_many_threads_at_once_as_it_says_get_each_their_own(network: Network, made: Made) -> None:
    sizes_px = [(100 + n, 300 - n) for n in range(40)]
    tensors = [_tensor(n) for n in range(len(sizes_px))]

    def run(n: int) -> bool:
        given, wanted = network.run(tensors[n], frame_size_px=sizes_px[n]), expected[n]
        return all(np.allclose(given[name], wanted[name], rtol=2e-4, atol=2e-4) for name in wanted)

    expected = [made.wanted(tensor, size_px) for tensor, size_px in zip(tensors, sizes_px, strict=True)]
    with ThreadPoolExecutor(network.concurrency) as pool:
        assert all(pool.map(run, range(len(tensors))))


def test_it_says_what_it_is(network: Network) -> None:
    name, version, device = network.runtime.split(" ")
    assert name in {"TensorFlow", "OpenVINO", "LiteRT"}
    assert float(version) > 0
    assert device in {"CPU", "GPU"}
    assert network.concurrency in {1, STREAMS}


def test_a_live_one_takes_one_call_at_a_time(made: Made) -> None:
    for kind in KINDS:
        opened = _opened(made, kind, live=True)
        assert opened.concurrency == 1
        opened.close()


@pytest.mark.parametrize("shape", [(1, 5, 5, 3), (7, 2), (1, 24, 32, 1)])
def test_a_tensor_of_another_shape_is_a_model_error_and_the_next_one_is_fine(
    network: Network, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ModelError):
        network.run(np.zeros(shape, np.float32), frame_size_px=(64, 48))
    assert network.run(_tensor(5), frame_size_px=(64, 48))["scores"].size > 0


def test_closing_twice_is_closing_and_a_closed_one_refuses(made: Made) -> None:
    for kind in KINDS:
        opened = _opened(made, kind)
        opened.run(_tensor(6), frame_size_px=(64, 48))
        opened.close()
        opened.close()
        with pytest.raises(ModelError, match="closed"):
            opened.run(_tensor(6), frame_size_px=(64, 48))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_what_is_no_network_of_its_kind_is_refused(
    made: Made, tmp_path: Path, kind: str, content: bytes | None
) -> None:
    lowered = made.lowered[kind]
    (tmp_path / "via").mkdir()
    if content is not None:
        (tmp_path / lowered.file).write_bytes(content)
    with pytest.raises(ModelLoadError) as raised:
        open_network(lowered, tmp_path, live=False, threads=1)
    assert raised.value.what.isprintable()

"""OpenVINO runs what it is given, and its sorting is made fast without becoming another one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.runtimes import openvino
from streamer.models.runtimes.openvino import OpenVinoNetwork, convert
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.frozen_graphs import save_graph

MANY = 1_400_000
MOST = 100


def _sorter(folder: Path, *, count: int, most: int, dtype: str = "float32") -> Path:
    """A graph of a sorting alone, not a multiple of anything long."""

    def build(_: object) -> None:
        tf = import_tensorflow()
        scores = tf.compat.v1.placeholder(dtype, [1, count], name="scores")
        values, indices = tf.math.top_k(scores, most)
        tf.identity(values, name="values")
        tf.identity(indices, name="indices")
        tf.identity(tf.gather(scores[0], indices[0]), name="gathered")

    return save_graph(folder / "sort.pb", build)


OUTPUTS = {"values": "values", "indices": "indices", "gathered": "gathered"}


def _opened(path: Path, **outputs: str) -> OpenVinoNetwork:
    return OpenVinoNetwork(path, outputs=outputs or OUTPUTS, streams=2, threads=2)


def _operations(path: Path, kind: str) -> int:
    return path.read_text(encoding="utf-8").count(f'type="{kind}"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sorting")


@pytest.fixture(scope="module")
def eased(folder: Path) -> Iterator[OpenVinoNetwork]:
    convert(_sorter(folder, count=MANY, most=MOST), folder / "eased.xml")
    assert _operations(folder / "eased.xml", "TopK") == 3
    network = _opened(folder / "eased.xml")
    yield network
    network.close()


@pytest.fixture(scope="module")
def as_it_was(folder: Path, eased: OpenVinoNetwork) -> Iterator[OpenVinoNetwork]:
    del eased  # which wrote the graph
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "_ease_sorting", lambda _: None)
        convert(folder / "sort.pb", folder / "slow.xml")
    assert _operations(folder / "slow.xml", "TopK") == 1
    network = _opened(folder / "slow.xml")
    yield network
    network.close()


def _random(random: np.random.Generator) -> NDArray[np.float32]:
    return random.normal(size=(1, MANY)).astype(np.float32)


def _ties(random: np.random.Generator) -> NDArray[np.float32]:
    """As quantised scores are: few values, each of them often."""
    return (random.integers(0, 50, (1, MANY)) / 50).astype(np.float32)


def _in_one_place(random: np.random.Generator) -> NDArray[np.float32]:
    """The largest stand side by side, at the very end."""
    scores = random.uniform(0, 0.5, (1, MANY)).astype(np.float32)
    scores[0, -MOST:] += 1
    return scores


KINDS = [_random, _ties, _in_one_place]


@pytest.mark.parametrize("numbers", KINDS)
def test_eased_sorting_gives_the_values_and_places_that_sorting_gives(
    eased: OpenVinoNetwork,
    as_it_was: OpenVinoNetwork,
    numbers: Callable[[np.random.Generator], NDArray[np.float32]],
) -> None:
    scores = numbers(np.random.default_rng(1))
    given = eased.run(scores, frame_size_px=(1, 1))
    wanted = np.argsort(-scores[0], kind="stable")[:MOST]
    np.testing.assert_array_equal(given["values"][0], scores[0, wanted])
    np.testing.assert_array_equal(given["indices"][0], wanted)
    np.testing.assert_array_equal(given["gathered"], scores[0, wanted])
    slow = as_it_was.run(scores, frame_size_px=(1, 1))
    for name in OUTPUTS:
        np.testing.assert_array_equal(given[name], slow[name], err_msg=name)


def test_of_those_that_tie_with_the_last_one_any_may_be_kept_each_once(eased: OpenVinoNetwork) -> None:
    scores = np.zeros((1, MANY), np.float32)
    best = [3, 500_000, 500_001, MANY - 1]
    scores[0, best] = 0.9, 0.9, 0.9, 0.8
    given = eased.run(scores, frame_size_px=(1, 1))
    assert given["indices"][0, : len(best)].tolist() == best
    assert len(set(given["indices"][0].tolist())) == MOST
    np.testing.assert_array_equal(given["values"][0], scores[0, given["indices"][0]])


def test_what_is_left_out_by_minus_infinity_is_never_read_beyond_the_end(eased: OpenVinoNetwork) -> None:
    scores = np.full((1, MANY), -np.inf, np.float32)
    scores[0, [5, MANY - 1]] = 0.5, 0.7
    given = eased.run(scores, frame_size_px=(1, 1))
    assert given["indices"][0, :2].tolist() == [MANY - 1, 5]
    assert given["indices"].max() < MANY
    np.testing.assert_array_equal(given["values"][0], scores[0, given["indices"][0]])


@pytest.mark.parametrize(
    ("count", "most", "dtype"), [(5000, 100, "float32"), (30_000, 200, "float32"), (MANY, 100, "int32")]
)
def test_sorting_that_is_short_or_of_other_numbers_is_as_right(
    tmp_path: Path, count: int, most: int, dtype: str
) -> None:
    convert(_sorter(tmp_path, count=count, most=most, dtype=dtype), tmp_path / "sort.xml")
    network = _opened(tmp_path / "sort.xml")
    scores = np.random.default_rng(2).integers(-(10**9), 10**9, (1, count)).astype(dtype)
    given = network.run(scores, frame_size_px=(1, 1))
    network.close()
    wanted = np.argsort(-scores[0], kind="stable")[:most]
    np.testing.assert_array_equal(given["values"][0], scores[0, wanted])
    np.testing.assert_array_equal(given["indices"][0], wanted)


def test_an_output_keeps_its_name_where_sorting_itself_is_the_output(tmp_path: Path) -> None:
    def build(_: object) -> None:
        tf = import_tensorflow()
        scores = tf.compat.v1.placeholder("float32", [1, MANY], name="scores")
        tf.raw_ops.TopKV2(input=scores, k=MOST, name="sorted")

    convert(save_graph(tmp_path / "bare.pb", build), tmp_path / "bare.xml")
    network = _opened(tmp_path / "bare.xml", values="sorted")
    scores = _random(np.random.default_rng(3))
    given = network.run(scores, frame_size_px=(1, 1))
    np.testing.assert_array_equal(given["values"][0], np.sort(scores[0])[::-1][:MOST])
    network.close()


def test_threads_at_once_get_each_their_own(eased: OpenVinoNetwork) -> None:
    def is_own(number: int) -> bool:
        scores = np.zeros((1, MANY), np.float32)
        scores[0, number] = number + 1
        given = eased.run(scores, frame_size_px=(1, 1))
        return bool(given["values"][0, 0] == number + 1 and given["indices"][0, 0] == number)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_own, range(0, 40_000, 1000)))


@pytest.mark.parametrize("name", ["junk.pb", "junk.tflite", "none.pb"])
def test_junk_is_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("junk"):
        (tmp_path / name).write_bytes(b"\x08\x01 this is no model" * 9)
    with pytest.raises(ModelLoadError, match="OpenVINO does not take it"):
        convert(tmp_path / name, tmp_path / "out.xml")
    assert not (tmp_path / "out.xml").exists()


def test_a_damaged_network_and_an_output_that_it_lacks_are_refused(tmp_path: Path) -> None:
    convert(_sorter(tmp_path, count=50, most=3), tmp_path / "sort.xml")
    with pytest.raises(ModelLoadError, match="it has no output boxes"):
        _opened(tmp_path / "sort.xml", boxes="boxes")
    whole = (tmp_path / "sort.xml").read_bytes()
    (tmp_path / "sort.xml").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelLoadError, match="OpenVINO does not take it"):
        _opened(tmp_path / "sort.xml")


def test_where_it_is_not_installed_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(ModelLoadError, match="OpenVINO is not installed") as raised:
        convert(tmp_path / "a.pb", tmp_path / "a.xml")
    assert raised.value.hint == "pip install openvino"


def test_a_reason_is_one_line_of_it() -> None:
    told = "Exception from src/inference/core.cpp:97:\nCheck 'x' failed at y.cpp:1:\nit is no model\n\n"
    assert openvino.short_reason(RuntimeError(told)) == "it is no model"
    assert openvino.short_reason(RuntimeError()) == "RuntimeError"


def test_a_failure_while_it_runs_is_a_model_error(eased: OpenVinoNetwork) -> None:
    with pytest.raises(ModelError, match="the model fails"):
        eased.run(np.zeros((1, 3), np.float32), frame_size_px=(1, 1))

"""TFLite files that claim too much, or hold numbers that are none: refused at once, or done without."""

import io
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelLoadError
from streamer.models.formats import flatbuffer, tflite
from streamer.models.formats.tflite import load_tflite
from streamer.models.formats.tflite_body import range_of_graph
from streamer.models.formats.tflite_file import MAX_NUMBERS, Operator, Subgraph, Tensor, read_tflite_file
from streamer.models.loaded import Loaded
from streamer.models.safety.tflite import tflite_concerns
from tests import tflite_models as made
from tests.conftest import SHARED

MOST = 2**31 - 1


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return path


def load(tmp_path: Path, content: bytes) -> Loaded:
    return load_tflite(written(tmp_path, content))


def shaped(shape: list[int]) -> bytes:
    """A file whose input has this shape."""

    def change(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shape, tensor.shapeSignature = shape, shape

    return made.edited(made.network(), change)


@pytest.mark.parametrize("rank", [9, 600, 300_000])
def test_tensors_of_too_many_dimensions_are_refused(tmp_path: Path, rank: int) -> None:
    path = written(tmp_path, shaped([MOST] * rank))
    with pytest.raises(ModelLoadError, match=f"a tensor has {rank} dimensions, where 8 are the most"):
        tflite_concerns(path)


def test_what_a_tensor_holds_is_counted_to_an_end(tmp_path: Path) -> None:
    path = written(tmp_path, shaped([MOST] * 8))
    subgraph = read_tflite_file(path).subgraphs[0]
    assert subgraph.tensors[subgraph.inputs[0]].size_bytes == 4 * MAX_NUMBERS
    assert "of 1073741824 MiB" in tflite_concerns(path)[0]


def test_more_tables_than_any_model_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, made.network())
    monkeypatch.setattr(flatbuffer, "MAX_TABLES", 20)
    with pytest.raises(ModelLoadError, match="damaged or incomplete: there are more than 20 tables in it"):
        tflite_concerns(path)


@pytest.mark.parametrize("path", sorted((SHARED / "models/tflite").glob("*.tflite")), ids=lambda path: str(path.stem))
@pytest.mark.needs_shared
def test_published_models_are_far_from_the_limits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MAX_TABLES", flatbuffer.MAX_TABLES // 10)
    monkeypatch.setattr(flatbuffer, "MAX_ITEMS", flatbuffer.MAX_ITEMS // 10)
    assert read_tflite_file(path).subgraphs


def packed(name: str, method: int) -> bytes:
    """A file with labels behind it that do not repeat themselves."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as packing:
        packing.writestr(name, np.random.default_rng(3).bytes(3000))
    return made.network() + archive.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("noise", [b"\xff" * 40, bytes(40)])
def test_damaged_labels_are_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: int, noise: bytes
) -> None:
    content = bytearray(packed("labels.txt", method))
    start = len(made.network()) + 40
    content[start : start + len(noise)] = noise
    loaded = load(tmp_path, bytes(content))
    assert loaded.hints.labels is None
    assert "the labels in the file cannot be read" in caplog.text


def test_a_name_in_no_known_letters_is_no_damage_to_the_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = packed("l\u00e4bels.txt", zipfile.ZIP_STORED).replace("\u00e4".encode(), b"\xff\xff")
    assert load(tmp_path, content).hints.labels is None
    assert "cannot be read" in caplog.text


def test_a_file_without_an_archive_is_no_matter_for_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path, made.network()).hints.labels is None
    assert "labels" not in caplog.text


@pytest.mark.parametrize(
    ("mean", "std"), [(math.nan, 128.0), (math.inf, 128.0), (127.5, math.inf), (127.5, math.nan), (127.5, 0.0)]
)
def test_a_normalization_that_is_no_number_is_none(tmp_path: Path, mean: float, std: float) -> None:
    data = made.metadata([{"name": "image", "mean": [mean], "std": [std]}], [{}])
    content = made.with_metadata(made.network(), {"TFLITE_METADATA": data})
    assert load(tmp_path, content).hints.normalization is None


@pytest.mark.parametrize("scale", [math.inf, math.nan, 0.0, -1.0])
def test_a_scale_that_is_no_number_is_none(tmp_path: Path, scale: float) -> None:
    def change(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.quantization.scale = [scale]

    path = written(tmp_path, made.edited(made.network("int8"), change))
    file = read_tflite_file(path)
    call = tflite._call(file, None)
    (image,) = tflite._signature(call, None).inputs
    assert image.quantization is None


@pytest.mark.parametrize("scale", [math.inf, math.nan])
def test_a_picture_that_is_quantised_by_no_number_has_no_range(scale: float) -> None:
    def tensor(dtype: str, scales: tuple[float, ...]) -> Tensor:
        return Tensor("", dtype, (1, 8, 8, 3), scales, (0,), 0, 0, 192, memoryview(b""))

    quantize = Operator(114, "", (0,), (1,), memoryview(b""))
    subgraph = Subgraph((tensor("float32", ()), tensor("uint8", (scale,))), (0,), (1,), (quantize,))
    assert range_of_graph(subgraph, 0) is None


def test_many_tensors_of_one_name_are_told_apart_at_once() -> None:
    one = Tensor("a", "float32", None, (), (), 0, 0, 4, memoryview(b""))
    names = list(tflite._by_name([one, replace(one, name="a_3")], [1, *[0] * 50_000]))
    assert [*names[:5], names[-1]] == ["a_3", "a", "a_2", "a_4", "a_5", "a_50001"]

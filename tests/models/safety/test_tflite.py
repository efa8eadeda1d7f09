"""What a TFLite file is refused for before a runtime sees it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ModelLoadError
from streamer.models.formats.recognise import Found
from streamer.models.safety import tflite
from streamer.models.safety.checks import check
from streamer.models.safety.tflite import tflite_concerns
from tests import tflite_models as made
from tests.conftest import SHARED


def concerns(tmp_path: Path, content: bytes) -> tuple[str, ...]:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return tflite_concerns(path)


@pytest.mark.parametrize("path", sorted((SHARED / "models/tflite").glob("*.tflite")), ids=lambda path: str(path.stem))
@pytest.mark.needs_shared
def test_published_models_are_let_pass(path: Path) -> None:
    assert tflite_concerns(path) == ()


def test_what_only_computes_is_let_pass(tmp_path: Path) -> None:
    for content in (made.network("int8"), made.detector(), made.with_flex()):
        assert concerns(tmp_path, content) == ()


@pytest.mark.parametrize(
    ("operation", "concern"),
    [
        ("FlexWriteFile", "it contains operations that read or write files: FlexWriteFile"),
        ("FlexEagerPyFunc", "it contains operations that call Python: FlexEagerPyFunc"),
        ("FlexSomethingNew", "it contains operations that are not on the list"),
        ("my_\x1b[2Joperator", "it contains operations that are not on the list of those that detectors need: my_"),
    ],
)
def test_other_operations_are_refused_by_name(tmp_path: Path, operation: str, concern: str) -> None:
    (found,) = concerns(tmp_path, made.with_custom_operator(made.network(), operation))
    assert found.startswith(concern)
    assert found.isprintable()


@pytest.mark.parametrize("operation", ["Convolution2DTransposeBias", "FlexRelu", "edgetpu-custom-op"])
def test_what_is_harmless_or_cannot_be_run_at_all_is_no_matter_of_trust(tmp_path: Path, operation: str) -> None:
    assert concerns(tmp_path, made.with_custom_operator(made.network(), operation)) == ()


def test_tensors_beyond_all_measure_are_refused(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shape, tensor.shapeSignature = [1, 1 << 15, 1 << 15, 3], [1, -1, -1, 3]

    (found,) = concerns(tmp_path, made.edited(made.network(), change))
    assert found == "it has tensors of more than 1024 MiB: serving_default_image:0 of 12288 MiB"


def test_graphs_beyond_all_measure_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "MAX_OPERATORS", 1)
    (found,) = concerns(tmp_path, made.network())
    assert "operations, where 1 are the most" in found


def test_a_file_is_refused_or_with_trust_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(made.with_custom_operator(made.network(), "FlexReadFile"))
    found = Found(path, "tflite")
    with pytest.raises(ModelLoadError, match=r"FlexReadFile.*--trust-model"):
        check(found)
    with caplog.at_level(logging.WARNING):
        check(found, trust=True)
    assert "the model is trusted, though it contains operations that read or write files: FlexReadFile" in caplog.text


def test_damage_is_an_error_with_trust_too(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(made.network()[:500])
    with pytest.raises(ModelLoadError, match="damaged or incomplete"):
        check(Found(path, "tflite"), trust=True)

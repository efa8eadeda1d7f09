"""What is told of a model that is not loaded: what stands in its file, and no more than that."""

from pathlib import Path

import pytest

from streamer.inspection.findings import Inspection
from streamer.inspection.inspect import inspect_model
from streamer.inspection.static import told_by_the_file
from streamer.models.formats.recognise import recognise
from tests.frozen_graphs import api_graph, save_graph
from tests.hostile_models import save_hostile, traces
from tests.keras_models import save_keras, with_lambda
from tests.saved_models import build_ssd_mobilenet, save_constant
from tests.tflite_models import detector, with_flex


def by_the_file(path: Path) -> Inspection:
    return told_by_the_file(Inspection(path=path, form="any", size_bytes=1), recognise(path))


def without_parts(found: Inspection) -> tuple[object, ...]:
    inputs, outputs = ({str(fact.spec) for fact in facts} for facts in (found.inputs, found.outputs))
    return found.writer, found.signature, inputs, outputs


def test_the_file_of_a_saved_model_says_what_loading_it_does(tmp_path: Path) -> None:
    folder = build_ssd_mobilenet(tmp_path / "ssd")
    assert without_parts(by_the_file(folder)) == without_parts(inspect_model(folder))


def test_sides_that_may_change_are_told(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m", input_shape=(None, None, None, 3))
    assert by_the_file(folder).inputs[0].spec.shape == (None, None, None, 3)


def test_the_file_of_a_tflite_model_says_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(detector())
    told, loaded = by_the_file(path), inspect_model(path)
    assert [fact.spec.shape for fact in told.inputs] == [fact.spec.shape for fact in loaded.inputs]
    assert (told.parameters, told.signature) == (loaded.parameters, loaded.signature)


def test_a_tflite_file_that_cannot_run_here_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(with_flex())
    found = inspect_model(path)
    assert found.failure is not None
    assert found.inputs
    assert found.outputs


def test_a_frozen_graph_says_its_parameters(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "m.pb", api_graph)
    assert by_the_file(path).parameters == inspect_model(path).parameters


def test_a_hostile_model_is_told_of_without_being_loaded(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    found = inspect_model(save_hostile(tmp_path / "m", canary, place="initialisation"))
    assert found.failure is not None
    assert found.signature == "serving_default"
    assert {fact.spec.name for fact in found.outputs} == {"detection_boxes", "detection_scores", "detection_classes"}
    assert "WriteFile" in found.concerns[0]
    assert found.plan is None
    assert traces(canary) == []


def test_a_lambda_of_keras_is_told_of_and_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    found = inspect_model(save_keras(tmp_path / "m.keras", with_lambda(canary)))
    assert found.failure is not None
    assert "Lambda" in " ".join(found.concerns)
    assert traces(canary) == []


@pytest.mark.parametrize("kept", [0.2, 0.7])
def test_a_damaged_file_is_told_of_with_its_form_and_size(tmp_path: Path, kept: float) -> None:
    folder = save_constant(tmp_path / "m")
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    found = inspect_model(folder)
    assert found.failure is not None
    assert found.form == "SavedModel"
    assert found.size_bytes > 0

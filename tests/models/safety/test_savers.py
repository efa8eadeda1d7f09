"""The saver that every SavedModel brings may save and restore, and nothing else may have it do anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.models.formats.recognise import Found
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.models.safety.checks import check
from tests.hostile_models import edit, save_hostile, save_tf1
from tests.models.safety.test_checks import graph, refused


def function(model: Any, part: str) -> Any:
    return next(known for known in graph(model).library.function if part in known.signature.name)


def node(model: Any, operation: str) -> Any:
    return next(known for known in graph(model).node if known.op == operation)


def run_the_saver_at_loading(model: Any) -> None:
    model.meta_graphs[0].saver_def.restore_op_name = model.meta_graphs[0].saver_def.save_tensor_name.split(":")[0]


def give_out_the_saver(model: Any) -> None:
    saver = model.meta_graphs[0].saver_def
    model.meta_graphs[0].signature_def["serving_default"].outputs["a"].name = saver.save_tensor_name


def restore_from_elsewhere(model: Any) -> None:
    elsewhere = graph(model).node.add(name="elsewhere", op="Const")
    node(model, "RestoreV2").input[0] = elsewhere.name


def restore_from_another_output(model: Any) -> None:
    node(model, "RestoreV2").input[0] += ":1"


def read_another_file_into_the_table(model: Any) -> None:
    elsewhere = graph(model).node.add(name="elsewhere", op="Const")
    node(model, "InitializeTableFromTextFileV2").input[1] = elsewhere.name


def start_a_local_variable_with_the_saver(model: Any) -> None:
    import_tensorflow()
    from tensorflow.core.framework import variable_pb2  # noqa: PLC0415 - dear

    variable = variable_pb2.VariableDef(variable_name="v:0", initializer_name=node(model, "SaveV2").name)
    model.meta_graphs[0].collection_def["local_variables"].bytes_list.value.append(variable.SerializeToString())


SAVER_OF_1 = {
    "run at loading": (run_the_saver_at_loading, "SaveV2"),
    "given out": (give_out_the_saver, "SaveV2"),
    "restore from elsewhere": (restore_from_elsewhere, "RestoreV2"),
    "restore from another output": (restore_from_another_output, "RestoreV2"),
    "table from elsewhere": (read_another_file_into_the_table, "InitializeTableFromTextFileV2"),
    "a local variable": (start_a_local_variable_with_the_saver, "SaveV2"),
}


@pytest.mark.parametrize(("change", "operation"), SAVER_OF_1.values(), ids=SAVER_OF_1)
def test_the_saver_of_tensorflow_1_may_only_save_and_restore(
    tmp_path: Path, change: Callable[[Any], None], operation: str
) -> None:
    (tmp_path / "vocabulary.txt").write_text("person\ncar\n")
    folder = edit(save_tf1(tmp_path / "m", tmp_path / "vocabulary.txt"), change)
    assert f"{operation} in the main graph" in refused(folder)


def call_the_saver(model: Any) -> None:
    body = function(model, "signature_wrapper").node_def
    call = next(known for known in body if "PartitionedCall" in known.op)
    call.attr["f"].func.name = function(model, "traced_save").signature.name


def pass_the_saver_along(model: Any) -> None:
    body = function(model, "signature_wrapper").node_def
    call = next(known for known in body if "PartitionedCall" in known.op)
    call.attr["f"].func.attr["g"].func.name = function(model, "traced_save").signature.name


def stand_in_for_another(model: Any) -> None:
    function(model, "traced_save").attr["api_implements"].s = b"something"


def make_the_saver_an_object(model: Any) -> None:
    saver = function(model, "traced_restore").signature.name
    model.meta_graphs[0].object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = saver


def name_a_custom_operation(model: Any) -> None:
    graph(model).library.function[0].node_def[0].op = "My\x1b[2JCustom>Op"


def call_an_operation_as_function(model: Any) -> None:
    body = function(model, "signature_wrapper").node_def
    next(known for known in body if "PartitionedCall" in known.op).attr["f"].func.name = "WriteFile"


def hide_behind_a_function(model: Any) -> None:
    hidden = graph(model).library.function.add()
    hidden.signature.name = "ReadFile"
    graph(model).library.function[0].node_def[0].op = "ReadFile"


SAVER_OF_2 = {
    "called": (call_the_saver, "SaveV2 in the function '__inference__traced_save"),
    "passed along": (pass_the_saver_along, "SaveV2 in the function"),
    "a stand-in": (stand_in_for_another, "SaveV2 in the function"),
    "an object": (make_the_saver_an_object, "RestoreV2 in the function"),
    "custom": (
        name_a_custom_operation,
        "not on the list of those that detectors need: My[2JCustom>Op in the function",
    ),
    "an operation as function": (call_an_operation_as_function, "files: WriteFile in the function"),
    "a function of that name": (hide_behind_a_function, "files: ReadFile in the function"),
}


@pytest.mark.parametrize(("change", "message"), SAVER_OF_2.values(), ids=SAVER_OF_2)
def test_what_no_export_holds_is_refused(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    folder = save_hostile(tmp_path / "m", tmp_path / "canary", deed=lambda _: None)
    check(Found(folder, "savedmodel"))
    assert message in refused(edit(folder, change))

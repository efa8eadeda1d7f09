"""A model that does more than detect is refused by name before anything of it runs, wherever it hides that."""

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ModelLoadError
from streamer.models import MODEL_INSIDE, ModelOptions, load_detector
from streamer.models.formats.recognise import Found
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.models.safety import program
from streamer.models.safety.checks import check
from streamer.models.safety.operations import ALLOWED, READERS, WRITERS, may_be_function
from tests.conftest import SHARED, shared
from tests.faults.mutations_child import damaged
from tests.hostile_models import DEEDS, PLACES, Deed, edit, save_checkpoint, save_hostile, save_tf1, traces, write_file
from tests.saved_models import build_ssd_mobilenet, save_constant, save_red_finder


def refused(folder: Path) -> str:
    with pytest.raises(ModelLoadError, match="--trust-model") as caught:
        check(Found(folder, "savedmodel"))
    return str(caught.value)


def show_the_canary(folder: Path, canary: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refused, nothing happens; trusted, it happens, and a warning tells of it."""
    with pytest.raises(ModelLoadError):
        load_detector(folder)
    assert traces(canary) == []
    with caplog.at_level(logging.WARNING):
        load_detector(folder, ModelOptions(trust=True)).close()
    assert traces(canary) != []
    assert "the model is trusted, though it contains operations that" in caplog.text


@pytest.mark.parametrize(("deed", "message"), DEEDS.values(), ids=DEEDS)
def test_each_deed_is_refused_by_name(
    tmp_path: Path, deed: Deed, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    canary = tmp_path / "canary"
    folder = save_hostile(tmp_path / "m", canary, deed=deed)
    assert f"{message} in the function '__inference_" in refused(folder)
    show_the_canary(folder, canary, caplog)


@pytest.mark.parametrize("deed", [write_file, save_checkpoint])
@pytest.mark.parametrize("place", PLACES)
def test_a_deed_is_found_wherever_it_is_done(
    tmp_path: Path, deed: Deed, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    canary = tmp_path / "canary"
    folder = save_hostile(tmp_path / "m", canary, deed=deed, place=place)
    assert "read or write files: " in refused(folder)
    show_the_canary(folder, canary, caplog)


def test_a_model_of_tensorflow_1_passes_and_its_deed_does_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "vocabulary.txt").write_text("person\ncar\n")
    check(Found(save_tf1(tmp_path / "good", tmp_path / "vocabulary.txt"), "savedmodel"))
    canary = tmp_path / "canary"
    folder = save_tf1(tmp_path / "bad", tmp_path / "vocabulary.txt", deed=write_file, canary=canary)
    assert "WriteFile in the main graph" in refused(folder)
    show_the_canary(folder, canary, caplog)


def test_a_table_of_tensorflow_2_reads_its_own_file_and_no_other(tmp_path: Path) -> None:
    tf = import_tensorflow()
    (tmp_path / "vocabulary.txt").write_text("person\ncar\n")
    module = tf.Module()
    lines = tf.lookup.TextFileInitializer(
        str(tmp_path / "vocabulary.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
    )
    module.table = tf.lookup.StaticHashTable(lines, -1)
    spec = tf.TensorSpec([None], tf.string)
    find = tf.function(lambda names: {"ids": module.table.lookup(names)}).get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=find)
    check(Found(tmp_path / "m", "savedmodel"))

    def change(model: Any) -> None:
        objects = model.meta_graphs[0].object_graph_def
        captures = next(known for name, known in objects.concrete_functions.items() if "initializer" in name)
        captures.bound_inputs[0] = captures.bound_inputs[1]

    assert "InitializeTableFromTextFileV2 in the function" in refused(edit(tmp_path / "m", change))


def graph(model: Any) -> Any:
    return model.meta_graphs[0].graph_def


def test_a_message_names_few_and_is_printable(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        for number in range(200):
            graph(model).node.add(name=f"n{number}", op=f"Custom{number}\x1b[2J" + "x" * 300)

    text = refused(edit(save_constant(tmp_path / "m"), change))
    assert "and 197 more" in text
    assert text.isprintable()
    assert len(text) < 700


@pytest.mark.parametrize("name", ["../variables/variables.index", "/etc/passwd", "a/../../x", "gs://bucket/x"])
@pytest.mark.parametrize("listed", ["collection", "graph"])
def test_a_file_outside_of_assets_is_refused(tmp_path: Path, name: str, listed: str) -> None:
    def change(model: Any) -> None:
        if listed == "collection":
            (item,) = model.meta_graphs[0].collection_def["saved_model_assets"].any_list.value
            item.value = item.value.replace(b"\x12\x0evocabulary.txt", b"\x12" + varint(len(name)) + name.encode())
        else:
            model.meta_graphs[0].asset_file_def.add().filename = name

    (tmp_path / "vocabulary.txt").write_text("person\n")
    folder = edit(save_tf1(tmp_path / "m", tmp_path / "vocabulary.txt"), change)
    assert f"it asks for the file {name!r}" in refused(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    data = next((folder / "variables").glob("*.data-*"))
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    assert f"variables/{data.name} is a link out of its folder" in refused(folder)
    data.unlink()
    (tmp_path / "elsewhere").rename(folder / "inside")
    data.symlink_to(folder / "inside")
    check(Found(folder, "savedmodel"))


@pytest.mark.parametrize("name", ["variables", "assets", "variables/more", "assets/more"])
def test_a_link_in_a_circle_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "vocabulary.txt").write_text("person\n")
    folder = save_tf1(tmp_path / "m", tmp_path / "vocabulary.txt")
    if (folder / name).exists():
        shutil.rmtree(folder / name)
    (folder / name).symlink_to(Path(name).name)
    assert f"{name} is a link in a circle" in refused(folder)


@pytest.mark.parametrize("name", ["variables/variables.index", "assets/vocabulary.txt"])
def test_what_it_needs_in_a_circle_cannot_be_loaded_though_trusted(tmp_path: Path, name: str) -> None:
    (tmp_path / "vocabulary.txt").write_text("person\n")
    folder = save_tf1(tmp_path / "m", tmp_path / "vocabulary.txt")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(Path(name).name)
    assert f"{name} is a link in a circle" in refused(folder)
    with pytest.raises(ModelLoadError):
        load_detector(folder, ModelOptions(trust=True)).close()


def nested(levels: int) -> bytes:
    """A message whose functions are given functions along, that deep."""
    inner = b""
    for _ in range(levels):
        for tag in (b"\x52", b"\x12", b"\x12"):
            inner = tag + varint(len(inner)) + inner
    for tag in (b"\x52", b"\x12", b"\x2a", b"\x0a", b"\x12", b"\x12"):
        inner = tag + varint(len(inner)) + inner
    return inner


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def test_what_is_nested_too_deeply_is_damage(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(nested(5))
    with pytest.raises(ModelLoadError, match="not on the list"):
        check(Found(tmp_path, "savedmodel"))
    (tmp_path / "saved_model.pb").write_bytes(nested(10_000))
    with pytest.raises(ModelLoadError, match=r"damaged or incomplete: saved_model\.pb cannot be parsed"):
        check(Found(tmp_path, "savedmodel"))


def test_sizes_without_sense_are_refused_though_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(model: Any) -> None:
        constant = graph(model).node.add(name="bomb", op="Const").attr["value"].tensor
        constant.float_val.append(1.0)
        for _ in range(4):
            constant.tensor_shape.dim.add().size = 1_000_000

    folder = save_constant(tmp_path / "m")
    bomb = edit(save_constant(tmp_path / "bomb"), change)
    with pytest.raises(ModelLoadError, match=r"one of its constants has 1\.84e"):
        check(Found(bomb, "savedmodel"), trust=True)
    monkeypatch.setattr(program, "MAX_NODES", 10)
    with pytest.raises(ModelLoadError, match=r"its graph has \d+ nodes"):
        check(Found(folder, "savedmodel"), trust=True)
    monkeypatch.setattr(program, "MAX_BYTES", 1000)
    with pytest.raises(ModelLoadError, match="its graph has 0 MiB"):
        check(Found(folder, "savedmodel"), trust=True)


def test_three_hundred_damaged_graphs_are_refused_or_harmless(tmp_path: Path) -> None:
    data = (save_constant(tmp_path / "whole") / "saved_model.pb").read_bytes()
    codes = []
    began_s = time.monotonic()
    for number in range(300):
        (tmp_path / "saved_model.pb").write_bytes(damaged(data, number))
        try:
            check(Found(tmp_path, "savedmodel"))
            codes.append(0)
        except ModelLoadError as error:
            codes.append(error.exit_code)
    print(f"300 damaged graphs: {codes.count(4)} refused in {time.monotonic() - began_s:.1f} s")
    assert codes.count(4) > 100
    assert time.monotonic() - began_s < 30


def test_a_graph_made_to_be_slow_is_not(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        library = graph(model).library
        for number in range(3000):
            made = library.function.add()
            made.signature.name = f"__f{number}"
            for argument in range(3):
                made.signature.input_arg.add().name = f"a{argument}"
                made.node_def.add(name=f"r{argument}", op="RestoreV2", input=[f"a{argument}"])
            for other in (1, 2, 3):
                call = made.node_def.add(name=f"c{other}", op="PartitionedCall", input=["a1", "a2", "a0"])
                call.attr["f"].func.name = f"__f{(number * 7 + other) % 3000}"

    folder = edit(save_constant(tmp_path / "m"), change)
    began_s = time.monotonic()
    check(Found(folder, "savedmodel"))
    assert time.monotonic() - began_s < 20


def real_models() -> list[Path]:
    return sorted(path for path in SHARED.glob("models/**/*.pb") if path.name != "fingerprint.pb")


@pytest.mark.needs_shared
@pytest.mark.parametrize("path", real_models(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_models_pass(path: Path) -> None:
    began_ns = time.perf_counter_ns()
    if path.name == "saved_model.pb":
        check(Found(path.parent, "savedmodel"))
    else:
        check(Found(path, "frozen_graph"))
    print(f"{path.parent.name}/{path.name}: {(time.perf_counter_ns() - began_ns) / 1e6:.0f} ms")


def test_the_models_of_the_tests_and_the_one_inside_pass(tmp_path: Path) -> None:
    check(Found(MODEL_INSIDE, "savedmodel"))
    check(Found(build_ssd_mobilenet(tmp_path / "ssd"), "savedmodel"))
    check(Found(save_red_finder(tmp_path / "red"), "savedmodel"))
    check(Found(save_constant(tmp_path / "constant", fail_at_call=3), "savedmodel"))


@pytest.mark.slow
def test_what_keras_exports_passes(tmp_path: Path) -> None:
    keras = import_tensorflow().keras
    network = keras.applications.MobileNetV3Small(weights=None, input_shape=(64, 64, 3), classes=4)
    network.export(str(tmp_path / "keras"), verbose=False)
    check(Found(tmp_path / "keras", "savedmodel"))


def test_a_frozen_graph_may_touch_no_file(tmp_path: Path) -> None:
    import_tensorflow()
    from tensorflow.core.framework import graph_pb2  # noqa: PLC0415 - dear

    frozen = graph_pb2.GraphDef()
    frozen.node.add(name="a", op="Placeholder")
    path = tmp_path / "frozen.pb"
    path.write_bytes(frozen.SerializeToString())
    check(Found(path, "frozen_graph"))
    for operation in ("RestoreV2", "SaveV2", "ReadFile"):
        frozen.node.add(name=operation, op=operation)
    path.write_bytes(frozen.SerializeToString())
    with pytest.raises(ModelLoadError, match="files: RestoreV2 in the main graph, SaveV2 in the main graph, ReadFile"):
        check(Found(path, "frozen_graph"))
    path.write_bytes(b"no graph")
    with pytest.raises(ModelLoadError, match="the frozen graph is damaged or incomplete"):
        check(Found(path, "frozen_graph"))


def test_a_refusal_costs_no_import_of_tensorflow(tmp_path: Path) -> None:
    folder = save_hostile(tmp_path / "m", tmp_path / "canary")
    code = (
        "import sys\n"
        "from streamer.errors import ModelLoadError\n"
        "from streamer.models import load_detector\n"
        f"try:\n    load_detector({str(folder)!r})\n"
        "except ModelLoadError as error:\n    print('WriteFile' in str(error), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_what_keras_keeps_of_its_own_is_not_read(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "m")
    os.mkfifo(folder / "keras_metadata.pb")
    load_detector(folder).close()


def test_the_list_names_operations_that_there_are() -> None:
    tf = import_tensorflow()
    from tensorflow.python.framework import op_def_registry  # noqa: PLC0415 - dear

    assert [name for name in ALLOWED | set(READERS) | WRITERS if op_def_registry.get(name) is None] == []
    assert [name for name in dir(tf.raw_ops) if op_def_registry.get(name) and may_be_function(name)] == []


@pytest.mark.needs_shared
def test_a_real_export_runs_as_before() -> None:
    load_detector(shared("models/converted/handtrack_ssd_mnv2_fpnlite_320_savedmodel")).close()

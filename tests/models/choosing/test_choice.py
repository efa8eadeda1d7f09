"""A model is run by what is fastest and sees the same: measured once, kept, and found again without TensorFlow."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.frame import Detections
from streamer.models import ModelOptions, load_detector
from streamer.models.choosing import choice
from streamer.models.choosing.agreement import agreement
from streamer.models.choosing.record import Record, _adapter
from streamer.models.lowering.scenery import texture
from streamer.models.options import Runtime
from streamer.models.runtimes.litert import LiteRTNetwork
from streamer.models.runtimes.openvino import OpenVinoNetwork
from tests.models.choosing.forms import CARD, FORMS, UNSEEN
from tests.saved_models import save_constant

CONF = 0.3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model in every form."""
    return {form: make(tmp_path_factory.mktemp("model")) for form, make in FORMS.items()}


@pytest.fixture(scope="module")
def caches(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each of them a cache with what was chosen for it."""
    found: dict[str, Path] = {}
    for form, model in models.items():
        found[form] = tmp_path_factory.mktemp("cache")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STREAMER_CACHE", str(found[form]))
            patch.setattr(choice, "_rate_fps", _openvino_first)
            seen(model)
    return found


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; OpenVINO is the fastest and LiteRT the second, whatever the machine does."""
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "_rate_fps", _openvino_first)
    return tmp_path / "cache"


SPEEDS_FPS = {"OpenVINO": 100.0, "LiteRT": 50.0, "TensorFlow": 10.0}


def _openvino_first(detector: Any, scene: Any, **_: Any) -> tuple[float, float]:
    detector.detect([scene])
    rate_fps = SPEEDS_FPS[detector.runtime.split(" ")[0]]
    return rate_fps, 1 / rate_fps


def options(runtime: Runtime = "auto", **more: Any) -> ModelOptions:
    return ModelOptions(runtime=runtime, conf=CONF, **more)


def seen(model: Path, asked: ModelOptions | None = None, **more: Any) -> tuple[list[Detections], str]:
    """What a detector sees on pictures that nothing was chosen by, and what it runs in."""
    detector = load_detector(model, asked or options(), **more)
    try:
        return detector.detect(UNSEEN), detector.runtime
    finally:
        detector.close()


def records(cache: Path) -> list[Record]:
    return [_adapter().validate_json(path.read_bytes()) for path in sorted(cache.glob("runtimes/*/record.json"))]


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in (cache / "runtimes").iterdir() if path.name.startswith(".")]


@pytest.fixture
def never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails whoever measures."""
    monkeypatch.setattr(choice, "choose", lambda *_, **__: pytest.fail("it was measured again"))


@pytest.mark.usefixtures("never_again")
@pytest.mark.parametrize("form", FORMS)
def test_what_is_chosen_sees_what_the_saved_graph_sees_and_is_kept(
    form: str, models: dict[str, Path], caches: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(caches[form]))
    ours, runtime = seen(models[form])
    theirs, saved = seen(models[form], options("saved"))
    assert runtime.startswith("OpenVINO")
    assert not saved.startswith("OpenVINO")
    found = agreement(theirs, ours, conf=CONF + 0.01)
    assert found.boxes > 5
    assert found.matched == found.boxes, str(found)
    (record,) = records(caches[form])
    assert record.files is not None
    assert record.files.runtime == "openvino"
    assert leftovers(caches[form]) == []
    tried = {row.runtime.split(" ")[0].casefold() for row in record.table}
    assert tried >= {"openvino", "litert"}


def test_the_saved_model_is_cut_at_both_ends(caches: dict[str, Path]) -> None:
    (record,) = records(caches["SavedModel"])
    assert record.files is not None
    assert record.files.extent == "cut after its resize and before its suppression"
    assert record.files.raw is not None
    assert record.files.raw.iou == pytest.approx(0.3)
    assert (record.files.raw.most_per_class, record.files.raw.most) == (20, 100)


PROGRAM = """
import sys
import numpy as np
from streamer.models import ModelOptions, load_detector
detector = load_detector(sys.argv[1], ModelOptions(runtime="auto", conf=0.3))
found = detector.detect([np.load(sys.argv[2])])[0]
loaded = [name for name in ("tensorflow", "keras", "ai_edge_litert") if name in sys.modules]
print(detector.runtime.split()[0], len(found), *loaded)
detector.close()
"""


def child(model: Path, picture: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(model), str(picture)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_second_run_of_a_saved_model_needs_no_tensorflow(
    models: dict[str, Path], caches: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "picture.npy", UNSEEN[0])
    monkeypatch.setenv("STREAMER_CACHE", str(caches["SavedModel"]))
    out, errors = child(models["SavedModel"], tmp_path / "picture.npy").communicate(timeout=50)
    (found, *_), _ = seen(models["SavedModel"])
    assert out.split() == ["OpenVINO", str(len(found))], errors


def test_a_model_that_differs_by_a_byte_is_another_one(models: dict[str, Path], caches: dict[str, Path]) -> None:
    model, cache = models["frozen graph"], caches["frozen graph"]
    changed = model.parent.parent / "changed" / model.name
    shutil.copytree(model.parent, changed.parent)
    content = bytearray(model.read_bytes())
    at = content.index(np.float32(127.5).tobytes())
    content[at : at + 4] = np.float32(127.5 + 2**-16).tobytes()
    assert sum(one != other for one, other in zip(content, model.read_bytes(), strict=True)) == 1
    changed.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMER_CACHE", str(cache))
        seen(changed)
    assert len(records(cache)) == 2
    newest = max(cache.glob("runtimes/*/"), key=lambda path: path.stat().st_mtime_ns)
    shutil.rmtree(newest)


DAMAGES: dict[str, Any] = {
    "an empty record": lambda folder: (folder / "record.json").write_bytes(b""),
    "half a record": lambda folder: _halved(folder / "record.json"),
    "a record of something else": lambda folder: (folder / "record.json").write_text("[1, 2]"),
    "a record that is a folder": lambda folder: ((folder / "record.json").unlink(), (folder / "record.json").mkdir()),
    "a network that is gone": lambda folder: [path.unlink() for path in folder.glob("*.xml")],
    "half a network": lambda folder: [_halved(path) for path in folder.glob("*.xml")],
    "weights that are gone": lambda folder: [path.unlink() for path in folder.glob("*.bin")],
    "half of the weights": lambda folder: [_halved(path) for path in folder.glob("*.bin")],
}


def _halved(path: Path) -> int:
    return path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_made_anew(
    damage: str, models: dict[str, Path], caches: dict[str, Path], cache: Path
) -> None:
    shutil.copytree(caches["frozen graph"], cache)
    (folder,) = (cache / "runtimes").iterdir()
    DAMAGES[damage](folder)
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("OpenVINO")
    (record,) = records(cache)
    assert record.files is not None
    assert leftovers(cache) == []


def test_the_damaged_one_is_not_measured_a_third_time(
    models: dict[str, Path], caches: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(caches["frozen graph"], cache)
    (folder,) = (cache / "runtimes").iterdir()
    DAMAGES["half a network"](folder)
    seen(models["frozen graph"])
    monkeypatch.setattr(choice, "choose", lambda *_, **__: pytest.fail("it was measured again"))
    assert seen(models["frozen graph"])[1].startswith("OpenVINO")


def test_a_cache_that_cannot_be_written_leaves_the_model_as_it_was_saved(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "file"))
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("TensorFlow")


def test_without_hard_links_files_are_copied(
    models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    assert seen(models["frozen graph"])[1].startswith("OpenVINO")
    assert len(records(cache)) == 1


def _spoil(monkeypatch: pytest.MonkeyPatch, *networks: type, by: float) -> None:
    """Let networks give scores that are too low."""
    for network in networks:
        run = network.run  # type: ignore[attr-defined]

        def spoilt(self: Any, tensor: Any, *, run: Any = run, **more: Any) -> Mapping[str, NDArray[Any]]:
            outputs = run(self, tensor, **more)
            return {name: array - by if "scores" in name else array for name, array in outputs.items()}

        monkeypatch.setattr(network, "run", spoilt)


def test_what_does_not_see_the_same_is_not_taken(
    models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil(monkeypatch, OpenVinoNetwork, by=0.02)
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("LiteRT")
    (record,) = records(cache)
    refused = {row.runtime.split(" ")[0]: row.refused for row in record.table if row.refused}
    assert refused == {"OpenVINO": "it does not see the same"}


def test_where_nothing_agrees_the_model_runs_as_it_was_saved_and_that_is_kept(
    models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamer.models.lowering.tensorflow_network import TensorFlowNetwork  # noqa: PLC0415 - TensorFlow

    _spoil(monkeypatch, OpenVinoNetwork, LiteRTNetwork, TensorFlowNetwork, by=0.05)
    ours, runtime = seen(models["frozen graph"])
    theirs, saved = seen(models["frozen graph"], options("saved"))
    assert runtime == saved
    np.testing.assert_array_equal(ours[0].boxes, theirs[0].boxes)
    (record,) = records(cache)
    assert record.files is record.live is None
    monkeypatch.setattr(choice, "choose", lambda *_, **__: pytest.fail("it was measured again"))
    assert seen(models["frozen graph"])[1] == saved


def test_a_way_that_fails_while_it_is_timed_is_left_out(
    models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(detector: Any, scene: Any, **more: Any) -> tuple[float, float]:
        if detector.runtime.startswith("OpenVINO"):
            raise ModelError("it fails: out of everything")
        return _openvino_first(detector, scene, **more)

    monkeypatch.setattr(choice, "_rate_fps", failing)
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("LiteRT")
    (record,) = records(cache)
    assert "it fails: out of everything" in {row.refused for row in record.table}


def test_nothing_faster_is_nothing_else(models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_rate_fps", lambda *_, **__: (10.0, 0.1))
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("TensorFlow")
    (record,) = records(cache)
    assert choice.why_none(record) == "nothing is faster"


def test_it_is_timed_for_what_it_is(models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("STREAMER_CACHE", str(cache))
    monkeypatch.setattr(choice, "ROUNDS", 2)
    monkeypatch.setattr(choice, "ROUND_S", 0.02)
    seen(models["frozen graph"])
    (record,) = records(cache)
    measured = [row for row in record.table if not row.refused]
    assert len(measured) == 4
    assert all(row.fps > 0 and row.cpu_ms > 0 and 0 < row.latency_ms < 1000 for row in measured)


def test_a_runtime_by_name_is_taken_though_another_is_faster(models: dict[str, Path]) -> None:
    for runtime, name in (("litert", "LiteRT"), ("tensorflow", "TensorFlow"), ("openvino", "OpenVINO")):
        assert seen(models["frozen graph"], options(runtime))[1].startswith(name)  # type: ignore[arg-type]


def test_a_runtime_that_cannot_run_the_model_says_why(tmp_path: Path) -> None:
    model = save_constant(tmp_path / "constant")
    with pytest.raises(ModelLoadError, match="openvino cannot run it: its outputs are the same for every") as raised:
        load_detector(model, options("openvino"))
    assert raised.value.exit_code == 4
    assert raised.value.hint == "--runtime auto takes what can"
    assert seen(model)[1].startswith("TensorFlow")


def test_a_runtime_of_another_form_is_refused_before_the_model_is_loaded(models: dict[str, Path]) -> None:
    refused: Sequence[tuple[str, Runtime]] = (("SavedModel", "opencv"), ("TFLite", "tensorflow"), ("TFLite", "opencv"))
    for form, runtime in refused:
        with pytest.raises(ModelLoadError, match=f"{runtime} cannot run a model of this form") as raised:
            load_detector(models[form], options(runtime))
        assert raised.value.exit_code == 4


def test_two_processes_may_choose_at_once(models: dict[str, Path], cache: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "picture.npy", UNSEEN[0])
    children = [child(models["TFLite"], tmp_path / "picture.npy") for _ in range(2)]
    told = [process.communicate(timeout=50) for process in children]
    assert all(process.returncode == 0 for process in children), told
    assert len({out.split()[1] for out, _ in told}) == 1
    assert len(records(cache)) == 1
    assert leftovers(cache) == []


def test_whoever_chose_goes_on_though_another_process_chose_otherwise_meanwhile(
    models: dict[str, Path], caches: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what this process keeps and what it opens, another one puts what it chose in its place."""
    del caches
    choose = choice.choose

    def overtaken(*args: Any, **more: Any) -> Record:
        record = choose(*args, **more)
        for path in record.folder.glob("*.xml"):
            path.unlink()
        return record

    monkeypatch.setattr(choice, "choose", overtaken)
    _, runtime = seen(models["frozen graph"])
    assert runtime.startswith("TensorFlow")
    assert len(records(cache)) == 1


def test_eight_bits_are_for_who_asks_for_them(models: dict[str, Path], cache: Path) -> None:
    seen(models["frozen graph"])
    assert not any("int8" in row.extent for record in records(cache) for row in record.table)
    with_int8 = options(int8=True)
    _, runtime = seen(models["frozen graph"], with_int8)
    assert runtime.startswith("OpenVINO")
    assert len(records(cache)) == 2
    assert any("int8" in row.extent for record in records(cache) for row in record.table)


def test_a_live_stream_and_a_file_have_each_their_own(
    models: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT gives one picture the soonest, OpenVINO the most pictures."""

    def rate(detector: Any, scene: Any, **more: Any) -> tuple[float, float]:
        rate_fps, cpu_s = _openvino_first(detector, scene)
        is_live = "calls_at_once" in more
        return (1000.0 if is_live and detector.runtime.startswith("LiteRT") else rate_fps), cpu_s

    monkeypatch.setattr(choice, "_rate_fps", rate)
    assert seen(models["frozen graph"])[1].startswith("OpenVINO")
    assert seen(models["frozen graph"], options(live=True))[1].startswith("LiteRT")
    assert len(records(cache)) == 1


SIZES_PX = ((320, 240), (200, 400), (1920, 1080))


@pytest.mark.usefixtures("never_again")
def test_what_resizes_itself_is_chosen_once_for_frames_of_all_sizes(
    models: dict[str, Path], caches: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(caches["SavedModel"]))
    for size_px in SIZES_PX:
        detector = load_detector(models["SavedModel"], options(), input_size_px=size_px)
        assert detector.runtime.startswith("OpenVINO")
        assert detector.input_size_px == size_px
        width, height = size_px
        (found,) = detector.detect([texture(size_px, 9)])
        assert (found.boxes <= (width, height, width, height)).all()
        detector.close()


def test_what_takes_frames_as_they_are_is_chosen_for_each_size(tmp_path: Path, cache: Path) -> None:
    """A graph that does not resize: its network is made for one size, and not used for another."""
    model = _of_any_size(tmp_path)
    for n, size_px in enumerate(((64, 48), (96, 64), (64, 48)), start=1):
        detector = load_detector(model, options(), input_size_px=size_px)
        assert detector.runtime.startswith("OpenVINO")
        detector.detect([texture(size_px, 3)])
        detector.close()
        assert len(records(cache)) == min(n, 2)


@pytest.mark.parametrize("by", ["--input-size", "the card"])
def test_an_input_size_that_was_asked_for_is_that_of_the_network(tmp_path: Path, by: str) -> None:
    model = _of_any_size(tmp_path)
    card = model.parent / "other.yaml"
    for width, height in ((64, 48), (96, 64)):
        card.write_text(CARD.replace("input: {", f"input: {{size: [{width}, {height}], "))
        more = {"input_size_px": (width, height)} if by == "--input-size" else {"card": card}
        detector = load_detector(model, options(**more))
        assert detector.runtime.startswith("OpenVINO")
        assert detector.input_size_px == (width, height)
        detector.detect([texture((320, 240), 3)])
        detector.close()


def _of_any_size(folder: Path) -> Path:
    from streamer.models.runtimes.tensorflow import import_tensorflow  # noqa: PLC0415 - TensorFlow
    from tests.frozen_graphs import save_frozen_function  # noqa: PLC0415 - as above
    from tests.models.choosing.forms import carded, heads  # noqa: PLC0415 - as above

    tf = import_tensorflow()

    def call(image: Any) -> dict[str, Any]:
        boxes, scores = heads(image)
        return {"boxes": tf.identity(boxes, name="boxes"), "scores": tf.identity(scores, name="scores")}

    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="image")
    return carded(save_frozen_function(folder / "any.pb", call, spec=spec))


def test_a_graph_of_one_size_that_gives_a_constant_beside_its_boxes_can_be_cut(tmp_path: Path) -> None:
    from streamer.models.runtimes.tensorflow import import_tensorflow  # noqa: PLC0415 - TensorFlow
    from tests.frozen_graphs import save_frozen_function  # noqa: PLC0415 - as above
    from tests.models.choosing.forms import heads  # noqa: PLC0415 - as above

    tf = import_tensorflow()

    def call(image: Any) -> dict[str, Any]:
        boxes, scores = heads(image)
        best, classes = tf.reduce_max(scores, 2), tf.cast(tf.argmax(scores, 2), tf.float32)
        centre, half = boxes[..., :2], boxes[..., 2:] / 4
        found = {
            "detection_boxes": tf.concat([centre - half, centre + half], -1),
            "detection_scores": best,
            "detection_classes": classes + 1.0,
            "num_detections": tf.constant([48.0]),
        }
        return {name: tf.identity(tensor, name=name) for name, tensor in found.items()}

    spec = tf.TensorSpec((1, 48, 64, 3), tf.float32, name="image")
    model = save_frozen_function(tmp_path / "fixed.pb", call, spec=spec)
    ours, runtime = seen(model, options(scale="0..255"))
    theirs, _ = seen(model, options("saved", scale="0..255"))
    assert runtime.startswith("OpenVINO")
    assert agreement(theirs, ours, conf=CONF + 0.01).is_equal


@pytest.mark.usefixtures("never_again")
def test_what_is_asked_of_a_model_later_holds_for_the_record(
    models: dict[str, Path], caches: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which classes, how many and from what score on is no part of what was chosen."""
    monkeypatch.setenv("STREAMER_CACHE", str(caches["frozen graph"]))
    asked = replace(options(), classes=("dog",), max_det=3, conf=0.1)
    ours, runtime = seen(models["frozen graph"], asked)
    theirs, _ = seen(models["frozen graph"], replace(asked, runtime="saved"))
    assert runtime.startswith("OpenVINO")
    for mine, saved in zip(ours, theirs, strict=True):
        assert set(mine.class_ids.tolist()) == {1}
        assert len(mine) == len(saved) == 3
        np.testing.assert_allclose(mine.boxes, saved.boxes, atol=0.05)

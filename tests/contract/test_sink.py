"""What every Sink keeps to, whatever it writes."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from streamer.errors import SinkError, SinkOpenError
from streamer.interfaces import Sink
from streamer.labels import Labels
from streamer.sinks.folder import Folder
from streamer.sinks.pictures import Pictures
from streamer.sinks.recorder import Recorder
from streamer.sinks.tables import Coco, CommaSeparated, JsonLines, Mot
from tests.sinks.scenes import results

Make = Callable[[Path], Sink]

SINKS: dict[str, Make] = {
    "recorder": lambda folder: Recorder(folder / "out.mp4", fps=10),
    "pictures": lambda folder: Pictures(folder / "out.png"),
    "jsonl": lambda folder: JsonLines(folder / "out.jsonl", labels=Labels()),
    "folder of videos": lambda folder: Folder(folder / "out", new_recorder=partial(Recorder, fps=10)),
    "csv": lambda folder: CommaSeparated(folder / "out.csv", labels=Labels()),
    "coco": lambda folder: Coco(folder / "out.json", labels=Labels()),
    "mot": lambda folder: Mot(folder / "out.txt", labels=Labels()),
    "folder of pictures": lambda folder: Folder(folder / "out", pictures=True),
}

FILLED_DISK = """
import resource, sys
from functools import partial
from dataclasses import replace
from pathlib import Path
from streamer.errors import SinkError
from streamer.frame import Detections
from tests.contract.test_sink import SINKS
from tests.sinks.scenes import results

seen = Detections.from_raw([[10, 20, 80, 60]], [0.9], [1], size_px=(160, 120))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sink = SINKS[sys.argv[1]](Path(sys.argv[2]))
try:
    for one in results(2000, scene="noisy"):
        sink.write(replace(one, detections=seen))
    sink.close()
except SinkError as error:
    sink.close()
    sink.close()
    print(error.exit_code, error)
"""


@pytest.fixture(params=list(SINKS))
def make(request: pytest.FixtureRequest) -> Make:
    return SINKS[request.param]


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_it_is(make: Make, tmp_path: Path) -> None:
    sink = make(tmp_path)
    assert str(tmp_path) in sink.name
    assert sink.role in {"record", "report"}
    assert sink.needs_image is (sink.role == "record")
    assert sink.written == 0
    sink.close()


def test_it_keeps_every_result_and_counts_it(make: Make, tmp_path: Path) -> None:
    sink = make(tmp_path)
    for one in results(12):
        sink.write(one)
    sink.close()
    assert sink.written == 12
    assert _content(tmp_path)


def test_close_is_idempotent_and_ends_it(make: Make, tmp_path: Path) -> None:
    sink = make(tmp_path)
    (one,) = results(1)
    sink.write(one)
    sink.close()
    kept = _content(tmp_path)
    sink.close()
    with pytest.raises(SinkError):
        sink.write(one)
    sink.close()
    assert sink.written == 1
    assert _content(tmp_path) == kept


def test_closed_without_a_result_it_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    sink = make(tmp_path)
    sink.close()
    sink.close()
    assert sink.written == 0
    assert list(tmp_path.iterdir()) == []


def test_the_same_results_give_the_same_bytes(make: Make, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sink = make(tmp_path / name)
        for one in results(30, scene="noisy"):
            sink.write(one)
        sink.close()
    assert _content(tmp_path / "one") == _content(tmp_path / "two")


def test_what_was_there_is_never_replaced(make: Make, tmp_path: Path) -> None:
    first = make(tmp_path)
    for one in results(3):
        first.write(one)
    first.close()
    kept = _content(tmp_path)
    try:
        second = make(tmp_path)
    except SinkOpenError:
        return
    (one,) = results(1)
    with pytest.raises(SinkError, match="exists already"):
        second.write(one)
    second.close()
    assert _content(tmp_path) == kept


def test_a_place_that_is_not_there_is_refused_at_once(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError) as raised:
        make(tmp_path / "missing")
    assert raised.value.exit_code == 5
    assert raised.value.hint


@pytest.mark.parametrize("name", list(SINKS))
def test_a_full_disk_is_a_sink_error_and_close_is_quiet_after_it(name: str, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FILLED_DISK, name, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert not done.stderr
    assert done.stdout.startswith("5 ")
    assert "the disk is full" in done.stdout

"""A data set of COCO that pycocotools loads, at every moment."""

import io
import json
import os
import threading
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from streamer.errors import SinkError
from streamer.frame import Result
from streamer.labels import Labels
from streamer.sinks.tables import Coco, WallClock
from tests.sinks.scenes import grey, result
from tests.sinks.tables.samples import LABELS, full


def quiet_coco(path: Path) -> Any:
    with redirect_stdout(io.StringIO()):
        return COCO(str(path))


def written(path: Path, *some: Result, labels: Labels = LABELS, pictures: bool = False) -> dict[str, Any]:
    sink = Coco(path, labels=labels, pictures=pictures)
    for one in some:
        sink.write(one)
    sink.close()
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def test_pycocotools_loads_it_and_takes_its_annotations_as_results(tmp_path: Path) -> None:
    path = tmp_path / "o.json"
    written(path, full(0), result(grey(0), 1), full(3))
    truth = quiet_coco(path)
    assert truth.getImgIds() == [1, 2, 4]
    assert truth.getCatIds() == [1, 2, 17]
    assert len(truth.getAnnIds(imgIds=[4])) == 2
    unnamed = truth.getAnnIds(catIds=truth.getCatIds(catNms=["#17"]))
    assert [row["category_id"] for row in truth.loadAnns(unnamed)] == [17, 17]
    with redirect_stdout(io.StringIO()):
        found = truth.loadRes(truth.dataset["annotations"])
    assert found.getAnnIds() == [1, 2, 3, 4]


def test_detections_compared_with_themselves_are_perfect(tmp_path: Path) -> None:
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415 - this one test evaluates

    path = tmp_path / "o.json"
    written(path, full(0), full(1))
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        judged = COCOeval(truth, truth.loadRes(truth.dataset["annotations"]), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    assert judged.stats[0] == pytest.approx(1.0)


def test_rows_say_what_the_lines_say(tmp_path: Path) -> None:
    document = written(tmp_path / "o.json", full(7, tracks=True, pts_s=0.7, source="in/clip 1.avi"))
    assert document["images"] == [
        {
            "id": 8,
            "file_name": "clip_1-000007.png",
            "width": 160,
            "height": 120,
            "index": 7,
            "source": "in/clip 1.avi",
            "pts_s": 0.7,
            "wall_time": None,
            "epoch": 0,
            "failed": False,
            "detected": True,
            "age_ms": 0.0,
        }
    ]
    assert document["annotations"][0] == {
        "id": 1,
        "image_id": 8,
        "category_id": 1,
        "bbox": [10.004, 20.0, 69.996, 40.126],
        "area": 2808.6595,
        "iscrowd": 0,
        "score": 0.912345,
        "bbox_norm": [0.062525, 0.166667, 0.437475, 0.334383],
        "track_id": 3,
    }
    assert [(row["id"], row["name"]) for row in document["categories"]] == [(1, "Gänse"), (2, 'a "b"'), (17, "#17")]


def test_pictures_are_called_what_they_are(tmp_path: Path) -> None:
    document = written(tmp_path / "o.json", result(grey(0), source="in/写真.png"), pictures=True)
    assert document["images"][0]["file_name"] == "in/写真.png"


def test_of_a_live_source_images_say_when(tmp_path: Path) -> None:
    sink = Coco(tmp_path / "o.json", labels=LABELS, wall=WallClock(wall_ns=lambda: 0, monotonic_ns=lambda: 0))
    sink.write(result(grey(0)))
    sink.close()
    assert quiet_coco(tmp_path / "o.json").dataset["images"][0]["wall_time"] == "1970-01-01T00:00:00.000Z"


def test_it_is_whole_after_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "o.json"
    sink = Coco(path, labels=LABELS)
    for index in range(120):
        sink.write(full(index))
        document = json.loads(path.read_text(encoding="utf-8"))
        assert (len(document["images"]), len(document["annotations"])) == (index + 1, 2 * (index + 1))
    sink.close()
    assert json.loads(path.read_text(encoding="utf-8")) == document
    assert [row["id"] for row in document["annotations"]] == list(range(1, 241))
    assert list(tmp_path.iterdir()) == [path]


def test_closed_it_holds_no_more_spaces_than_json_needs(tmp_path: Path) -> None:
    written(tmp_path / "o.json", *map(full, range(50)))
    text = (tmp_path / "o.json").read_text(encoding="utf-8")
    assert len(text) < 1.03 * len(json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")))


def test_with_force_the_old_one_goes_when_a_frame_comes_and_a_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old" * 10_000)
    real.chmod(0o640)
    link.symlink_to(real)
    Coco(link, labels=LABELS, force=True).close()
    assert real.read_text() == "old" * 10_000
    sink = Coco(link, labels=LABELS, force=True)
    for index in range(40):
        sink.write(full(index))
    sink.close()
    assert len(quiet_coco(real).imgs) == 40
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_pipe_gets_the_whole_document(tmp_path: Path) -> None:
    pipe, copy = tmp_path / "pipe", tmp_path / "o.json"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: copy.write_bytes(pipe.read_bytes()))
    reader.start()
    sink = Coco(pipe, labels=LABELS)
    for one in (result(grey(0)), full(1), full(2)):
        sink.write(one)
    sink.close()
    reader.join(10)
    assert quiet_coco(copy).getImgIds() == [1, 2, 3]
    assert len(quiet_coco(copy).anns) == 4


def test_a_pipe_gets_a_document_even_where_nothing_was_seen(tmp_path: Path) -> None:
    pipe, copy = tmp_path / "pipe", tmp_path / "o.json"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: copy.write_bytes(pipe.read_bytes()))
    reader.start()
    sink = Coco(pipe, labels=LABELS)
    sink.write(result(grey(0)))
    sink.close()
    reader.join(10)
    assert quiet_coco(copy).getImgIds() == [1]


def test_a_device_that_is_full_is_an_error() -> None:
    path = Path("/dev/full")
    if not path.is_char_device():
        pytest.skip("needs /dev/full")
    sink = Coco(path, labels=LABELS)
    with pytest.raises(SinkError, match="disk is full; the first 0 frames are whole"):
        sink.write(full(0))
    sink.close()


def test_names_of_any_kind_leave_it_valid(tmp_path: Path) -> None:
    sources = ['quote".avi', "line\nbreak.avi", "nul\0.avi", "\udcff.avi", "\u2028", "x" * 10_000, "写" * 10_000]
    some = [full(index, source=source) for index, source in enumerate(sources)]
    document = written(tmp_path / "o.json", *some, labels=Labels({1: "名" * 100}))
    assert len(document["images"]) == len(sources)
    assert all(len(image["file_name"]) < 300 for image in document["images"])


def test_ids_are_those_of_the_frames_where_some_are_missing(tmp_path: Path) -> None:
    document = written(tmp_path / "o.json", full(4), replace(full(9), failed=True))
    assert [row["image_id"] for row in document["annotations"]] == [5, 5, 10, 10]

"""`streamer render`: a run is drawn again from its table, and without a model."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.analytics.restless import SIZE_PX, RestlessDetector
from tests.clips import write_clip, write_picture
from tests.faults.conftest import Streamer

Ran = Callable[..., None]


@pytest.fixture
def ran(streamer: Streamer) -> Ran:
    """A first run of `clip.mp4`, in the folder of the test."""
    write_clip(streamer.folder / "clip.mp4", frames=12, size_px=SIZE_PX)
    streamer.detector = RestlessDetector()

    def run(*arguments: str) -> None:
        assert streamer("clip.mp4", "--no-show", *arguments).code == 0
        streamer.detector = None

    return run


def test_a_file_and_all_tables_come_out_as_the_run_made_them(streamer: Streamer, ran: Ran) -> None:
    ran("out.mp4", "--jsonl", "1.jsonl", "--csv", "1.csv", "--coco", "1.json", "--mot", "1.txt")
    tables = ("--jsonl", "2.jsonl", "--csv", "2.csv", "--coco", "2.json", "--mot", "2.txt")
    ended = streamer(
        "render", "1.jsonl", "-s", "clip.mp4", "-o", "again.mp4", "--no-show", *tables, "--summary", "run.json"
    )
    assert ended.code == 0, ended.err
    for one, other in (
        ("out.mp4", "again.mp4"),
        *zip(("1.jsonl", "1.csv", "1.json", "1.txt"), tables[1::2], strict=True),
    ):
        assert (streamer.folder / one).read_bytes() == (streamer.folder / other).read_bytes(), other
    assert streamer.loaded == 1
    assert ended.summary["ledger"]["recorded"] == 12
    assert "streamer: table: 1.jsonl: 12 frames" in ended.err


def test_classes_and_threshold_make_a_smaller_table(streamer: Streamer, ran: Ran) -> None:
    ran("--jsonl", "1.jsonl", "--conf", "0")
    ended = streamer(
        *("render", "1.jsonl", "-s", "clip.mp4", "--no-show", "--jsonl", "2.jsonl"),
        "--conf",
        "0.4",
        "--classes",
        "Gänse,#17",
    )
    assert ended.code == 0
    first, second = (
        [json.loads(line)["detections"] for line in (streamer.folder / name).read_text(encoding="utf-8").splitlines()]
        for name in ("1.jsonl", "2.jsonl")
    )
    assert second == [[one for one in row if one["score"] >= 0.4 and one["class_id"] in {12, 17}] for row in first]
    assert any(second)


def test_without_a_threshold_all_of_the_table_is_drawn_whatever_the_default_is(streamer: Streamer, ran: Ran) -> None:
    ran("--jsonl", "1.jsonl", "--conf", "0.01")
    assert streamer("render", "1.jsonl", "-s", "clip.mp4", "--no-show", "--jsonl", "2.jsonl").code == 0
    assert (streamer.folder / "1.jsonl").read_bytes() == (streamer.folder / "2.jsonl").read_bytes()


def test_after_a_kill_the_rest_goes_without_boxes_and_is_counted(streamer: Streamer, ran: Ran) -> None:
    ran("--jsonl", "1.jsonl")
    path = streamer.folder / "1.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:8]) + lines[8][:40])
    ended = streamer("render", "1.jsonl", "-s", "clip.mp4", "-o", "o.mp4", "--no-show", "--summary", "run.json")
    assert ended.code == 0
    assert ended.summary["ledger"]["recorded"] == 12
    assert "1.jsonl:9: the last line is cut off; it is left out" in ended.err
    assert ended.err.count("4 of 12 frames are not in it; they have no boxes") == 1


def test_pictures_of_a_folder_are_drawn_again(streamer: Streamer) -> None:
    (streamer.folder / "in").mkdir()
    for number in range(3):
        write_picture(streamer.folder / "in" / f"{number}.png", number + 9, size_px=SIZE_PX)
    streamer.detector = RestlessDetector()
    assert streamer("in/", "out/", "--no-show", "--jsonl", "d.jsonl").code == 0
    assert streamer("render", "d.jsonl", "-s", "in/", "-o", "again/", "--no-show").code == 0
    for name in ("0.png", "1.png", "2.png"):
        first = (streamer.folder / "out" / name).read_bytes()
        assert (streamer.folder / "again" / name).read_bytes() == first
        assert first != (streamer.folder / "in" / name).read_bytes()


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["d.jsonl"], 2, "--source: there is nothing to draw on (-s CLIP names what the run read)"),
        (["d.jsonl", "-s", "0"], 2, "0: a camera or a stream shows nothing again"),
        (["none.jsonl", "-s", "clip.mp4"], 2, "none.jsonl: the table cannot be read: No such file"),
        (["clip.mp4", "-s", "clip.mp4"], 2, "clip.mp4:1: "),
        (["bad.jsonl", "-s", "clip.mp4"], 2, "bad.jsonl:2: no JSON"),
        (["d.jsonl", "-s", "none.mp4"], 3, "none.mp4: "),
        (["d.jsonl", "-s", "small.mp4"], 2, "d.jsonl:1: is of a frame of 160x120, and here it has 64x48"),
        (["d.jsonl", "-s", "clip.mp4", "--jsonl", "d.jsonl", "--force"], 5, "d.jsonl: is an input"),
        (["d.jsonl", "-s", "clip.mp4", "-o", "d.jsonl"], 2, "nothing is written to .jsonl"),
        (["d.jsonl", "-s", "clip.mp4", "-o", "clip.mp4", "--force"], 5, "clip.mp4: is an input"),
        (["d.jsonl", "-s", "clip.mp4", "--summary", "d.jsonl", "--force"], 5, "d.jsonl: is an input"),
        (["d.jsonl", "-s", "clip.mp4", "--classes", "cat"], 2, "--classes: no class is called 'cat'"),
        (["d.jsonl", "-s", "clip.mp4", "--conf", "7"], 2, "--conf: '7' is not allowed"),
        (["d.jsonl", "-s", "clip.mp4", "-c", "blur.yaml"], 2, "cannot be blurred without the model"),
    ],
)
def test_what_cannot_be_is_told(
    streamer: Streamer,
    ran: Ran,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    ran("--jsonl", "d.jsonl")
    lines = (streamer.folder / "d.jsonl").read_bytes().splitlines(keepends=True)
    (streamer.folder / "bad.jsonl").write_bytes(lines[0] + b"{\n" + lines[1])
    (streamer.folder / "blur.yaml").write_text("blur: face\n")
    write_clip(streamer.folder / "small.mp4", frames=3)
    before = {path: path.read_bytes() for path in streamer.folder.iterdir() if path.is_file()}
    ended = streamer("render", *arguments, "--no-show")
    assert (ended.code, len(ended.errors)) == (code, 1), ended.err
    assert said in ended.errors[0]
    assert {path: path.read_bytes() for path in streamer.folder.iterdir() if path.is_file()} == before


def test_what_runs_are_told_of_models_means_nothing_here(
    streamer: Streamer,
    ran: Ran,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran("--jsonl", "1.jsonl")
    for name, value in (("MODEL", "missing"), ("DETECT_EVERY", "3"), ("POLICY", "latest"), ("LOOP", "yes")):
        monkeypatch.setenv(f"STREAMER_{name}", value)
    assert streamer("render", "1.jsonl", "-s", "clip.mp4", "--no-show", "--jsonl", "2.jsonl").code == 0
    assert (streamer.folder / "1.jsonl").read_bytes() == (streamer.folder / "2.jsonl").read_bytes()


def test_nothing_that_runs_models_is_loaded(streamer: Streamer, ran: Ran) -> None:
    ran("--jsonl", "d.jsonl")
    program = (
        "import sys; from streamer.cli import main\n"
        "try: main(['render', 'd.jsonl', '-s', 'clip.mp4', '-o', 'o.mp4', '--no-show'])\n"
        "except SystemExit as leaving: assert not leaving.code, leaving.code\n"
        "print(sorted({'tensorflow', 'keras', 'openvino', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=streamer.folder, capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout.strip() == "[]"
    assert (streamer.folder / "o.mp4").exists()

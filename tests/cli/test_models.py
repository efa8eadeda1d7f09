"""`streamer models`, and models by name, address and archive, as a person at a shell has them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer import cli
from streamer.cli import fetching
from streamer.config import setting_fields
from streamer.models.zoo import published
from tests.loopback import Web, serving, tar_gz, tree_tar_gz
from tests.saved_models import save_constant

NAME = "ssd_mobilenet_v2_320"
STEM = "ssd_mobilenet_v2_320x320_coco17_tpu-8"
PATH = f"object_detection/tf2/20200711/{STEM}.tar.gz"
WEIGHTS = np.random.default_rng(5).bytes(400_000)
ARCHIVE = tar_gz({f"{STEM}/saved_model/saved_model.pb": b"graph", f"{STEM}/saved_model/variables/v": WEIGHTS})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", *(known.variable for known in setting_fields().values())):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STREAMER_RUNTIME", "saved")  # measuring takes longer than all else
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with serving() as server:
        monkeypatch.setattr(published, "STORE", server.root)
        published.zoo_models.cache_clear()
        yield server
    published.zoo_models.cache_clear()


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(arguments))
    code = leaving.value.code
    assert isinstance(code, int)
    return code


def test_the_list_says_what_each_is_and_whether_it_is_there(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.serve(PATH, ARCHIVE)
    assert ended("models", "get", "-q", NAME) == 0
    capsys.readouterr()
    assert ended("models", "list") == 0
    out, err = capsys.readouterr()
    rows = {line.split()[0]: line.split() for line in out.splitlines()[1:]}
    assert err == ""
    assert rows[NAME] == [NAME, "320x320", "20.2", "0.4", "yes", "SSD"]
    assert rows["efficientdet_d7"] == ["efficientdet_d7", "1536x1536", "51.2", "-", "-", "EfficientDet"]
    assert len(rows) == 30


def test_the_list_as_json_has_all_that_is_known(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    url = web.serve("mine.zip", ARCHIVE) + "?key=s3cret"
    assert ended("models", "get", "-q", url) == 0
    key = Path(capsys.readouterr().out.strip()).relative_to(Path.cwd() / "cache/models").parts[0]
    assert ended("models", "list", "--json") == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries[NAME]["url"] == web.root + PATH
    assert (entries[NAME]["coco_map"], entries[NAME]["input_size"], entries[NAME]["cached"]) == (
        20.2,
        [320, 320],
        False,
    )
    assert entries["coco_ssd_mobilenet_v1_tflite"]["sha256"].startswith("a809cd290b4d6a2e")
    assert entries[key]["cached"] is True
    assert entries[key]["size_bytes"] == len(ARCHIVE)
    assert "s3cret" not in json.dumps(entries)


def test_the_list_on_a_terminal_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert ended("models", "list") == 0
    out = capsys.readouterr().out
    assert "COCO mAP" in out.splitlines()[0]
    assert "efficientdet_d7" in out


def test_get_prints_the_path_and_nothing_else_on_stdout(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.serve(PATH, ARCHIVE)
    for _ in range(2):
        assert ended("models", "get", NAME) == 0
        out, err = capsys.readouterr()
        assert out == f"{Path.cwd()}/cache/models/{NAME}/{STEM}/saved_model\n"
        assert all(line.startswith("streamer: ") for line in err.splitlines())
    assert err == ""
    assert len(web.asked) == 1
    assert ended("models", "path", NAME) == 0
    assert capsys.readouterr().out == out


def test_rm_takes_it_away_and_get_compares_it_again(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.serve(PATH, ARCHIVE)
    assert ended("models", "get", "-q", NAME) == 0
    assert ended("models", "rm", NAME) == 0
    assert ended("models", "path", NAME) == 4
    assert f"streamer models get {NAME} fetches it" in capsys.readouterr().err
    web.serve(PATH, ARCHIVE[:-1])
    assert ended("models", "get", NAME) == 4
    assert f"streamer models rm {NAME} --forget" in capsys.readouterr().err
    web.serve(PATH, ARCHIVE)
    assert ended("models", "rm", NAME, "--forget") == 0
    assert ended("models", "get", NAME) == 0
    assert "recorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["get", "ssd_mobilnet"], 4, f"did you mean {NAME}"),
        (["get", "ftp://x/y.zip"], 4, "is no address that a model is fetched from"),
        (["get", NAME, "--sha256", "12"], 2, "--sha256 12: is no sha256"),
        (["get"], 2, "Missing argument"),
        (["path", "zzz"], 4, "no model of that name"),
        (["rm", "zzz"], 4, "zzz: is not in the cache"),
        (["rm", "../.."], 4, "is not in the cache"),
        (["rm", ".."], 4, "is not in the cache"),
        (["rm"], 2, "Missing argument"),
        (["list", "--zork"], 2, "--zork"),
    ],
)
def test_what_is_wrong_is_one_line_and_its_exit_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    (here / "cache" / "models").mkdir(parents=True)
    assert ended("models", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert (here / "cache" / "models").is_dir()


def test_without_a_name_path_is_that_of_the_cache(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert ended("models", "path") == 0
    assert capsys.readouterr().out == f"{here / 'cache'}\n"


def test_a_download_is_shown_as_suits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(fetching, "LINE_S", 0.0)
    with fetching.fetching_shown(quiet=False) as watch:
        assert watch is not None
        watch(1_000_000, 4_000_000)
        watch(2_000_000, None)
    assert [record.getMessage() for record in caplog.records] == ["fetched 1.0 MB of 4.0 MB", "fetched 2.0 MB"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with fetching.fetching_shown(quiet=False) as watch:
        assert watch is not None
        watch(1_000_000, 4_000_000)
        watch(4_000_000, 4_000_000)
    assert "4.0/4.0 MB" in capsys.readouterr().err
    with fetching.fetching_shown(quiet=True) as watch:
        assert watch is None


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model that runs, as the zoo packs it."""
    folder = tmp_path_factory.mktemp("zoo")
    save_constant(folder / "saved_model", classes=(1.0, 13.0, 90.0))
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint/ckpt-0.data").write_bytes(WEIGHTS)
    return tree_tar_gz(folder, inside=STEM)


def seen(path: str) -> list[str]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [found["label"] for found in json.loads(lines[0])["detections"]]


def test_a_run_fetches_the_model_that_it_names(web: Web, packed: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    web.serve(PATH, packed)
    run = ("test:frames=3,live=no", "--no-show", "--model", NAME, "--conf", "0.1", "--jsonl")
    assert ended(*run, "1.jsonl") == 0
    err = capsys.readouterr().err
    assert f"streamer: {NAME} is not in the cache: it is fetched from http://***" not in err
    assert f"streamer: {NAME} is not in the cache: it is fetched from {web.root}" in err
    assert "label_map.pbtxt, 80 names" in err
    assert seen("1.jsonl") == ["person", "stop sign", "toothbrush"]
    assert ended(*run, "2.jsonl") == 0
    assert "not in the cache" not in capsys.readouterr().err
    assert len(web.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_a_run_that_is_stopped_while_it_fetches_keeps_what_came(
    web: Web, packed: bytes, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.serve(PATH, packed, faults=["stall"])
    page = web.pages[f"/{PATH}"]
    part = here / f"cache/downloads/{NAME}.tar.gz.part"

    def interrupt() -> None:
        page.half.wait(30)
        while not (part.exists() and part.stat().st_size):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert ended("test:frames=3,live=no", "--no-show", "--model", NAME) == 130
    thread.join()
    err = capsys.readouterr().err.splitlines()
    assert "are kept, and the next try goes on from there" in err[-2]
    assert err[-1] == "streamer: stopped before the run began"
    assert ended("test:frames=3,live=no", "--no-show", "--model", NAME, "--jsonl", "o.jsonl") == 0
    assert web.ranges[1].startswith("bytes=")


def test_a_run_takes_an_archive(here: Path, packed: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (here / f"{STEM}.tar.gz").write_bytes(packed)
    run = ("test:frames=3,live=no", "--no-show", "-m", f"{STEM}.tar.gz", "--conf", "0.1", "--jsonl", "o.jsonl")
    assert ended(*run) == 0
    assert f"streamer: {STEM}.tar.gz is unpacked, once: " in capsys.readouterr().err
    assert seen("o.jsonl") == ["person", "stop sign", "toothbrush"]


def test_a_loop_in_python_takes_a_name(web: Web, packed: bytes) -> None:
    import streamer  # noqa: PLC0415 - as the manual has it

    web.serve(PATH, packed)
    with streamer.stream("test:frames=2,live=no", model=NAME) as results:
        assert [len(result.detections) for result in results] == [2, 2]


@pytest.mark.allow_error_logs
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (NAME, "cannot be reached: Connection refused"),
        ("efficientdet_dO", "did you mean efficientdet_d"),
        ("https://me:hunter2@x.org/m.zip", "is an address, no path and no name"),
        ("evil.tar.gz", "'../evil' leads out of the folder"),
        ("flat.zip", "no TFLite file"),
    ],
)
def test_a_run_without_its_model_ends_with_4(
    model: str, said: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published, "STORE", "http://127.0.0.1:1/")
    published.zoo_models.cache_clear()
    (here / "evil.tar.gz").write_bytes(tar_gz({"m/saved_model.pb": b"x", "../evil": b"x"}))
    (here / "flat.zip").write_bytes(tar_gz({"detect.tflite": b"x"}))
    try:
        assert ended("test:frames=3,live=no", "--no-show", "--model", model) == 4
    finally:
        published.zoo_models.cache_clear()
    err = capsys.readouterr().err
    assert said in err
    assert "hunter2" not in err
    assert not (here.parent / "evil").exists()


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streamer", "models", *arguments]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_whoever_is_stopped_goes_on_at_the_next_try(signum: signal.Signals, code: int, web: Web, here: Path) -> None:
    url = web.serve("m.tar.gz", ARCHIVE, faults=["stall"])
    child = subprocess.Popen(program("get", url), stderr=subprocess.PIPE, text=True)
    assert web.pages["/m.tar.gz"].half.wait(30)
    part = here / "cache/downloads"
    while not any(path.stat().st_size for path in part.glob("*.part")):
        assert child.poll() is None
    os.kill(child.pid, signum)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert "Traceback" not in err
    assert ("are kept, and the next try goes on from there" in err) == (signum != signal.SIGKILL)
    assert subprocess.run(program("get", url), check=True, capture_output=True, timeout=30).stdout
    assert int(web.ranges[1].removeprefix("bytes=").rstrip("-")) > 0


def test_two_processes_at_once_do_no_harm(web: Web) -> None:
    url = web.serve("m.tar.gz", ARCHIVE)
    children = [
        subprocess.Popen(program("get", url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outs = {child.communicate(timeout=50)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 4
    assert len(outs) == 1
    assert len(web.asked) == 1

"""Names, addresses and archives become paths: fetched once, compared ever after, and refused where they are wrong."""

import hashlib
import io
import json
import logging
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import ModelLoadError
from streamer.labels import load_labels
from streamer.models.naming import name_classes
from streamer.models.zoo import fetching, published
from streamer.models.zoo.cache import Cache, cache_folder
from streamer.models.zoo.disk import CacheWriteError
from streamer.models.zoo.download import Patience
from streamer.models.zoo.finding import find_model, get, kept, key_of, look_for
from tests.loopback import Web, serving, tar_gz, zipped

NAME = "ssd_mobilenet_v2_320"
STEM = "ssd_mobilenet_v2_320x320_coco17_tpu-8"
PATH = f"object_detection/tf2/20200711/{STEM}.tar.gz"
FILES = {
    f"{STEM}/saved_model/saved_model.pb": b"graph",
    f"{STEM}/saved_model/variables/variables.index": b"i" * 30_000,
    f"{STEM}/checkpoint/ckpt-0.index": b"c",
    f"{STEM}/pipeline.config": b"model {}",
}
ARCHIVE = tar_gz(FILES)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The zoo's store is on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        monkeypatch.setattr(published, "STORE", server.root)
        published.zoo_models.cache_clear()
        yield server
    published.zoo_models.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def left(cache: Path) -> list[str]:
    """What lies in the cache but locks."""
    files = [path for path in cache.rglob("*") if path.is_file()]
    return sorted(path.relative_to(cache).as_posix() for path in files if path.parent.name != "locks")


def test_a_name_is_fetched_once_and_found_ever_after(web: Web, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    web.serve(PATH, ARCHIVE)
    look_for(NAME)
    assert web.asked == []
    path = find_model(NAME)
    assert path == cache / "models" / NAME / STEM / "saved_model"
    assert (path / "variables/variables.index").read_bytes() == b"i" * 30_000
    assert find_model(NAME) == find_model(STEM) == kept(NAME) == path
    assert len(web.asked) == 1
    assert f"{NAME} is not in the cache: it is fetched from {web.root}" in caplog.text
    assert "recorded, because none is published: it is compared ever after" in caplog.text
    assert left(cache) == sorted(
        [f"checksums/{NAME}.sha256", f"models/{NAME}.json", f"models/{NAME}/{STEM}/saved_model/label_map.pbtxt"]
        + [f"models/{NAME}/{name}" for name in FILES]
    )


def test_the_names_of_coco_lie_beside_it_at_the_ids_of_coco(web: Web) -> None:
    web.serve(PATH, ARCHIVE)
    path = find_model(NAME)
    named = name_classes(path, labels=None, offset=None)
    assert len(named.labels) == 80
    assert [named.labels.name(number) for number in (1, 12, 13, 90)] == ["person", "#12", "stop sign", "toothbrush"]
    assert load_labels(path / "label_map.pbtxt").numbering == "fixed"


def test_what_is_known_of_it_is_kept_without_credentials(web: Web, cache: Path) -> None:
    web.serve("m.zip", zipped({"saved_model.pb": b"g"}))
    url = web.root.replace("http://", "http://me:hunter2@") + "m.zip?token=t0k"
    path = get(url)
    key = key_of(url)
    origin = Cache().origin(key)
    assert origin.sha256 == hashlib.sha256(zipped({"saved_model.pb": b"g"})).hexdigest()
    assert origin.url.endswith("m.zip?token=***")
    assert path == cache / "models" / key
    assert find_model(key) == path
    everything = "".join(file.read_text(encoding="utf-8") for file in cache.rglob("*") if file.is_file())
    assert "hunter2" not in everything + str(left(cache))
    assert "t0k" not in everything + str(left(cache))


def test_a_checksum_that_changed_is_refused_until_it_is_forgotten(web: Web, cache: Path) -> None:
    web.serve(PATH, ARCHIVE)
    find_model(NAME)
    Cache().remove(NAME)
    assert left(cache) == [f"checksums/{NAME}.sha256"]
    web.serve(PATH, tar_gz({**FILES, f"{STEM}/evil": b"x"}))
    for _ in range(2):
        with pytest.raises(ModelLoadError, match=rf"another file than the first time.*rm {NAME} --forget") as caught:
            find_model(NAME)
        assert hashlib.sha256(ARCHIVE).hexdigest() in str(caught.value)
        assert left(cache) == [f"checksums/{NAME}.sha256"]
    web.serve(PATH, ARCHIVE)
    find_model(NAME)
    Cache().remove(NAME)
    Cache().forget(NAME)
    web.serve(PATH, tar_gz({**FILES, f"{STEM}/more": b"x"}))
    assert (find_model(NAME).parent / "more").exists()


def test_a_published_checksum_is_held_against_what_comes(
    web: Web, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = zipped({"detect.tflite": b"flat", "labelmap.txt": b"???\nperson\n"})
    monkeypatch.setattr(
        published,
        "_TFLITE",
        replace(published._TFLITE, url=f"{web.root}t.zip", sha256=hashlib.sha256(right).hexdigest()),
    )
    name = published._TFLITE.name
    web.serve("t.zip", zipped({"detect.tflite": b"evil"}))
    with pytest.raises(ModelLoadError, match=r"what came is not what was published: its sha256 is .*, and should be "):
        find_model(name)
    assert left(cache) == []
    web.serve("t.zip", right)
    assert find_model(name) == cache / "models" / name / "detect.tflite"
    assert (cache / "models" / name / "labelmap.txt").read_bytes() == b"???\nperson\n"
    assert not (cache / "models" / name / "label_map.pbtxt").exists()


def test_a_checksum_can_be_given(web: Web, cache: Path) -> None:
    url = web.serve("m.tgz", ARCHIVE)
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    with pytest.raises(ModelLoadError, match="is not what was published"):
        get(url, sha256="0" * 64)
    assert left(cache) == []
    assert get(url, sha256=digest) == get(url)
    with pytest.raises(ModelLoadError, match=r"what is in the cache has the sha256 .*, not 0000"):
        get(url, sha256="0" * 64)


def test_without_a_checksum_http_is_warned_of(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    get(web.serve("m.tar.gz", ARCHIVE))
    assert "came over http, and no checksum is known" in caplog.text


def test_an_address_of_the_zoos_page_is_the_model_of_that_name(web: Web) -> None:
    web.serve(PATH, ARCHIVE)
    assert get(f"http://download.tensorflow.org/models/{PATH}") == find_model(NAME)


def _hostile() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.addfile(tarfile.TarInfo("../../../evil"))
    return buffer.getvalue()


WRONG = {
    "hostile": (_hostile(), r"the archive is refused: '../../../evil' leads out of the folder"),
    "a page": (b"<html>log in first</html>", "is no archive, but a page or a text"),
    "cut off": (ARCHIVE[: len(ARCHIVE) // 2], "damaged or cut off"),
    "no model": (tar_gz({"m/readme": b"x"}), "it holds no model: no saved_model.pb"),
    "two models": (tar_gz({"a/saved_model.pb": b"x", "b/saved_model.pb": b"x"}), "it holds 2 models: a, b"),
}


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_of_what_is_wrong_nothing_is_kept(body: bytes, said: str, web: Web, cache: Path, tmp_path: Path) -> None:
    web.serve(PATH, body)
    with pytest.raises(ModelLoadError, match=said):
        find_model(NAME)
    (tmp_path / "m.tar.gz").write_bytes(body)
    with pytest.raises(ModelLoadError, match=said):
        find_model("m.tar.gz")
    assert left(cache) == []
    assert not list(tmp_path.rglob("evil"))
    web.serve(PATH, ARCHIVE)
    assert find_model(NAME).name == "saved_model"


def test_a_length_that_is_too_short_is_found_out_and_never_recorded(web: Web, cache: Path) -> None:
    web.serve(PATH, ARCHIVE, faults=["too short"])
    body = tar_gz({**FILES, f"{STEM}/saved_model/variables/data": bytes(range(256)) * 400})
    web.serve(PATH, body, faults=["too short"])
    with pytest.raises(ModelLoadError, match="damaged or cut off"):
        find_model(NAME)
    assert left(cache) == []
    assert find_model(NAME).name == "saved_model"


def test_an_archive_is_unpacked_once_by_what_it_holds(tmp_path: Path, cache: Path) -> None:
    archive = tmp_path / "my model.tar.gz"
    archive.write_bytes(ARCHIVE)
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    path = find_model(archive)
    assert path == cache / "models" / f"my_model-{digest[:12]}" / STEM / "saved_model"
    stamp = (path / "saved_model.pb").stat().st_mtime_ns
    assert find_model(archive.rename(tmp_path / "my model.tgz")) == path
    assert (path / "saved_model.pb").stat().st_mtime_ns == stamp
    (tmp_path / "my model.zip").write_bytes(zipped({"x/saved_model.pb": b"other"}))
    assert find_model(tmp_path / "my model.zip").parent.parent != path.parent.parent
    assert archive.with_suffix("").with_suffix(".tgz").exists()


def test_an_archive_of_the_zoo_has_its_labels_wherever_it_is_from(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.tar.gz").write_bytes(ARCHIVE)
    assert (find_model(f"{STEM}.tar.gz") / "label_map.pbtxt").is_file()
    (tmp_path / "other.tar.gz").write_bytes(ARCHIVE)
    assert not (find_model("other.tar.gz") / "label_map.pbtxt").exists()


def test_a_path_wins_over_a_name_and_is_given_back_as_it_is(web: Web, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / "folder.zip").mkdir()
    look_for(NAME)
    assert find_model(NAME) == Path(NAME)
    assert find_model("folder.zip") == Path("folder.zip")
    assert find_model("no/such") == Path("no/such")
    assert web.asked == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ssd_mobilnet_v2_320", rf"no model of that name \(did you mean {NAME}, .*\? streamer models list"),
        ("efficientdet-D0", r"did you mean efficientdet_d0, "),
        ("zzz", r"no model of that name \(streamer models list names"),
        ("nowhere/x", r"no such file or folder \(--model takes"),
        ("https://me:hunter2@x.org/a.zip", r"https://\*\*\*@x.org/a.zip: is an address.*streamer models get"),
        ("a\0b", "no such file or folder"),
    ],
)
def test_what_is_no_path_and_no_name_is_told_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said) as caught:
        look_for(text)
    assert "hunter2" not in str(caught.value)


def test_without_a_network_it_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(published, "STORE", "http://127.0.0.1:1/")
    published.zoo_models.cache_clear()
    try:
        with pytest.raises(ModelLoadError, match=r"could not be fetched: .*--model FILE") as caught:
            find_model(NAME)
    finally:
        published.zoo_models.cache_clear()
    assert caught.value.exit_code == 4
    assert left(cache) == []


def test_two_at_once_fetch_it_once(web: Web) -> None:
    web.serve(PATH, ARCHIVE, faults=["trickle"])
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(find_model(NAME))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [kept(NAME)] * 2
    assert len(web.asked) == 1


def test_what_a_crash_left_does_no_harm(web: Web, cache: Path) -> None:
    web.serve(PATH, ARCHIVE)
    staged = cache / "models" / f".{NAME}.new"
    staged.mkdir(parents=True)
    (staged / "half").write_bytes(b"x")
    (cache / "downloads").mkdir()
    (cache / "downloads" / f"{NAME}.tar.gz.part").write_bytes(b"garbage")
    (cache / "downloads" / f"{NAME}.tar.gz.part.json").write_text("{", encoding="utf-8")
    assert not (find_model(NAME).parent / "half").exists()
    assert not staged.exists()
    assert left(cache) == [name for name in left(cache) if not name.startswith("downloads/")]


def test_an_archive_that_had_arrived_whole_is_not_fetched_again(web: Web, cache: Path) -> None:
    (cache / "downloads").mkdir(parents=True)
    (cache / "downloads" / f"{NAME}.tar.gz").write_bytes(ARCHIVE)
    assert find_model(NAME).name == "saved_model"
    assert web.asked == []


def test_a_full_disk_while_unpacking_keeps_what_was_fetched(
    web: Web, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.serve(PATH, ARCHIVE)

    def full(*_: object, **__: object) -> None:
        raise CacheWriteError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(fetching, "unpack", full)
        with pytest.raises(CacheWriteError):
            find_model(NAME)
    assert left(cache) == [f"downloads/{NAME}.tar.gz"]
    assert find_model(NAME).name == "saved_model"
    assert len(web.asked) == 1


def test_what_was_damaged_in_the_cache_is_told_with_what_to_do(web: Web) -> None:
    web.serve(PATH, ARCHIVE)
    (find_model(NAME) / "saved_model.pb").unlink()
    with pytest.raises(ModelLoadError, match=rf"{NAME}: it holds no model.*streamer models rm {NAME}"):
        find_model(NAME)


def test_a_model_of_one_file_needs_no_archive(web: Web) -> None:
    path = get(web.serve("nets/My%20Net.tflite", b"flat"))
    assert (path.name, path.read_bytes()) == ("My_Net.tflite", b"flat")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheWriteError, match=r"cannot be written: .*STREAMER_CACHE names another folder"):
        find_model(NAME)


def test_the_cache_is_in_the_platforms_place_or_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_CACHE", "~/models")
    assert cache_folder() == Path.home() / "models"
    monkeypatch.delenv("STREAMER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().name == "streamer"


def test_every_name_of_the_zoo_is_one_key_with_an_address_of_its_own() -> None:
    models = published.zoo_models()
    assert len(models) == len({model.url for model in models.values()}) == 30
    assert all(key_of(name) == name and published.zoo_model(model.stem) == model for name, model in models.items())
    assert all(model.url.startswith("https://") for model in models.values())
    assert {model.name for model in models.values() if model.sha256} == {"coco_ssd_mobilenet_v1_tflite"}


def test_patience_bounds_a_fetch_too(web: Web) -> None:
    url = web.serve("m.zip", ARCHIVE, faults=["silent"])
    with pytest.raises(ModelLoadError, match=r"gave no answer for 0.2 s"):
        fetching.fetch("m", url, patience=Patience(silence_s=0.2))


def test_origins_that_cannot_be_read_are_none(cache: Path) -> None:
    (cache / "models" / "m").mkdir(parents=True)
    (cache / "models" / "m.json").write_text(json.dumps({"colour": "red"}), encoding="utf-8")
    assert Cache().origin("m").url == ""
    assert Cache().keys() == ["m"]

"""Settings: where values come from, what they may be, and what is said of a file that is wrong."""

import os
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from streamer.cli.config import commented_file
from streamer.config import resolve, setting_fields
from streamer.config.files import MAX_BYTES
from streamer.errors import ConfigError
from streamer.models.options import Scale
from streamer.sources.options import CameraBackend

WRITTEN = ("record", "jsonl", "csv", "coco", "mot", "summary", "health")


def written(folder: Path, text: str, *, name: str = "settings.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(path=path)
    return str(caught.value)


def test_defaults_hold_where_nothing_is_given() -> None:
    resolved = resolve()
    assert resolved.settings.conf == 0.5
    assert resolved.settings.show is None
    assert {origin.kind for origin in resolved.origins.values()} == {"default"}


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, "conf: 0.1\nmax_det: 11\nstride: 2\ncrf: 30\n")
    environ = {"STREAMER_CONF": "0.2", "STREAMER_MAX_DET": "12", "PATH": "/bin"}
    resolved = resolve(flags={"conf": "0.3"}, environ=environ, path=path)
    settings = resolved.settings
    assert (settings.conf, settings.max_det, settings.stride, settings.height) == (0.3, 12, 2, None)
    told = {name: (resolved.origins[name].kind, str(resolved.origins[name])) for name in ("conf", "max_det", "stride")}
    assert told == {
        "conf": ("flag", "--conf"),
        "max_det": ("environment", "STREAMER_MAX_DET"),
        "stride": ("file", f"{path}:3"),
    }
    assert str(resolved.origins["height"]) == "default"


def test_the_file_may_be_named_by_a_flag_or_by_the_environment(tmp_path: Path) -> None:
    one, two = written(tmp_path, "conf: 0.1", name="1.yaml"), written(tmp_path, "conf: 0.2", name="2.yaml")
    assert resolve(environ={"STREAMER_CONFIG": str(one)}).settings.conf == 0.1
    both = resolve(flags={"config": str(two)}, environ={"STREAMER_CONFIG": str(one)})
    assert both.settings.conf == 0.2


def test_a_flag_can_take_back_what_a_file_switches_on(tmp_path: Path) -> None:
    path = written(tmp_path, "loop: true\nshow: no\n")
    settings = resolve(path=path, flags={"loop": "false"}).settings
    assert (settings.loop, settings.show) == (False, False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("1:30", 90.0), ("0:01:30.5", 90.5), ("01:00:00", 3600.0), ("0.25", 0.25), (" 7 ", 7.0)],
)
def test_times_are_seconds_or_clock_times(tmp_path: Path, text: str, seconds: float) -> None:
    assert resolve(flags={"start": text}).settings.start == seconds
    assert resolve(path=written(tmp_path, f"start: {text}\n")).settings.start == seconds


@pytest.mark.parametrize("text", ["1:60", "1:75:00", "-1", "1:2:3:4", "soon", "nan", "inf", "1e999", "1::2", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--start.*allowed: a time such as 90, 1:30"):
        resolve(flags={"start": text})


def test_words_of_a_file_mean_what_the_setting_says_not_what_yaml_says(tmp_path: Path) -> None:
    text = "source: 0\nclasses: [no, on, 1.0]\nmodel: 3.10\nstart: 1:30\nfourcc: 1234\nsignature: ~\nlabels:\n"
    settings = resolve(path=written(tmp_path, text)).settings
    assert settings.source == "0"
    assert settings.classes == ("no", "on", "1.0")
    assert (settings.model, settings.fourcc, settings.start) == (Path("3.10"), "1234", 90.0)
    assert settings.signature is None
    assert settings.labels is None


def test_keys_are_written_with_dashes_or_underscores(tmp_path: Path) -> None:
    settings = resolve(path=written(tmp_path, "view-width: 800\nhide_conf: yes\n")).settings
    assert (settings.view_width, settings.hide_conf) == (800, True)


def test_classes_are_separated_by_commas_or_listed(tmp_path: Path) -> None:
    assert resolve(flags={"classes": "person, traffic light,"}).settings.classes == ("person", "traffic light")
    assert resolve(path=written(tmp_path, "classes:\n- person\n- car\n")).settings.classes == ("person", "car")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "\ufeffconf: 0.5\n"])
def test_an_empty_file_is_right_and_so_is_a_byte_order_mark(tmp_path: Path, text: str) -> None:
    assert resolve(path=written(tmp_path, text)).settings.conf == 0.5


def test_an_empty_variable_is_as_good_as_none() -> None:
    resolved = resolve(environ={"STREAMER_CONF": ""})
    assert (resolved.settings.conf, resolved.origins["conf"].kind) == (0.5, "default")


def test_unknown_variables_are_told_with_the_nearest_one() -> None:
    warnings = resolve(
        environ={"STREAMER_MAXDET": "3", "STREAMER_ZZZZ": "1", "STREAMER_CACHE": "x", "HOME": "/"}
    ).warnings
    assert warnings[0] == "STREAMER_MAXDET in the environment is no setting; did you mean STREAMER_MAX_DET?"
    assert warnings[1].startswith("STREAMER_ZZZZ in the environment is no setting; streamer config show")
    assert len(warnings) == 2


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "conf: 2\nvuew_width: 3\nstride: 0\nloop: maybe\n")
    with pytest.raises(ConfigError) as caught:
        resolve(path=path, environ={"STREAMER_CRF": "99"}, flags={"policy": "best"})
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert f"{path}:1: conf: '2' is not allowed; allowed: a number from 0 to 1" in lines
    assert f"{path}:2: vuew_width: unknown setting; did you mean view_width?" in lines
    assert f"{path}:4: loop: 'maybe' is not allowed; allowed: true or false" in lines
    assert "STREAMER_CRF: '99' is not allowed; allowed: a whole number from 0 to 63" in lines
    assert "--policy: 'best' is not allowed; allowed: one of auto, all, latest" in lines


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "start: 10\nend: 5\n")
    assert message(path) == f"{path}:2: end: end must be later than start (10 s)"
    with pytest.raises(ConfigError, match="--verbose: verbose cannot be given together with quiet"):
        resolve(flags={"quiet": "true", "verbose": "true"})


def test_of_two_that_exclude_each_other_the_higher_layer_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "quiet: true\n")
    resolved = resolve(path=path, flags={"verbose": "true"})
    assert (resolved.settings.quiet, resolved.settings.verbose) == (False, True)
    assert str(resolved.origins["quiet"]) == "--verbose"
    resolved = resolve(path=path, environ={"STREAMER_VERBOSE": "1"}, flags={"quiet": "true"})
    assert (resolved.settings.quiet, resolved.settings.verbose) == (True, False)
    with pytest.raises(ConfigError, match="verbose cannot be given together with quiet"):
        resolve(path=written(tmp_path, "quiet: true\nverbose: true\n"))


@pytest.mark.parametrize(
    ("name", "other"),
    [(name, other) for name in WRITTEN for other in ("labels", "model", "config")] + list(combinations(WRITTEN, 2)),
)
def test_what_is_written_is_no_other_place_however_it_is_spelled(tmp_path: Path, name: str, other: str) -> None:
    taken = written(tmp_path, "")
    (tmp_path / "link").symlink_to(tmp_path)
    for spelling in (taken, tmp_path / "none" / ".." / taken.name, tmp_path / "link" / taken.name):
        with pytest.raises(ConfigError, match="must be a place of its own, not that of"):
            resolve(flags={name: str(spelling), other: str(taken)})


def test_a_place_keeps_the_slash_that_says_it_is_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    places = {"out/": "out/", "out": "out", "./a//b/": "a/b/", "~/v.2/": "/home/me/v.2/", "/": "/"}
    assert {text: resolve(flags={"record": text}).settings.record for text in places} == places


def test_the_choices_are_those_of_the_rooms() -> None:
    for name, choices in (("camera_backend", CameraBackend), ("scale", Scale)):
        assert setting_fields()[name].choices == get_args(choices)


def test_credentials_are_shown_nowhere(tmp_path: Path) -> None:
    secret = "rtsp://admin:hunter2@cam/live?token=abc123"
    resolved = resolve(flags={"source": secret})
    assert resolved.shown("source") == "rtsp://***@cam/live?token=***"
    assert resolved.settings.source == secret
    assert "hunter2" not in message(written(tmp_path, f"conf: {secret}\n"))


def test_control_characters_reach_no_message(tmp_path: Path) -> None:
    text = message(written(tmp_path, '"\\e[2Jbad\\u202ekey": 1\nconf: "\\e[31m\\r\\n2"\n'))
    assert "unknown setting" in text
    assert text.replace("\n", "").isprintable()


def huge(folder: Path) -> Path:
    path = folder / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    return path


def endless_link(folder: Path) -> Path:
    (folder / "a.yaml").symlink_to(folder / "b.yaml")
    (folder / "b.yaml").symlink_to(folder / "a.yaml")
    return folder / "a.yaml"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")
    return folder / "pipe.yaml"


def raw(data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "raw.yaml").write_bytes(data)
        return folder / "raw.yaml"

    return write


BOMB = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (98 + n, 98 + n, 97 + n, 97 + n) for n in range(20))

MALFORMED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.yaml", "no such file"),
    "folder": (lambda folder: folder, "a folder, not a settings file"),
    "below a file": (lambda folder: written(folder, "") / "x.yaml", "no such file"),
    "link loop": (endless_link, "a symbolic link that leads back to itself"),
    "fifo": (fifo, "not an ordinary file"),
    "device": (lambda _folder: Path("/dev/zero"), "not an ordinary file"),
    "name too long": (lambda folder: folder / ("x" * 300), "name is too long"),
    "NUL in the name": (lambda folder: folder / "a\0b", "null byte"),
    "10 MB": (huge, "too large: 10240 KiB; a settings file has at most 64 KiB"),
    "just too large": (raw(b"#" * (MAX_BYTES + 1)), "too large"),
    "NUL byte": (raw(b"conf: 0.5\nmodel: a\0b\n"), ":2: a NUL byte"),
    "not text": (raw(b"\x89PNG\r\n\x1a\n"), ":1: not UTF-8"),
    "latin-1": (raw(b"conf: 0.5\nmodel: caf\xe9\n"), ":2: not UTF-8"),
    "utf-16": (raw("conf: 0.5\n".encode("utf-16")), ":1: not UTF-8"),
    "control character": (raw(b"conf: 0.5\nmodel: \x07\n"), ":2: not YAML: special characters are not allowed"),
    "unclosed list": (raw(b"conf: 0.5\nclasses: [a, b\n"), ":3: not YAML"),
    "unclosed quote": (raw(b'model: "abc\n'), ":2: not YAML"),
    "tab": (raw(b"conf: 0.5\n\tmodel: x\n"), ":2: not YAML"),
    "bad indent": (raw(b"conf: 0.5\n  model: x\n"), ":2: not YAML"),
    "no mapping": (raw(b"- conf\n- model\n"), ":1: settings are written as `name: value`"),
    "only a word": (raw(b"conf\n"), ":1: settings are written as `name: value`"),
    "two documents": (raw(b"conf: 0.5\n---\nconf: 0.6\n"), ":2: a second document"),
    "unknown key": (raw(b"conf: 0.5\nmodle: x\n"), ":2: modle: unknown setting; did you mean model?"),
    "key of the command line only": (raw(b"config: other.yaml\n"), ":1: config: unknown setting"),
    "twice": (raw(b"conf: 0.5\ncrf: 3\nconf: 0.6\n"), ":3: conf: given twice; first on line 1"),
    "twice, dash and underscore": (raw(b"max-det: 5\nmax_det: 6\n"), ":2: max_det: given twice; first on line 1"),
    "nested settings": (raw(b"model:\n  path: x\n"), ":2: a value or a list of values is wanted here"),
    "nested list": (raw(b"classes: [[a]]\n"), ":1: a value is wanted here"),
    "key that is a list": (raw(b"? [a]\n: b\n"), ":1: a name is wanted here"),
    "list for a number": (raw(b"conf: [0.5]\n"), ":1: conf: '[0.5]' is not allowed; allowed: a number from 0 to 1"),
    "word for a number": (raw(b"crf: best\n"), ":1: crf: 'best' is not allowed; allowed: a whole number from 0 to 63"),
    "yes for a number": (raw(b"conf: yes\n"), ":1: conf: 'yes' is not allowed; allowed: a number from 0 to 1"),
    "out of range": (raw(b"conf: 1.5\n"), ":1: conf: '1.5' is not allowed; allowed: a number from 0 to 1"),
    "not finite": (raw(b"conf: .nan\n"), ":1: conf: '.nan' is not allowed"),
    "no such choice": (raw(b"scale: 0..2\n"), "allowed: one of auto, 0..1, -1..1, 0..255"),
    "huge number": (raw(b"max_det: " + b"9" * 5000 + b"\n"), ":1: max_det: '9999"),
    "long word": (raw(b"crf: " + b"x" * 60_000 + b"\n"), ":1: crf: 'xxxx"),
    "alias bomb": (raw(BOMB), ":1: anchors and aliases"),
    "alias": (raw(b"model: *x\n"), ":1: anchors and aliases"),
    "recursive alias": (raw(b"classes: &a [*a]\n"), ":1: anchors and aliases"),
    "object tag": (raw(b"model: !!python/object/apply:os.system [id]\n"), ":1: tags"),
    "merge key": (raw(b"<<: {conf: 1}\n"), "a value or a list of values is wanted here"),
    "deep nesting": (raw(b"classes: " + b"[" * 60_000), ":1: a value is wanted here"),
    "empty key": (raw(b'"": 1\n'), ":1: an empty name: unknown setting"),
    "directive": (raw(b"%YAML 9.9\n---\nconf: 0.5\n"), ":1: not YAML"),
}


@pytest.mark.parametrize("case", list(MALFORMED))
def test_a_malformed_file_is_refused_with_its_place_and_soon(tmp_path: Path, case: str) -> None:
    make, expected = MALFORMED[case]
    path = make(tmp_path)
    resolve()
    began_s = time.perf_counter()
    text = message(path)
    assert time.perf_counter() - began_s < 2, "ten times what it may take, for machines that are busy"
    assert expected in text
    assert "\n" not in text


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "conf: 0.5\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")
    assert "may not be read" in message(path)


def test_the_commented_file_is_right_as_it_is_and_with_every_default_set(tmp_path: Path) -> None:
    text = commented_file()
    assert resolve(path=written(tmp_path, text)).settings == resolve().settings
    bare = "\n".join(line[1:] if line.startswith("#") and line[1:2].isalpha() else line for line in text.splitlines())
    resolved = resolve(path=written(tmp_path, bare))
    assert resolved.settings == resolve().settings
    # a default that is None or an empty list is said by saying nothing
    in_file = [known.default for known in setting_fields().values() if known.setting.in_file]
    said = sum(default not in {None, ()} for default in in_file)
    assert sum(origin.kind == "file" for origin in resolved.origins.values()) == said


def test_every_setting_has_help_and_says_what_is_allowed() -> None:
    for known in setting_fields().values():
        assert known.setting.help.endswith((".", "?")), known.name
        assert known.allowed, known.name

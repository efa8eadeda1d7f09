"""What is tried in the children, with parts of it taken away."""

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from typing import NoReturn

import pytest

from streamer.doctor import child, libraries
from streamer.doctor.findings import Finding
from streamer.doctor.libraries import GROUPS, Group
from streamer.sinks import encoders
from streamer.sinks.encoders import ENCODERS, trial
from streamer.sources import hardware


def test_the_encoders_of_the_wheel_encode() -> None:
    assert [trial(name) for name in ("libx264", "mjpeg", "libvpx-vp9")] == [None] * 3
    assert [names[-1] for names in ENCODERS.values()] == ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "mjpeg"]


def test_an_encoder_that_is_not_there_says_so() -> None:
    assert trial("nothing") == "not in this PyAV"
    assert GROUPS["encoders"].check("encoder h264 (nothing)") == Finding(
        "encoder h264 (nothing)",
        "broken",
        "not in this PyAV",
        "pip install --force-reinstall av",
    )


def test_an_encoder_without_its_hardware_is_missing_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "trial", lambda _: "Operation not permitted")
    found = GROUPS["encoders in hardware"].check("encoder h264 (h264_nvenc)")
    assert (found.verdict, found.advice) == ("missing", "")
    assert found.found == "needs an NVIDIA GPU and its driver: Operation not permitted"


def test_every_encoder_is_in_one_group() -> None:
    software, hardware = (set(GROUPS[name].names()) for name in ("encoders", "encoders in hardware"))
    named = {f"encoder {codec} ({name})" for codec, names in ENCODERS.items() for name in names}
    assert named <= software | hardware
    assert not software & hardware
    assert "encoder h264 (h264_nvenc)" in hardware


def test_decoders_in_hardware_are_those_that_pyav_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    group = GROUPS["decoders in hardware"]
    assert group.names() == tuple(f"decoder in hardware ({kind})" for kind in hardware.device_kinds())
    for name in group.names():
        assert group.check(name).verdict in {"ok", "missing"}
    assert group.check("decoder in hardware (teapot)").verdict == "missing"
    monkeypatch.setattr(hardware, "problem_of", lambda _: None)
    monkeypatch.setattr(hardware, "codecs_of", lambda _: ("h264", "hevc"))
    found = group.check("decoder in hardware (teapot)")
    assert (found.verdict, found.found.split(";")[0]) == ("ok", "--hwaccel teapot: opens")


@pytest.mark.parametrize("name", ["encoder aac", "encoder opus (libopus)", "PyAV", "decoders"])
def test_sound_is_encoded_and_decoders_are_there(name: str) -> None:
    assert GROUPS["encoders"].check(name).verdict == "ok"


def test_without_a_display_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.sinks.window.display_problem", lambda: "DISPLAY is not set")
    expected = Finding("display", "missing", "DISPLAY is not set", "--no-show runs without a window")
    assert GROUPS["OpenCV"].check("display") == expected
    monkeypatch.setattr(
        "streamer.sinks.window.display_problem", lambda: "built without windows (opencv-python-headless)"
    )
    assert GROUPS["OpenCV"].check("display").advice == "pip install opencv-python"


def test_opencv_that_is_not_there_or_lacks_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GROUPS["OpenCV"].check("OpenCV").verdict == "ok"
    monkeypatch.setitem(sys.modules, "cv2", None)
    missing = GROUPS["OpenCV"].check("OpenCV")
    assert (missing.verdict, missing.advice) == ("missing", "pip install opencv-python")

    class Lacking:
        @staticmethod
        def find_spec(name: str, *_rest: object) -> None:
            if name == "cv2":
                raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(sys, "meta_path", [Lacking, *sys.meta_path])
    lacking = GROUPS["OpenCV"].check("OpenCV")
    assert (lacking.verdict, lacking.advice) == ("broken", "apt install libgl1 libglib2.0-0")


def raising(error: Exception) -> Callable[..., NoReturn]:
    def fail(*_args: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize("name", ["TensorFlow", "OpenVINO", "LiteRT"])
def test_a_runtime_is_missing_broken_or_works(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(libraries, "version", raising(PackageNotFoundError(name)))
        missing = GROUPS[name].check(name)
    assert (missing.verdict, missing.found) == ("missing", "is not installed")
    assert missing.advice.startswith("pip install ")
    with monkeypatch.context() as patched:
        patched.setattr(libraries, "import_module", raising(ImportError("libtoo_old.so.3: undefined symbol")))
        broken = GROUPS[name].check(name)
    assert broken.verdict == "broken"
    assert "ImportError: libtoo_old.so.3: undefined symbol" in broken.found
    assert broken.advice.startswith("pip install --force-reinstall ")


def test_the_devices_of_a_runtime_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(Core=lambda: SimpleNamespace(available_devices=["CPU", "GPU.0"]))
    monkeypatch.setattr(libraries, "import_module", lambda _: fake)
    assert GROUPS["OpenVINO"].check("OpenVINO").found.endswith("; CPU, GPU.0")


def told_by(group: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    child.main(group)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]


def test_a_group_that_does_not_load_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = Group(raising(ImportError("libx264.so: no such file")), raising(AssertionError()), "pip install av")
    monkeypatch.setitem(GROUPS, "encoders", group)
    assert told_by("encoders", capsys) == [
        {"names": ["encoders"]},
        {
            "name": "encoders",
            "verdict": "broken",
            "found": "ImportError: libx264.so: no such file",
            "advice": "pip install av",
        },
    ]


def test_a_check_that_raises_is_broken_and_the_next_one_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(name: str) -> Finding:
        if name == "one":
            raise RuntimeError("boom")
        return Finding(name, "ok", "1.0")

    monkeypatch.setitem(GROUPS, "encoders", Group(lambda: ("one", "two"), check))
    _, one, two = told_by("encoders", capsys)
    assert (one["verdict"], one["found"]) == ("broken", "RuntimeError: boom")
    assert two["verdict"] == "ok"

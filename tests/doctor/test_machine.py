"""Machines of other people: their processors, memory, cameras, disks."""

import errno
import os
from pathlib import Path

import pytest

from streamer.doctor import machine
from streamer.doctor.findings import Finding
from streamer.doctor.machine import cache, cameras, disk, fonts, gpu, machine_findings, memory, packages, processors


def test_this_machine_is_told_without_a_crash() -> None:
    findings = list(machine_findings())
    names = [finding.name for finding in findings]
    assert names == ["Python", "packages", "processors", "memory", "disk here", "cache", "cameras", "GPU", "fonts"]
    assert "tensorflow" in findings[1].found


def test_what_cannot_be_looked_at_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Finding:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(machine, "cache", fail)
    assert [finding.found for finding in machine_findings() if finding.name == "fail"] == [
        "PermissionError: [Errno 13] Permission denied"
    ]


def test_a_control_group_limits_processors_and_memory(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("1500000000\n")
    (tmp_path / "memory.current").write_text("500000000\n")
    (tmp_path / "meminfo").write_text("MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 12000000 kB\nHuge:\n")
    assert processors(tmp_path).found.endswith("may be used, limited to 1.5 by its control group")
    found = memory(tmp_path / "meminfo", tmp_path)
    assert found.found == "12.3 GB of 16.4 GB are free, limited to 1.5 GB by its control group"
    assert "end other programs" in found.advice
    for unlimited in ("max 100000\n", "max", "", "x y z"):
        (tmp_path / "cpu.max").write_text(unlimited)
        assert processors(tmp_path).found.endswith("may be used")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory(tmp_path / "meminfo", tmp_path) == Finding("memory", "ok", "12.3 GB of 16.4 GB are free")
    assert memory(tmp_path / "none").found == "this system does not say how much there is"


def test_cameras_are_named_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    known = tmp_path / "sys"
    assert cameras(tmp_path, known).verdict == "missing"
    for number in (10, 2):
        (tmp_path / f"video{number}").touch()
    (known / "video2").mkdir(parents=True)
    (known / "video2" / "name").write_text("A webcam\n")
    found = cameras(tmp_path, known)
    assert (found.verdict, found.found) == ("ok", f"{tmp_path}/video2 (A webcam), {tmp_path}/video10 (no name)")
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "video10")
    refused = cameras(tmp_path, known)
    assert (refused.verdict, refused.found) == ("broken", f"{tmp_path}/video10: permission denied")
    assert refused.advice == "usermod -aG video $USER, and log in again"


def test_gpus_are_listed_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu(tmp_path).verdict == "missing"
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    (tmp_path / "nvidia0").touch()
    assert gpu(tmp_path).found == f"{tmp_path}/dri/renderD128, {tmp_path}/nvidia0"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert gpu(tmp_path).verdict == "broken"


def test_a_disk_without_room_or_leave_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk(tmp_path).verdict == "ok"
    monkeypatch.setattr(machine, "LITTLE_ROOM_BYTES", 1 << 62)
    assert "are free" in disk(tmp_path).found
    assert disk(tmp_path).verdict == "broken"
    assert disk(tmp_path / "none").found.endswith("nothing can be written: No such file or directory")


def test_the_cache_is_measured_and_may_not_be_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "none" / "yet"))
    assert cache() == Finding("cache", "ok", f"{tmp_path / 'none' / 'yet'}: 0 models, 0.0 MB")
    (tmp_path / "none" / "yet" / "models" / "one").mkdir(parents=True)
    (tmp_path / "none" / "yet" / "models" / "one" / "graph").write_bytes(bytes(2_000_000))
    assert cache().found.endswith("1 model, 2.0 MB")
    (tmp_path / "file").touch()
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "file"))
    assert cache().verdict == "broken"
    assert cache().advice == "STREAMER_CACHE names another folder"


def test_two_wheels_of_opencv_are_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages().verdict == "ok"
    monkeypatch.setattr(machine, "version", lambda _: "5.0")
    found = packages()
    assert found.verdict == "broken"
    assert "opencv-python and opencv-python-headless" in found.found


def test_fonts_need_fontconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert fonts(str(tmp_path / "fc-list")).verdict == "missing"
    assert fonts("true").found == "0 families"
    assert fonts("echo") == Finding("fonts", "ok", "1 families")

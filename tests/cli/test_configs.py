"""The settings files of configs/ are right, and run."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from streamer import cli
from streamer.cli import parts
from streamer.config import resolve, setting_fields
from streamer.labels import Labels
from tests.clips import write_clip
from tests.e2e.child import DescribedDetector

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FRAMES = "test:size=64x48,frames=10,fps=100"


def test_there_are_configs() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} >= {"webcam", "file", "headless", "privacy", "rtsp"}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_is_right(path: Path) -> None:
    resolved = resolve(path=path)
    assert any(origin.kind == "file" for origin in resolved.origins.values())


@pytest.mark.parametrize(
    ("name", "arguments", "kept"),
    [
        ("webcam", [FRAMES, "--no-show", "--jsonl", "o.jsonl"], {"o.jsonl"}),
        ("file", ["clip.mp4", "out.mp4", "--summary", "s.json"], {"out.mp4", "s.json"}),
        ("headless", [FRAMES], {"streamer.mp4", "streamer.jsonl", "streamer.json"}),
        ("privacy", ["clip.mp4", "hidden.mp4", "--no-show", "--summary", "s.json"], {"hidden.mp4", "s.json"}),
    ],
)
def test_each_runs(
    name: str, arguments: list[str], kept: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = Labels({1: "person", 2: "face"})
    monkeypatch.setattr(parts, "load_detector", lambda *_, **__: DescribedDetector(labels=labels))
    write_clip(tmp_path / "clip.mp4", frames=10)
    with pytest.raises(SystemExit) as leaving:
        cli.main(["-c", str(CONFIGS / f"{name}.yaml"), *arguments, "--model", "."])
    assert leaving.value.code == 0
    assert {path.name for path in tmp_path.iterdir()} == kept | {"clip.mp4"}
    summaries = list(tmp_path.glob("*.json"))
    assert all(json.loads(path.read_text(encoding="utf-8"))["ledger"]["produced"] == 10 for path in summaries)


def _unit() -> str:
    return (CONFIGS / "streamer@.service").read_text(encoding="utf-8")


def test_the_unit_starts_streamer_with_flags_that_there_are() -> None:
    (line,) = (line for line in _unit().splitlines() if line.startswith("ExecStart="))
    flags = {word.replace("--no-", "--") for word in shlex.split(line) if word.startswith("-")}
    known = {known.flag for known in setting_fields().values()} | {"-c"}
    assert {"--show", "--health", "-c"} <= flags <= known


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "streamer@front.service"
    unit.write_text(_unit().replace("/opt/streamer/bin/streamer", "/bin/true"), encoding="utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

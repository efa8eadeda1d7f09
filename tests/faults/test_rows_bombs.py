"""FAULTS 25: pictures and videos of more pixels than are allowed are refused before anything is decoded."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clips import write_picture
from tests.faults.bombs import headers, png, write_png_video, write_vp8_video
from tests.faults.figures import report
from tests.loopback import serving
from tests.xvfb import ROOT

LIMIT = 50_000_000
MOST_MB = 100.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc")


def read(*sources: object, limit: int = LIMIT, stdin: Path | None = None) -> list[tuple[int, str, float]]:
    """Frames, outcome and megabytes of each source, read by a process of its own."""
    command = [sys.executable, "-m", "tests.faults.bomb_child", str(limit), *map(str, sources)]
    with (stdin or Path("/dev/null")).open("rb") as given:
        done = subprocess.run(command, cwd=ROOT, stdin=given, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == len(sources)
    return [(int(frames), outcome, float(mb)) for _, frames, outcome, mb in rows]


def write_pictures(folder: Path) -> list[Path]:
    folder.mkdir()
    (folder / "bomb.png").write_bytes(png())
    for name, data in headers().items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


@pytest.mark.timeout(120)
def test_row_25_pictures_that_are_bombs_are_refused_by_their_headers(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures")
    rows = read(*paths)
    worst_mb = max(mb for _, _, mb in rows)
    refused = sum("px are more than the 50000000 allowed" in outcome for _, outcome, _ in rows)
    figure = f"{refused} of {len(rows)} pictures refused by their headers, {worst_mb:.0f} MB at most"
    report(25, figure, line="< 100 MB", passed=refused == len(rows) and worst_mb < MOST_MB)
    assert refused == len(rows), rows
    assert worst_mb < MOST_MB


@pytest.mark.timeout(120)
def test_row_25_in_a_folder_and_a_list_the_others_are_read(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "pictures")
    good = write_picture(tmp_path / "pictures" / "good.png", 3)
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(map(str, [*paths, good])), encoding="utf-8")
    rows = read(tmp_path / "pictures", listed)
    print(f"row 25: {rows}")
    assert [frames for frames, _, _ in rows] == [1, 1]
    assert max(mb for _, _, mb in rows) < MOST_MB


@pytest.mark.timeout(120)
def test_row_25_videos_of_16000_px_are_refused_before_a_picture_is_decoded(tmp_path: Path) -> None:
    videos = [write_png_video(tmp_path / f"p.{ending}") for ending in ("mov", "nut")]
    videos.append(write_vp8_video(tmp_path / "v.ivf"))
    rows = read(*videos)
    worst_mb = max(mb for _, _, mb in rows)
    refused = sum("16000x16000 px are more" in outcome for _, outcome, _ in rows)
    figure = f"{refused} of {len(rows)} videos of 16000x16000 refused, {worst_mb:.0f} MB at most"
    report(25, figure, line="< 100 MB", passed=refused == len(rows) and worst_mb < MOST_MB)
    assert refused == len(rows), rows
    assert worst_mb < MOST_MB


@pytest.mark.timeout(120)
def test_row_25_over_http_and_through_a_pipe(tmp_path: Path) -> None:
    write_png_video(tmp_path / "p.nut")
    write_vp8_video(tmp_path / "v.ivf")
    (tmp_path / "bomb.png").write_bytes(png())
    with serving() as web:
        names = ("p.nut", "v.ivf", "bomb.png")
        rows = read(*(web.serve(name, (tmp_path / name).read_bytes()) for name in names))
    rows += read("-", stdin=tmp_path / "p.nut") + read("-", stdin=tmp_path / "v.ivf")
    worst_mb = max(mb for _, _, mb in rows)
    refused = sum(outcome.startswith("3 ") and "50000000" in outcome for _, outcome, _ in rows)
    figure = f"{refused} of {len(rows)} over HTTP and a pipe refused, {worst_mb:.0f} MB at most"
    report(25, figure, line="< 100 MB", passed=refused == len(rows) and worst_mb < MOST_MB)
    assert refused == len(rows), rows
    assert worst_mb < MOST_MB


@pytest.mark.timeout(120)
def test_row_25_a_stream_that_grows_is_read_to_where_it_does(tmp_path: Path) -> None:
    """Where PyAV decodes. OpenCV cannot be told a limit: a file that it decodes is not held off in mid-stream."""
    write_png_video(tmp_path / "p.nut", begins_px=64)
    with serving() as web:
        rows = read(web.serve("p.nut", (tmp_path / "p.nut").read_bytes()))
    rows += read("-", stdin=tmp_path / "p.nut")
    worst_mb = max(mb for _, _, mb in rows)
    figure = f"{len(rows)} streams that grow to 16000x16000 read up to there, {worst_mb:.0f} MB at most"
    report(25, figure, line="< 100 MB", passed=worst_mb < MOST_MB)
    assert [frames for frames, _, _ in rows] == [1, 1], rows
    assert worst_mb < MOST_MB


def test_what_is_asked_for_is_read(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", size_px=(64, 48))
    assert [frames for frames, _, _ in read(picture, limit=64 * 48)] == [1]
    ((frames, outcome, _),) = read(picture, limit=64 * 48 - 1)
    assert frames == 0
    assert "--max-pixels 3072" in outcome

"""The ten columns of MOTChallenge."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from streamer.frame import Detections, Result
from streamer.sinks.tables import Mot
from tests.sinks.scenes import grey, result
from tests.sinks.tables.samples import LABELS, full


def lines(path: Path, *written: Result, force: bool = False) -> list[str]:
    sink = Mot(path, labels=LABELS, force=force)
    for one in written:
        sink.write(one)
    sink.close()
    return path.read_text(encoding="ascii").splitlines()


def test_frames_and_pixels_count_from_1_and_nobody_tracks(tmp_path: Path) -> None:
    assert lines(tmp_path / "o.txt", full(0), result(grey(0), 1), full(2)) == [
        "1,-1,11.004,21,69.996,40.126,0.9123,-1,-1,-1",
        "1,-1,1,1,160,120,0.5,-1,-1,-1",
        "3,-1,11.004,21,69.996,40.126,0.9123,-1,-1,-1",
        "3,-1,1,1,160,120,0.5,-1,-1,-1",
    ]


def test_tracks_have_their_identity(tmp_path: Path) -> None:
    read = lines(tmp_path / "o.txt", full(0, tracks=True))
    assert [line.split(",")[1] for line in read] == ["3", "4"]


def test_all_of_it_is_numbers_that_numpy_reads(tmp_path: Path) -> None:
    tiny = Detections.from_raw([[0, 0, 1e-5, 1e-5]], [1e-6], [0], size_px=(160, 120))
    lines(tmp_path / "o.txt", full(0), replace(result(grey(0), 1), detections=tiny))
    assert np.loadtxt(tmp_path / "o.txt", delimiter=",").shape == (3, 10)
    assert "e" not in (tmp_path / "o.txt").read_text()


def test_where_nothing_was_seen_there_is_an_empty_table(tmp_path: Path) -> None:
    assert lines(tmp_path / "o.txt", result(grey(0)), result(grey(0), 1)) == []


def test_an_empty_table_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "o.txt").write_text("old\n")
    assert lines(tmp_path / "o.txt", result(grey(0)), force=True) == []

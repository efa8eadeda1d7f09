"""What is drawn from a table is what its run drew, pixel for pixel, before any encoder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from streamer.analytics.recorded import Recorded
from streamer.analytics.table_reading import read_table
from streamer.interfaces import Analyzer, Detector
from streamer.models import load_detector
from streamer.models.options import ModelOptions
from streamer.overlay import annotate
from streamer.pipeline import Pipeline
from streamer.sinks.tables import JsonLines
from streamer.sources import open_source
from streamer.sources.options import SourceOptions
from streamer.style import Style
from tests.analytics.restless import SIZE_PX, RestlessDetector
from tests.clips import write_clip
from tests.conftest import shared
from tests.fakes import FakeDetector


class Eye:
    """A sink that keeps the pixels that an encoder would get."""

    name = "eye"
    role = "record"
    needs_image = True

    def __init__(self) -> None:
        self.images: list[bytes] = []

    @property
    def written(self) -> int:
        return len(self.images)

    def write(self, result: object) -> None:
        self.images.append(result.image.tobytes())  # type: ignore[attr-defined]

    def close(self) -> None:
        """There is nothing to let go."""


def drawn(
    clip: Path,
    detector: Detector,
    *,
    table: Path | None = None,
    analyzers: Sequence[Analyzer] = (),
    detect_every: int = 1,
    style: Style = Style(),  # noqa: B008 - it is frozen
    options: SourceOptions = SourceOptions(),  # noqa: B008 - so is this
) -> list[bytes]:
    """The pixels of every frame as they go to an encoder. table: where the lines of the run go."""
    eye = Eye()
    lines = [] if table is None else [JsonLines(table, labels=detector.labels)]
    Pipeline(
        open_source(str(clip), options),
        detector,
        [eye, *lines],  # type: ignore[list-item]
        draw=partial(annotate, labels=detector.labels, style=style),
        analyzers=analyzers,
        detect_every=detect_every,
    ).run()
    return eye.images


def drawn_again(clip: Path, recorded_in: Path, *, conf: float = 0.0, **how: object) -> list[bytes]:
    recorded = Recorded(read_table(recorded_in), conf=conf)
    return drawn(clip, recorded, analyzers=(recorded,), **how)  # type: ignore[arg-type]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", frames=36, size_px=SIZE_PX)


@pytest.mark.parametrize("detect_every", [1, 3])
@pytest.mark.parametrize("fails", [False, True])
def test_every_pixel_is_that_of_the_run(clip: Path, tmp_path: Path, detect_every: int, *, fails: bool) -> None:
    table, again = tmp_path / "d.jsonl", tmp_path / "again.jsonl"
    first = drawn(clip, RestlessDetector(fails=fails), table=table, detect_every=detect_every)
    assert len(set(first)) == 36
    assert drawn_again(clip, table, table=again) == first
    assert again.read_bytes() == table.read_bytes()


@pytest.mark.parametrize("conf", [0.3, 0.75])
@pytest.mark.parametrize("style", [Style(conf=False), Style(labels=False)])
def test_a_higher_threshold_and_another_style_give_what_a_run_with_them_gives(
    clip: Path, tmp_path: Path, conf: float, style: Style
) -> None:
    drawn(clip, RestlessDetector(), table=tmp_path / "d.jsonl")
    wanted = drawn(clip, RestlessDetector(conf=conf), style=style)
    assert drawn_again(clip, tmp_path / "d.jsonl", conf=conf, style=style) == wanted


def test_a_part_of_the_clip_is_that_part_of_the_run(clip: Path, tmp_path: Path) -> None:
    first = drawn(clip, RestlessDetector(), table=tmp_path / "d.jsonl")
    part = SourceOptions(start_s=1.5, end_s=2.5, stride=2)
    assert drawn_again(clip, tmp_path / "d.jsonl", options=part) == first[15:25:2]


@pytest.mark.slow
@pytest.mark.needs_shared
def test_every_pixel_is_that_of_a_run_of_the_model_inside(tmp_path: Path) -> None:
    path = shared("media/intel_one-by-one-person-detection.mp4")
    part = SourceOptions(start_s=8.5, end_s=10.0)
    first = drawn(path, load_detector(None, ModelOptions(conf=0.3)), table=tmp_path / "d.jsonl", options=part)
    wanted = drawn(path, load_detector(None, ModelOptions(conf=0.5)), options=part)
    seen = [len(row.detections) for row in read_table(tmp_path / "d.jsonl").rows]
    assert len(first) == 15
    assert sum(seen) > 15
    assert first != wanted
    assert drawn_again(path, tmp_path / "d.jsonl", options=part) == first
    assert drawn_again(path, tmp_path / "d.jsonl", conf=0.5, options=part) == wanted


def test_the_detector_contract_is_that_of_one_that_sees_nothing(tmp_path: Path, clip: Path) -> None:
    drawn(clip, FakeDetector(), table=tmp_path / "d.jsonl")
    recorded = Recorded(read_table(tmp_path / "d.jsonl"))
    (found,) = recorded.detect([np.zeros((120, 160, 3), np.uint8)])
    assert (len(found), found.looked) == (0, False)
    assert recorded.labels.name(1) == "thing"
    recorded.close()
    recorded.close()

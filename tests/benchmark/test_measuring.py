"""Runs in turns, each in a process of its own, and what comes back of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.benchmark import measuring
from streamer.benchmark.measuring import measure, middle
from streamer.benchmark.runs import Job, Run
from streamer.errors import InternalError, SourceOpenError
from tests.benchmark.made import a_run
from tests.saved_models import save_constant

PATTERN = "test:size=128x96,fps=25,frames=6,live=no"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, in order; nothing really is."""
    order: list[str] = []

    def run_streamer(job: Job) -> object:
        assert Path(job.source).exists()
        order.append("streamer")
        return a_run()

    def run_loop(job: Job, *, model: Path, form: str) -> Run:
        assert (model / "saved_model.pb").exists()
        assert (form, job.frames) == ("savedmodel", 4)
        order.append("loop")
        return Run(frames=60, took_s=4.0, cpu_ns=1)

    monkeypatch.setattr(measuring, "_run_streamer", run_streamer)
    monkeypatch.setattr(measuring, "_run_loop", run_loop)
    return order


def test_streamer_and_the_loop_take_turns(turns: list[str]) -> None:
    said: list[str] = []
    measured = measure(Job(source=PATTERN), repeats=3, frames=4, say=said.append)
    assert turns == ["streamer", "loop"] * 3
    assert measured.ratios == (2.0, 2.0, 2.0)
    assert len(said) == 6
    assert not Path(measured.clip.source).exists()


def test_the_loop_is_left_out_where_it_is_not_wanted(turns: list[str]) -> None:
    measured = measure(Job(source=PATTERN), repeats=2, frames=4, with_loop=False)
    assert turns == ["streamer", "streamer"]
    assert (measured.loops, measured.no_loop) == ((), "not asked for")


def test_a_model_without_a_loop_is_asked_once(turns: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_run_loop", lambda *_, **__: "the model gives raw heads")
    measured = measure(Job(source=PATTERN), repeats=2, frames=4)
    assert turns == ["streamer", "streamer"]
    assert measured.no_loop == "the model gives raw heads"


def test_what_is_unknown_is_no_part_of_a_median() -> None:
    assert middle([3.0, None, 1.0]) == 2.0
    assert middle([None]) is None


def test_a_child_that_leaves_nothing_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_spawned", lambda *_: "Killed")
    with pytest.raises(InternalError, match="Killed"):
        measure(Job(source=PATTERN), repeats=1, frames=4)


def test_what_streamer_raises_in_its_process_is_raised_here(tmp_path: Path) -> None:
    gone = Job(source=str(tmp_path / "gone.mp4"), model=tmp_path)
    with pytest.raises(SourceOpenError, match=r"gone\.mp4"):
        measuring._run_streamer(gone)


@pytest.mark.slow
def test_a_whole_measurement(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    model = save_constant(tmp_path / "constant")
    measured = measure(Job(source=PATTERN, model=model), repeats=1)
    (run,), (loop,) = measured.runs, measured.loops
    record_property("ratios", measured.ratios)
    assert (run.frames, loop.frames) == (6, 6)
    assert run.ledger.balanced
    assert run.ledger.recorded == 6
    assert run.start_up_s is not None
    assert run.start_up_s > 0
    assert run.cpu_ns > 0
    assert run.runtime == "TensorFlow " + run.runtime.split()[1] + " CPU"
    assert measured.ratios[0] > 0

"""Medians, the ratio of the pairs, and what people and programs are told of them."""

import io
import json

from rich.console import Console

from streamer.benchmark.as_json import as_json
from streamer.benchmark.figures import cores, cpu_name, figures
from streamer.benchmark.measuring import Measured
from streamer.benchmark.report import COLUMNS, report
from tests.benchmark.made import a_measurement


def told(measured: Measured) -> str:
    out = io.StringIO()
    console = Console(file=out, width=COLUMNS, highlight=False)
    for part in report(measured, figures(measured)):
        console.print(part)
    return out.getvalue()


def test_rates_are_medians_and_the_ratio_is_that_of_each_pair() -> None:
    found = figures(a_measurement())
    assert found.fps == 30.0
    assert found.loop_fps == 15.0
    assert found.ratio == (2.0, 1.0, 4.0)
    assert (found.cpu_ms, found.loop_cpu_ms) == (30.0, 24.0)


def test_without_a_loop_there_is_no_ratio() -> None:
    found = figures(a_measurement(loop_s=()))
    assert (found.ratio, found.loop_fps, found.loop_peak_bytes) == (None, None, None)


def test_the_report_has_every_stage_and_the_ratio() -> None:
    text = told(a_measurement())
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert ["infer", "14.00", "14.00", "14.00", "14.00"] in [line.split() for line in text.splitlines()]
    assert "2.00 times the copied loop (least 1.00, most 4.00)" in text
    assert "40.0 / 50.0 / 60.0" in text


def test_the_report_says_why_there_is_no_loop() -> None:
    text = told(a_measurement(loop_s=()))
    assert "no copied loop to compare with: not asked for" in text
    assert "times the copied loop" not in text


def test_the_json_is_plain_and_complete() -> None:
    measured = a_measurement()
    value = json.loads(json.dumps(as_json(measured, figures(measured))))
    assert value["ratio"] == {"median": 2.0, "min": 1.0, "max": 4.0, "pairs": [2.0, 4.0, 1.0]}
    assert value["stages"][2] == {
        "stage": "infer",
        "frames": 180,
        "wall_ms": {"p50": 14.0, "p95": 14.0, "p99": 14.0},
        "cpu_ms": 14.0,
    }
    assert value["stages"][8] == {"stage": "view", "frames": 0, "wall_ms": None, "cpu_ms": None}
    assert value["latency_ms"] == {"p50": 40.0, "p95": 50.0, "p99": 60.0}
    assert value["copied_loop"]["why_none"] is None
    assert len(value["copied_loop"]["runs"]) == len(value["runs"]) == 3
    assert value["runs"][0]["ledger"]["balanced"] is True
    assert value["machine"]["cores"] >= 1


def test_the_json_says_why_there_is_no_loop() -> None:
    measured = a_measurement(loop_s=())
    value = as_json(measured, figures(measured))
    assert value["copied_loop"]["why_none"] == "not asked for"
    assert value["ratio"] is None


def test_the_machine_has_a_processor() -> None:
    assert cpu_name()
    assert cores() >= 1

"""The inspection as JSON: all that is known, in keys that the manual lists, and nothing that JSON has not."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer.errors import ModelLoadError
from streamer.inspection.as_json import as_json
from streamer.inspection.findings import Inspection
from tests.inspection.samples import inspection, with_looked

MANUAL = Path(__file__).parents[2] / "docs/models.md"


def through_json(found: Inspection) -> dict[str, Any]:
    value = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert isinstance(value, dict)
    return value


def test_an_understood_model_has_everything() -> None:
    value = through_json(inspection())
    assert value["form"] == "TFLite"
    assert value["inputs"][0] == {
        "name": "image",
        "dtype": "float32",
        "shape": [1, 320, 320, 3],
        "quantization": None,
        "role": "image",
        "why": "its only input",
    }
    assert value["outputs"][2]["quantization"] == {"scale": 0.1, "zero_point": 3}
    assert value["outputs"][2]["role"] is None
    assert value["input"]["scale"] == "0..1"
    assert [choice["what"] for choice in value["choices"] if choice["open"]] == ["channel order", "scale"]
    assert value["labels"]["count"] == 2
    assert value["probe"] is None
    assert value["error"] is None


def test_what_was_seen_has_its_classes_scores_and_boxes() -> None:
    probe = through_json(with_looked())["probe"]
    assert (probe["likeliest"], probe["sureness"]) == (
        "scale -1..1, channel order rgb",
        {"scale": 0.93, "channel order": 0.97},
    )
    assert [trial["share"] for trial in probe["candidates"]] == [0.9, 0.08, 0.02]
    assert probe["pictures"][0]["size"] == [320, 200]
    assert probe["pictures"][0]["detections"][1] == {
        "box": [150.4, 40.0, 300.0, 180.0],
        "class_id": 2,
        "label": "dog",
        "score": 0.61,
    }


def test_a_refused_model_has_the_same_keys() -> None:
    failure = ModelLoadError("the model is refused: it reads files", hint="--trust-model runs it all the same")
    found = Inspection(path=Path("m"), form="SavedModel", size_bytes=1, concerns=("it reads files",), failure=failure)
    value = through_json(found)
    assert value.keys() == through_json(with_looked()).keys()
    assert value["error"] == {
        "what": "the model is refused: it reads files",
        "hint": "--trust-model runs it all the same",
        "exit_code": 4,
    }
    assert value["concerns"] == ["it reads files"]
    assert value["input"] is None
    assert value["choices"] == []


def test_every_key_stands_in_the_manual() -> None:
    section = MANUAL.read_text(encoding="utf-8").split("## Inspecting a model", 1)[1].split("\n## ", 1)[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert set(through_json(replace(with_looked()))) | {"sheet", "card_file"} <= named

"""One output with a detection a row: the columns say what stands where."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from streamer.errors import ModelError
from streamer.models.card import Column, RowsHead
from streamer.models.heads import RawDetections
from streamer.models.heads.rows import DetectionRows
from streamer.models.options import Unit

SIZE_PX = (200, 100)
PARTS: dict[Column, list[float]] = {
    "x1": [20, 100],
    "y1": [10, 20],
    "x2": [60, 180],
    "y2": [50, 80],
    "cx": [40, 140],
    "cy": [30, 50],
    "w": [40, 80],
    "h": [40, 60],
    "score": [0.9, 0.6],
    "class": [3, 0],
    "skip": [7, 7],
}
LAYOUTS: list[tuple[Column, ...]] = [
    ("x1", "y1", "x2", "y2", "score", "class"),
    ("skip", "class", "score", "x1", "y1", "x2", "y2"),
    ("y1", "x1", "y2", "x2", "class", "score"),
    ("cx", "cy", "w", "h", "score", "class"),
    ("skip", "score", "x1", "y1", "w", "h", "class"),
]


def _read(card: RowsHead, rows: NDArray[Any], *, conf: float = 0.5) -> RawDetections:
    return DetectionRows(card, rows="r").read({"r": rows}, input_size_px=SIZE_PX, conf=conf, max_det=9)


def _table(columns: tuple[Column, ...], unit: Unit) -> NDArray[np.float32]:
    shares = {"x1": 200, "x2": 200, "cx": 200, "w": 200, "y1": 100, "y2": 100, "cy": 100, "h": 100}
    scale = shares if unit == "fraction" else {}
    return np.stack([np.asarray(PARTS[name]) / scale.get(name, 1) for name in columns], axis=1).astype(np.float32)


@pytest.mark.parametrize("columns", LAYOUTS)
@pytest.mark.parametrize("unit", ["px", "fraction"])
@pytest.mark.parametrize("batch", [(), (1,), (1, 1)])
@pytest.mark.parametrize("said", [True, False])
def test_any_columns_in_any_unit(columns: tuple[Column, ...], unit: Unit, batch: tuple[int, ...], said: Any) -> None:
    rows = _table(columns, unit).reshape(*batch, 2, -1)
    found = _read(RowsHead(columns=columns, unit=unit if said else None), rows)
    np.testing.assert_allclose(found.boxes, [[20, 10, 60, 50], [100, 20, 180, 80]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    assert found.class_ids.tolist() == [3, 0]


@pytest.mark.parametrize("padding", [0.0, -1.0])
def test_rows_of_padding_are_left_out(padding: float) -> None:
    rows = np.concatenate([_table(LAYOUTS[1], "px"), np.full((98, 7), padding)])
    assert len(_read(RowsHead(columns=LAYOUTS[1]), rows[None, None], conf=0.0).scores) == 2


def test_no_rows_are_no_detections() -> None:
    assert len(_read(RowsHead(), np.empty((1, 0, 6))).scores) == 0


def test_rows_of_one_class_need_no_column_for_it() -> None:
    card = RowsHead(columns=("skip", "score", "x1", "y1", "x2", "y2"))
    assert _read(card, _table(card.columns, "px")).class_ids.tolist() == [1, 1]
    assert DetectionRows(card, rows="r").first_class_id == 1
    assert DetectionRows(RowsHead(), rows="r").first_class_id is None


def test_numbers_behind_the_columns_are_not_read() -> None:
    rows = np.concatenate([_table(LAYOUTS[0], "px"), np.full((2, 51), np.nan)], axis=1)
    assert len(_read(RowsHead(), rows).scores) == 2


def test_suppression_is_done_where_the_card_asks_for_it() -> None:
    rows = np.repeat(_table(LAYOUTS[0], "px"), 3, axis=0)
    assert len(_read(RowsHead(), rows).scores) == 6
    assert len(_read(RowsHead(nms="per_class"), rows).scores) == 2


def test_rows_that_are_too_short_are_an_error() -> None:
    for rows in (np.zeros((1, 9, 5)), np.zeros(6)):
        with pytest.raises(ModelError, match="6 numbers a row"):
            _read(RowsHead(), rows)


@pytest.mark.parametrize(
    "columns",
    [
        ("x1", "y1", "x2", "y2"),
        ("x1", "y1", "x2", "score"),
        ("x1", "y1", "x2", "y2", "w", "score"),
        ("x1", "y1", "x2", "y2", "score", "score"),
    ],
)
def test_columns_that_are_not_one_box_and_its_score_are_refused(columns: tuple[Column, ...]) -> None:
    with pytest.raises(ValidationError):
        RowsHead(columns=columns)

"""Scores of all classes: thresholds come first, and what passes them is what would pass them afterwards."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamer.models.heads.scoring import PADDING, Scoring, sigmoid
from streamer.models.heads.suppression import MAX_CANDIDATES

Raw = NDArray[np.float32]

RAW = arrays(np.float32, st.tuples(st.integers(0, 12), st.integers(2, 6)), elements=st.floats(-40, 40, width=32))


def _activated(raw: Raw, activation: str) -> NDArray[np.float64]:
    values = raw.astype(np.float64)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return sigmoid(values) if activation == "sigmoid" else values


def _every(raw: Raw, activation: str, background: str) -> NDArray[np.float64]:
    """The scores of what is no background, everything computed, by class id; -1 for the background."""
    scores = _activated(raw, activation)
    if background != "none":
        scores[:, 0 if background == "first" else -1] = -1
    return scores


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.parametrize("background", ["none", "first", "last"])
@given(raw=RAW, conf=st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0]))
def test_what_is_cut_early_is_what_would_be_cut_late(activation: str, background: str, raw: Raw, conf: float) -> None:
    scoring = Scoring(activation, background)  # type: ignore[arg-type]
    scores = _every(raw, activation, background)
    conf = max(conf, PADDING)

    found = scoring.candidates(raw, conf=conf, several=True)
    expected = {(row, id_) for row, id_ in np.argwhere(scores >= conf).tolist()}
    assert set(zip(found.rows.tolist(), found.class_ids.tolist(), strict=True)) == expected
    np.testing.assert_allclose(found.scores, scores[found.rows, found.class_ids.astype(int)])

    best = scoring.candidates(raw, conf=conf, several=False)
    assert best.rows.tolist() == [row for row, values in enumerate(scores) if values.max() >= conf]
    assert best.class_ids.tolist() == scores[best.rows].argmax(axis=1).tolist()


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
def test_scores_that_are_no_numbers_are_passed_on_once_a_row(activation: str) -> None:
    raw = np.full((3, 4), -50.0, np.float32)
    raw[1] = np.nan
    if activation == "none":
        raw[0] = raw[2] = 0
    if activation == "softmax":
        raw[0, 0] = raw[2, 0] = 0
    scoring = Scoring(activation, "first")  # type: ignore[arg-type]
    for several in (True, False):
        found = scoring.candidates(raw, conf=0.5, several=several)
        assert found.rows.tolist() == [1]
        assert np.isnan(found.scores).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_half_precision_is_read_too(dtype: Any) -> None:
    raw = np.asarray([[0.1, 0.9], [0.2, 0.3]], dtype)
    assert Scoring().candidates(raw, conf=0.5, several=False).rows.tolist() == [0]
    assert Scoring("softmax").candidates(raw, conf=0.6, several=False).rows.tolist() == [0]


def test_of_a_flood_the_highest_are_given() -> None:
    raw = np.random.default_rng(3).random((2_000, 40)).astype(np.float32)
    found = Scoring().candidates(raw, conf=0.0, several=True)
    assert len(found.rows) == MAX_CANDIDATES
    assert found.scores.min() == np.sort(raw.ravel())[-MAX_CANDIDATES]
    np.testing.assert_array_equal(found.scores, raw[found.rows, found.class_ids.astype(int)])


def test_the_ids_are_columns() -> None:
    assert (Scoring(background="first").first_class_id, Scoring(background="first").classes_of(91)) == (1, 90)
    assert (Scoring(background="last").first_class_id, Scoring(background="last").classes_of(91)) == (0, 90)
    assert (Scoring().first_class_id, Scoring().classes_of(80)) == (0, 80)

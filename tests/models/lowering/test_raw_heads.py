"""Where a graph is cut before its suppression, what is read there is what the graph gives; else it is not cut."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import Detections
from streamer.models.choosing.agreement import agreement
from streamer.models.heads import RawDetections
from streamer.models.heads.raw import BOXES, SCORES, CutHead, RawHeads
from streamer.models.lowering.flat import FlatGraph
from streamer.models.lowering.raw_heads import find_cut, suppressions
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.models.lowering.graphs import Tensor, flat, kernel, noise

SIDE = 64
ANCHORS = 16 * 16
CLASSES = 3
CONF = 0.05
IOU = 0.4

Found = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""From boxes, [N,4] or [N,C,4], and scores, [N,C], of one picture to boxes, scores and classes."""


def _anchors() -> NDArray[np.float32]:
    """(N, 4) of which each overlaps with its neighbours."""
    y, x = np.meshgrid(*[(np.arange(16) + 0.5) / 16] * 2, indexing="ij")
    return np.stack([y - 0.06, x - 0.06, y + 0.06, x + 0.06], -1).reshape(-1, 4).astype(np.float32)


def _heads(image: Tensor, *, columns: int, own: int = 1) -> tuple[Tensor, Tensor]:
    tf = import_tensorflow()
    x = tf.cast(tf.image.resize(tf.cast(image, tf.float32), [SIDE, SIDE]), tf.float32) / 127.5 - 1.0
    x = tf.nn.relu(tf.nn.conv2d(x, kernel(5, 5, 3, 16), 4, "SAME"))
    offsets = tf.nn.conv2d(x, kernel(1, 1, 16, own * 4, seed=1), 1, "SAME")
    boxes = tf.reshape(offsets, [ANCHORS, own, 4]) * 0.02 + _anchors()[:, np.newaxis]
    logits = tf.nn.conv2d(x, kernel(1, 1, 16, columns, seed=2), 1, "SAME")
    return tf.reshape(boxes, [1, ANCHORS, own, 4]), tf.reshape(tf.sigmoid(logits * 1.5 - 1.0), [1, ANCHORS, columns])


def _best(boxes: Tensor, scores: Tensor, classes: Tensor, *, most: int = 100) -> dict[str, Tensor]:
    """The highest scores, in a batch of one."""
    tf = import_tensorflow()
    scores, order = tf.math.top_k(scores, tf.minimum(most, tf.size(scores)))
    return {
        "boxes": tf.gather(boxes, order)[tf.newaxis],
        "scores": scores[tf.newaxis],
        "classes": tf.gather(classes, order)[tf.newaxis],
    }


def _kept(boxes: Tensor, scores: Tensor, *, iou: float = IOU, sigma: float = 0.0, most: int = 20) -> tuple[Tensor, ...]:
    tf = import_tensorflow()
    rows, kept, _ = tf.raw_ops.NonMaxSuppressionV5(
        boxes=boxes,
        scores=scores,
        max_output_size=most,
        iou_threshold=iou,
        score_threshold=CONF,
        soft_nms_sigma=sigma,
    )
    return tf.gather(boxes, rows), kept


def _one_by_one(
    *, ious: Sequence[float] = (IOU,) * CLASSES, sigma: float = 0.0
) -> Callable[[Tensor], dict[str, Tensor]]:
    """As the Object Detection API has it: the background first, a suppression for each class after it."""

    def call(image: Tensor) -> dict[str, Tensor]:
        tf = import_tensorflow()
        boxes, scores = _heads(image, columns=CLASSES + 1)
        scores = tf.identity(scores * 1.0)
        found = [_kept(boxes[0, :, 0], scores[0, :, n + 1], iou=ious[n], sigma=sigma) for n in range(CLASSES)]
        classes = tf.concat([tf.fill(tf.shape(kept), float(n + 1)) for n, (_, kept) in enumerate(found)], 0)
        every = [tf.concat([part[at] for part in found], 0) for at in (0, 1)]
        return _best(every[0], every[1], classes)

    return call


def _combined(*, own: int = 1, most_per_class: int = 100, most: int = 100) -> Callable[[Tensor], dict[str, Tensor]]:
    def call(image: Tensor) -> dict[str, Tensor]:
        tf = import_tensorflow()
        boxes, scores = _heads(image, columns=CLASSES, own=own)
        found = tf.image.combined_non_max_suppression(boxes, scores, most_per_class, most, IOU, CONF)
        return {"boxes": found.nmsed_boxes, "scores": found.nmsed_scores, "classes": found.nmsed_classes + 1}

    return call


def _shifted(image: Tensor) -> dict[str, Tensor]:
    """One suppression over the boxes of all classes, each class's moved away from the others'."""
    tf = import_tensorflow()
    boxes, scores = _heads(image, columns=CLASSES)
    boxes, scores = tf.repeat(boxes[0, :, 0], CLASSES, 0), tf.reshape(scores[0], [-1])
    classes = tf.cast(tf.tile(tf.range(CLASSES), [ANCHORS]), tf.float32)
    rows, _, _ = tf.raw_ops.NonMaxSuppressionV5(
        boxes=boxes + classes[:, tf.newaxis] * 10.0,
        scores=scores,
        max_output_size=100,
        iou_threshold=IOU,
        score_threshold=CONF,
        soft_nms_sigma=0.0,
    )
    return _best(tf.gather(boxes, rows), tf.gather(scores, rows), tf.gather(classes, rows) + 1.0)


def _agnostic(image: Tensor) -> dict[str, Tensor]:
    """One suppression over the best class of each row."""
    tf = import_tensorflow()
    boxes, scores = _heads(image, columns=CLASSES)
    best, classes = tf.reduce_max(scores[0], 1), tf.argmax(scores[0], 1)
    rows = tf.image.non_max_suppression(boxes[0, :, 0], best, 100, IOU, CONF)
    found = tf.gather(boxes[0, :, 0], rows), tf.gather(best, rows), tf.cast(tf.gather(classes, rows), tf.float32) + 1.0
    return _best(*found)


PICTURES = [noise((100, 80), 1), noise((64, 64), 2)]
OTHERS = [noise((64, 70), 3), noise((200, 90), 4), noise((64, 64), 5)]


def _detections(boxes: NDArray[Any], scores: NDArray[Any], classes: NDArray[Any]) -> Detections:
    return Detections.from_raw(boxes, scores, classes, size_px=(100, 100), conf=CONF, max_det=100)


def _of_graph(graph: FlatGraph, pictures: Sequence[NDArray[Any]]) -> list[Detections]:
    call = graph.caller([graph.outputs[name] for name in ("boxes", "scores", "classes")])
    found = [call(picture) for picture in pictures]
    return [_detections(boxes[0][:, [1, 0, 3, 2]] * 100, scores[0], classes[0]) for boxes, scores, classes in found]


def _of_cut(heads: RawHeads, values: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> list[Detections]:
    head = CutHead(heads, order="yxyx", unit="fraction")
    read: list[RawDetections] = [
        head.read({BOXES: boxes, SCORES: scores}, input_size_px=(100, 100), conf=CONF, max_det=100)
        for boxes, scores in values
    ]
    return [_detections(raw.boxes, raw.scores, raw.class_ids) for raw in read]


def _cut(graph: FlatGraph) -> Any:
    wanted = _of_graph(graph, PICTURES)
    assert all(len(found) > 10 for found in wanted)

    def judge(heads: RawHeads, values: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> RawHeads | None:
        return heads if agreement(wanted, _of_cut(heads, values), conf=2 * CONF).is_equal else None

    return find_cut(graph, PICTURES, judge, most=100)


CUT: Mapping[str, tuple[Callable[[Tensor], dict[str, Tensor]], dict[str, Any]]] = {
    "a suppression for each class": (
        _one_by_one(),
        {"background": "first", "classes": CLASSES, "nms": "per_class", "most_per_class": 20, "most": 100},
    ),
    "combined": (_combined(), {"background": "none", "classes": CLASSES, "nms": "per_class", "most_per_class": 100}),
    "combined, few of a class": (_combined(most_per_class=6), {"most_per_class": 6}),
    "combined, few in all": (_combined(most=12), {"most": 12, "most_per_class": 100}),
    "combined, a box for each class": (_combined(own=CLASSES), {"rows": "anchors and classes", "classes": CLASSES}),
    "over boxes that are moved apart": (_shifted, {"nms": "per_class", "classes": CLASSES}),
    "of the best class": (_agnostic, {"nms": "agnostic", "classes": CLASSES}),
}


@pytest.mark.parametrize("what", CUT)
def test_what_is_read_before_the_suppression_is_what_the_graph_gives(what: str) -> None:
    function, facts = CUT[what]
    graph = flat(function)
    cut = _cut(graph)
    assert cut is not None
    assert {name: getattr(cut.heads, name) for name in facts} == facts
    assert cut.heads.iou == pytest.approx(IOU)
    fetch = graph.caller([cut.boxes, cut.scores])
    values = [(boxes, scores) for boxes, scores in map(fetch, OTHERS)]
    found = agreement(_of_graph(graph, OTHERS), _of_cut(cut.heads, values), conf=2 * CONF)
    assert found.boxes > 30
    assert found.matched == found.boxes, str(found)
    assert found.worst_iou >= 0.9999
    assert found.worst_score <= 1e-6


@pytest.mark.parametrize(
    "function",
    [_one_by_one(sigma=0.5), _one_by_one(ious=(0.4, 0.4, 0.6))],
    ids=["it scores softly", "each class has an overlap of its own"],
)
def test_a_suppression_that_streamer_does_not_have_is_left_in_the_graph(
    function: Callable[[Tensor], dict[str, Tensor]],
) -> None:
    graph = flat(function)
    assert len(suppressions(graph)) == CLASSES
    assert _cut(graph) is None


def test_a_graph_without_suppression_is_not_cut() -> None:
    def call(image: Tensor) -> dict[str, Tensor]:
        boxes, scores = _heads(image, columns=CLASSES)
        return {"boxes": boxes[:, :, 0], "scores": scores}

    graph = flat(call)
    assert suppressions(graph) == []
    assert find_cut(graph, PICTURES, lambda heads, _: heads, most=100) is None


def test_where_nobody_finds_a_way_equal_there_is_no_cut() -> None:
    tried: list[RawHeads] = []
    assert find_cut(flat(_combined()), PICTURES, lambda heads, _: tried.append(heads), most=100) is None
    assert {heads.background for heads in tried} == {"none", "first", "last"}

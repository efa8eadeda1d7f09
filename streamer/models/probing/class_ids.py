"""Whether a model's first class has the id 0 or 1, from the ids that it gave. Called by probe.py."""

from collections.abc import Collection

_CERTAIN = 0.97
"""An id that only one of the two can give leaves exotic numberings as the only doubt."""

_ONLY_ONES = 0.85
"""Nothing but 1 seen is most often the one class of a model that counts from 1."""

_FROM_ONE = 0.6
"""Without any sign: the exports of the Object Detection API count from 1, most others from 0."""

_USUAL_CLASSES = 80
"""COCO's, where it is not known how many classes there are."""


def first_class_id(seen: Collection[int], *, class_count: int | None) -> tuple[int, float, str]:
    """The id of the first class, how sure that is, and why.

    seen: the ids of all detections. class_count: how many classes there are, where that is known.
    """
    ids = {class_id for class_id in seen if class_id >= 0}
    if 0 in ids:
        return 0, _CERTAIN, "the id 0 was seen"
    if class_count is not None and class_count in ids:
        return 1, _CERTAIN, f"the id {class_count} was seen, and there are {class_count} classes"
    if ids == {1} and class_count is None:
        return 1, _ONLY_ONES, "only the id 1 was seen"
    classes = max(class_count or _USUAL_CLASSES, 2)
    no_zero_by_chance = (1 - 1 / classes) ** len(ids)
    from_one = _FROM_ONE / (_FROM_ONE + (1 - _FROM_ONE) * no_zero_by_chance)
    return 1, from_one, "no id 0 was seen" if ids else "nothing was seen"

"""One document of COCO, for tools that evaluate, view and label."""

import json
from pathlib import Path
from typing import Any

from streamer.errors import SinkError
from streamer.frame import Result
from streamer.interfaces import SinkRole
from streamer.labels import Labels
from streamer.sinks.outfile import failure
from streamer.sinks.tables.document import Document
from streamer.sinks.tables.rows import Row, frame_fields, rows_of
from streamer.sinks.tables.wall import WallClock
from streamer.text import printable, safe_file_name

HEAD = '"info":{"description":"what a detector saw, no ground truth"},"licenses":[],'


class Coco:
    """A Sink that writes a data set of COCO (https://cocodataset.org/#format-data), valid after every frame.

    `pycocotools.coco.COCO(file)` loads it, and its annotations are results that `loadRes` takes.

        images       id (index + 1), file_name, width, height, and what a line of JsonLines says of the frame
        annotations  id (from 1), image_id, category_id (the class as the model counts), bbox [left, top, width, height]
                     in pixels, area, iscrowd (0), score, bbox_norm (bbox in 0..1), track_id where objects are tracked
        categories   id, name, supercategory (empty)

    file_name: of a picture its path; else the source's name and the frame's number, `clip-000123.png`.
    pictures: whether the source is one or more pictures.

    Raises SinkOpenError.
    """

    role: SinkRole = "report"
    needs_image = False

    def __init__(
        self,
        path: Path,
        *,
        labels: Labels,
        wall: WallClock | None = None,
        force: bool = False,
        pictures: bool = False,
    ) -> None:
        self.name = f"COCO {printable(str(path), limit=256)}"
        self.written = 0
        self._labels = labels
        self._wall = wall
        self._pictures = pictures
        self._document = Document(path, ("annotations", "images", "categories"), head=HEAD, force=force)
        self._categories: set[int] = set()
        self._annotations = 0
        self._closed = False

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("the report has ended", where=str(self._document.path))
        rows = rows_of(result, self._labels)
        try:
            self._name({row.class_id for row in rows} | (set() if self._categories else self._labels.known_ids))
            self._document.add("images", _json(self._image(result)))
            for row in rows:
                self._annotations += 1
                self._document.add("annotations", _json(self._annotation(row, result)))
        except OSError as error:
            self._closed = True
            self._document.abandon()
            raise self._failure(error) from error
        self.written += 1

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._document.close()
        except OSError as error:
            self._document.abandon()
            raise self._failure(error) from error

    def _name(self, class_ids: set[int]) -> None:
        """See to it that each class has its category before an annotation speaks of it."""
        for class_id in sorted(class_ids - self._categories):
            self._categories.add(class_id)
            category = {"id": class_id, "name": self._labels.name(class_id), "supercategory": ""}
            self._document.add("categories", _json(category))

    def _image(self, result: Result) -> dict[str, Any]:
        fields = frame_fields(result, self._wall)
        width, height = fields.pop("size")
        fields["source"] = printable(fields["source"], limit=256)
        return {
            "id": _image_id(result),
            "file_name": self._file_name(result),
            "width": width,
            "height": height,
            **fields,
        }

    def _file_name(self, result: Result) -> str:
        source = printable(result.frame.source, limit=256)
        return source if self._pictures else f"{safe_file_name(Path(source).stem)}-{result.frame.index:06d}.png"

    def _annotation(self, row: Row, result: Result) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "id": self._annotations,
            "image_id": _image_id(result),
            "category_id": row.class_id,
            "bbox": row.xywh,
            "area": row.area,
            "iscrowd": 0,
            "score": row.score,
            "bbox_norm": row.xywh_norm,
        }
        if row.track_id is not None:
            fields["track_id"] = row.track_id
        return fields

    def _failure(self, error: OSError) -> SinkError:
        return failure(self._document.path, error, saved=f"the first {self.written} frames are whole")


def _image_id(result: Result) -> int:
    """From 1: tools take 0 for none."""
    return result.frame.index + 1


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

"""Drawn frames as pictures: one a file, complete or not there at all.

`Pictures` is the sink for one picture; folder.py names many; `save_picture` serves the snapshots of the window too.
"""

from pathlib import Path

import cv2

from streamer.errors import InternalError, SinkError
from streamer.frame import Image, Result
from streamer.interfaces import SinkRole
from streamer.sinks.options import WRITABLE_PICTURES
from streamer.sinks.outfile import OutFile, failure, next_free, publish
from streamer.text import printable

JPEG_QUALITY = 95


def save_picture(path: Path, image: Image, *, force: bool = False) -> None:
    """Write `image` (height, width, 3) uint8 BGR to `path`, in the format of its ending: .png, .jpg or .jpeg.

    It is written beside its place and renamed, so that nobody ever sees half a picture. force: replace what is there.
    Raises SinkError.
    """
    ending = path.suffix.lower()
    if ending not in WRITABLE_PICTURES:
        allowed = ", ".join(WRITABLE_PICTURES)
        raise SinkError(f"pictures end in {allowed}", where=str(path))
    parameters = [] if ending == ".png" else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    try:
        encoded, data = cv2.imencode(ending, image, parameters)
    except cv2.error as error:
        raise SinkError(f"the picture cannot be encoded: {error.err}", where=str(path)) from error
    if not encoded:
        raise SinkError("the picture cannot be encoded", where=str(path), hint="JPEG ends at 65535 px; .png does not")
    try:
        publish(path, data.tobytes(), force=force)
    except OSError as error:
        raise failure(path, error, saved="this picture is not kept") from error


class Pictures:
    """A Sink that keeps `Result.image` as a picture at `path`; a second one becomes NAME-002, and so on.

    Raises SinkOpenError where nothing can be written at `path`.
    """

    role: SinkRole = "record"
    needs_image = True

    def __init__(self, path: Path, *, force: bool = False) -> None:
        OutFile(path, force=force).close()
        self.name = f"picture {printable(str(path), limit=256)}"
        self.written = 0
        self._path = path
        self._force = force
        self._files: list[Path] = []
        self._closed = False

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """The pictures, in the order in which they came."""
        return tuple(self._files)

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("no more pictures are kept", where=str(self._path))
        if result.image is None:
            raise InternalError("pictures were given a frame that nobody has drawn")
        force = self._force and self.written == 0
        path = self._path if force else next_free(self._path)
        save_picture(path, result.image, force=force)
        self._files.append(path)
        self.written += 1

    def close(self) -> None:
        self._closed = True

"""A folder of results in which each input keeps its name: pictures become pictures, videos become mp4 files.

It looks at `Frame.source` and hands on; recorder.py and pictures.py write.
"""

import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from streamer.errors import InternalError, SinkError, SinkOpenError
from streamer.frame import Result
from streamer.interfaces import SinkRole
from streamer.sinks.options import WRITABLE_PICTURES
from streamer.sinks.outfile import next_free, refusal, refuse_input
from streamer.sinks.pictures import save_picture
from streamer.sinks.recorder import Recorder
from streamer.text import printable, safe_file_name

_PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Inputs that become pictures among videos, too."""


class Folder:
    """A Sink that routes results to one file for each input.

    folder: made if it is not there; its own parent must be.
    pictures: the inputs are pictures; else they are videos, one after another.
    inputs: files and folders that are read. None is ever replaced; what becomes of a file is refused here if it exists;
    what is found in a folder keeps its place below it.
    new_recorder: makes what records a video to the path that it is given.
    force: replace files that were there before. Two inputs of one name never replace each other: NAME-002.

    Raises SinkOpenError.
    """

    role: SinkRole = "record"
    needs_image = True

    def __init__(
        self,
        folder: Path,
        *,
        pictures: bool = False,
        inputs: Sequence[Path] = (),
        force: bool = False,
        new_recorder: Callable[[Path], Recorder] = Recorder,
    ) -> None:
        self.name = f"folder {printable(str(folder), limit=256)}"
        self._folder, self._inputs = folder, tuple(inputs)
        self._pictures, self._force = pictures, force
        self._new_recorder = new_recorder
        self.written = 0
        """Frames kept so far."""
        self._written_before = 0
        self._mine: set[Path] = set()
        self._files: list[Path] = []
        self._source: str | None = None
        self._recorder: Recorder | None = None
        self._closed = False
        self._refuse_inputs_own_folder()
        for path in self._inputs:
            if path.is_file():
                self._refuse(folder / _file_name(str(path), (), pictures=pictures))
        self._made = _made(folder)

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """The files that hold frames, in the order in which they were begun."""
        return (*self._files, *(() if self._recorder is None else self._recorder.recorded_files))

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("nothing more is kept", where=str(self._folder))
        if self._pictures or Path(result.frame.source).suffix.lower() in _PICTURES:
            self._finish()
            self._write_picture(result)
        else:
            self._write_video(result)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._finish()
        finally:
            if self._made:
                with suppress(OSError):  # it holds something, or has gone
                    self._folder.rmdir()

    def _write_picture(self, result: Result) -> None:
        if result.image is None:
            raise InternalError("a folder was given a frame that nobody has drawn")
        path = self._target(result.frame.source, picture=True)
        save_picture(path, result.image, force=self._force)
        self._files.append(path)
        self._written_before += 1
        self.written = self._written_before

    def _write_video(self, result: Result) -> None:
        if result.frame.source != self._source:
            self._finish()
        if self._recorder is None:
            self._source = result.frame.source
            self._recorder = self._new_recorder(self._target(self._source, picture=False))
        try:
            self._recorder.write(result)
        finally:
            self.written = self._written_before + self._recorder.written

    def _finish(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        try:
            recorder.close()
        finally:
            self._files += recorder.recorded_files
            self._recorder = None
            self.written = self._written_before = self._written_before + recorder.written

    def _target(self, source: str, *, picture: bool) -> Path:
        path = self._folder / _file_name(source, self._inputs, pictures=picture)
        if path in self._mine:
            path = next_free(path)
        self._refuse(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(path, error) from error
        self._mine.add(path)
        return path

    def _refuse(self, path: Path) -> None:
        refuse_input(path, self._inputs)
        if os.path.lexists(path) and not self._force:
            raise refusal(path, FileExistsError())

    def _refuse_inputs_own_folder(self) -> None:
        for path in self._inputs:
            if path.is_dir() and self._folder.resolve().is_relative_to(path.resolve()):
                # Else the next run would read what this one wrote.
                raise SinkOpenError(
                    "lies in the folder that is being read", where=str(self._folder), hint="choose a folder beside it"
                )


def _made(folder: Path) -> bool:
    """Whether the folder had to be made. Raises SinkOpenError if it cannot be, or if nothing can be put into it."""
    missing = not folder.exists()
    try:
        if missing:
            folder.mkdir()
        elif not folder.is_dir():
            raise SinkOpenError("is a file, and a folder is wanted", where=str(folder), hint="choose another name")
        probe = folder / f".{secrets.token_hex(8)}.part"
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise refusal(folder, error) from error
    return missing


def _file_name(source: str, inputs: Sequence[Path], *, pictures: bool) -> PurePath:
    """What becomes of an input, relative to the folder of results: its name, and its folders below an input folder."""
    path = Path(safe_file_name(source)) if "://" in source else Path(source).absolute()
    for folder in inputs:
        if folder.is_dir() and path.is_relative_to(folder.absolute()):
            name = path.relative_to(folder.absolute())
            break
    else:
        name = Path(path.name)
    if ".." in name.parts or not name.name:
        name = Path(safe_file_name(source))
    name = Path(*(part if part.isprintable() else safe_file_name(part) for part in name.parts))
    if pictures and name.suffix.lower() in WRITABLE_PICTURES:
        return name
    return name.with_suffix(".png" if pictures else ".mp4")

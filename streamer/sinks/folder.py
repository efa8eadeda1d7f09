"""A folder of results in which each input keeps its name: pictures become pictures, videos become mp4 files.

It looks at `Frame.source` and hands on; recorder.py and pictures.py write.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePath

from streamer.errors import InternalError, SinkError, SinkOpenError
from streamer.frame import Result
from streamer.interfaces import SinkRole
from streamer.sinks.options import PICTURE_ENDINGS
from streamer.sinks.outfile import next_free, refusal, refuse_input
from streamer.sinks.pictures import save_picture
from streamer.sinks.recorder import Recorder
from streamer.text import printable, safe_file_name


class Folder:
    """A Sink that routes results to one file for each input.

    folder: made if it is not there; its own parent must be.
    pictures: the inputs are pictures; else they are videos, one after another.
    inputs: files and folders that are read. None is ever replaced; what becomes of a file is refused here if it exists;
    what is found in a folder keeps its place below it.
    fps, crf, preset: as for Recorder.
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
        fps: float | None = None,
        force: bool = False,
        crf: int = 20,
        preset: str = "veryfast",
    ) -> None:
        self.name = f"folder {printable(str(folder), limit=256)}"
        self._folder, self._inputs = folder, tuple(inputs)
        self._pictures, self._force = pictures, force
        self._fps, self._crf, self._preset = fps, crf, preset
        self._written_before = 0
        self._mine: dict[Path, None] = {}
        self._source: str | None = None
        self._recorder: Recorder | None = None
        self._closed = False
        self._refuse_inputs_own_folder()
        for path in self._inputs:
            if path.is_file():
                self._refuse(folder / _file_name(str(path), (), pictures=pictures))
        self._made = _made(folder)

    @property
    def written(self) -> int:
        """Frames kept so far."""
        return self._written_before + (0 if self._recorder is None else self._recorder.written)

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """The files that hold frames, in the order in which they were begun."""
        return tuple(path for path in self._mine if path.exists())

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("nothing more is kept", where=str(self._folder))
        if self._pictures:
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
            if self._made and not any(self._folder.iterdir()):
                self._folder.rmdir()

    def _write_picture(self, result: Result) -> None:
        if result.image is None:
            raise InternalError("a folder was given a frame that nobody has drawn")
        save_picture(self._target(result.frame.source), result.image)
        self._written_before += 1

    def _write_video(self, result: Result) -> None:
        if result.frame.source != self._source:
            self._finish()
        if self._recorder is None:
            self._source = result.frame.source
            self._recorder = Recorder(
                self._target(self._source), fps=self._fps, force=self._force, crf=self._crf, preset=self._preset
            )
        self._recorder.write(result)

    def _finish(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            try:
                recorder.close()
            finally:
                self._written_before += recorder.written

    def _target(self, source: str) -> Path:
        path = self._folder / _file_name(source, self._inputs, pictures=self._pictures)
        if path in self._mine:
            path = next_free(path)
        self._refuse(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(path, error) from error
        self._mine[path] = None
        return path

    def _refuse(self, path: Path) -> None:
        refuse_input(path, self._inputs)
        if path.exists() and not self._force:
            raise refusal(path, FileExistsError())

    def _refuse_inputs_own_folder(self) -> None:
        for path in self._inputs:
            if path.is_dir() and self._folder.is_dir() and self._folder.samefile(path):
                raise SinkOpenError(
                    "is the folder that is being read", where=str(self._folder), hint="choose another folder"
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
    if pictures and name.suffix.lower() in PICTURE_ENDINGS:
        return name
    return name.with_suffix(".png" if pictures else ".mp4")

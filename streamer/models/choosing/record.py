"""What was chosen for one model on one machine, kept in the cache: what runs it, what its file said, what was measured.

By it a later run opens the chosen network without TensorFlow. It is found by the model's content, the versions of
whatever was compared, and the processor; whichever of them changes, it is measured anew.
"""

import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from streamer.errors import ModelError
from streamer.models.choosing.agreement import Agreement
from streamer.models.loaded import Hints, Loaded
from streamer.models.networks import cores
from streamer.models.running import Lowered
from streamer.models.signature import Signature
from streamer.models.zoo.cache import cache_folder

logger = logging.getLogger(__name__)

FORMAT = 1
"""Of a record; another one is not read."""

_PACKAGES = ("streamer", "tensorflow", "openvino", "ai-edge-litert", "opencv-python", "numpy")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way of running the model, as it was measured.

    runtime, extent: what runs, and how much of the graph. latency_ms: of one picture after another, with the threads of
    a live run. fps: pictures a second as a file is run; cpu_ms: processor time of one of them. agreement: with the
    reference; None for the reference itself. refused: why it cannot be run; then nothing was measured.
    """

    runtime: str
    extent: str
    latency_ms: float = 0.0
    fps: float = 0.0
    cpu_ms: float = 0.0
    agreement: Agreement | None = None
    refused: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether it may stand for the reference."""
        return not self.refused and (self.agreement is None or self.agreement.is_equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A choice. files, live: what runs files and live streams; None for the graph as it was saved."""

    signature: Signature
    form: str
    signatures: tuple[str, ...]
    hints: Hints
    writer: str
    parameters: int | None
    files: Lowered | None
    live: Lowered | None
    table: tuple[Measured, ...]
    folder: Path = field(default_factory=Path)

    def chosen(self, *, live: bool) -> Lowered | None:
        """What runs a live stream, or a file; None for the graph as it was saved."""
        return self.live if live else self.files

    def loaded(self) -> Loaded:
        """The model as its file describes it, without a graph that could be run."""
        return Loaded(
            graph=_NoGraph(),
            signature=self.signature,
            form=self.form,
            signatures=self.signatures,
            hints=self.hints,
            writer=self.writer,
            parameters=self.parameters,
        )


class _NoGraph:
    """In place of a graph that was not loaded, because another form of it runs."""

    runtime = ""

    def run(self, images: object) -> Mapping[str, Any]:
        del images
        raise ModelError("the graph was not loaded")

    def close(self) -> None:
        """Nothing to let go of."""


def digest_of(path: Path) -> str:
    """Of all that a model is made of: a file, or a folder. Raises OSError."""
    sha = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        sha.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK_BYTES):
                sha.update(chunk)
    return sha.hexdigest()


def key_of(digest: str, **further: object) -> str:
    """What a record is found by. further: whatever else of the settings decides."""
    facts = {
        "format": FORMAT,
        "model": digest,
        "machine": [platform.machine(), processor(), cores()],
        **{name: _version(name) for name in _PACKAGES},
        **further,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@cache
def processor() -> str:
    """What the processor calls itself."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def recall(key: str) -> Record | None:
    """The record of that key, if it is there and whole."""
    folder = _folder(key)
    try:
        record = _adapter().validate_json((folder / "record.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.debug("the record in %s cannot be used: %s", folder, error)
        return None
    chosen = [lowered for lowered in (record.files, record.live) if lowered is not None]
    if not all((folder / lowered.file).is_file() for lowered in chosen):
        return None
    return replace(record, folder=folder)


def forget(record: Record) -> None:
    """Remove a record, as far as that can be done, and the networks beside it."""
    if record.folder != Path():
        shutil.rmtree(record.folder, ignore_errors=True)


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder to make networks in: in the cache, so that keeping them is a renaming, else among temporary files."""
    root = _root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="streamer-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(key: str, record: Record, made_in: Path) -> Record:
    """Put the record and the files of what was chosen into the cache; as it was where that cannot be written.

    A run that opened an older one meanwhile goes on with it: what it has open stays open.
    """
    target = _folder(key)
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=_root(), ignore_cleanup_errors=True) as staging:
            folder = Path(staging) / key
            folder.mkdir()
            chosen = {lowered.file for lowered in (record.files, record.live) if lowered is not None}
            for file in {made_in / name for name in chosen} | {made_in / _weights(name) for name in chosen}:
                if file.is_file():
                    _put(file, folder / file.name)
            (folder / "record.json").write_bytes(_adapter().dump_json(replace(record, folder=Path()), indent=1))
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
    except OSError as error:
        logger.info("what was chosen cannot be kept: %s", error)
        return record
    return replace(record, folder=target)


def _weights(name: str) -> str:
    """What lies beside a network of OpenVINO's."""
    return str(Path(name).with_suffix(".bin"))


def _put(file: Path, target: Path) -> None:
    """The file under another name; not every file system has links. Raises OSError."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _root() -> Path:
    return cache_folder() / "runtimes"


def _folder(key: str) -> Path:
    return _root() / key


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)

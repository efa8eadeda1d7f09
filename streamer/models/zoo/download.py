"""One address to one file: over http and https only, bounded in time and size, and taken up again where it broke off.

What arrives is a `.part` beside the file until all of it is there; `.part.json` holds what the server must confirm
before anything is added to it. Whether the file is the right one is not its matter. Called by fetching.py.
"""

import http.client
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.zoo.disk import in_mb, replace_whole, require_room, writing
from streamer.models.zoo.web import BY_HAND, Asking, RangeRefused, asking_for, opened

logger = logging.getLogger(__name__)

Watch = Callable[[int, int | None], None]
"""Is told how many bytes are there, and of how many, where that is known."""

CHUNK_BYTES = 1 << 18

MAX_BYTES = 4_000_000_000
"""The largest file that is fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server is waited for.

    silence_s: for a connection, for all of the headers, and for each further byte. slowest_bytes_per_s: on the mean of
    slow_for_s. retries: how often what broke off is taken up again, after retry_s, doubled each time.
    """

    silence_s: float = 15.0
    slowest_bytes_per_s: float = 1000.0
    slow_for_s: float = 30.0
    retries: int = 4
    retry_s: float = 1.0


class _BrokeOff(Exception):
    """The transfer ended before its end, for a reason that may pass."""


def download(url: str, target: Path, *, watch: Watch | None = None, patience: Patience | None = None) -> None:
    """Fetch `url` to `target`, going on with what an earlier try left.

    watch: is told of the progress from the first byte on. A user and a password in `url` go to its own server only,
    and are shown nowhere.

    Raises ModelLoadError for an address that is refused, a server that does not give the file, or one that stops
    giving it; what has arrived is kept then. CacheWriteError for a disk that takes no more.
    """
    patience = patience or Patience()
    part = _Part(target)
    asking = asking_for(url)
    try:
        _receive_all(asking, part, watch=watch or _nobody, patience=patience)
    except BaseException:
        if part.goes_on:
            logger.info("%s of %s are kept, and the next try goes on from there", in_mb(part.size_bytes), target.name)
        raise
    part.complete()


def _nobody(received_bytes: int, total_bytes: int | None) -> None:
    del received_bytes, total_bytes


class _Part:
    """What has arrived of a file, and what must not have changed when more of it is asked for."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._target = target
        self._notes = target.with_name(target.name + ".part.json")
        self.validator, self.total_bytes = self._noted()

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def goes_on(self) -> bool:
        """Whether more may be added to what is there."""
        return bool(self.validator) and self.size_bytes > 0

    def begin(self, response: http.client.HTTPResponse) -> None:
        """Begin with nothing, and note what `response` says of the whole. Raises OSError."""
        etag = response.headers.get("ETag", "")
        self.validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        self.total_bytes = response.length
        self.path.write_bytes(b"")
        replace_whole(self._notes, json.dumps({"validator": self.validator, "total_bytes": self.total_bytes}))

    def fits(self, response: http.client.HTTPResponse) -> bool:
        """Whether `response` is just what is missing."""
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return match is not None and (int(match[1]), int(match[2])) == (self.size_bytes, self.total_bytes)

    def complete(self) -> None:
        with writing(self._target):
            self.path.replace(self._target)
            self._notes.unlink(missing_ok=True)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.validator, self.total_bytes = "", None

    def _noted(self) -> tuple[str, int | None]:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            total_bytes = notes["total_bytes"]
            return str(notes["validator"]), total_bytes if isinstance(total_bytes, int) else None
        except (OSError, ValueError, LookupError, TypeError):
            return "", None


def _receive_all(asking: Asking, part: _Part, *, watch: Watch, patience: Patience) -> None:
    for attempt in range(patience.retries + 1):
        before_bytes = part.size_bytes
        try:
            return _receive(asking, part, watch=watch, patience=patience)
        except _BrokeOff as error:
            so_far = in_mb(part.size_bytes) + (f" of {in_mb(part.total_bytes)}" if part.total_bytes else "")
            if attempt == patience.retries or part.size_bytes <= before_bytes or not part.goes_on:
                raise ModelLoadError(
                    f"it could not be fetched whole: {error} ({so_far})", where=asking.url, hint="try again"
                ) from error
            logger.warning("%s: %s after %s; it is taken up again", asking.server, error, so_far)
            time.sleep(patience.retry_s * 2**attempt)
    return None


def _receive(asking: Asking, part: _Part, *, watch: Watch, patience: Patience) -> None:
    with writing(part.path):
        response = _response(asking, part, patience=patience)
        with response:
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                part.begin(response)
            _look_at_size(part, asking)
            with part.path.open("ab") as file:
                received_bytes = part.size_bytes
                watch(received_bytes, part.total_bytes)
                for chunk in _chunks(response, patience):
                    file.write(chunk)
                    received_bytes += len(chunk)
                    if received_bytes > MAX_BYTES:
                        raise _too_large(asking)
                    watch(received_bytes, part.total_bytes)
    if part.size_bytes < (part.total_bytes or 1):
        raise _BrokeOff("the connection ended early" if part.size_bytes else "the server sent nothing")


def _response(asking: Asking, part: _Part, *, patience: Patience) -> http.client.HTTPResponse:
    """The server's answer: all of the file, or just what is missing."""
    if part.goes_on:
        more = asking.with_headers({"Range": f"bytes={part.size_bytes}-", "If-Range": part.validator})
        with suppress(RangeRefused):
            response = opened(more, silence_s=patience.silence_s)
            if response.status == HTTPStatus.OK or part.fits(response):
                return response
            response.close()
        part.forget()
    response = opened(asking, silence_s=patience.silence_s)
    if response.status != HTTPStatus.OK:
        response.close()
        raise ModelLoadError(f"the server answered {response.status}, not the file", where=asking.url)
    return response


def _look_at_size(part: _Part, asking: Asking) -> None:
    if part.total_bytes is not None:
        if part.total_bytes > MAX_BYTES:
            raise _too_large(asking)
        require_room(part.path.parent, part.total_bytes - part.size_bytes)


def _too_large(asking: Asking) -> ModelLoadError:
    return ModelLoadError(f"it is larger than {in_mb(MAX_BYTES)}", where=asking.url, hint=BY_HAND)


def _chunks(response: http.client.HTTPResponse, patience: Patience) -> Iterator[bytes]:
    """The body as it comes. Raises _BrokeOff, never one of the network's own errors."""
    began_s, window_bytes = time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except TimeoutError as error:
            raise _BrokeOff(f"not a byte for {patience.silence_s:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _BrokeOff("the connection broke") from error
        if not chunk:
            return
        yield chunk
        window_bytes += len(chunk)
        elapsed_s = time.monotonic() - began_s
        if elapsed_s >= patience.slow_for_s:
            if window_bytes < patience.slowest_bytes_per_s * elapsed_s:
                raise _BrokeOff(f"{window_bytes / elapsed_s:.0f} bytes a second are too few")
            began_s, window_bytes = time.monotonic(), 0

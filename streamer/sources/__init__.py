"""Where frames are born: `open_source` turns what a person wrote into a Source.

It is the only place that looks at schemes and endings. What is not on its list never reaches OpenCV, to which a string
is a program: `concat:`, `http://` and pipelines open things that nobody meant. OpenCV is imported when it is needed.
"""

import logging
import re
import stat
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from streamer.clock import Clock, MonotonicClock
from streamer.errors import SourceOpenError
from streamer.interfaces import Source
from streamer.sources.address import PROTOCOLS, is_address, parse_address
from streamer.sources.options import DEFAULTS, SourceOptions
from streamer.sources.probing import file_mode, kind_of, read_head
from streamer.text import printable, redacted

if TYPE_CHECKING:
    from streamer.sources.reconnecting import OpenAgain
    from streamer.sources.sequence import OpenPart

__all__ = ["NAMED_CAMERA", "STDIN", "SourceOptions", "comes_by_itself", "comes_once", "is_camera", "open_source"]

logger = logging.getLogger(__name__)

# ruff: noqa: PLC0415 - what opens one kind is imported only for that kind; see above

_DEVICE = re.compile(r"(?:/dev/video)?(?P<number>[0-9]{1,4})|/dev/v4l/.+")
NAMED_CAMERA = "cam:"
STDIN = "-"
_ONLY_ONCE = ("test:", "screen:", "gst:", "yt:")
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):", re.IGNORECASE)  # one letter is a drive of Windows
_PATTERN = re.compile(r"[*?\[]")

_OTHER_NETWORK = frozenset(
    {"rtspu", "srtp", "rtmpt", "hls", "mms", "mmsh", "mmst", "tls", "rist", "ftp", "sftp", "smb"}
)

_RECONNECT = frozenset({"reconnect", "reconnect_max"})
_USED_BY_CAMERAS = (
    frozenset({"width", "height", "fps", "fourcc", "camera_backend", "camera_control", "duration_s"}) | _RECONNECT
)
_USED_BY_STREAMS = (
    frozenset({"rtsp_transport", "open_timeout_s", "read_timeout_s", "source_options", "duration_s", "max_pixels"})
    | _RECONNECT
)
_USED_BY_FILES = frozenset({"start_s", "end_s", "duration_s", "stride", "loop", "realtime", "max_pixels"})
_USED_BY_PIPES = frozenset({"duration_s", "stride", "source_options", "max_pixels"})
_USED_BY_SCREENS = frozenset({"duration_s", "fps"})
_USED_BY_PICTURES = frozenset({"stride", "loop", "max_pixels"})


@runtime_checkable
class Waited(Protocol):
    """A source that is still connecting when it is made."""

    def wait_open(self) -> None:
        """Wait until it is open. Raises SourceOpenError; it is closed then."""


def is_camera(uri: str) -> bool:
    """Whether `uri` names a camera."""
    return uri.startswith(NAMED_CAMERA) or _DEVICE.fullmatch(uri) is not None


def comes_once(uri: str) -> bool:
    """Whether what `uri` names cannot be read a second time, beside the first or after it."""
    return comes_by_itself(uri) or uri == STDIN or uri.startswith(_ONLY_ONCE)


def comes_by_itself(uri: str) -> bool:
    """Whether `uri` names a camera or a stream: what is better opened when everything else is ready."""
    return is_camera(uri) or is_address(uri)


def open_source(uri: str, options: SourceOptions = DEFAULTS, *, clock: Clock | None = None) -> Source:
    """The source that `uri` names, open and ready to read.

    uri: a camera (`0`, `/dev/video0`, `cam:` and a part of its name), a stream (`rtsp://`, `http://`, `tcp://`, ...), a
    video, a picture, a folder of them, a quoted pattern (`"shots/*.jpg"`), a list of files (`list.txt`), `-` for
    standard input, `screen:`, `gst:` and a pipeline, `yt:` and a page, `test:` with or without a script. Those of a
    folder come in natural order: pictures alone as one PicturesSource, videos, or both together, one after another;
    those of a list in its own order.
    options: what does not concern this kind of source is warned of.

    A camera or a live stream that is lost is opened again, unless `options.reconnect` is False.

    Raises SourceOpenError: a scheme that is not allowed, or what the source itself refuses.
    """
    clock = clock or MonotonicClock()
    if is_camera(uri):
        _warn_of_unused(options, _USED_BY_CAMERAS, "a camera")
        first = partial(_camera, uri, options, clock)
        again = partial(_camera_again, uri, options, clock)
        return _limited(_coming_back(first, again, uri, options, clock), options)
    if is_address(uri):
        parse_address(uri)  # what is wrong with it does not pass by waiting
        _warn_of_unused(options, _USED_BY_STREAMS, "a stream")
        stream = partial(_stream, uri, options, clock)
        return _limited(_coming_back(stream, stream, uri, options, clock), options)
    if opened := _behind_a_name(uri, options, clock):
        return _limited(opened, options)
    if scheme := _SCHEME.match(uri):
        raise _refusal(scheme["scheme"].lower(), uri)
    if not uri:
        raise SourceOpenError("no source is named", hint="a camera (0), a file, a folder or test:")
    if _PATTERN.search(uri) and not _exists(uri):
        return _pattern(uri, options, clock)
    if stat.S_ISDIR(file_mode(uri)):
        return _folder(uri, options, clock)
    return _file(uri, options, clock)


def _behind_a_name(uri: str, options: SourceOptions, clock: Clock) -> Source | None:
    """What is no file and no address; None where `uri` names neither."""
    if uri == STDIN:
        return _pipe(options, clock)
    kind, colon, rest = uri.partition(":")
    opener = _OPENERS.get(kind) if colon else None
    return None if opener is None else opener(rest, options, clock)


def _camera(uri: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.camera import CameraSource

    if uri.startswith(NAMED_CAMERA):
        return _named_camera(uri.removeprefix(NAMED_CAMERA), options, clock)
    device = _number_of(uri) or uri
    if not device.isdecimal():
        return CameraSource(device, options=options, clock=clock)
    try:
        return CameraSource(int(device), options=options, clock=clock)
    except SourceOpenError as error:
        if _exists(device):
            hint = f"for the file or folder of this name, write ./{device}"
            raise SourceOpenError(error.what, where=error.where, hint=hint) from error
        raise


def _named_camera(wanted: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.camera import CameraSource
    from streamer.sources.devices import find_device, list_devices

    found = find_device(wanted, list_devices(options.camera_backend))
    options = replace(options, camera_backend=options.camera_backend or found.backend)
    name = found.name.replace("/", "-")  # files are named after it
    return CameraSource(found.index, name=name, options=options, clock=clock)


def _number_of(uri: str) -> str | None:
    """The number in `0` and `/dev/video0`; None of any other camera."""
    device = _DEVICE.fullmatch(uri)
    return None if device is None else device["number"]


def _camera_again(uri: str, options: SourceOptions, clock: Clock) -> Source:
    """As `_camera`, for one that was lost: while it is not there, OpenCV is left alone."""
    from streamer.sources.camera_faults import is_missing, why_not_opened

    if not uri.startswith(NAMED_CAMERA):  # else it is looked for in the list of those that are there
        number = _number_of(uri)
        known = uri if number is None else int(number)
        if is_missing(known):
            raise why_not_opened(known)
    return _camera(uri, options, clock)


def _stream(uri: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.network import NetworkSource

    return NetworkSource(uri, options=options, clock=clock)


def _coming_back(
    open_first: "OpenAgain", open_again: "OpenAgain", uri: str, options: SourceOptions, clock: Clock
) -> Source:
    """What `open_first` opens; around it, if it is live, what opens it again.

    With `--reconnect` it need not be there yet. What has an end is read once. The pictures of what is live are
    looked at, whether they still show anything.
    """
    from streamer.sources.reconnecting import ReconnectingSource
    from streamer.sources.watched import WatchedSource

    first: Source | None = None
    try:
        first = open_first()
        if isinstance(first, Waited):
            first.wait_open()
    except SourceOpenError as error:
        if not options.reconnect:
            raise
        first = None
        logger.warning("%s; it is waited for", error)
    if options.reconnect is False or (first is not None and not first.live):
        assert first is not None
        return WatchedSource(first) if first.live else first
    name = printable(redacted(uri), limit=256) if first is None else first.info.name
    return WatchedSource(
        ReconnectingSource(open_again, name=name, first=first, most=options.reconnect_max, clock=clock)
    )


def _synthetic(script: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.synthetic import SyntheticSource

    _warn_of_unused(options, frozenset({"duration_s"}), "the test pattern; write test:size=640x480,fps=30")
    return SyntheticSource(script, clock=clock)


def _pipe(options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.pipe import PipeSource

    _warn_of_unused(options, _USED_BY_PIPES, "standard input")
    return PipeSource(options=options, clock=clock)


def _screen(part: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.screen import ScreenSource

    _warn_of_unused(options, _USED_BY_SCREENS, "a screen")
    return ScreenSource(part, options=options, clock=clock)


def _gstreamer(pipeline: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.gstreamer import open_pipeline

    _warn_of_unused(options, frozenset({"duration_s"}), "a pipeline; its own elements say it")
    return open_pipeline(pipeline, clock=clock)


def _site(page: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.sites import video_address

    return open_source(video_address(page), options, clock=clock)


_OPENERS = {"gst": _gstreamer, "screen": _screen, "test": _synthetic, "yt": _site}
"""By what stands before the colon."""


def _limited(source: Source, options: SourceOptions) -> Source:
    from streamer.sources.limit import LimitedSource

    return source if options.duration_s is None else LimitedSource(source, duration_s=options.duration_s)


def _file(path: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.listing import is_list, listed_in, medium_of

    if is_list(path):
        return _many(listed_in(path), path, options, clock)
    medium = medium_of(path)
    if medium is None and stat.S_ISREG(file_mode(path)) and kind_of(read_head(path)) == "a picture":
        medium = "picture"
    if medium == "picture":
        _warn_of_unused(options, _USED_BY_PICTURES, "a picture")
        return _pictures([path], path, options, clock)
    _warn_of_unused(options, _USED_BY_FILES, "a file")
    return _video(path, options, clock)


def _folder(path: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.listing import media_in

    found = media_in(path)
    if not found:
        raise SourceOpenError("is a directory without pictures or videos", where=path)
    return _many(found, path, options, clock)


def _pattern(pattern: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.listing import media_matching

    found = media_matching(pattern)
    if not found:
        raise SourceOpenError("no picture and no video is named like this", where=pattern)
    return _many(found, pattern, options, clock)


def _many(paths: Sequence[str], name: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.listing import medium_of
    from streamer.sources.sequence import SequenceSource

    once = replace(options, loop=False)
    parts: list[OpenPart] = []
    for medium, group in groupby(paths, key=medium_of):
        members = list(group)
        if medium == "picture" and len(members) == len(paths):
            _warn_of_unused(options, _USED_BY_PICTURES, "pictures")
            return _pictures(members, name, options, clock)
        if medium == "picture":
            parts.append(partial(_pictures, members, members[0], once, clock))
        else:
            parts.extend(partial(_video, path, once, clock) for path in members)
    _warn_of_unused(options, _USED_BY_FILES, "files")
    return SequenceSource(parts, name=name, loop=options.loop)


def _pictures(paths: Sequence[str], name: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.images import PicturesSource

    return PicturesSource(paths, name=name, options=options, clock=clock)


def _video(path: str, options: SourceOptions, clock: Clock) -> Source:
    from streamer.sources.file import FileSource

    return FileSource(path, options=options, clock=clock)


def _refusal(scheme: str, uri: str) -> SourceOpenError:
    """The error for a scheme that is not on the list; what may hold a password is not shown."""
    shown = redacted(uri)
    host_and_more = shown.partition("://")[2].removeprefix("***@")
    where = shown if host_and_more and "@" not in host_and_more else f"{scheme}:..."
    if scheme in _OTHER_NETWORK:
        return SourceOpenError("network streams of this kind are not in this version", where=where)
    if scheme in PROTOCOLS:
        return SourceOpenError("this is no address", where=where, hint=f"like {scheme}://HOST/...")
    hint = f"for a file of this name, write ./{scheme}:..."
    return SourceOpenError("this kind of source is not allowed", where=where, hint=hint)


def _exists(path: str) -> bool:
    try:
        file_mode(path)
    except SourceOpenError:
        return False
    return True


def _warn_of_unused(options: SourceOptions, used: frozenset[str], kind: str) -> None:
    names = [field.name for field in fields(options) if field.name not in used]
    unused = [name.removesuffix("_s") for name in names if getattr(options, name) != getattr(DEFAULTS, name)]
    if unused:
        logger.warning("%s: no effect on %s", ", ".join(unused), kind)

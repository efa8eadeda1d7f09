"""`yt:ADDRESS`: where the video of a page lies, told by yt-dlp. It opens no video itself.

yt-dlp is an extra: it changes as often as the sites that it knows, and most streams need it not.
"""

import logging
from typing import Any, Protocol

from streamer.errors import SourceOpenError
from streamer.text import printable, redacted

logger = logging.getLogger(__name__)

PREFIX = "yt:"

# One file that has pictures: the sound is not used, so that nothing has to be put together.
_FORMAT = "bestvideo[height<=1080][protocol^=http]/best[height<=1080]/bestvideo/best"

_TIMEOUT_S = 10

_WEB = ("https://", "http://")


class Extract(Protocol):
    """Tells what yt-dlp tells of a page. Raises SourceOpenError."""

    def __call__(self, page: str, /) -> dict[str, Any]: ...


def video_address(page: str, *, extract: Extract | None = None) -> str:
    """The address of the video itself, with http or https.

    page: the address of a page, with or without `https://`. extract: what asks; yt-dlp if left out.

    Raises SourceOpenError: yt-dlp is not there, it knows no video there, or the page holds many.
    """
    where = PREFIX + page
    address = page if page.startswith(_WEB) else f"https://{page}"
    if not page or "://" in address.partition("://")[2].partition("?")[0]:
        raise SourceOpenError("the address of a page goes here", where=where, hint="yt:https://...")
    told = (extract or _extract)(address)
    if "entries" in told:
        raise SourceOpenError("that is a list of videos", where=where, hint="give the page of one")
    found = told.get("url")
    if not isinstance(found, str) or not found.startswith(_WEB):
        raise SourceOpenError("no video was found there that can be read", where=where)
    logger.info("%s: %s", printable(redacted(where), limit=256), printable(str(told.get("title") or "no title")))
    return found


class _Silence:
    """In place of yt-dlp's own messages: the last one of them is in the error."""

    def debug(self, _: str) -> None: ...
    def warning(self, _: str) -> None: ...
    def error(self, _: str) -> None: ...


def _extract(page: str) -> dict[str, Any]:
    try:
        import yt_dlp  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        hint = "pip install 'streamer[yt]', or pip install yt-dlp"
        raise SourceOpenError("yt-dlp is not installed", where=PREFIX + page, hint=hint) from error
    asked = {
        "format": _FORMAT,
        "noplaylist": True,
        "socket_timeout": _TIMEOUT_S,
        "cachedir": False,
        "quiet": True,
        "logger": _Silence(),
    }
    try:
        with yt_dlp.YoutubeDL(asked) as downloader:
            return dict(downloader.extract_info(page, download=False) or {})
    except yt_dlp.utils.YoutubeDLError as error:
        said = printable(redacted(str(error)).removeprefix("ERROR: "), limit=160)
        raise SourceOpenError(f"yt-dlp found no video: {said}", where=PREFIX + page) from error

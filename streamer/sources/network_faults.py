"""Why a stream cannot be had, in words: FFmpeg gives a number, and sometimes not the right one.

FFmpeg's own text is never passed on: it holds the address with its password.
"""

import errno

from streamer.errors import SourceError, SourceLost, SourceOpenError, SourceRefused
from streamer.pyav import av
from streamer.sources.address import Address
from streamer.sources.trust import OVER_TLS

_REFUSALS: tuple[tuple[type[av.FFmpegError], str, str | None], ...] = (
    (av.HTTPUnauthorizedError, "401: it wants a user and a password", "SCHEME://USER:PASSWORD@HOST/..."),
    (av.HTTPForbiddenError, "403: this is forbidden", "another user may be allowed"),
    (av.HTTPNotFoundError, "404: there is no such stream", "is the path behind the host right?"),
    (av.HTTPServerError, "the server has an error of its own (5xx)", None),
    (av.HTTPClientError, "the server refuses the request (4xx)", None),
    (av.ProtocolNotFoundError, "this PyAV is built without this protocol", None),
)

_REASONS = {
    errno.ECONNREFUSED: ("connection refused", "is the server running, and the port right?"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "is it on, and in this network?"),
    errno.ENETUNREACH: ("the network cannot be reached", None),
    errno.ECONNRESET: ("the connection was reset", None),
    errno.EIO: ("the connection broke off", None),
    errno.EPIPE: ("the connection was closed", None),
    errno.EADDRINUSE: ("another program listens there", None),
    errno.EACCES: ("permission denied", None),
    errno.EINVAL: ("this address, or what it sends on to, is not allowed or makes no sense", None),
}

_LASTING: tuple[type[av.FFmpegError], ...] = (
    *(av.HTTPUnauthorizedError, av.HTTPForbiddenError, av.ProtocolNotFoundError),
    *(av.InvalidDataError, av.DemuxerNotFoundError),
)
"""What waiting does not mend, of an address that never gave a picture. 404 is not among them: many servers say it of a
stream that nobody sends yet."""


def why_not_opened(
    error: Exception,
    address: Address,
    *,
    waited_s: float,
    timeout_s: float,
    failure: SourceError | OSError | None = None,
) -> SourceOpenError:
    """The error for a stream that does not open: refused, no such host, 401, 403, 404, no answer, not a video, ...

    failure: what the way to it knows better. SourceRefused where waiting mends nothing.
    """
    late = waited_s >= timeout_s
    if isinstance(failure, SourceOpenError):
        return failure
    if failure is not None and not late:
        error = failure
    what, hint = _reason(error, address, late=late, timeout_s=timeout_s)
    lasting = isinstance(error, _LASTING) and not late
    return (SourceRefused if lasting else SourceOpenError)(what, where=address.name, hint=hint)


def why_lost(
    error: Exception, address: Address, *, timeout_s: float, failure: SourceError | OSError | None = None
) -> SourceLost:
    """The error for a stream that was there. failure: what the way to it knows better."""
    if isinstance(failure, SourceError):
        return SourceLost(failure.what, where=address.name, hint=failure.hint)
    if isinstance(error, av.ExitError):
        return nothing_came(address, timeout_s)
    if isinstance(error, av.InvalidDataError):
        return SourceLost("what it sends is not in the form that it was", where=address.name)
    what, _ = _REASONS.get(error_number(error), (_plain(error), None))
    return SourceLost(what, where=address.name)


def nothing_came(address: Address, timeout_s: float) -> SourceLost:
    """The error for a stream that is silent."""
    return SourceLost(f"nothing came for {timeout_s:g} s", where=address.name, hint="--read-timeout")


def nothing_readable(address: Address) -> SourceLost:
    """The error for a file of which no packet can be had, although it was understood."""
    hint = "download it, or write it anew with ffmpeg -c copy -movflags +faststart"
    what = "its index stands at its end, and its server does not let one read back"
    return SourceLost(what, where=address.name, hint=hint)


def is_plain_end(error: Exception) -> bool:
    """Whether FFmpeg says no more than that there is no more."""
    return isinstance(error, av.EOFError) or error_number(error) == errno.EIO


def _reason(error: Exception, address: Address, *, late: bool, timeout_s: float) -> tuple[str, str | None]:
    """What happened, and what to try."""
    if isinstance(error, av.ExitError) or late:
        return f"no answer within {timeout_s:g} s", "--open-timeout"
    for kind, what, hint in _REFUSALS:
        if isinstance(error, kind):
            return what, hint
    if isinstance(error, (av.InvalidDataError, av.DemuxerNotFoundError, av.EOFError)):
        return "it answers, but what it sends is not a video", None
    number = error_number(error)
    if number == errno.EIO:
        return _why_broken_off(address)
    if number == errno.EPROTONOSUPPORT and address.scheme in {"rtsp", "rtsps"}:
        return "the server does not send pictures this way", "--rtsp-transport udp, or tcp"
    return _REASONS.get(number, (_plain(error), None))


def _why_broken_off(address: Address) -> tuple[str, str | None]:
    """What FFmpeg calls an I/O error."""
    if address.scheme in OVER_TLS:
        return "the connection broke off", "does the server speak TLS there?"
    if address.scheme == "http":
        return "it answers, but what it sends ends before it is a video", None
    return _REASONS[errno.EIO]


def error_number(error: Exception) -> int:
    """The errno; 0 where it has none."""
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _plain(error: Exception) -> str:
    """FFmpeg's words without the address behind them."""
    return str(getattr(error, "strerror", None) or type(error).__name__)

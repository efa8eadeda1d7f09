"""What a check found, and what it means for a run. It checks nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streamer.errors import ModelError, SinkError, StreamerError
from streamer.text import printable, redacted

Verdict = Literal["ok", "missing", "broken"]

MAX_CHARS = 240
"""Of what libraries say."""

RUNTIMES = ("TensorFlow", "OpenVINO", "LiteRT", "OpenCV dnn")
"""What may run a model; one of them has to."""

H264 = "encoder h264"
"""How the names of the checks of H.264 begin; one of them has to be good."""

OPENCV = "OpenCV"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    verdict: it works; it is not there; it is there and does not work. found: a version, or the reason. advice: what to
    do, empty where there is nothing to be done.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def found(name: str, verdict: Verdict, what: object, advice: str = "") -> Finding:
    """A Finding with text from outside made safe: one line, cut, without credentials."""
    return Finding(name, verdict, printable(redacted(str(what)), limit=MAX_CHARS), advice)


def shortfall(findings: Sequence[Finding]) -> StreamerError | None:
    """Why streamer cannot do its work here; None if it can: OpenCV, an encoder of H.264 and a runtime work."""
    good = {finding.name for finding in findings if finding.verdict == "ok"}
    if OPENCV not in good:
        return SinkError("OpenCV does not work here: nothing can be read, drawn or shown", hint=_hint(findings, OPENCV))
    if not any(name.startswith(H264) for name in good):
        return SinkError("H.264 cannot be written here", hint=_hint(findings, "encoder"))
    if not good.intersection(RUNTIMES):
        return ModelError("nothing here runs a model", hint=_hint(findings, RUNTIMES[0]))
    return None


def _hint(findings: Sequence[Finding], begin: str) -> str | None:
    return next((one.advice for one in findings if one.name.startswith(begin) and one.advice), None)

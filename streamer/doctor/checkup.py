"""All checks, and what they say together. Called by the verb doctor."""

from collections.abc import Iterator

from streamer.doctor.asking import Asked, all_commands
from streamer.doctor.findings import Finding, found
from streamer.doctor.machine import machine_findings

_FIRST = ("OpenCV", "encoders", "encoders in hardware", "decoders in hardware")
"""Groups in the order in which people read them; the others follow as they were asked."""


def check_up(*, version: str) -> Iterator[Finding]:
    """Try everything; findings come in the order of the report, as soon as they are known.

    version: of streamer. What loads libraries is tried in processes that run side by side, for asking.LIMIT_S at most.
    """
    chosen = all_commands()
    with Asked(chosen) as asked:
        yield found("streamer", "ok", version)
        yield from machine_findings()
        for group in sorted(chosen, key=lambda group: group not in _FIRST):
            yield from asked.findings(group)

"""The checks that load libraries, as a program: `python -m streamer.doctor.child GROUP`. asking.py starts it.

A line of JSON says what will be tried, then comes one for each finding, at once: the next may end this process.
"""

import json
import sys
from dataclasses import asdict

from streamer.doctor.findings import Finding, found
from streamer.doctor.libraries import GROUPS


def tell(what: object) -> None:
    """One line of JSON on stdout, whatever a library left unfinished there."""
    sys.stdout.write("\n" + json.dumps(what) + "\n")
    sys.stdout.flush()


def main(group: str) -> None:
    """Try all of a group, and tell."""
    asked = GROUPS[group]
    try:
        names = asked.names()
    except Exception as error:  # noqa: BLE001 - a library that does not even load
        tell({"names": [group]})
        tell(asdict(_raised(group, error, advice=asked.advice)))
        return
    tell({"names": names})
    for name in names:
        try:
            finding = asked.check(name)
        except Exception as error:  # noqa: BLE001 - whatever a library raises says that it does not work
            finding = _raised(name, error, advice=asked.advice)
        tell(asdict(finding))


def _raised(name: str, error: Exception, *, advice: str) -> Finding:
    return found(name, "broken", f"{type(error).__name__}: {error}", advice)


if __name__ == "__main__":
    main(sys.argv[1])

"""The checks that load libraries, as a program: `python -m streamer.doctor.child GROUP`. asking.py starts it.

A line of JSON says what will be tried, then comes one for each finding, at once: the next may end this process.
"""

import json
import sys
from dataclasses import asdict

from streamer.doctor.libraries import GROUPS


def tell(what: object) -> None:
    """One line of JSON on stdout, whatever a library left unfinished there."""
    sys.stdout.write("\n" + json.dumps(what) + "\n")
    sys.stdout.flush()


def main(group: str) -> None:
    """Try all of a group, and tell."""
    asked = GROUPS[group]
    names = asked.names()
    tell({"names": names})
    for name in names:
        tell(asdict(asked.check(name)))


if __name__ == "__main__":
    main(sys.argv[1])

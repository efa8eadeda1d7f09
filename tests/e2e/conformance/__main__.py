"""Every clip beside the project through `streamer run`, as a table; exit 1 if one of them is wrong."""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

from tests.e2e.conformance import browser, programs, table
from tests.e2e.conformance.examining import examine
from tests.e2e.conformance.judge import CODECS
from tests.e2e.conformance.running import MEDIA, truths
from tests.e2e.conformance.verdict import Verdict

Recorded = list[tuple[Verdict, Path]]


def main() -> None:
    """Record, judge, play, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.conformance", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a clip of ../shared/media, or any path; all if not given"
    )
    parser.add_argument("--ending", default=".mp4", choices=sorted(CODECS), help="the container")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, for a machine")
    parser.add_argument("--chromium", action="store_true", help="play them as well")
    arguments = parser.parse_args()
    if program := programs.missing():
        parser.error(f"{program} is not installed")
    if arguments.chromium and (arguments.ending not in browser.ENDINGS or not browser.available()):
        parser.error(f"--chromium needs {browser.PROGRAM}, and an ending that it plays: {', '.join(browser.ENDINGS)}")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        verdicts = _examine_all(arguments.names, Path(folder), ending=arguments.ending, chromium=arguments.chromium)
    print(table.total(verdicts))
    if arguments.json:
        rows = [verdict.as_json() for verdict in verdicts]
        arguments.json.write_text(json.dumps({"ending": arguments.ending, "clips": rows}, indent=1))
    sys.exit(not all(verdict.right for verdict in verdicts))


def _examine_all(names: list[str], folder: Path, *, ending: str, chromium: bool) -> list[Verdict]:
    print(table.HEAD)
    known = truths()
    verdicts: list[Verdict] = []
    recorded: Recorded = []
    for number, name in enumerate(names or sorted(known)):
        place = folder / str(number)
        place.mkdir()
        clip = MEDIA / name if name in known else Path(name)
        verdict, video = examine(clip, place, ending=ending, truth=known.get(name))
        verdicts.append(verdict)
        if video is not None and chromium:
            recorded.append((verdict, video))
        elif video is not None:
            video.unlink()
        if not chromium:
            print(table.line(verdict), flush=True)
    if chromium:
        _play(recorded, folder)
        print(*map(table.line, verdicts), sep="\n")
    return verdicts


def _play(recorded: Recorded, folder: Path) -> None:
    played = browser.play([video for _, video in recorded], folder)
    for (verdict, _), seen in zip(recorded, played, strict=True):
        browser.judge(verdict, seen)


if __name__ == "__main__":
    main()

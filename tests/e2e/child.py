"""`streamer` in a process of its own, as a person starts it, with a detector that needs no TensorFlow.

python -m tests.e2e.child [--detect-ms N] [--hang-at N] ARGUMENTS OF streamer...
"""

import sys
import threading
from unittest import mock

from tests.fakes import FakeDetector


class DescribedDetector(FakeDetector):
    """A fake that can be asked what it is, as `streamer run` does."""

    def describe(self) -> str:
        return "a fake that sees the same box everywhere"


def main(arguments: list[str]) -> None:
    """Run the command line; `load_detector` gives a fake that takes its time, or hangs on one image."""
    detect_s, hang_at = 0.0, -1
    while arguments and arguments[0] in {"--detect-ms", "--hang-at"}:
        name, value, *arguments = arguments
        detect_s, hang_at = (float(value) / 1000, hang_at) if name == "--detect-ms" else (detect_s, int(value))

    def work(number: int) -> None:
        threading.Event().wait(3600 if number == hang_at else detect_s)

    detector = DescribedDetector(on_detect=work, boxes=((20, 20, 120, 90),))
    with mock.patch("streamer.models.load_detector", return_value=detector):
        from streamer.cli import main as streamer_main  # noqa: PLC0415 - after the patch, so that it is what is imported

        streamer_main([*arguments, "--model", "."])


if __name__ == "__main__":
    main(sys.argv[1:])

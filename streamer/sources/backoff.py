"""How long to wait before the next try. It waits for nothing itself."""

import random

FIRST_S = 0.5
LONGEST_S = 30.0
JITTER = 0.2
"""Of the wait, more or less: a hundred streams of one server that comes back do not ask it at once."""

GOOD_S = 10.0
"""What gave frames for so long is well again: the next loss begins with the shortest wait."""


class Backoff:
    """Half a second, doubled with each try up to half a minute, plus or minus a fifth of it.

    tries: since it was last well.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311 - nothing is kept secret by it
        self.tries = 0

    def next_s(self) -> float:
        """Seconds until the next try."""
        wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self.tries, 16))
        self.tries += 1
        return wait_s * self._chance.uniform(1 - JITTER, 1 + JITTER)

    def gave_frames(self, seconds: float) -> None:
        """What was opened gave frames for so long."""
        if seconds >= GOOD_S:
            self.tries = 0

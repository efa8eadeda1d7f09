"""How a message lists what was found in a model: a few by name, the rest by number. Called by what looks at a form."""

from collections.abc import Sequence

from streamer.text import printable

NAMED = 3
"""How many of a kind a message names."""


def listed(texts: Sequence[str]) -> str:
    """`a, b, c and 4 more`, each made printable."""
    more = len(texts) - NAMED
    return ", ".join(printable(text, limit=96) for text in texts[:NAMED]) + (f" and {more} more" if more > 0 else "")

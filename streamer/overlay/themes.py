"""What the themes look like; which one is drawn, a Style says by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamer.style import ThemeName

Paper = Literal["class", "glass", "black"]
"""What letters stand on: the colour of the class, dark glass, black."""


@dataclass(frozen=True, slots=True)
class Theme:
    """line: width of a box's line, as a multiple of the usual. double_rim: black and white beside it, not one of them.

    cap: height of letters, as a multiple of the usual. label, caption: what they stand on.
    """

    line: float
    double_rim: bool
    cap: float
    label: Paper
    caption: Paper


THEMES: Mapping[ThemeName, Theme] = {
    "default": Theme(line=1.0, double_rim=False, cap=1.0, label="class", caption="glass"),
    "minimal": Theme(line=0.5, double_rim=False, cap=1.0, label="glass", caption="glass"),
    "high-contrast": Theme(line=1.5, double_rim=True, cap=1.25, label="black", caption="black"),
}

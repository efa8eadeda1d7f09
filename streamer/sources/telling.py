"""What is said of a camera each time it is opened: once, and again when it has changed."""

import logging

logger = logging.getLogger(__name__)


class Telling:
    """One camera's warnings, over all its returns."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def warn(self, topic: str, text: str) -> None:
        """Warn with `text`, unless that was the last word on `topic`; an empty one says that all is well with it."""
        if text and self._last.get(topic) != text:
            logger.warning("%s", text)
        self._last[topic] = text

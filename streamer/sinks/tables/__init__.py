"""What was seen, as tables. Each format has a file of its own; what their rows say alike stands in rows.py.

Whatever is written is with the system at once: kill -9 costs at most the frame that is being written, and `tail -f`
works where a table has lines.
"""

from streamer.sinks.tables.coco import Coco
from streamer.sinks.tables.comma_separated import CommaSeparated
from streamer.sinks.tables.jsonl import JsonLines
from streamer.sinks.tables.mot import Mot
from streamer.sinks.tables.wall import WallClock

__all__ = ["Coco", "CommaSeparated", "JsonLines", "Mot", "WallClock"]

"""The families of detectors that there are presets for, in the order in which they are looked through."""

from streamer.models.families.efficient import EFFICIENT
from streamer.models.families.faces import FACES
from streamer.models.families.family import Output, Preset, Size
from streamer.models.families.ssds import SSDS
from streamer.models.families.yolos import YOLOS

ALL = (*FACES, *SSDS, *YOLOS, *EFFICIENT)

__all__ = ["ALL", "Output", "Preset", "Size"]

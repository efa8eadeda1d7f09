"""Exposure, gain, focus and such: set as asked, and read back, for a driver takes what it likes."""

from collections.abc import Sequence
from typing import Protocol

import cv2

from streamer.sources.telling import Telling

_PROPERTIES = {
    "autofocus": cv2.CAP_PROP_AUTOFOCUS,
    "auto_exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
    "auto_white_balance": cv2.CAP_PROP_AUTO_WB,
    "backlight": cv2.CAP_PROP_BACKLIGHT,
    "brightness": cv2.CAP_PROP_BRIGHTNESS,
    "contrast": cv2.CAP_PROP_CONTRAST,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "focus": cv2.CAP_PROP_FOCUS,
    "gain": cv2.CAP_PROP_GAIN,
    "gamma": cv2.CAP_PROP_GAMMA,
    "hue": cv2.CAP_PROP_HUE,
    "iris": cv2.CAP_PROP_IRIS,
    "pan": cv2.CAP_PROP_PAN,
    "saturation": cv2.CAP_PROP_SATURATION,
    "sharpness": cv2.CAP_PROP_SHARPNESS,
    "tilt": cv2.CAP_PROP_TILT,
    "white_balance": cv2.CAP_PROP_WB_TEMPERATURE,
    "zoom": cv2.CAP_PROP_ZOOM,
}

_TOLERANCE = 0.5


class Controllable(Protocol):
    """What is needed of cv2.VideoCapture."""

    def get(self, prop: int, /) -> float: ...
    def set(self, prop: int, value: float, /) -> bool: ...


def set_controls(capture: Controllable, controls: Sequence[tuple[str, float]], *, name: str, telling: Telling) -> None:
    """Set each of `controls`, the automatic ones first: while they are on, drivers refuse what they decide.

    `telling` says which were not taken, and what the driver has instead. name: the camera's, for it.
    """
    ordered = sorted(controls, key=lambda control: not control[0].startswith("auto"))
    for control, value in ordered:
        capture.set(_PROPERTIES[control], value)
    for control, value in ordered:
        got = capture.get(_PROPERTIES[control])
        taken = abs(got - value) <= _TOLERANCE
        telling.warn(control, "" if taken else f"{name}: {control} {value:g} was not taken; the camera says {got:g}")

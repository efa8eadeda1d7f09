"""What the findings mean: which of them a run cannot do without."""

import pytest

from streamer.doctor.findings import Finding, Verdict, shortfall

GOOD = {"OpenCV": "ok", "encoder h264 (libx264)": "ok", "encoder h264 (h264_nvenc)": "missing", "LiteRT": "ok"}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"display": "missing", "cameras": "broken", "TensorFlow": "broken"}, 0),
        ({"encoder h264 (libx264)": "broken", "encoder h264 (h264_nvenc)": "ok"}, 0),
        ({"encoder h264 (libx264)": "broken"}, 5),
        ({"OpenCV": "broken", "LiteRT": "missing"}, 5),
        ({"LiteRT": "missing"}, 4),
        ({"LiteRT": "missing", "OpenCV dnn": "ok"}, 0),
    ],
)
def test_opencv_h264_and_a_runtime_are_needed(changed: dict[str, Verdict], code: int) -> None:
    found = [Finding(name, verdict, "", f"install {name}") for name, verdict in {**GOOD, **changed}.items()]  # type: ignore[arg-type]
    problem = shortfall(found)
    assert (0 if problem is None else problem.exit_code) == code


def test_what_to_install_is_said() -> None:
    problem = shortfall([Finding("OpenCV", "missing", "", "pip install opencv-python")])
    assert str(problem).endswith("(pip install opencv-python)")
    assert shortfall([]) is not None

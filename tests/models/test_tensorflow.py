"""Of a page of TensorFlow's text, the line that a person can use."""

import pytest

from streamer.models.runtimes.tensorflow import short_reason

PAGE = (
    "Graph execution error:\n\nDetected at node a/Assert defined at (most recent call last):\n"
    "<stack traces unavailable>\n"
    "assertion failed: [it broke] [x = ] [2]\n\t [[{{node a/Assert}}]] [Op:__inference_signature_wrapper_196]"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PAGE, "assertion failed: [it broke] [x = ] [2]"),
        ("expected uint8 but is float [Op:__inference_1]", "expected uint8 but is float"),
        ("", "ValueError"),
        ("\x1b[2Jbad", "[2Jbad"),
    ],
)
def test_the_reason_is_one_line(text: str, reason: str) -> None:
    assert short_reason(ValueError(text)) == reason


def test_the_reason_is_short() -> None:
    assert len(short_reason(ValueError("long " * 1000))) <= 160

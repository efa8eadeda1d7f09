"""TensorFlow kept quiet: its import, and of a page of its text the line that a person can use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.errors import ModelLoadError
from streamer.models.runtimes.tensorflow import import_tensorflow, short_reason

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


BROKEN = {
    "missing": (None, "TensorFlow is not installed: .*pip install tensorflow"),
    "broken": ("raise ImportError('libcudart.so.12: cannot open shared object file')", "cannot be imported: libcudart"),
    "of another numpy": ("raise AttributeError('_ARRAY_API not found')", "cannot be imported: _ARRAY_API not found"),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_tensorflow_that_cannot_be_imported_is_an_error_of_the_model(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, said = BROKEN[case]
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    if content is None:
        monkeypatch.setattr(sys, "path", [])
    else:
        (tmp_path / "tensorflow.py").write_text(content, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelLoadError, match=said):
        import_tensorflow()


QUIET = """
import os, sys, threading
from streamer.models.runtimes import tensorflow

def also() -> None:
    print("from Python", file=sys.stderr)
    os.write(2, b"from a signal handler\\n")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow.python":
            also()

sys.meta_path.insert(0, Finder())
tensorflow.import_tensorflow().constant(1) + 1
"""


def test_its_import_is_quiet_and_nobody_else_is_silenced() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", QUIET], env=environ, capture_output=True, text=True, timeout=55, check=True
    )
    assert done.stderr.splitlines() == ["from Python", "from a signal handler"]

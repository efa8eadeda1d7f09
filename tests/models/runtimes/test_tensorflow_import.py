"""What ends the import of TensorFlow: Ctrl-C is no broken installation."""

import sys

import pytest

from streamer.errors import ModelLoadError
from streamer.models.runtimes import tensorflow


class Stopped(BaseException):
    """What a handler of signals raises."""


def _fails(monkeypatch: pytest.MonkeyPatch, cause: BaseException) -> None:
    def import_it() -> None:
        raise ImportError("initialization failed") from cause

    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(tensorflow, "_import_quietly", import_it)


def test_a_signal_in_the_midst_of_it_is_passed_on_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, Stopped())
    with pytest.raises(Stopped):
        tensorflow.import_tensorflow()


def test_a_broken_installation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, OSError("no such library"))
    with pytest.raises(ModelLoadError, match="cannot be imported: initialization failed"):
        tensorflow.import_tensorflow()

"""What C prints is aside for as long as any block wants it so, and no longer."""

import ctypes
import logging
import os
import platform
import threading

import pytest

from streamer.models.runtimes.quiet import c_stderr_aside, root_log_as_it_is, stderr_aside

of_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc only")


def stream() -> int | None:
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr").value


@of_glibc
def test_blocks_that_overlap_bring_the_stream_back_with_the_last_of_them() -> None:
    real = stream()
    first, second = c_stderr_aside(), c_stderr_aside()
    first.__enter__()
    aside = stream()
    second.__enter__()
    first.__exit__(None, None, None)
    assert aside != real
    assert stream() == aside
    second.__exit__(None, None, None)
    assert stream() == real


@of_glibc
def test_an_error_inside_brings_the_stream_back() -> None:
    real = stream()
    with pytest.raises(ValueError, match="inside"), c_stderr_aside():
        raise ValueError("inside")
    assert stream() == real


@of_glibc
def test_many_threads_leave_the_stream_as_it_was() -> None:
    real = stream()

    def often() -> None:
        for _ in range(200):
            with c_stderr_aside():
                assert stream() != real

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream() == real


def test_what_is_written_to_the_file_of_errors_goes_nowhere_for_a_while(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with stderr_aside():
        os.write(2, b"meanwhile ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_inside_brings_the_file_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), stderr_aside():
        raise ValueError("inside")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_without_a_file_of_errors_nothing_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with stderr_aside():
        ran = True
    assert ran


def test_handlers_that_a_library_gives_to_the_root_log_are_taken_away_and_no_others() -> None:
    root, own, foreign = logging.getLogger(), logging.NullHandler(), logging.NullHandler()
    before = list(root.handlers)
    root.addHandler(own)
    try:
        with root_log_as_it_is():
            root.addHandler(foreign)
        assert root.handlers == [*before, own]
    finally:
        root.removeHandler(own)

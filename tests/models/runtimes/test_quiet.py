"""What C prints is aside for as long as any block wants it so, and no longer."""

import ctypes
import platform
import threading

import pytest

from streamer.models.runtimes.quiet import c_stderr_aside

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc only")


def stream() -> int | None:
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr").value


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


def test_an_error_inside_brings_the_stream_back() -> None:
    real = stream()
    with pytest.raises(ValueError, match="inside"), c_stderr_aside():
        raise ValueError("inside")
    assert stream() == real


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

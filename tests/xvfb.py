"""A private X server without a screen, and somebody at its keyboard.

What opens a window runs in a child process of the test: Qt takes the display that it first sees and keeps it, and ends
the process when it goes.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 40.0


@contextmanager
def virtual_display(*, size_px: tuple[int, int] = (1280, 960)) -> Iterator[str]:
    """An X server of its own; gives the value for DISPLAY. Skips the test where Xvfb or xdotool is missing."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    reading, writing = os.pipe()
    screen = f"{size_px[0]}x{size_px[1]}x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[writing], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as announced:
                number = announced.readline().strip()
            assert number, "Xvfb did not start"
            yield f":{number}"
        finally:
            server.terminate()


def environment(display: str | None) -> dict[str, str]:
    """The variables of a child process that sees this display and no other."""
    variables = {key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    return variables if display is None else variables | {"DISPLAY": display}


def run_python(code: str, *arguments: str, display: str | None) -> subprocess.CompletedProcess[str]:
    """Run `code` in a child process and wait for it."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        env=environment(display),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def press(display: str, title: str, key: str) -> None:
    """Press a key, by its X name, over the window called `title`."""
    _xdotool(display, "key", "--window", str(_window(display, title)), key)


def put_back(display: str, title: str) -> None:
    """Take the window away and put it back, so that it is painted.

    Where no window manager runs, the Qt of OpenCV leaves one window in six black, whatever is drawn later.
    """
    window = str(_window(display, title))
    _xdotool(display, "windowunmap", "--sync", window)
    _xdotool(display, "windowmap", "--sync", window)


def press_close_button(display: str, title: str) -> None:
    """Tell the window to go, with the message that a window manager sends when its button is pressed."""
    window = _window(display, title)
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    protocols, delete = (x11.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    message = _ClientMessage(type=33, window=window, message_type=protocols, format=32)
    message.data[0] = delete
    x11.XSendEvent(connection, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    x11.XCloseDisplay(connection)


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, as long as an XEvent."""

    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 12),
    ]


def _window(display: str, title: str) -> int:
    """The X number of a window that is on the screen, or will be; xdotool's own --sync may wait for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := _xdotool(display, "search", "--onlyvisible", "--name", f"^{title}$", check=False).split()):
        assert time.monotonic() < deadline, f"no window is called {title!r}"
    return int(found[0])


def _xdotool(display: str, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["xdotool", *arguments],
        env=environment(display),
        check=check,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.stdout

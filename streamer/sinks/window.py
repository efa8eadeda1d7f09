"""The window: a View of OpenCV, with the panel on it and the keys of the run.

It shows what was drawn and says what the person asked for; what that means is the pipeline's affair. All but `render`
must be called on the main thread: macOS allows no other, and neither does Qt.
"""

import contextlib
import ctypes
import os
import sys
import time
from pathlib import Path

import cv2
import imutils
import numpy as np

from streamer.errors import SinkError, SinkOpenError
from streamer.frame import Image, Result, Status
from streamer.interfaces import Command
from streamer.overlay import draw_view
from streamer.text import printable, redacted

FIRST_SIZE_PX = (1600, 900)
"""The largest window that opens by itself; the person may make it larger."""

MIN_WIDTH_PX = 640
"""Smaller pictures are enlarged by the window until they are about as wide as this."""

_ESC = 0x1B
_KEYS: dict[int, Command] = {
    ord("q"): Command.QUIT,
    _ESC: Command.QUIT,
    ord(" "): Command.PAUSE,
    ord("."): Command.STEP,
    ord("s"): Command.SNAPSHOT,
    ord("r"): Command.RECORD,
    ord("+"): Command.CONF_UP,
    ord("="): Command.CONF_UP,
    ord("-"): Command.CONF_DOWN,
    ord("_"): Command.CONF_DOWN,
    ord("l"): Command.LABELS,
    ord("b"): Command.BOXES,
    ord("t"): Command.TRACKS,
}
_X_KEYPAD = {0xFFAB: ord("+"), 0xFFAD: ord("-"), 0xFFAE: ord(".")}
"""Qt and GTK give the keysyms of X for keys without a letter; https://www.x.org, keysymdef.h: XK_KP_Add and others."""

_HINT = "run without a view: --no-show"
_FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype", "/usr/share/fonts")


class Window:
    """A window called `title`, resizable, that keeps the shape of the picture.

    view_width_px: pictures are fitted to this width before they are shown; None shows them as they are.
    full_screen, panel: how it begins; the keys f and p change them, h shows the list of all keys. `panel` may be set
    from any thread.

    Raises SinkOpenError where no window can be opened.
    """

    def __init__(
        self, title: str, *, view_width_px: int | None = None, full_screen: bool = False, panel: bool = True
    ) -> None:
        if problem := display_problem():
            raise SinkOpenError(f"no window can be opened: {problem}", hint=_HINT)
        self._title = printable(redacted(title)) or "streamer"
        self._view_width_px = view_width_px
        self.panel = panel
        self._help = False
        self._full_screen = full_screen
        self._image_px = (0, 0)
        self._seen = False
        self._gone = False
        _prepare_qt()
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            self._apply_full_screen()
        except cv2.error as error:
            raise SinkOpenError(f"no window can be opened: {printable(str(error))}", hint=_HINT) from error

    @property
    def title(self) -> str:
        """What the window is called: printable, without credentials."""
        return self._title

    def render(self, result: Result, status: Status) -> Image:
        image = result.frame.image if result.image is None else result.image
        fitted = self._fitted(image)
        return draw_view(fitted, status, panel=self.panel, keys=self._help, own=fitted is not image)

    def show(self, image: Image) -> None:
        if self._gone:
            return
        try:
            size_px = image.shape[1], image.shape[0]
            if size_px != self._image_px:
                self._image_px = size_px
                if not self._full_screen:  # a window does not take the shape of its picture by itself
                    cv2.resizeWindow(self._title, *first_size_px(size_px))
            cv2.imshow(self._title, image)
        except cv2.error as error:
            raise SinkError(f"the window cannot show the picture: {printable(str(error))}") from error

    def poll(self, timeout_s: float) -> Command | None:
        if self._gone:
            time.sleep(max(0.0, timeout_s))
            return None
        key = cv2.waitKeyEx(max(1, round(1000 * timeout_s)))
        if self._closed_by_its_button():
            self._gone = True
            return Command.QUIT
        return None if key < 0 else self._command(key)

    def close(self) -> None:
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(cv2.error):  # the person was quicker
            cv2.destroyWindow(self._title)
            cv2.waitKeyEx(1)  # Qt and GTK take it away only when they are given time

    def _fitted(self, image: Image) -> Image:
        """`image` as wide as the view: a new one, or itself if it is already.

        A small picture is enlarged as the window does it, so that the panel is drawn for the eye, not the camera.
        """
        width = self._view_width_px or max(image.shape[1], first_size_px((image.shape[1], image.shape[0]))[0])
        if width == image.shape[1]:
            return image
        method = cv2.INTER_LINEAR if width > image.shape[1] else cv2.INTER_AREA
        return np.asarray(imutils.resize(image, width=width, inter=method), np.uint8)

    def _command(self, key: int) -> Command | None:
        """The low 16 bits are the key: cv2.waitKey keeps 8 of them and takes an arrow for a Q."""
        code = key & 0xFFFF
        code = _X_KEYPAD.get(code, code)
        if code > 0x7F:
            return None
        character = chr(code).lower()
        if character in "ph?f":
            self._change(character)
            return Command.REDRAW
        return _KEYS.get(ord(character))

    def _change(self, key: str) -> None:
        match key:
            case "p":
                self.panel = not self.panel
            case "f":
                self._full_screen = not self._full_screen
                self._apply_full_screen()
            case _:
                self._help = not self._help

    def _apply_full_screen(self) -> None:
        mode = cv2.WINDOW_FULLSCREEN if self._full_screen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)

    def _closed_by_its_button(self) -> bool:
        try:
            visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # OpenCV 5 forgets Qt itself with its last window
            visible = False
        self._seen = self._seen or visible
        return self._seen and not visible


def first_size_px(image_px: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) in which the window of an image opens: enlarged by a whole factor, or shrunk to fit."""
    width, height = image_px
    enlarged = max(1.0, round(MIN_WIDTH_PX / width))
    factor = min(enlarged, FIRST_SIZE_PX[0] / width, FIRST_SIZE_PX[1] / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def display_problem() -> str | None:
    """Why no window can be opened here; None where one can.

    Qt ends the whole process when it reaches no X server, so it is asked for here first, with the library that Qt
    itself uses.
    """
    gui = _gui()
    if gui == "NONE":
        return "this OpenCV was built without windows (opencv-python-headless)"
    if not sys.platform.startswith("linux") or (os.environ.get("WAYLAND_DISPLAY") and not gui.startswith("QT")):
        return None
    if not (display := os.environ.get("DISPLAY")):
        return "DISPLAY is not set"
    if _pyav_came_first():
        return "PyAV was imported before OpenCV, whose window would hang: import cv2 first"
    return None if _x_server_answers(display) else f"no X server answers at DISPLAY={printable(display)}"


def _gui() -> str:
    """The toolkit that OpenCV was built with: `QT5`, `GTK3`, `COCOA`, `WIN32UI`, `NONE`."""
    lines = (line.split() for line in cv2.getBuildInformation().splitlines())
    return next((line[1].upper() for line in lines if len(line) > 1 and line[0] == "GUI:"), "NONE")


def _pyav_came_first() -> bool:
    """See streamer.pyav; a program that uses streamer may have imported PyAV itself."""
    return "av.libs/libxcb-shm" in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")


_x_connections: dict[str, int] = {}
"""Connections by display, kept for the life of the process: an X server that resets itself when its last client leaves,
as that of xvfb-run does, would be away at the moment when Qt comes."""


def _x_server_answers(display: str) -> bool:
    if display in _x_connections:
        return True
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = (ctypes.c_void_p,)
    connection = xcb.xcb_connect(display.encode(), None)
    if xcb.xcb_connection_has_error(connection) != 0:
        xcb.xcb_disconnect(connection)
        return False
    _x_connections[display] = connection
    return True


def _prepare_qt() -> None:
    """Correct what would make the Qt of the wheels complain or end the process.

    They have the plug-in for X alone, whatever the desktop asks of Qt programs; and those of OpenCV 5 look for fonts in
    a folder that they do not have.
    """
    if (Path(cv2.__file__).parent / "qt" / "plugins" / "platforms" / "libqxcb.so").exists():
        os.environ["QT_QPA_PLATFORM"] = "xcb"
    if not Path(os.environ.get("QT_QPA_FONTDIR", "/")).is_dir():
        folders = [folder for folder in _FONT_FOLDERS if Path(folder).is_dir()]
        os.environ["QT_QPA_FONTDIR"] = (folders or [str(Path(cv2.__file__).parent)])[0]

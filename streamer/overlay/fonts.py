"""Which font files of this machine have a letter.

fontconfig is asked where it is (Linux, as a rule); elsewhere the folders are searched in which systems keep fonts.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from streamer.overlay.typefaces import Outlines

logger = logging.getLogger(__name__)

_SUFFIXES = frozenset((".ttf", ".otf", ".ttc", ".otc"))

_LIKE_TEXT = ("notosans", "dejavusans", "segoeui", "arial")
"""What the names of files begin with that suit a label best."""

_UNLIKE_TEXT = ("bold", "italic", "oblique", "black", "light", "thin", "condensed", "serif", "mono", "symbol", "math")
"""What the names of files have in them that are a last resort."""

_PATIENCE_S = 10.0


def find_font(cluster: str) -> Outlines | None:
    """A font of this machine that can draw `cluster`, a letter with its marks; None where there is none."""
    for path, index in _matching(cluster):
        font = _opened(path, index)
        if font is not None and font.has(cluster):
            return font
    return None


def _matching(cluster: str) -> Iterator[tuple[Path, int]]:
    """Files that may have it, the best first."""
    try:
        yield _from_fontconfig(cluster)
    except (OSError, ValueError, subprocess.SubprocessError):
        yield from ((path, 0) for path in _files())


def _from_fontconfig(cluster: str) -> tuple[Path, int]:
    """Fontconfig's best font, which has the letters if any has; raises where there is no fontconfig, or no font."""
    letters = " ".join(f"{ord(character):x}" for character in cluster)
    found = subprocess.run(
        ["fc-match", "--format", r"%{file}\n%{index}", f"sans:charset={letters}:color=false:outline=true"],
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=_PATIENCE_S,
    )
    path, _, index = found.stdout.partition("\n")
    return Path(path), int(index) & 0xFFFF  # the bits above say which instance of a variable font


@lru_cache(maxsize=1)
def _files() -> tuple[Path, ...]:
    """All font files of this machine, those first that are meant for plain text."""
    found = (
        Path(folder) / name
        for root in _folders()
        for folder, _, names in os.walk(root)
        for name in names
        if Path(name).suffix.lower() in _SUFFIXES
    )
    return tuple(sorted(found, key=_rank))


def _rank(path: Path) -> tuple[bool, bool, Path]:
    name = path.stem.lower().replace(" ", "")
    return any(word in name for word in _UNLIKE_TEXT), not name.startswith(_LIKE_TEXT), path


def _folders() -> tuple[Path, ...]:
    home = Path.home()
    if sys.platform == "win32":
        windows, local = os.environ.get("WINDIR", r"C:\Windows"), os.environ.get("LOCALAPPDATA", home / "AppData/Local")
        return Path(windows) / "Fonts", Path(local) / "Microsoft/Windows/Fonts"
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"
    return Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"


@lru_cache(maxsize=2048)
def _opened(path: Path, index: int) -> Outlines | None:
    try:
        return Outlines(path, index)
    except (OSError, ValueError) as error:
        logger.debug("font left out: %s: %s", path, error)
        return None

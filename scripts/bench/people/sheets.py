"""Contact sheets: pictures of any size in a grid with their names. Knows nothing of what is on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from streamer.frame import Image


@dataclass(frozen=True)
class Grid:
    """How a sheet is laid out."""

    columns: int = 5
    rows: int = 4
    side_px: int = 320
    title_px: int = 18
    background: int = 32

    @property
    def count(self) -> int:
        """Tiles on a sheet."""
        return self.columns * self.rows


TILES = Grid()


@dataclass(frozen=True)
class Sheet:
    """A sheet to be written as `name`.png."""

    name: str

    def write(self, folder: Path, tiles: Sequence[Image]) -> Path:
        """Lay out at most a grid of tiles, and write them."""
        height, width = TILES.side_px + TILES.title_px, TILES.side_px
        used_rows = -(-len(tiles) // TILES.columns)
        sheet = np.full((max(used_rows, 1) * height, TILES.columns * width, 3), TILES.background, np.uint8)
        for number, one in enumerate(tiles[: TILES.count]):
            row, column = divmod(number, TILES.columns)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = one
        path = folder / f"{self.name.replace(' ', '-').replace(',', '')}.png"
        if not cv2.imwrite(str(path), sheet):
            raise OSError(f"{path}: cannot be written")
        return path


def tile(image: Image, name: str) -> Image:
    """A picture with its name above it, fitted into a tile."""
    canvas = np.full((TILES.side_px + TILES.title_px, TILES.side_px, 3), TILES.background, np.uint8)
    scale = TILES.side_px / max(image.shape)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    canvas[TILES.title_px : TILES.title_px + size[1], : size[0]] = shrunk
    cv2.putText(canvas, name[:44], (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas

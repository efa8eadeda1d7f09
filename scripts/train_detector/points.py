"""Where the network's locations lie, and what the four numbers of an encoded box mean.

A box is encoded at a location (x, y) of stride s as (tx, ty, tw, th):

    centre = (x + tx * s, y + ty * s)        size = 4 * s * exp(clamp(tw, th; -4, 4))
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from train_detector.network import STRIDES_PX

BASE_SIZE_STRIDES = 4.0
"""The side of a box encoded as zeros, in strides: 32, 64 and 128 px."""

LOG_SIZE_LIMIT = 4.0


@dataclass(frozen=True)
class Points:
    """All locations of an input size, in the order in which the network answers."""

    centres_px: Tensor
    """(L, 2) x, y."""

    strides_px: Tensor
    """(L,)"""

    def to(self, device: torch.device) -> "Points":
        return Points(self.centres_px.to(device), self.strides_px.to(device))


def locate(height_px: int, width_px: int) -> Points:
    """The locations of an input of this size; both sides must be multiples of the coarsest stride."""
    centres = []
    strides = []
    for stride in STRIDES_PX:
        ys = (torch.arange(height_px // stride) + 0.5) * stride
        xs = (torch.arange(width_px // stride) + 0.5) * stride
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        centres.append(torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2))
        strides.append(torch.full((len(ys) * len(xs),), float(stride)))
    return Points(torch.cat(centres), torch.cat(strides))


def decode(encoded: Tensor, points: Points) -> Tensor:
    """Encoded boxes (N, L, classes, 4) as x1, y1, x2, y2 in input pixels; same shape, float32."""
    encoded = encoded.float()
    strides = points.strides_px[None, :, None, None]
    centres = points.centres_px[None, :, None, :] + encoded[..., :2] * strides
    logs = encoded[..., 2:].clamp(-LOG_SIZE_LIMIT, LOG_SIZE_LIMIT)
    halves = logs.exp() * (strides * BASE_SIZE_STRIDES / 2)
    return torch.cat([centres - halves, centres + halves], dim=-1)

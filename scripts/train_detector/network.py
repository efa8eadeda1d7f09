"""The network: a single-shot detector of the MobileNet family, with a feature pyramid and one pair of heads a level.

    image (3, H, W), H and W multiples of 32, RGB, 0..255
      stem       3x3 / 2, then a dense 3x3 / 2          -> stride 4
      stages     inverted residuals                      -> strides 8, 16, 32
      pyramid    top-down and bottom-up, nearest upsampling and addition
      heads      a level: one tower for scores, one for boxes; each CLASS has its own box at every location,
                 because a face lies inside a person and one location must be able to tell both

It is made of what Keras, TFLite and OpenVINO have one to one: convolutions with explicit symmetric padding, depthwise
convolutions, batch normalisation, ReLU6, nearest upsampling, addition. export.py builds its twin by the same names.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CLASS_NAMES = ("person", "face")
"""Index 0 and 1 here; 1 and 2 in the annotations and in the exported model, where 0 is the background."""

STRIDES_PX = (8, 16, 32)
"""Input pixels between neighbouring locations, a level."""

BATCH_NORM_EPSILON = 1e-3
BATCH_NORM_MOMENTUM = 0.03
PRIOR_SCORE = 0.01
"""What the heads answer before they have learned anything: nearly every location is background."""

INPUT_MEAN = 127.5
INPUT_SCALE = 1 / 64
"""(pixel - mean) * scale enters the stem."""


@dataclass(frozen=True)
class StageConfig:
    """Blocks of one stride: the first one halves the resolution."""

    channels: int
    expansion: int
    blocks: int
    kernel_px: int


@dataclass(frozen=True)
class NetworkConfig:
    """Every number that decides the shape of the network; saved with the weights."""

    stem_channels: int = 16
    early_channels: int = 32
    early_blocks: int = 1
    stages: tuple[StageConfig, ...] = (
        StageConfig(channels=48, expansion=2, blocks=3, kernel_px=3),
        StageConfig(channels=96, expansion=3, blocks=4, kernel_px=3),
        StageConfig(channels=160, expansion=3, blocks=3, kernel_px=3),
    )
    pyramid_channels: int = 64
    tower_blocks: int = 2

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> "NetworkConfig":
        """Rebuild what dataclasses.asdict made, after a trip through a checkpoint."""
        stages = tuple(StageConfig(**stage) for stage in values["stages"])  # type: ignore[attr-defined]
        return cls(**{**values, "stages": stages})  # type: ignore[arg-type]


class ConvUnit(nn.Module):
    """Convolution without bias, padded by half a kernel on every side, normalised, then ReLU6 unless it is linear."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel_px: int = 1, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel_px, stride=stride, padding=kernel_px // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
        self.linear = linear

    def forward(self, features: Tensor) -> Tensor:
        features = self.norm(self._convolve(features))
        return features if self.linear else nn.functional.relu6(features)

    def _convolve(self, features: Tensor) -> Tensor:
        """In bfloat16, oneDNN trains depthwise convolutions of stride 2 ten times slower than in float32."""
        if self.conv.groups == 1 or self.conv.stride[0] == 1 or features.dtype != torch.bfloat16:
            result: Tensor = self.conv(features)
            return result
        with torch.autocast(features.device.type, enabled=False):
            result = self.conv(features.float())
        return result.to(features.dtype)


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel, project by 1x1; added to its input where the shapes allow (MobileNetV2)."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, kernel_px: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvUnit(inputs, hidden)
        self.depthwise = ConvUnit(hidden, hidden, kernel_px=kernel_px, stride=stride, groups=hidden)
        self.project = ConvUnit(hidden, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + result if self.residual else result


class SeparableUnit(nn.Module):
    """A depthwise convolution (linear) and a 1x1 convolution with ReLU6."""

    def __init__(self, channels: int, *, kernel_px: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = ConvUnit(channels, channels, kernel_px=kernel_px, stride=stride, groups=channels, linear=True)
        self.pointwise = ConvUnit(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.pointwise(self.depthwise(features))
        return result


class Backbone(nn.Module):
    """Stem and stages; gives the features of strides 8, 16 and 32."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem = ConvUnit(3, config.stem_channels, kernel_px=3, stride=2)
        self.early = ConvUnit(config.stem_channels, config.early_channels, kernel_px=3, stride=2)
        self.early_blocks = nn.Sequential(
            *(
                InvertedResidual(config.early_channels, config.early_channels, expansion=2, kernel_px=3, stride=1)
                for _ in range(config.early_blocks)
            )
        )
        stages = []
        channels = config.early_channels
        for stage in config.stages:
            stages.append(_stage(channels, stage))
            channels = stage.channels
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.early_blocks(self.early(self.stem(images)))
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        return levels


def _stage(inputs: int, stage: StageConfig) -> nn.Sequential:
    inputs_of_blocks = [inputs] + [stage.channels] * (stage.blocks - 1)
    return nn.Sequential(
        *(
            InvertedResidual(
                block_inputs,
                stage.channels,
                expansion=stage.expansion,
                kernel_px=stage.kernel_px,
                stride=1 if index else 2,
            )
            for index, block_inputs in enumerate(inputs_of_blocks)
        )
    )


class Pyramid(nn.Module):
    """Coarse levels lend meaning to fine ones, then fine ones lend position to coarse ones; all by addition."""

    def __init__(self, level_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(ConvUnit(inputs, channels, linear=True) for inputs in level_channels)
        steps = len(level_channels) - 1
        self.smooths = nn.ModuleList(SeparableUnit(channels) for _ in range(steps))
        self.descents = nn.ModuleList(SeparableUnit(channels, stride=2) for _ in range(steps))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        levels = [lateral(level) for lateral, level in zip(self.laterals, levels, strict=True)]
        for index in reversed(range(len(levels) - 1)):
            above = nn.functional.interpolate(levels[index + 1], scale_factor=2.0, mode="nearest")
            levels[index] = self.smooths[index](levels[index] + above)
        for index in range(len(levels) - 1):
            levels[index + 1] = levels[index + 1] + self.descents[index](levels[index])
        return levels


class Head(nn.Module):
    """Of one level: a score and a box for each class at each location."""

    def __init__(self, channels: int, *, tower_blocks: int) -> None:
        super().__init__()
        classes = len(CLASS_NAMES)
        self.score_tower = nn.Sequential(*(SeparableUnit(channels) for _ in range(tower_blocks)))
        self.box_tower = nn.Sequential(*(SeparableUnit(channels) for _ in range(tower_blocks)))
        self.scores = nn.Conv2d(channels, classes, 1)
        self.boxes = nn.Conv2d(channels, classes * 4, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.normal_(self.boxes.weight, std=0.01)
        nn.init.constant_(_bias(self.scores), -math.log((1 - PRIOR_SCORE) / PRIOR_SCORE))
        nn.init.zeros_(_bias(self.boxes))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.scores(self.score_tower(features)), self.boxes(self.box_tower(features))


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class Detector(nn.Module):
    """Images in, raw heads out: logits (N, L, classes) and encoded boxes (N, L, classes, 4), L locations of all levels.

    Locations come level by level (strides 8, 16, 32), row by row; points.py knows where they are and what the four
    numbers of a box mean.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.pyramid = Pyramid([stage.channels for stage in config.stages], config.pyramid_channels)
        self.heads = nn.ModuleList(Head(config.pyramid_channels, tower_blocks=config.tower_blocks) for _ in STRIDES_PX)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        images = (images - INPUT_MEAN) * INPUT_SCALE
        levels = self.pyramid(self.backbone(images))
        scores, boxes = zip(*(head(level) for head, level in zip(self.heads, levels, strict=True)), strict=True)
        logits = torch.cat([_rows(level, 1) for level in scores], dim=1)
        encoded = torch.cat([_rows(level, 4) for level in boxes], dim=1)
        return logits, encoded.reshape(*logits.shape, 4)


def _rows(level: Tensor, values: int) -> Tensor:
    """(N, classes * values, H, W) to (N, H * W, classes * values)."""
    return level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, len(CLASS_NAMES) * values)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, ConvUnit):
        fan_out = module.conv.out_channels * module.conv.kernel_size[0] ** 2 // module.conv.groups
        nn.init.normal_(module.conv.weight, std=math.sqrt(2 / fan_out))
    if isinstance(module, InvertedResidual) and module.residual:
        nn.init.zeros_(module.project.norm.weight)


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters())

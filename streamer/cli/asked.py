"""What the settings ask of a model. Called by the verbs that load one."""

from streamer.config import Settings
from streamer.models.options import ModelOptions


def model_options(settings: Settings, *, live: bool = False) -> ModelOptions:
    """The settings of the group `model`, as load_detector takes them. live: whether it is for a live stream."""
    return ModelOptions(
        labels=settings.labels,
        conf=settings.conf,
        classes=settings.classes,
        max_det=settings.max_det,
        label_offset=settings.label_offset,
        signature=settings.signature,
        card=settings.card,
        iou=settings.iou,
        scale=settings.scale,
        channel_order=settings.channel_order,
        fit=settings.fit,
        layout=settings.layout,
        input_size_px=None if settings.input_size is None else _size_px(settings.input_size),
        box_order=settings.box_order,
        box_unit=settings.box_unit,
        trust=settings.trust_model,
        runtime=settings.runtime,
        threads=settings.threads,
        device=settings.device,
        gpu_mem_mb=settings.gpu_mem,
        int8=settings.int8,
        live=live,
    )


def _size_px(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)

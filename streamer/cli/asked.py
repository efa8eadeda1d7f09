"""What the settings ask of a model. Called by the verbs that load one."""

from streamer.config import Settings
from streamer.models.options import ModelOptions


def model_options(settings: Settings) -> ModelOptions:
    """The settings of the group `model`, as load_detector takes them."""
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
        trust=settings.trust_model,
    )

"""The way of a model from a path to a detector: recognised, checked, loaded, understood, named. One step a line.

Called by load_detector and by `streamer inspect`, so that both decide the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.frame import Image
from streamer.models.card_files import find_card, read_card
from streamer.models.formats.loading import load
from streamer.models.formats.recognise import Found, recognise
from streamer.models.loaded import Loaded
from streamer.models.naming import Naming, name_classes
from streamer.models.options import ModelOptions
from streamer.models.plan import Plan
from streamer.models.safety.checks import check
from streamer.models.understanding import CardInUse, understand

if TYPE_CHECKING:
    from streamer.models.detector import ModelDetector

Pictures = Callable[[], Sequence[Image]]
"""Photographs to look at, (H, W, 3) uint8 BGR each; only asked for where something is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedModel:
    """A loaded model and all that was decided of it; nothing has run yet."""

    found: Found
    loaded: Loaded
    plan: Plan
    naming: Naming
    card: CardInUse
    options: ModelOptions

    def detector(self) -> "ModelDetector":
        """The Detector; closing it closes the model. Raises ConfigError for options that do not fit it."""
        from streamer.models.detector import ModelDetector  # noqa: PLC0415 - OpenCV, when there is something to run

        return ModelDetector(self.loaded, self.plan, options=self.options, naming=self.naming)

    def with_plan(self, plan: Plan) -> "OpenedModel":
        """The same model, fed and read in another way."""
        naming = _named(self.found, self.loaded, plan, card=self.card, options=self.options)
        return replace(self, plan=plan, naming=naming)

    def close(self) -> None:
        """Let the model go. Idempotent."""
        self.loaded.graph.close()


def open_model(
    path: Path, options: ModelOptions, *, input_size_px: tuple[int, int] | None = None, pictures: Pictures | None = None
) -> OpenedModel:
    """The model at `path`, understood.

    input_size_px: as load_detector takes it. pictures: what to look at where the model leaves something open.

    Raises ModelLoadError, SignatureError and ConfigError as load_detector does.
    """
    found = recognise(path)
    card = card_in_use(found, options)
    check(found, trust=options.trust)
    loaded = load(found, signature=options.signature, trust=options.trust)
    try:
        opened = open_loaded(found, loaded, card=card, options=options, input_size_px=input_size_px)
        return _looked(opened, pictures) if pictures is not None and any(opened.plan.open_choices()) else opened
    except BaseException:
        loaded.graph.close()
        raise


def open_loaded(
    found: Found,
    loaded: Loaded,
    *,
    card: CardInUse,
    options: ModelOptions,
    input_size_px: tuple[int, int] | None = None,
) -> OpenedModel:
    """A model that is loaded already, understood; it stays open. Raises SignatureError and ConfigError."""
    plan = understand(loaded, card=card, options=options, input_size_px=input_size_px)
    naming = _named(found, loaded, plan, card=card, options=options)
    return OpenedModel(found=found, loaded=loaded, plan=plan, naming=naming, card=card, options=options)


def card_in_use(found: Found, options: ModelOptions) -> CardInUse:
    """The card that --card names, else the one beside the model, else an empty one. Raises ConfigError."""
    path = options.card or find_card(found.path)
    return CardInUse() if path is None else CardInUse(card=read_card(path), origin=path.name, folder=path.parent)


def _named(found: Found, loaded: Loaded, plan: Plan, *, card: CardInUse, options: ModelOptions) -> Naming:
    return name_classes(
        found.path,
        labels=options.labels,
        offset=options.label_offset,
        first_class_id=plan.first_class_id,
        class_count=plan.class_count,
        card_labels=plan.labels,
        card_folder=card.folder,
        packed=loaded.hints.labels,
        family_labels=plan.family_labels,
        family=plan.family,
    )


def _looked(opened: OpenedModel, pictures: Pictures) -> OpenedModel:
    from streamer.models.probe import probe  # noqa: PLC0415 - most models leave nothing open

    shown = pictures()
    if not shown:
        return opened
    return opened.with_plan(probe(opened.loaded.graph, opened.plan, shown).plan)

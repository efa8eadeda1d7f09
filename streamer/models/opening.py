"""The way of a model from a path to a detector: recognised, checked, loaded, understood, named. One step a line.

Called by load_detector and by `streamer inspect`, so that both decide the same.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ModelLoadError
from streamer.frame import Image
from streamer.models.card_files import find_card, read_card
from streamer.models.formats.loading import load
from streamer.models.formats.recognise import Found, recognise
from streamer.models.inputs import ANY_SIDE_PX, MAX_SIDE_PX
from streamer.models.loaded import Loaded
from streamer.models.naming import Naming, name_classes
from streamer.models.options import ModelOptions, Runtime
from streamer.models.plan import Plan
from streamer.models.safety.checks import check
from streamer.models.understanding import CardInUse, understand

if TYPE_CHECKING:
    from streamer.models.choosing.recalling import Recalling
    from streamer.models.choosing.record import Record
    from streamer.models.detector import ModelDetector
    from streamer.models.running import LoweredRun

logger = logging.getLogger(__name__)

_GRAPHS = frozenset({"savedmodel", "frozen_graph", "keras"})
"""The forms that TensorFlow loads."""

_OF_GRAPHS = ("tensorflow", "openvino", "litert")
"""What may run them."""

Pictures = Callable[[], Sequence[Image]]
"""Photographs to look at, (H, W, 3) uint8 BGR each; only asked for where something is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedModel:
    """A model that can be run and all that was decided of it; nothing has run yet.

    record: what was chosen to run it, where that was looked for. run: that, opened; None for the graph as it was saved.
    """

    found: Found
    loaded: Loaded
    plan: Plan
    naming: Naming
    card: CardInUse
    options: ModelOptions
    record: "Record | None" = None
    run: "LoweredRun | None" = None

    def detector(self) -> "ModelDetector":
        """The Detector; closing it closes the model. Raises ConfigError for options that do not fit it."""
        from streamer.models.detector import ModelDetector  # noqa: PLC0415 - OpenCV, when there is something to run

        if self.run is not None:
            self.loaded.graph.close()
        return ModelDetector(self.loaded, self.plan, options=self.options, naming=self.naming, run=self.run)

    def with_plan(self, plan: Plan) -> "OpenedModel":
        """The same model, fed and read in another way."""
        naming = _named(self.found, self.loaded, plan, card=self.card, options=self.options)
        return replace(self, plan=plan, naming=naming)

    def close(self) -> None:
        """Let the model go. Idempotent."""
        self.loaded.graph.close()
        if self.run is not None:
            self.run.close()

    def ready(self) -> "OpenedModel":
        """The same with the chosen network open. Raises ModelLoadError where it is damaged, or gone."""
        return replace(self, run=self._run())

    def _run(self) -> "LoweredRun | None":
        """The chosen network, opened; None for the graph as it was saved."""
        lowered = None if self.record is None else self.record.chosen(live=self.options.live)
        if self.record is None or lowered is None:
            return None
        from streamer.models.networks import open_network  # noqa: PLC0415 - as above
        from streamer.models.running import LoweredRun  # noqa: PLC0415 - as above

        network = open_network(lowered, self.record.folder, live=self.options.live, threads=self.options.threads)
        return LoweredRun(network, lowered, self.plan)


def open_model(
    path: Path, options: ModelOptions, *, input_size_px: tuple[int, int] | None = None, pictures: Pictures | None = None
) -> OpenedModel:
    """The model at `path`, understood, with the graph as it was saved.

    input_size_px: as load_detector takes it. pictures: what to look at where the model leaves something open.

    Raises ModelLoadError, SignatureError and ConfigError as load_detector does.
    """
    found = recognise(path)
    card = card_in_use(found, options)
    check(found, trust=options.trust)
    return _opened(found, card, options, input_size_px=input_size_px, pictures=pictures)


def open_to_run(
    path: Path, options: ModelOptions, *, input_size_px: tuple[int, int] | None = None, pictures: Pictures | None = None
) -> OpenedModel:
    """The same, with what runs it fastest: what was chosen before, else it is chosen now.

    Raises what `open_model` raises, and ModelLoadError where the runtime that was asked for cannot run it.
    """
    found = recognise(path)
    _refuse_runtime(found, options.runtime_in_use)
    card = card_in_use(found, options)
    check(found, trust=options.trust)
    if options.runtime_in_use == "saved" or found.form == "opencv_dnn" or options.trust:
        return _opened(found, card, options, input_size_px=input_size_px, pictures=pictures)
    from streamer.models.choosing.recalling import Recalling  # noqa: PLC0415 - only who runs a model needs it

    known = Recalling(found.path, options)
    recalled = _recalled(known, found, card, options, input_size_px=input_size_px, looks=pictures is not None)
    ready = None if recalled is None else _whole(recalled, known)
    if ready is not None:
        return ready
    opened = _opened(found, card, options, input_size_px=input_size_px, pictures=pictures)
    try:
        return _chosen(opened, known, pictures, frame_size_px=input_size_px)
    except BaseException:
        opened.close()
        raise


def _refuse_runtime(found: Found, runtime: Runtime) -> None:
    """Raise ModelLoadError for a runtime that cannot run models of this form, whatever is in them."""
    able = {"opencv_dnn": ("opencv",), "tflite": ("litert", "openvino")}.get(found.form, _OF_GRAPHS)
    if runtime not in {"auto", "saved", *able}:
        raise ModelLoadError(
            f"{runtime} cannot run a model of this form", where=str(found.path), hint=f"auto, {' or '.join(able)}"
        )


def _opened(
    found: Found,
    card: CardInUse,
    options: ModelOptions,
    *,
    input_size_px: tuple[int, int] | None,
    pictures: Pictures | None,
) -> OpenedModel:
    if found.form in _GRAPHS:
        from streamer.models.runtimes.tensorflow import prepare  # noqa: PLC0415 - TensorFlow, for forms that need it

        prepare(device=options.device, gpu_mem_mb=options.gpu_mem_mb, threads=options.threads)
    loaded = load(found, signature=options.signature, trust=options.trust)
    try:
        opened = open_loaded(found, loaded, card=card, options=options, input_size_px=input_size_px)
        return _looked(opened, pictures) if pictures is not None and any(opened.plan.open_choices()) else opened
    except BaseException:
        loaded.graph.close()
        raise


def _recalled(
    known: "Recalling",
    found: Found,
    card: CardInUse,
    options: ModelOptions,
    *,
    input_size_px: tuple[int, int] | None,
    looks: bool,
) -> OpenedModel | None:
    """The model as it is known from an earlier run; None where it has to be loaded all the same."""
    record = known.record(input_size_px)
    lowered = None if record is None else record.chosen(live=options.live)
    if record is None or lowered is None:
        return None
    opened = _from_record(found, record, card=card, options=options, frame_size_px=input_size_px)
    if looks and any(opened.plan.open_choices()):  # only the graph as it was saved can be fed in other ways
        return None
    return opened


def _from_record(
    found: Found, record: "Record", *, card: CardInUse, options: ModelOptions, frame_size_px: tuple[int, int] | None
) -> OpenedModel:
    lowered = record.chosen(live=options.live)
    most = MAX_SIDE_PX if lowered is None or lowered.feeding is None else ANY_SIDE_PX
    opened = open_loaded(
        found, record.loaded(), card=card, options=options, input_size_px=frame_size_px, max_side_px=most
    )
    return replace(opened, record=record)


def _chosen(
    opened: OpenedModel, known: "Recalling", pictures: Pictures | None, *, frame_size_px: tuple[int, int] | None
) -> OpenedModel:
    """A model that is loaded, with what was chosen for it, before or now."""
    try:
        before = known.record(frame_size_px)
        ready = None if before is None else _whole(_with_record(opened, before, frame_size_px), known)
        if ready is not None:
            return ready
        record = _measured(opened, known, pictures, frame_size_px=frame_size_px)
        return _with_record(opened, record, frame_size_px).ready()
    except Exception as error:
        if opened.options.runtime_in_use != "auto":
            raise
        logger.warning("no other runtime could be measured, the model runs as it was saved: %s", error)
        return opened


def _whole(opened: OpenedModel, known: "Recalling") -> OpenedModel | None:
    """What was chosen before, opened; where it is damaged it is forgotten, and that is None."""
    try:
        return opened.ready()
    except ModelLoadError as error:
        logger.debug("what was chosen before cannot be opened: %s", error)
        known.forget(opened.record)
        return None


def _with_record(opened: OpenedModel, record: "Record", frame_size_px: tuple[int, int] | None) -> OpenedModel:
    """A model that is loaded, with what was chosen for it."""
    opened = replace(opened, record=record)
    lowered = record.chosen(live=opened.options.live)
    if lowered is None or lowered.feeding is None or max(frame_size_px or (0,)) <= MAX_SIDE_PX:
        return opened
    return replace(opened, plan=_of_whole_frames(opened, frame_size_px))


def _measured(
    opened: OpenedModel, known: "Recalling", pictures: Pictures | None, *, frame_size_px: tuple[int, int] | None
) -> "Record":
    from streamer.models.choosing.choice import Subject, choose  # noqa: PLC0415 - on first use only

    subject = Subject(path=opened.found.path, loaded=opened.loaded, plan=opened.plan, naming=opened.naming)
    key, shown = known.key_for(opened.plan, frame_size_px), pictures() if pictures is not None else ()
    return choose(subject, opened.options, key=key, key_for_any=known.key(None), pictures=shown)


def _of_whole_frames(opened: OpenedModel, frame_size_px: tuple[int, int] | None) -> Plan:
    """The plan with an input of the size of the frames: what resizes them for the network shrinks them but once."""
    wanted = understand(
        opened.loaded, card=opened.card, options=opened.options, input_size_px=frame_size_px, max_side_px=ANY_SIDE_PX
    )
    choices = tuple(wanted.choice("size") if choice.what == "size" else choice for choice in opened.plan.choices)
    return replace(opened.plan, input=replace(opened.plan.input, size_px=wanted.input.size_px), choices=choices)


def measure_runtimes(
    path: Path, options: ModelOptions, *, input_size_px: tuple[int, int] | None = None, pictures: Pictures | None = None
) -> "Record":
    """Every way of running the model, measured anew, whatever was chosen before; what comes of it is kept.

    Raises what `open_to_run` raises.
    """
    found = recognise(path)
    _refuse_runtime(found, options.runtime_in_use)
    card = card_in_use(found, options)
    check(found, trust=options.trust)
    from streamer.models.choosing.recalling import Recalling  # noqa: PLC0415 - as above

    opened = _opened(found, card, options, input_size_px=input_size_px, pictures=pictures)
    try:
        return _measured(opened, Recalling(found.path, options), pictures, frame_size_px=input_size_px)
    finally:
        opened.close()


def open_loaded(
    found: Found,
    loaded: Loaded,
    *,
    card: CardInUse,
    options: ModelOptions,
    input_size_px: tuple[int, int] | None = None,
    max_side_px: int = MAX_SIDE_PX,
) -> OpenedModel:
    """A model that is loaded already, understood; it stays open. Raises SignatureError and ConfigError."""
    plan = understand(loaded, card=card, options=options, input_size_px=input_size_px, max_side_px=max_side_px)
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

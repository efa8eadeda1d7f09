"""Finding what was chosen for a model before; needs neither TensorFlow nor another runtime. Called by opening.py."""

import hashlib
from functools import cached_property
from pathlib import Path

from streamer.models.card_files import find_card
from streamer.models.choosing.record import Record, digest_of, forget, key_of, recall
from streamer.models.inputs import DEFAULT_SIZE_PX, SIZED_BY_FRAMES
from streamer.models.options import ModelOptions
from streamer.models.plan import Plan


class Recalling:
    """The records of one model under given options.

    path: the model. Raises OSError, from any method, for a model that cannot be read.
    """

    def __init__(self, path: Path, options: ModelOptions) -> None:
        self._path = path
        self._options = options

    def key(self, size_px: tuple[int, int] | None) -> str:
        """What a record is found by. size_px: of the only frames that it holds for; None where it holds for all."""
        options = self._options
        return key_of(
            self._digest,
            signature=options.signature,
            runtime=options.runtime_in_use,
            int8=options.int8,
            device=options.device,
            threads=options.threads,
            size=size_px,
            card=self._card,
            input=(options.input_size_px, options.layout, options.box_order, options.box_unit),
        )

    def key_for(self, plan: Plan, frame_size_px: tuple[int, int] | None) -> str:
        """What a new record is found by: if the plan depends on the size of the frames, it holds for no other."""
        sized = plan.choice("size").why in SIZED_BY_FRAMES
        return self.key(frame_size_px or DEFAULT_SIZE_PX if sized else None)

    def record(self, frame_size_px: tuple[int, int] | None) -> Record | None:
        """What was chosen for any frames, or for frames of this size."""
        return recall(self.key(None)) or recall(self.key(frame_size_px or DEFAULT_SIZE_PX))

    def forget(self, record: Record | None) -> None:
        """Let nobody find this one again."""
        if record is not None:
            forget(record)

    @cached_property
    def _card(self) -> str:
        """Of the card in use, which says what the network takes and which of its outputs are read."""
        path = self._options.card or find_card(self._path)
        return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()

    @cached_property
    def _digest(self) -> str:
        return digest_of(self._path)

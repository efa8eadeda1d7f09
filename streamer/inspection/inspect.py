"""From a path to an Inspection: as far as the model goes, and why no further. `inspect_model` is all of it.

The steps are those of a run (models/opening.py); what one of them raises ends the way, and is kept with what was found.
Called by the verb inspect, and from Python.
"""

import os
import statistics
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np

from streamer.clock import NS_PER_MS, Clock, MonotonicClock
from streamer.errors import ModelError
from streamer.frame import Image
from streamer.inspection.facts import FORMS, parts_played, size_bytes_of
from streamer.inspection.findings import Inspection, Looked, TensorFact, Trial
from streamer.inspection.static import told_by_the_file
from streamer.models import MODEL_INSIDE
from streamer.models.detector import ModelDetector
from streamer.models.formats.loading import load
from streamer.models.formats.recognise import Found, recognise
from streamer.models.loaded import Loaded
from streamer.models.opening import OpenedModel, card_in_use, open_loaded
from streamer.models.options import ModelOptions
from streamer.models.plan import Plan
from streamer.models.probe import probe
from streamer.models.probing.verdict import Candidate
from streamer.models.safety.checks import check, concerns
from streamer.models.zoo.finding import find_model

TIMED_RUNS = 3

SHOWN_FROM = 0.3
"""The lowest score of a box on the contact sheet, if no lower one is asked for: candidates differ in what they miss."""


def inspect_model(
    path: str | os.PathLike[str] | None = None,
    options: ModelOptions | None = None,
    *,
    pictures: Mapping[str, Image] | None = None,
) -> Inspection:
    """What there is to know of the model at `path`; of one that is refused, or is no detector, as much as there is.

    path, options: as load_detector takes them. pictures: (H, W, 3) uint8 BGR by name; with them, what the model leaves
    open is tried and decided.

    Raises ModelLoadError for what is no model at all, ConfigError for options and cards that do not fit it. What else
    stands in the way is the `failure` of the Inspection.
    """
    options = options if options is not None else ModelOptions()
    found = recognise(MODEL_INSIDE if path is None else find_model(path))
    size_bytes = size_bytes_of(found.path, found.text_graph)
    known = Inspection(path=found.path, form=FORMS[found.form], size_bytes=size_bytes, trusted=options.trust)
    try:
        known = told_by_the_file(replace(known, concerns=concerns(found)), found)
        check(found, trust=options.trust)
        loaded = load(found, signature=options.signature, trust=options.trust)
    except ModelError as error:
        return replace(known, failure=error)
    with closing(loaded.graph):
        return _of_loaded(known, found, loaded, options, pictures or {})


def _of_loaded(
    known: Inspection, found: Found, loaded: Loaded, options: ModelOptions, pictures: Mapping[str, Image]
) -> Inspection:
    known = replace(
        known,
        form=loaded.form,
        writer=loaded.writer,
        parameters=loaded.parameters,
        signature=loaded.signature.name,
        signatures=loaded.signatures,
        inputs=tuple(map(TensorFact, loaded.signature.inputs)),
        outputs=tuple(map(TensorFact, loaded.signature.outputs)),
        runtime=loaded.graph.runtime,
    )
    size_px = next(((image.shape[1], image.shape[0]) for image in pictures.values()), None)
    try:
        card = card_in_use(found, options)
        opened = open_loaded(found, loaded, card=card, options=options, input_size_px=size_px)
        known = _of_opened(replace(known, card=card.card), opened)
        if pictures:
            opened, known = _looked(known, opened, pictures)
        return replace(known, run_ms=_run_ms(opened.detector(), pictures))
    except ModelError as error:
        return replace(known, failure=error)


def _of_opened(known: Inspection, opened: OpenedModel) -> Inspection:
    inputs, outputs = parts_played(opened)
    line = opened.detector().describe()
    return replace(known, inputs=inputs, outputs=outputs, plan=opened.plan, naming=opened.naming, line=line)


def _looked(known: Inspection, opened: OpenedModel, pictures: Mapping[str, Image]) -> tuple[OpenedModel, Inspection]:
    """What pictures show, and the model as it is fed and read then.

    What is open is decided as a run decides it. Where nothing is, what is usual is tried, for people to see, and stays.
    """
    checked = not any(opened.plan.open_choices())
    verdict = probe(
        opened.loaded.graph,
        opened.plan,
        list(pictures.values()),
        questions="usual" if checked else "open",
        conf=min(opened.options.conf, SHOWN_FROM),
    )
    opened = opened if checked else opened.with_plan(verdict.plan)
    trials = tuple(_trial(candidate, opened.plan) for candidate in verdict.candidates)
    shown = len(trials[0].detections)
    names, images = tuple(pictures)[:shown], tuple(pictures.values())[:shown]
    conf = opened.options.conf
    looked = Looked(names, images, trials, verdict.sureness, verdict.reason, conf=conf, checked=checked)
    return opened, _of_opened(replace(known, looked=looked), opened)


def _trial(candidate: Candidate, plan: Plan) -> Trial:
    taken = all(plan.choice(what).value == answer for what, answer in candidate.answers.items())
    short = ", ".join(candidate.answers.values())
    return Trial(candidate.words, candidate.share, candidate.detections, taken, short)


def _run_ms(detector: ModelDetector, pictures: Mapping[str, Image], *, clock: Clock | None = None) -> float:
    """Of one picture, once it runs as fast as it will."""
    clock = clock or MonotonicClock()
    width, height = detector.input_size_px
    picture = next(iter(pictures.values()), np.zeros((height, width, 3), np.uint8))
    detector.warm_up()
    times_ms = []
    for _ in range(TIMED_RUNS):
        began_ns = clock.now_ns()
        detector.detect([picture])
        times_ms.append((clock.now_ns() - began_ns) / NS_PER_MS)
    return statistics.median(times_ms)

"""An inspection as one JSON object; docs/manual.md has its keys."""

from typing import Any

from streamer.errors import StreamerError
from streamer.frame import Detections
from streamer.inspection.findings import Inspection, Looked, TensorFact
from streamer.labels import Labels
from streamer.models.plan import Choice, Plan
from streamer.text import printable, redacted


def as_json(inspection: Inspection) -> dict[str, Any]:
    """Everything that is known, ready for json.dumps; keys of what is not known are null or empty."""
    naming = inspection.naming
    return {
        "path": str(inspection.path),
        "form": inspection.form,
        "writer": inspection.writer or None,
        "size_bytes": inspection.size_bytes,
        "parameters": inspection.parameters,
        "concerns": list(inspection.concerns),
        "trusted": inspection.trusted,
        "error": None if inspection.failure is None else _error(inspection.failure),
        "signature": inspection.signature or None,
        "signatures": list(inspection.signatures),
        "inputs": [_tensor(fact) for fact in inspection.inputs],
        "outputs": [_tensor(fact) for fact in inspection.outputs],
        **_decisions(inspection.plan),
        "labels": None if naming is None else _labels(inspection),
        "runtime": inspection.runtime or None,
        "run_ms": None if inspection.run_ms is None else round(inspection.run_ms, 2),
        "line": inspection.line or None,
        "probe": None if inspection.looked is None else _probe(inspection.looked, inspection.labels),
    }


def _error(failure: StreamerError) -> dict[str, Any]:
    return {"what": redacted(failure.what), "hint": failure.hint, "exit_code": failure.exit_code}


def _tensor(fact: TensorFact) -> dict[str, Any]:
    spec = fact.spec
    scaled = spec.quantization
    return {
        "name": spec.name,
        "dtype": spec.dtype,
        "shape": None if spec.shape is None else list(spec.shape),
        "quantization": None if scaled is None else {"scale": scaled.scale, "zero_point": scaled.zero_point},
        "role": fact.role or None,
        "why": fact.why or None,
    }


def _decisions(plan: Plan | None) -> dict[str, Any]:
    if plan is None:
        return {"input": None, "choices": [], "head": None, "card": None}
    width, height = plan.input.size_px
    given = {
        "size": [width, height],
        "batch": plan.input.batch,
        "layout": plan.input.layout,
        "channel_order": plan.input.channel_order,
        "scale": plan.input.scale,
        "mean": list(plan.input.mean),
        "std": list(plan.input.std),
        "fit": plan.input.fit,
    }
    head = {"words": plan.head.describe(), "reads": dict(plan.head.reads), "card": plan.head_card.model_dump()}
    return {
        "input": given,
        "choices": [_choice(choice) for choice in plan.choices],
        "head": head,
        "card": plan.card or None,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "what": choice.what,
        "value": choice.value,
        "why": choice.why,
        "usual": choice.is_usual,
        "open": choice.is_open,
    }


def _labels(inspection: Inspection) -> dict[str, Any]:
    naming, plan = inspection.naming, inspection.plan
    assert naming is not None
    return {
        "origin": naming.origin,
        "count": len(naming.labels),
        "offset": naming.offset,
        "misfit": naming.misfit or None,
        "first_class_id": None if plan is None else plan.first_class_id,
        "class_count": None if plan is None else plan.class_count,
    }


def _probe(looked: Looked, labels: Labels) -> dict[str, Any]:
    tried = [
        {
            "words": trial.words,
            "share": round(trial.share, 4),
            "taken": trial.taken,
            "boxes": sum(map(len, trial.detections)),
        }
        for trial in looked.trials
    ]
    pictures = [
        {"name": printable(name, limit=256), "size": list(image.shape[1::-1]), "detections": _detections(found, labels)}
        for name, image, found in zip(looked.names, looked.pictures, looked.seen, strict=True)
    ]
    return {
        "likeliest": looked.trials[0].words,
        "checked_only": looked.checked,
        "sureness": {what: round(share, 4) for what, share in looked.sureness.items()},
        "reason": looked.reason or None,
        "candidates": tried,
        "pictures": pictures,
    }


def _detections(found: Detections, labels: Labels) -> list[dict[str, Any]]:
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True)
    return [
        {
            "box": [round(side, 2) for side in box],
            "class_id": class_id,
            "label": labels.name(class_id),
            "score": round(score, 4),
        }
        for box, score, class_id in rows
    ]

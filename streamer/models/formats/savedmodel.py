"""SavedModels, loaded: of TensorFlow 2 and 1, of Keras, with signatures or with functions alone. Called by loading.py.

Where one lies is found by recognise.py, what it may do is decided in safety/, before anything here.
"""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.errors import ModelLoadError
from streamer.models.formats.graph_body import range_of_function
from streamer.models.loaded import Hints, Loaded
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow, named_tensors, short_reason
from streamer.models.safety.program import read_saved_model, text_of, weights_in
from streamer.models.schema import Message
from streamer.models.signature import DEFAULT_SIGNATURE, Signature, TensorSpec, choose_signature
from streamer.text import printable

logger = logging.getLogger(__name__)

SERVE = frozenset({"serve"})
"""The tags of what is exported to be run."""

_OWN_FUNCTIONS = ("serve", "detect", "predict", "call", "__call__", "_default_save_signature")
"""What a model without signatures may be called by: Keras' own names, and the usual ones of others."""

_LOADERS_OWN = frozenset({"__saved_model_init_op", "__saved_model_train_op"})


def load_saved_model(path: Path, *, signature: str | None) -> Loaded:
    """The SavedModel in the folder `path`, one signature of it ready to run.

    signature: its name; None takes serving_default, else the only one, else the only one that takes a picture. A model
    without signatures is run by a function of its own that takes one tensor.

    Raises ModelLoadError for a damaged model, SignatureError for a signature that is not there.
    """
    program = read_saved_model(path)
    loaded = _loaded(path, _tags(program))
    functions = _functions(loaded)
    name = choose_signature(list(functions), signature or _obvious(functions))
    function = functions[name]
    inputs = _specs(_inputs(function))
    outputs = _specs(named_tensors(function.structured_outputs))
    takes_names = bool(function.structured_input_signature[1])
    graph = TensorFlowGraph(loaded, function, input_name=inputs[0].name if takes_names else None)
    return Loaded(
        graph=graph,
        signature=Signature(name, inputs, outputs),
        form="SavedModel",
        signatures=tuple(sorted(functions)),
        hints=Hints(value_range=range_of_function(function)),
        writer=_writer(program),
        parameters=_parameters(loaded, function, program),
    )


def _tags(program: Message) -> frozenset[str]:
    """Which of the graphs to load: the one tagged `serve`, else the only one, else the first one with a signature."""
    graphs = {frozenset(map(text_of, graph.info.tags)): graph for graph in reversed(program.meta_graphs)}
    if SERVE in graphs:
        return SERVE
    with_signature = (tags for tags, graph in reversed(graphs.items()) if graph.signatures)
    chosen = next(iter(graphs)) if len(graphs) == 1 else next(with_signature, next(reversed(graphs)))
    of = f" of {len(graphs)}" if len(graphs) > 1 else ""
    logger.info("the SavedModel has no graph tagged serve: taken is the one%s tagged %s", of, _listed(chosen))
    return chosen


def _listed(tags: frozenset[str]) -> str:
    return ", ".join(printable(tag) for tag in sorted(tags)) or "with nothing"


def _loaded(path: Path, tags: frozenset[str]) -> object:
    tensorflow = import_tensorflow()
    try:
        return tensorflow.saved_model.load(str(path), tags=sorted(tags))
    except Exception as error:
        raise ModelLoadError(
            f"the SavedModel is damaged or incomplete: {short_reason(error)}",
            where=str(path),
            hint="copy or export the model again",
        ) from error


def _functions(loaded: object) -> dict[str, Any]:
    """The signatures by name; without any, a function of the model's own."""
    signatures: Mapping[str, Any] = getattr(loaded, "signatures", {})
    return {name: known for name, known in signatures.items() if name not in _LOADERS_OWN} or _own_function(loaded)


def _own_function(loaded: object) -> dict[str, Any]:
    """The first function that takes one tensor and nothing else, by its name."""
    for name in _OWN_FUNCTIONS:
        for function in getattr(getattr(loaded, name, None), "concrete_functions", ()):
            if len(_inputs(function)) == 1:
                return {name: function}
    return {}


def _inputs(function: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow comes without types
    """The tensors that a function takes, by name; what else it takes has its value already."""
    tensorflow = import_tensorflow()
    tensors = tensorflow.nest.flatten(function.structured_input_signature)
    specs = [tensor for tensor in tensors if isinstance(tensor, tensorflow.TensorSpec)]
    named = function.structured_input_signature[1]
    if named:
        return dict(sorted(named.items()))
    return {spec.name or f"input_{n}": spec for n, spec in enumerate(specs)}


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, tensor.dtype.name, None if tensor.shape.rank is None else tuple(tensor.shape.as_list()))
        for name, tensor in sorted(tensors.items())
    )


def _obvious(functions: Mapping[str, Any]) -> str | None:
    """The only signature that takes one tensor which may be a picture, where none has the usual name."""
    if DEFAULT_SIGNATURE in functions:
        return None
    takes_picture = [
        name for name, function in functions.items() if [*map(_may_be_picture, _inputs(function).values())] == [True]
    ]
    return takes_picture[0] if len(takes_picture) == 1 else None


def _may_be_picture(tensor: Any) -> bool:  # noqa: ANN401 - as above
    return tensor.dtype.name != "string" and tensor.shape.rank in {None, 3, 4}


def _writer(program: Message) -> str:
    version = next((text_of(graph.info.tensorflow_version) for graph in program.meta_graphs), "")
    return f"TensorFlow {printable(version)}" if version else ""


def _parameters(loaded: object, function: Any, program: Message) -> int:  # noqa: ANN401 - as above
    """How many weights there are: in variables, or in constants where those hold more, as where a graph was frozen."""
    variables = getattr(loaded, "variables", None) or function.variables
    held: int = sum(math.prod(variable.shape) for variable in variables if variable.dtype.is_floating)
    return max(held, *(weights_in(graph.graph) for graph in program.meta_graphs))

"""Which of a SavedModel's operations touch files that loading it need not touch.

Every SavedModel holds operations that write checkpoints, and most hold some that read them: those of its saver. They
are let pass where they can do nothing else:

- What writes may be reached from the saver's `save` alone, which nobody calls.
- What reads a checkpoint may be reached from the saver's `restore` alone, and reads the file that it is given, which
  is variables/ of the folder.
- What fills a table from a text file may be reached from what loading starts, and reads a file in assets/.

A path counts as given if it comes, through Identity and the arguments of functions, from the tensor that loading feeds.
What else touches files is not on the list of operations and is no matter of this file. Used by safety.py.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from streamer.models.safety.operations import READERS, WRITERS
from streamer.models.safety.program import parse, text_of
from streamer.models.schema import Message

Work = Literal["save", "restore", "table"]

MOST_NEEDS = 16
"""Paths that a function is given; one with more is taken for one that chooses them itself. The time is bounded so."""

MAIN_GRAPH = "the main graph"

_TOUCH = frozenset(operation.encode() for operation in (*READERS, *WRITERS))

_CALLS = frozenset({b"PartitionedCall", b"StatefulPartitionedCall"})

_FIRST_OUTPUT = frozenset({b"", b"0", b"output:0"})
"""How it is spelled, of Identity in a function too."""

_MAY_START: Mapping[Work, frozenset[str]] = {
    "save": frozenset({"save"}),
    "restore": frozenset({"restore"}),
    "table": frozenset({"loading"}),
}
"""By whom a work may be started. A signature is on none of them."""


class Use(NamedTuple):
    """An operation, and where in the model it stands."""

    operation: str
    place: str


class _Need(NamedTuple):
    """A file that a function touches: its path is the argument of that number, or one of its own choosing (None)."""

    use: Use
    work: Work
    argument: int | None


_Needs = dict[bytes, dict[tuple[Work, int | None], _Need]]
"""Of every function, by its name."""


class _Body:
    """The nodes of a function, or of the main graph, that touch files or call functions of the library."""

    def __init__(
        self, name: str, nodes: Sequence[Message], arguments: Sequence[bytes], known: frozenset[bytes]
    ) -> None:
        self.name = name
        self.arguments = len(arguments)
        self._numbers = {argument: number for number, argument in enumerate(arguments)}
        self.touching = [node for node in nodes if node.op in _TOUCH]
        self.calling = [(node, called) for node in nodes if (called := set(functions_called(node)) & known)]
        self._copies = {node.name: node.inputs[0] for node in nodes if node.op == b"Identity" and node.inputs}

    def number_of(self, argument: bytes | None) -> int | None:
        """Which argument of the function is called so, from 0; None where none is."""
        return None if argument is None else self._numbers.get(argument)

    def given(self, node: Message, number: int | None) -> bytes | None:
        """The node or argument that an input of a node is a copy of; None if it is another output than the first."""
        data = [tensor for tensor in node.inputs if not tensor.startswith(b"^")]
        if number is None or number >= len(data):
            return None
        tensor, seen = data[number], set[bytes]()
        while tensor not in seen:
            seen.add(tensor)
            name, _, output = tensor.partition(b":")
            if output not in _FIRST_OUTPUT:
                return None
            tensor = self._copies.get(name, tensor)
        return _node(tensor)


def functions_called(node: Message) -> Iterator[bytes]:
    """Names that a node calls as functions: its operation, and whatever its attributes name, however deep."""
    yield node.op
    yield from functions_named(node.attributes)


def functions_named(attributes: Sequence[Message]) -> Iterator[bytes]:
    """The functions that attributes name, and those that these names are given along."""
    for entry in attributes:
        for function in (entry.value.function, *entry.value.list.functions):
            if function.name:
                yield function.name
            yield from functions_named(function.attributes)


def stray_files(model: Message) -> list[Use]:
    """The operations of a SavedModel that touch files in another way than loading it does."""
    one = len(model.meta_graphs) == 1
    strays = [
        use
        for meta_graph in model.meta_graphs
        for use in _strays(meta_graph, loaded_by_objects=one and meta_graph.HasField("objects"))
    ]
    return list(dict.fromkeys(strays))


def _strays(meta_graph: Message, *, loaded_by_objects: bool) -> Iterator[Use]:
    """Those of one graph, its functions and its objects.

    loaded_by_objects: as TensorFlow 2 does it, which runs the functions of the objects and nothing of the main graph.
    There the paths of assets go through variables, which are not followed.
    """
    library = {function.signature.name: function for function in meta_graph.graph.library.functions}
    known = frozenset(library)
    bodies = {
        name: _Body(f"the function {text_of(name)!r}", function.nodes, _arguments(function), known)
        for name, function in library.items()
    }
    main = _Body(MAIN_GRAPH, meta_graph.graph.nodes, (), known)
    needs = _needs_of_functions(bodies)
    fed: dict[Work, set[bytes]] = {"restore": {_node(meta_graph.saver.filename)} - {b""}}
    if not loaded_by_objects:
        fed["table"] = {_node(asset.tensor.name) for asset in assets(meta_graph)} - {b""}
    yield from _strays_of_main(meta_graph, main, needs, fed=fed)
    yield from _strays_of_objects(meta_graph, bodies, needs)
    for name, function in library.items():
        if _is_stand_in(function):
            yield from (need.use for need in needs[name].values())


def _is_stand_in(function: Message) -> bool:
    """Whether TensorFlow's optimiser may call it in the place of another: that needs no node that names it."""
    return any(entry.key == b"api_implements" for entry in function.attributes)


def _needs_of_functions(bodies: Mapping[bytes, _Body]) -> _Needs:
    """From the functions that touch files themselves up to their callers, each new need once."""
    callers: dict[bytes, list[tuple[bytes, Message]]] = defaultdict(list)
    for name, body in bodies.items():
        for node, called in body.calling:
            for function in called:
                callers[function].append((name, node))
    needs: _Needs = {name: {} for name in bodies}
    waiting = [
        (name, _Need(need.use, need.work, body.number_of(path)))
        for name, body in bodies.items()
        for _, need, path in reversed([*_own_needs(body)])
    ]
    while waiting:
        name, need = waiting.pop()
        known = needs[name]
        if len(known) >= MOST_NEEDS:
            need = need._replace(argument=None)
        if (need.work, need.argument) not in known:
            known[need.work, need.argument] = need
            for caller, node in callers[name]:
                path = _passed(bodies[caller], node, name, need)
                waiting.append((caller, need._replace(argument=bodies[caller].number_of(path))))
    return needs


def _own_needs(body: _Body) -> Iterator[tuple[Message, _Need, bytes | None]]:
    """Each node that touches files, what for, and what its path is a copy of."""
    for node in body.touching:
        operation = text_of(node.op)
        work: Work = "save" if operation in WRITERS else "restore" if operation == "RestoreV2" else "table"
        yield node, _Need(Use(operation, body.name), work, None), body.given(node, READERS.get(operation))


def _passed(body: _Body, node: Message, function: bytes, need: _Need) -> bytes | None:
    """What the path that `function` needs is a copy of where it is called."""
    return body.given(node, need.argument) if _is_plain_call(node, function) else None


def _is_plain_call(node: Message, function: bytes) -> bool:
    """Whether the inputs of a node are the arguments of `function`, one for one."""
    if list(functions_called(node)).count(function) > 1:
        return False
    if node.op == function:
        return True
    return node.op in _CALLS and any(
        entry.key == b"f" and entry.value.function.name == function and not entry.value.function.attributes
        for entry in node.attributes
    )


def _strays_of_main(
    meta_graph: Message, main: _Body, needs: _Needs, *, fed: Mapping[Work, set[bytes]]
) -> Iterator[Use]:
    """What the main graph touches. fed: the nodes from which a path may be, for each work that has to be given one."""
    working: dict[Work, dict[bytes, Use]] = {"save": {}, "restore": {}, "table": {}}
    called = (
        (node, need, _passed(main, node, function, need))
        for node, functions in main.calling
        for function in functions
        for need in needs[function].values()
    )
    for node, need, path in (*_own_needs(main), *called):
        if need.work in fed and path not in fed[need.work]:
            yield need.use
        working[need.work][node.name] = need.use
    starters = _starters(meta_graph)
    consumers: dict[bytes, list[bytes]] = defaultdict(list)
    for node in meta_graph.graph.nodes:
        for tensor in node.inputs:
            consumers[_node(tensor)].append(node.name)
    for work, nodes in working.items():
        for name, use in _followed(nodes, consumers):
            if not starters[name] <= _MAY_START[work]:
                yield use


def _followed(nodes: Mapping[bytes, Use], consumers: Mapping[bytes, list[bytes]]) -> Iterator[tuple[bytes, Use]]:
    """The nodes and all that wait for them, each with the use of files that is behind it."""
    seen = dict(nodes)
    waiting = list(nodes)[::-1]
    while waiting:
        name = waiting.pop()
        yield name, seen[name]
        for consumer in consumers.get(name, ()):
            if consumer not in seen:
                seen[consumer] = seen[name]
                waiting.append(consumer)


def _starters(meta_graph: Message) -> defaultdict[bytes, set[str]]:
    """Who starts a node of the main graph, by the node's name: save, restore, loading, a signature.

    Of the messages in collections, VariableDef names what is run: the initial values of local variables.
    """
    starters: defaultdict[bytes, set[str]] = defaultdict(set)
    starters[_node(meta_graph.saver.save)].add("save")
    starters[_node(meta_graph.saver.restore)].add("restore")
    for entry in meta_graph.signatures:
        starter = "loading" if entry.key == b"__saved_model_init_op" else "signature"
        for tensor in (*entry.value.inputs, *entry.value.outputs):
            for name in _tensor_names(tensor.value):
                starters[_node(name)].add(starter)
    for collection in meta_graph.collections:
        for name in collection.value.nodes.values:
            starters[_node(name)].add("loading")
        for message in collection.value.messages.values if collection.key != b"savers" else ():
            variable = parse("VariableDef", message)
            if variable is not None:
                for name in (*variable.names, *variable.initializer, *variable.snapshot, *variable.value):
                    starters[_node(name)].add("loading")
    return starters


def _tensor_names(info: Message) -> Iterator[bytes]:
    yield from (info.name, info.sparse.values, info.sparse.indices, info.sparse.shape)
    for component in info.composite.components:
        yield from _tensor_names(component)


def _strays_of_objects(meta_graph: Message, bodies: Mapping[bytes, _Body], needs: _Needs) -> Iterator[Use]:
    """What the functions of the model's objects touch. Captures are the last arguments; a file of assets/ is one."""
    objects = meta_graph.objects
    captures: dict[bytes, list[int]] = {}
    for node in objects.nodes:
        for name in (*node.function.names, node.bare_function.name, node.captured.function):
            captures[name] = []
    captures |= {entry.key: list(entry.value.captures) for entry in objects.functions}
    for name, captured in captures.items():
        for need in needs.get(name, {}).values():
            at = -1 if need.argument is None else need.argument - bodies[name].arguments + len(captured)
            given = at >= 0 and 0 <= captured[at] < len(objects.nodes) and objects.nodes[captured[at]].HasField("asset")
            if need.work != "table" or not given:
                yield need.use


def assets(meta_graph: Message) -> Iterator[Message]:
    """The files of assets/ that loading hands to the model, in either place where they are listed."""
    yield from meta_graph.assets
    for collection in meta_graph.collections:
        for item in collection.value.any.values:
            yield item.asset


def _arguments(function: Message) -> list[bytes]:
    return [argument.name for argument in function.signature.arguments]


def _node(tensor: bytes) -> bytes:
    """`name` of `name:0`, `name:out:0` and `^name`."""
    return tensor.removeprefix(b"^").partition(b":")[0]

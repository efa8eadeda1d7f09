"""What a family of detectors is: the card that all of its models share, and the outputs that they are known by.

The families themselves are in the modules beside this one; presets.py recognises a model by them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from streamer.models.card import Card

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a family.

    role: the key of the head that names it; empty for one that is not read.
    shape: without the batch. A number; `N`: as many rows as this input has; `K`: any number of rows; `C`: of classes;
    `4+C`, `5+C`: with the numbers before them; `H`, `W`: a quarter of the input's sides.
    names: what it is called, or what its name contains, in lower case; empty for anything.
    """

    role: str
    shape: tuple[int | str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One family.

    about: a line for people. card: how it is fed and read; names of outputs are filled in for a model.
    outputs: what it gives; `optional` ones may be missing. others: whether it may give more that is not read.
    unread_rank: of outputs that it may give besides; -1 for none. Its maps before their decoding, in YOLOv5.
    rows: how many rows an input of (width, height) px may have; None counts the anchors of the card.
    strides: of grids, in px, whose maps are the input over them, rounded up.
    sizes_px: the inputs that it was published for. Empty: any. Models of another size are no such model.
    batched: whether the batch must be there to know it. doubtful: numbers of classes that are more likely something
    else; doubtful_turned: those where rows and columns of a YOLO are the other way round. input_names: what the image
    input is called, where only that tells it from another family.
    by_shape: False where shapes cannot tell it: it is there to be named.
    """

    name: str
    about: str
    card: Card
    outputs: tuple[Output, ...] = ()
    optional: tuple[Output, ...] = ()
    others: bool = False
    unread_rank: int = -1
    rows: Callable[[Size], Collection[int]] | None = None
    strides: tuple[int, ...] = ()
    sizes_px: tuple[Size, ...] = ()
    batched: bool = False
    doubtful: frozenset[int] = frozenset()
    doubtful_turned: frozenset[int] = frozenset()
    input_names: tuple[str, ...] = ()
    by_shape: bool = True

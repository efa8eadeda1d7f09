"""What a model takes and gives, read from the model: names, dtypes and shapes.

Pure data: nothing is loaded or run here. The formats fill it; inputs.py and heads/ say which part each one plays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.errors import SignatureError
from streamer.text import printable

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class Quantization:
    """How integers stand for real numbers: real = scale * (integer - zero_point), one pair for the whole tensor."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output: `shape` in numpy order, None for a dimension that may change, None for no known rank.

    quantization: of an input of integers that stand for other numbers; None where a number is what it says.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    quantization: Quantization | None = None

    @property
    def rank(self) -> int | None:
        """How many dimensions it has."""
        return None if self.shape is None else len(self.shape)

    def __str__(self) -> str:
        shape = (
            "of any rank" if self.shape is None else f"[{','.join('?' if n is None else str(n) for n in self.shape)}]"
        )
        return f"{printable(self.name)} {self.dtype} {shape}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way of calling a model."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def choose_signature(names: Sequence[str], wanted: str | None) -> str:
    """The wanted signature, else serving_default, else the only one.

    Raises SignatureError that lists those there are.
    """
    if not names:
        raise SignatureError("the model has no signature", hint="export it with one, called serving_default")
    if wanted is None and len(names) == 1:
        return names[0]
    chosen = DEFAULT_SIGNATURE if wanted is None else wanted
    if chosen in names:
        return chosen
    there = ", ".join(sorted(printable(name) for name in names))
    raise SignatureError(
        f"the model has no signature {printable(chosen)!r}", hint=f"--signature may be one of: {there}"
    )

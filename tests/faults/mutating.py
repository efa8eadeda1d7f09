"""Bytes harmed in the ways of radamsa: what a parser meets when a file was cut, overwritten, mixed up or forged."""

from collections.abc import Callable, Mapping

import numpy as np

Chance = np.random.Generator
Harm = Callable[[bytes, bytes, Chance], bytes]
"""Takes the file, another one, and the dice."""

HEAD_BYTES = 1024
"""Where headers are, or most of them."""

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_LONGEST_RUN = 4096


def mutated(data: bytes, other: bytes, *, seed: int, number: int) -> tuple[bytes, str]:
    """`data` harmed once to four times, and how; the same for the same seed, number and files.

    other: of which a piece may get into it. Half of all harm is done to the first bytes and half anywhere.
    """
    chance = np.random.default_rng((seed, number))
    names: list[str] = []
    for _ in range(int(chance.choice((1, 1, 2, 4)))):
        name = str(chance.choice(list(HARMS)))
        names.append(name)
        data = HARMS[name](data, other, chance)
    return data, "+".join(names)


def _place(data: bytes, chance: Chance) -> int:
    """Somewhere in `data`, as often as not in its head."""
    reach = min(len(data), HEAD_BYTES) if chance.integers(2) else len(data)
    return int(chance.integers(max(1, reach)))


def _run(data: bytes, chance: Chance) -> tuple[int, int]:
    """Where a run of bytes begins and ends; short ones are as likely as long ones."""
    start = _place(data, chance)
    return start, min(len(data), start + round(_LONGEST_RUN ** float(chance.random())))


def _flip_bits(data: bytes, _: bytes, chance: Chance) -> bytes:
    changed = bytearray(data)
    for _time in range(int(chance.choice((1, 4, 32)))):
        if changed:
            changed[_place(data, chance)] ^= 1 << int(chance.integers(8))
    return bytes(changed)


def _remove(data: bytes, _: bytes, chance: Chance) -> bytes:
    start, end = _run(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, _: bytes, chance: Chance) -> bytes:
    start, end = _run(data, chance)
    return data[:end] + data[start:end] * int(chance.choice((1, 2, 16))) + data[end:]


def _swap(data: bytes, _: bytes, chance: Chance) -> bytes:
    (a, b), (c, d) = sorted((_run(data, chance), _run(data, chance)))
    b = min(b, c)
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _insert(data: bytes, _: bytes, chance: Chance) -> bytes:
    start, end = _run(data, chance)
    return data[:start] + chance.bytes(end - start) + data[start:]


def _overwrite(data: bytes, _: bytes, chance: Chance) -> bytes:
    start, end = _run(data, chance)
    return data[:start] + chance.bytes(end - start) + data[end:]


def _cut(data: bytes, _: bytes, chance: Chance) -> bytes:
    return data[: max(1, int(len(data) * float(chance.random())))]


def _mix(data: bytes, other: bytes, chance: Chance) -> bytes:
    start, _ = _run(data, chance)
    first, last = _run(other, chance)
    return data[:start] + other[first:last] + data[start:]


def _forge(data: bytes, _: bytes, chance: Chance) -> bytes:
    """A number that programs trip over, as a size, a length or a rate would be written."""
    width = int(chance.choice((1, 2, 4, 8)))
    value = int(chance.choice(_INTERESTING)) & ((1 << (8 * width)) - 1)
    start = _place(data, chance)
    return data[:start] + value.to_bytes(width, "big" if chance.integers(2) else "little") + data[start + width :]


HARMS: Mapping[str, Harm] = {
    "flip": _flip_bits,
    "remove": _remove,
    "repeat": _repeat,
    "swap": _swap,
    "insert": _insert,
    "overwrite": _overwrite,
    "cut": _cut,
    "mix": _mix,
    "forge": _forge,
    "forge, again": _forge,
}

"""The table of faults, as data: what each row is, how it has to end, and which tests cause it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

Tier = Literal["fast", "slow", "soak"]
"""fast: needs no network, no signal and no soak. slow: the others that CI runs. soak: by hand."""

TIERS: tuple[Tier, ...] = get_args(Tier)

TABLE = Path(__file__).with_name("rows.yaml")

COUNT = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    injected: how it is caused. happens: what streamer does. line: what the figures have to pass. tests: pytest's names
    of the tests that cause it, without their parameters. missing: why it cannot be run; such a row has no tests.
    section, note: where the page has a heading before it, and a remark below the table.
    """

    number: int
    fault: str
    injected: str
    happens: str
    line: str
    tests: dict[Tier, tuple[str, ...]]
    missing: str = ""
    section: str = ""
    note: str = ""

    def tests_up_to(self, tier: Tier) -> list[str]:
        """Those of this tier and of the quicker ones."""
        return [test for known in TIERS[: TIERS.index(tier) + 1] for test in self.tests.get(known, ())]


def load_rows(path: Path = TABLE) -> list[Row]:
    """All rows in order. Raises ValueError where one is not as it should be."""
    rows = [_row(entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    if [row.number for row in rows] != list(range(1, COUNT + 1)):
        raise ValueError(f"{path.name}: the rows are not 1 to {COUNT}")
    return rows


def _row(entry: dict[str, Any]) -> Row:
    number = entry.pop("row")
    tests: dict[Tier, tuple[str, ...]] = {
        tier: tuple(f"tests/{name}" for name in entry.pop(tier)) for tier in TIERS if tier in entry
    }
    row = Row(number, tests=tests, **{key: " ".join(str(value).split()) for key, value in entry.items()})
    if bool(tests) == bool(row.missing):
        raise ValueError(f"row {number}: it has either tests or a reason why it has none")
    return row

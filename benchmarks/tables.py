"""One measurement of several contenders, as people and as machines read it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One figure of one contender, and what else there is to say."""

    figure: float
    extra: Mapping[str, float | str] = {}


@dataclass
class Table:
    """One measurement of all contenders."""

    title: str
    unit: str
    floor: str | None
    rows: dict[str, Row] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def ratio(self, row: Row) -> float | None:
        """Give a row's multiple of the floor; None where there is no floor, or where it is too low to be seen."""
        floor = 0.0 if self.floor is None else self.rows[self.floor].figure
        return row.figure / floor if floor else None

    def lines(self) -> Iterator[str]:
        """Give the table as people read it, the least figure first."""
        yield self.title
        for name, row in sorted(self.rows.items(), key=lambda item: item[1].figure):
            ratio = self.ratio(row)
            times = "" if ratio is None else f"  x {ratio:7.2f}"
            extra = ", ".join(f"{what} {value}" for what, value in row.extra.items())
            yield f"  {name:24} {row.figure:10.2f} {self.unit}{times}  {extra}".rstrip()
        for name, reason in self.failures.items():
            yield f"  {name:24} fails: {reason}"

    def as_json(self) -> dict[str, Any]:
        """Give the table as machines read it."""
        rows = {name: {"figure": row.figure, "ratio": self.ratio(row), **row.extra} for name, row in self.rows.items()}
        about = {"title": self.title, "unit": self.unit, "floor": self.floor}
        return {**about, "rows": rows, "failures": self.failures}

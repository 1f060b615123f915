"""A figure against its floor or peer, in one run; the table people read and `bench/last.json`."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

LAST = Path(__file__).parent / "last.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement (`INTERFACES.md` section 7)."""

    name: str
    figure: float
    unit: str
    against: str
    floor: float
    ratio: float
    goal: str
    "`<= 2.5`, `>= 30`, or empty where it is only printed."
    command: str

    @property
    def held(self) -> bool:
        """Whether the ratio is what the goal asks; a figure without a goal always is."""
        if not self.goal:
            return True
        comparison, _, bound = self.goal.partition(" ")
        return self.ratio <= float(bound) if comparison == "<=" else self.ratio >= float(bound)


def write(figures: Iterable[Figure]) -> bool:
    """Print the table, keep it in `last.json`, and say whether every goal held."""
    rows = [*figures]
    LAST.write_text(
        json.dumps([{**asdict(row), "held": row.held} for row in rows], indent=1), "utf-8"
    )
    print(f"{'figure':34} {'value':>12} {'unit':18} {'against':28} {'ratio':>8} {'goal':>8}")
    for row in rows:
        mark = "" if not row.goal else ("held" if row.held else "NOT HELD")
        print(
            f"{row.name:34} {row.figure:12.2f} {row.unit:18} {row.against:28} "
            f"{row.ratio:8.2f} {row.goal:>8} {mark}"
        )
    return all(row.held for row in rows)

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
    "What it is compared with; `recorded` where that was not measured in this run."
    floor: float
    ratio: float
    goal: str
    "`<= 2.5`, `>= 30`, or empty where it is only printed."
    command: str
    seed: int = 1

    @property
    def held(self) -> bool:
        """Whether the ratio is what the goal asks; a figure without a goal always is."""
        if not self.goal:
            return True
        comparison, _, bound = self.goal.partition(" ")
        return self.ratio <= float(bound) if comparison == "<=" else self.ratio >= float(bound)


def write(figures: Iterable[Figure], path: Path = LAST) -> bool:
    """Print the table, keep it in `last.json`, and say whether every goal held."""
    rows = [*figures]
    path.write_text(
        json.dumps([{**asdict(row), "held": row.held} for row in rows], indent=1) + "\n", "utf-8"
    )
    print(
        f"{'figure':28} {'value':>10} {'unit':18} {'against':34} {'floor':>10} "
        f"{'ratio':>8} {'goal':>8}"
    )
    for row in rows:
        mark = "" if not row.goal else ("held" if row.held else "NOT HELD")
        print(
            f"{row.name:28} {row.figure:10.2f} {row.unit:18} {row.against:34} {row.floor:10.2f} "
            f"{row.ratio:8.2f} {row.goal:>8} {mark}"
        )
    return all(row.held for row in rows)

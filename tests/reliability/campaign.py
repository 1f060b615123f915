"""A long run's figures: what was seen, when, by which seed and command, one line each.

Printed, and appended to `build/campaign.md`, from where `docs/figures.md` takes them.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tests.conftest import ROOT

_FILE = ROOT / "build" / "campaign.md"


@dataclass
class Figure:
    """One run of one campaign."""

    seed: str
    told: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add to what is printed."""
        self.told.append(text)


@contextmanager
def figure(request: pytest.FixtureRequest) -> Iterator[Figure]:
    """Run a campaign under a seed (`SEED`, or a fresh one) and keep its line, held or not."""
    found = Figure(os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6)))
    begun, held = time.perf_counter(), "NOT HELD"
    print(f"\n{request.node.name}: seed {found.seed}")
    try:
        yield found
        held = "held"
    finally:
        took = time.perf_counter() - begun
        command = f"make campaign SEED={found.seed} PYTEST_ARGS='-k {request.node.originalname}'"
        line = (
            f"| {datetime.now(UTC):%Y-%m-%d} | {request.node.name} | {held}: "
            f"{'; '.join(found.told) or 'see above'} | {took:.0f} s | {found.seed} | `{command}` |"
        )
        print(line)
        _FILE.parent.mkdir(exist_ok=True)
        with _FILE.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

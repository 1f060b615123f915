"""How one run of the bench is done: sizes, seconds, and what is beside the checkout."""

import importlib
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from bench.figures import Figure
from bench.server import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run."""

    small: int = 10_000
    large: int = 1_000_000
    seconds: float = 5.0
    "Of each window."
    warm: float = 1.0
    "Seconds of load before each window."
    rounds: int = 3
    document: int = 1024**3
    "Bytes of the large document."
    peer: bool = False
    folder: Path | None = None
    schemas: Path | None = None

    @property
    def shared(self) -> Path | None:
        """The folder of published samples, where the schemas come from."""
        return None if self.schemas is None else self.schemas.parent.parent


def beside() -> Path | None:
    """The published schemas: under `GATEWAY_SHARED`, else where they lie beside the checkout."""
    named = os.environ.get("GATEWAY_SHARED", "")
    found = (Path(named) if named else REPOSITORY.parent / "shared") / "ihe" / "schema"
    return found if found.is_dir() else None


def measured(name: str, run: Run) -> list[Figure]:
    """What a case yields, in a process that has done nothing else: as it is in production."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(figures, name, run).result()


def figures(name: str, run: Run) -> list[Figure]:
    """What a case yields: the module of that name in this folder."""
    return [*importlib.import_module(f"bench.{name}").measure(run)]

"""How one run of the bench is done: sizes, seconds, and what is beside the checkout."""

import os
from dataclasses import dataclass
from pathlib import Path

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

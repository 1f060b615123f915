"""Where the published samples and schemas lie, if they lie anywhere.

`GATEWAY_SHARED` names the folder; without it, a folder `shared` beside the checkout is taken.
Tests that need it carry `@needs_shared`, skip where it is absent, and say so.
"""

import json
import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent
_NAMED = os.environ.get("GATEWAY_SHARED", "")
_FOLDER = Path(_NAMED) if _NAMED else _REPOSITORY.parent / "shared"

SHARED: Path | None = _FOLDER if _FOLDER.is_dir() else None
"The folder of published samples and schemas, or None."

REASON = "the folder of published samples is not there: set GATEWAY_SHARED to it"

needs_shared = pytest.mark.skipif(SHARED is None, reason=REASON)
"Mark of a test that reads the published samples."


def shared(*parts: str) -> Path:
    """A path below the folder; skips the running test where the folder is absent."""
    if SHARED is None:
        pytest.skip(REASON)
    return SHARED.joinpath(*parts)


def payloads(*parts: str) -> list[object]:
    """The rows of a payload table as test parameters; one that skips where there is no table."""
    if SHARED is None:
        return [pytest.param({}, id="absent", marks=pytest.mark.skip(reason=REASON))]
    path = SHARED.joinpath("security", "payloads", *parts)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=row["id"]) for row in rows]

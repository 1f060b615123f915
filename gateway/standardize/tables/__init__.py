"""Code tables of standardization, as CSV: each says its source and date in its first lines."""

import csv
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of one table."""
    text = (resources.files(__name__) / f"{name}.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(csv.DictReader(lines))


@cache
def digests() -> Mapping[str, str]:
    """Table to the SHA-256 of its bytes: which version of it is in use."""
    return {
        one.name.removesuffix(".csv"): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in resources.files(__name__).iterdir()
        if one.name.endswith(".csv")
    }

"""`gateway standardize --account`: what became of every segment or row of a file, and their sum.

Nothing is dropped without a finding: each line of a file became items, was read for them, or stands
under the code of a finding; the number of lines is counted in the bytes, apart from the reading.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.cli.common import table
from gateway.model.batch import Batch

_ENDS = re.compile(rb"[\r\n\x0b\x1a\x1c]+")
"Ends of segments and rows, and the frames of MLLP and of old text files."

_USED = "read for the patient, the order or its items; no statement of its own"
_USED_JA = "患者・オーダ・項目の情報として使用"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many lines a file has, and how many of them became what."""

    lines: int
    became: dict[str, int]

    @property
    def whole(self) -> bool:
        """Whether every line is accounted for."""
        return sum(self.became.values()) == self.lines

    def told(self) -> dict[str, Any]:
        """For machines."""
        return {"lines": self.lines, "became": self.became, "whole": self.whole}


def total(batch: Batch, content: bytes) -> Total:
    """Count a file's lines in its bytes, and what its account says of them.

    A file that is refused as a whole became its finding, line for line.
    """
    number = sum(1 for line in _ENDS.split(content) if line)
    if not batch.account:
        codes = sorted({finding.code for finding in batch.findings})
        became = {f"refused: {', '.join(codes)}": number} if codes and number else {}
        return Total(lines=number, became=became)
    return Total(lines=number, became=dict(sorted(Counter(batch.account.values()).items())))


def lines(batch: Batch, found: Total) -> Iterator[str]:
    """A file's table for people, and its sum."""
    reasons = {finding.code: f"{finding.text} {finding.japanese}" for finding in batch.findings}
    rows = []
    for at, became in batch.account.items():
        if became == "used":
            rows.append((at, "carried 使用", f"{_USED} {_USED_JA}"))
        elif became.startswith("item "):
            rows.append((at, became, ""))
        else:
            rows.append((at, f"[{became}]", reasons.get(became, "")))
    for line in table(("at", "became", "reason"), rows):
        yield f"  {line}"
    parts = ", ".join(f"{number} {name}" for name, number in found.became.items())
    mark = "=" if found.whole else "NOT EQUAL 不一致"
    yield f"  {found.lines} lines 行 {mark} {sum(found.became.values())}: {parts}"

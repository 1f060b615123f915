"""`gateway standardize --account`: what became of every segment or row of a file, and their sum.

Nothing is dropped without a finding: each line of a file became items, was read for them, or stands
under the code of a finding; the number of lines is counted in the bytes, apart from the reading.
"""

import base64
import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.cli.common import table
from gateway.model.batch import Batch
from gateway.standardize.lab_fixed.layouts import LENGTH
from gateway.wire import xml

_ENDS = re.compile(rb"[\r\n\x0b\x1a\x1c]+")
"Ends of segments and rows, and the frames of MLLP and of old text files."

_USED = "read for the patient, the order or its items; no statement of its own"
_USED_JA = "患者・オーダ・項目の情報として使用"


_OF_THE_FILE = ("row ", "record ", "FHS", "BHS", "BTS", "FTS")
"""Places that are counted in the whole file: parts may share them. Segments are counted in their
own message."""


_WHOLE = ("document ", "SSMIXIDX ")
"Places of files that are taken, or not, as one."


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


def total(batches: Sequence[Batch], content: bytes) -> Total:
    """Count a file's lines in its bytes, and what the accounts of its parts say of them.

    A file that is refused as a whole, or a part of it, became its finding, line for line. Records
    of a fixed length have no lines and are counted by their length, an e-prescription's inside it.
    """
    account: dict[str, str] = {}
    for place, batch in enumerate(batches):
        for at, what in batch.account.items():
            account[at if at.startswith(_OF_THE_FILE) else f"{at} of {place}"] = what
    if all("document" in batch.account for batch in batches):
        number = 1  # the file is one document, whatever its bytes look like
    elif any(batch.format.startswith("fhir/") for batch in batches):
        number = _resources(content)
    elif any(at.startswith("record ") for at in account):
        number = -(-len(content.rstrip(b"\x1a\r\n")) // LENGTH)
    elif all(at.startswith(_WHOLE) for at in account) and account:
        number = 1  # a document or a database: one thing, whatever lines its bytes have
    elif any(at.startswith("PrescriptionDocument row ") for at in account):
        number = _container(content)
    else:
        if content.startswith(codecs.BOM_UTF16_LE):
            content = content.decode("utf-16", "replace").encode()
        number = sum(1 for line in _ENDS.split(content) if line)
    became = Counter(account.values())
    refused = [batch for batch in batches if not batch.account]
    if refused and number > len(account):
        codes = sorted({finding.code for batch in refused for finding in batch.findings})
        if codes:
            became[f"refused: {', '.join(codes)}"] += number - len(account)
    return Total(lines=number, became=dict(sorted(became.items())))


def _container(content: bytes) -> int:
    """Elements of an e-prescription and the rows in the base64 of one of them."""
    holder = xml.children(xml.parse(content))[0]
    inside = base64.b64decode("".join(holder.findtext("PrescriptionDocument", "").split()))
    return len(xml.children(holder)) + sum(1 for line in _ENDS.split(inside) if line)


def _resources(content: bytes) -> int:
    """How many resources a FHIR file has: entries of a Bundle, lines, or one."""
    try:
        found = json.loads(content)
    except ValueError:
        return sum(1 for line in content.splitlines() if line.strip())
    return len(found.get("entry", ())) if found.get("resourceType") == "Bundle" else 1


def lines(batch: Batch) -> Iterator[str]:
    """A file's, or part's, table for people."""
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


def summary(found: Total) -> str:
    """The sum of a whole file."""
    parts = ", ".join(f"{number} {name}" for name, number in found.became.items())
    mark = "=" if found.whole else "NOT EQUAL 不一致"
    return f"  {found.lines} lines 行 {mark} {sum(found.became.values())}: {parts}"

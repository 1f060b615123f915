"""Data that was split over several symbols: which part a file is, and the parts read as one.

Record 911 says the id of the whole, how many parts there are and which this is (`japan/pharmacy.md`
section 2). Parts are joined line by line; how a line would be cut in two is not public, and where a
part does not begin with the header of the others nothing is joined.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import Malformed
from gateway.model.batch import Batch, Finding
from gateway.standardize import registry
from gateway.standardize.format import Run, Upload

MOST_PARTS = 99
_MARK = b"\xef\xbb\xbf"
_CONTROL = re.compile(
    rb"(?:^|(?<=[\r\n]))911,([0-9]{1,14}),([0-9]{1,3}),([0-9]{1,3})[ ,]*(?=[\r\n\x1a]|$)"
)
_LINE = re.compile(rb"[^\r\n\x1a]+")
_PLACE = re.compile(r"part ([0-9]+) ")
_NOTEBOOK = b"JAHISTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """Which part of which whole a file is."""

    id: str
    "The same in all parts."
    total: int
    part: int
    "From 1."


def symbol_of(upload: Upload) -> Symbol | None:
    """The part that a file is; None where it is whole, or where its 911 makes no sense."""
    if upload.runs or not upload.content.removeprefix(_MARK).startswith(b"JAHIS"):
        return None
    found = _CONTROL.findall(upload.content)
    if len(found) != 1:
        return None
    identity, total, part = found[0]
    made = Symbol(id=identity.decode(), total=int(total), part=int(part))
    return made if 1 < made.total <= MOST_PARTS and 1 <= made.part <= made.total else None


def missing(parts: Sequence[Symbol]) -> list[int]:
    """The parts that are not there; of one whole."""
    here = {one.part for one in parts}
    return [number for number in range(1, parts[0].total + 1) if number not in here]


def join(parts: Sequence[Upload]) -> Upload:
    """All parts in their order as one upload, whose lines know their part.

    The header stands in each part and counts once; so does what a part repeats of the first about
    the patient. Raises `Malformed` where headers differ.
    """
    header, known = b"", frozenset[bytes]()
    runs: list[Run] = []
    for number, part in enumerate(parts, start=1):
        lines = list(_lines(part.content))
        if not lines:
            raise Malformed("a part is empty", "空の分割データがあります", at=f"part {number}")
        first = lines[0][1].removeprefix(_MARK)
        if number == 1:
            header = first
            known = frozenset(line for _, line, _ in lines if _is_head(line, header))
        elif first != header:
            raise Malformed(
                "parts of different data", "分割データの見出しが一致しません", at=f"part {number}"
            )
        for row, line, start in lines:
            again = number > 1 and (start == lines[0][2] or line in known)
            if not again and not _CONTROL.fullmatch(line):
                runs.append(Run(row, start, line + b"\n", within=f"part {number}"))
    return replace(parts[0], content=b"".join(run.content for run in runs), runs=tuple(runs))


def read_joined(parts: Sequence[Upload]) -> tuple[Batch, ...]:
    """What the parts say together, as one batch for each: with what stands in that part.

    Raises a Refusal where the whole is refused.
    """
    whole = registry.read(join(parts))
    made = []
    for number, part in enumerate(parts, start=1):
        account = {f"row {row}": "used" for row, _, _ in _lines(part.content)}
        account |= {
            at.removeprefix(f"part {number} "): became
            for at, became in whole.account.items()
            if _part(at) == number
        }
        made.append(
            replace(
                whole,
                path=part.path,
                items=tuple(
                    item._replace(source=item.source._replace(
                        file=part.path, at=item.source.at.removeprefix(f"part {number} "),
                    ))
                    for item in whole.items
                    if _part(item.source.at) == number
                ),
                findings=tuple(
                    _moved(one, number) for one in whole.findings if _part(one.at) == number
                ),
                account=account,
            )
        )  # fmt: skip
    return tuple(made)


def _moved(one: Finding, number: int) -> Finding:
    return replace(one, at=one.at.removeprefix(f"part {number} "))


def _part(at: str) -> int:
    """The part that a place is in; what has no place belongs to the first."""
    found = _PLACE.match(at)
    return int(found[1]) if found else 1


def _lines(content: bytes) -> list[tuple[int, bytes, int]]:
    """The lines of a part: number, bytes, where it begins; blank lines are counted, not given."""
    found = []
    number, before = 1, 0
    for line in _LINE.finditer(content):
        between = content[before : line.start()]
        number += between.count(b"\n") + between.count(b"\r") - between.count(b"\r\n")
        before = line.end()
        found.append((number, line.group(), line.start()))
    return found


def _is_head(line: bytes, header: bytes) -> bool:
    """Whether a part may repeat a line of the first: record 1, of a prescription all before 101."""
    record = line.partition(b",")[0].strip()
    if header.startswith(_NOTEBOOK):
        return record == b"1"
    return record.isdigit() and int(record) < 100

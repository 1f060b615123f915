"""The region of the record's tests, and a format whose files are about several people."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from gateway.audit.door import Door
from gateway.errors import Malformed
from gateway.intake.uploads import Intake
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.identifiers import PatientId
from gateway.model.network import NetworkPolicy
from gateway.settings import LimitSettings
from gateway.standardize import registry, rows
from gateway.standardize.format import Format, Part, Span, Upload
from gateway.standardize.reading import stated_domain
from gateway.standardize.rows import RowReading
from gateway.store.blobs import Blobs, blobs_from_url
from gateway.wire import fhir
from gateway.wire.japanese import Charset
from tests.record.house import House

LAYOUTS = {"H": ("month",), "P": ("chart",), "I": ("number", "text")}


def split(stream: BinaryIO) -> Iterator[Part]:
    """One part a person; a line that no record has refuses the file."""
    header = Span(0, 0, 0)
    own: Span | None = None
    start = 0
    for row, line in enumerate(stream, start=1):
        end = start + len(line)
        match line[:1]:
            case b"H":
                header = Span(row, start, end)
            case b"P":
                if own:
                    yield Part(own=(own,), shared=(header,))
                own = Span(row, start, end)
            case b"I" if own:
                own = Span(own.row, own.start, end)
            case _:
                raise Malformed("unknown row", "不明な行です", at=f"row {row}", rule="E-09")
        start = end
    if own:
        yield Part(own=(own,), shared=(header,))


def read(upload: Upload) -> Batch:
    """One person."""
    found = [rows.row(line, LAYOUTS) for line in rows.lines(upload, Charset.UTF_8, set())]
    person = next(row for row in found if row.record == "P")
    if person.get("chart") == "broken":
        raise Malformed("no such chart", "患者番号が不正です", at=person.at, rule="E-09")
    reading = RowReading(upload, PatientId(stated_domain(upload), person.get("chart")), version="1")
    for row in found:
        reading.take(row, *LAYOUTS[row.record])
        if row.record == "I":
            key = reading.key(f"people|{row.get('number')}")
            made = fhir.resource("Basic", "", reading.identity("Basic", key))
            made["code"] = fhir.concept(text=row.get("text"))
            reading.add(Category.DIAGNOSIS, made, key, row)
    return reading.batch("people")


PEOPLE = Format(
    name="people", recognise=lambda upload: upload.content[:2] == b"H,", read=read, split=split
)


@pytest.fixture
def house(door: Door, policy: NetworkPolicy, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, PEOPLE))
    made = House(door, policy)
    made.found()
    return made


@pytest.fixture
def blobs(door: Door, tmp_path: Path) -> Blobs:
    return blobs_from_url((tmp_path / "blobs").as_uri())


@pytest.fixture
def intake(door: Door, blobs: Blobs) -> Intake:
    numbers = iter(range(10**6))
    return Intake(
        door=door, blobs=blobs, limits=LimitSettings(), new_id=lambda: f"id{next(numbers)}"
    )

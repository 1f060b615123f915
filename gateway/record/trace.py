"""Why a resource is as it is: the versions of its item, the file they came from, the lines of it.

For whoever answers for the record (`gateway standardize why`): what is shown are a patient's own
data, so the patient stands in the event.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import NotFound
from gateway.model.identifiers import Oid, PatientId
from gateway.store.blobs import Damaged
from gateway.store.record import items as rows
from gateway.store.record import uploads
from gateway.store.record.items import ItemRow
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work

_LONGEST = 64 * 1024
"Bytes of source lines that are shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the item, newest last."""

    version: str
    cancelled: bool
    shared: bool
    "Whether it is part of the shared record, or staged."
    posted: datetime
    registered: datetime | None
    path: str
    sha256: str
    "Of the file as received."
    receipt: str
    format: str
    mapping: str
    "Version of mapping and shipped tables that made it."
    tables: tuple[str, ...]
    "Loaded code masters and maps that were used: name, version, digest."
    at: str
    start: int
    end: int
    lines: bytes
    "The source bytes; empty where they are gone or were blanked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Where one resource comes from."""

    kind: str
    "Resource type."
    id: str
    beside: str
    "Type of the item's resource, where this one only stands beside it."
    patient: PatientId
    facility: str
    source: str
    category: str
    key: str
    versions: tuple[Version, ...]


def trace(work: Work, resource: str) -> Traced:
    """Trace `Observation/ID`, `urn:uuid:ID` or a bare id; raises `NotFound`."""
    identity = resource.removeprefix("urn:uuid:").rpartition("/")[2]
    if len(identity) != 36:
        raise NotFound("no such resource", "リソースが見つかりません", at="resource")
    found = rows.select_versions_of_resource(work.db, identity)
    if not found:
        raise NotFound("no such resource", "リソースが見つかりません", at="resource")
    found.sort(key=lambda one: (one[0].version, one[0].posted))
    newest = found[-1][0]
    patient = PatientId(Oid(newest.domain), newest.value)
    work.trail.patients.add(patient)
    work.trail.objects.append(identity)
    kind, beside = _kind(newest, identity)
    return Traced(
        kind=kind,
        id=identity,
        beside=beside,
        patient=patient,
        facility=newest.facility,
        source=newest.source,
        category=newest.category,
        key=newest.key,
        versions=tuple(_version(work, row, shared=shared) for row, shared in found),
    )


def _kind(row: ItemRow, identity: str) -> tuple[str, str]:
    """The type of the resource, and of the item's where that is another."""
    content = rows.read_content(row)
    main = str(content.resource.get("resourceType", ""))
    if content.resource.get("id") == identity:
        return main, ""
    beside = (one["resourceType"] for one in content.companions if one["id"] == identity)
    return next(beside, ""), main


def _version(work: Work, row: ItemRow, *, shared: bool) -> Version:
    file = uploads.select_file(work.db, row.file)
    source: dict[str, Any] = rows.read_content(row).source
    start, end = int(source.get("start", 0)), int(source.get("end", 0))
    return Version(
        version=row.version,
        cancelled=row.cancelled,
        shared=shared,
        posted=row.posted,
        registered=row.registered,
        path=file.path if file else "",
        sha256=file.received_sha256 if file else "",
        receipt=file.receipt if file else "",
        format=file.format if file else "",
        mapping=str(source.get("mapping", file.mapping if file else "")),
        tables=tuple(source.get("tables", file.tables if file else ())),
        at=str(source.get("at", "")),
        start=start,
        end=end,
        lines=_lines(work, file, start, end) if file else b"",
    )


def _lines(work: Work, file: FileRow, start: int, end: int) -> bytes:
    """The bytes of a range; of a part only those of its own lines, for others stand between."""
    runs = [(start, end)]
    if file.spans is not None:
        lines = sorted((first, last) for _, first, last in (*file.spans["shared"],
                                                            *file.spans["own"]))  # fmt: skip
        runs = [(max(start, first), min(end, last)) for first, last in lines]
    found, left = [], _LONGEST
    try:
        with work.blobs.open(file.sha256) as stream:
            for first, last in runs:
                if first < last and left:
                    stream.seek(first)
                    found.append(stream.read(min(last - first, left)))
                    left -= len(found[-1])
    except Damaged:
        return b""
    return b"".join(found)

"""promote(): the shared record made to agree with consent and links (LNK-02, CON-01, AUD-05).

For a person who takes part, what is staged moves into the shared record, and each facility's items
of one category and file become one stable document. For a person who does not, what is shared goes
back to custody or is deleted. Doing it twice changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.consent import ledger
from gateway.identity import crossref
from gateway.members import facilities
from gateway.members.facilities import Members
from gateway.model import attestation
from gateway.model.batch import Batch, Resource
from gateway.model.category import Category, FacilityType
from gateway.model.identifiers import Oid, PatientId, PersonId
from gateway.model.network import WithdrawalEffect
from gateway.model.person import Demographics
from gateway.record import entries, provision, removal, reports, twins
from gateway.store.record import documents as document_rows
from gateway.store.record import items as rows
from gateway.store.record import lock_blobs, uploads
from gateway.store.record.documents import DocumentRow
from gateway.store.record.items import ItemRow, Origin, Shared
from gateway.store.record.uploads import FileRow
from gateway.store.work import Work
from gateway.wire import attested, fhir, fhir_document, provenance
from gateway.wire.attested import Signed


@dataclass(frozen=True, slots=True)
class Promoted:
    """How much moved."""

    items: int = 0
    documents: int = 0
    "Documents that were filed and waited; made ones are not counted."


_Key = tuple[str, str, str]
"Chart domain, chart value, item key."


Made = Mapping[Origin, Shared]
"Items that are in memory and need not be read."


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a file became just now, of a person who takes part: written by `promote` alone.

    So an item that may be shared is written once, and not first where it would wait.
    """

    file: FileRow
    rows: Sequence[ItemRow] = ()
    made: Made = field(default_factory=dict)
    "The items among the rows, as documents are made of them."


def promote(work: Work, person: PersonId, arrived: Arrived | None = None) -> Promoted:
    """Let the shared record of one person be what consent and links allow; idempotent."""
    crossref.lock(work, person)
    standing = ledger.standing(work, person)
    if standing.participates:
        return _share(work, person, arrived)
    if arrived is not None:
        rows.insert_staged(work.db, arrived.rows)
    if standing.withdrawn and work.policy.withdrawal.effect is not WithdrawalEffect.DELETE:
        return Promoted()  # kept and invisible (WDR-01: 支援中止, sharing stopped)
    removal.unshare(work, person)
    return Promoted()


def in_memory(fresh: Sequence[ItemRow], batch: Batch) -> Made:
    """Those items of a batch that became rows, as they would be read."""
    items = {(item.key, item.resource["id"]): item for item in batch.items}
    found = {}
    for row in fresh:
        item = items.get((row.key, row.resource))
        if item is not None:
            place = item.source
            source = {"file": place.file, "at": place.at, "start": place.start, "end": place.end}
            found[row.origin] = Shared(item.category, item.resource, item.companions, source)
    return found


def newest(versions: Iterable[ItemRow]) -> dict[_Key, ItemRow]:
    """The current version of each item: the highest, of equal ones the last that came."""
    found: dict[_Key, ItemRow] = {}
    for row in versions:
        key = (row.domain, row.value, row.key)
        before = found.get(key)
        if before is None or row.version >= before.version:
            found[key] = row
    return found


def _share(work: Work, person: PersonId, arrived: Arrived | None) -> Promoted:
    members = work.once(facilities.snapshot)

    def provided(facility: str, category: str) -> bool:
        """Whether the network shares this and the facility provides it (STD-04, STG-07)."""
        kind = Category(category)
        return kind in work.policy.categories and (facility, kind) not in members.withheld

    moving = rows.select_waiting(work.db, person, provided)
    arriving: list[ItemRow] = []
    if arrived is not None:
        arriving = [row for row in arrived.rows if provided(row.facility, row.category)]
        staying = [row for row in arrived.rows if not provided(row.facility, row.category)]
        rows.insert_staged(work.db, staying)
    held = document_rows.select_held(work.db, person)
    waiting = [row for row in held if provided(row.facility, row.category)]
    moved = [*moving, *arriving]
    if moved:
        lock_blobs(work.db, removing=False)
        before = rows.select_touched(work.db, moved)
        added = rows.share(work.db, moving, work.now)
        added += rows.insert_shared(work.db, arriving, work.now)
        _document(work, members, before, added, arrived)
    for document in waiting:
        document_rows.delete_documents(work.db, [document.entry_uuid], held=True, moving=True)
        document_rows.insert_document(
            work.db, replace(document, registered=work.now, person=None, deprecated=False)
        )
    _enter(work, members, moved, waiting)
    if moved or waiting:
        work.trail.detail["promoted"] = len(moved)
        work.trail.detail["promoted_documents"] = len(waiting)
    return Promoted(items=len(moved), documents=len(waiting))


def _document(
    work: Work, members: Members, before: Sequence[ItemRow], added: Sequence[ItemRow],
    arrived: Arrived | None,
) -> None:  # fmt: skip
    """Documents of what was added to the shared record, and anew of what of `before` it changes.

    Only that is looked at, however long the record is.
    """
    made = arrived.made if arrived is not None else {}
    alive = _alive([*before, *added], made)
    fresh = alive - _alive(before, made)  # an item that is no longer covered by another comes back
    gone = {row.id for row in before} - alive
    left: list[int] = []
    for entry_uuid, contents in document_rows.select_made_of(work.db, sorted(gone)).items():
        document_rows.insert_deprecation(work.db, entry_uuid, work.now)
        left += [identity for identity in contents if identity not in gone]
    staying = rows.select_items_by_id(work.db, left) if left else []
    for group in _grouped([*staying, *(row for row in (*before, *added) if row.id in fresh)]):
        _make_document(work, members, group, arrived)


def remake(work: Work, person: PersonId, file: str) -> None:
    """Make the documents of a file's items anew, after what it says of the patient changed."""
    if not ledger.standing(work, person).participates:
        return
    members = facilities.snapshot(work.db)
    items = [row.id for row in rows.select_items(work.db, person) if row.file == file]
    lock_blobs(work.db, removing=False)
    for entry_uuid, contents in document_rows.select_made_of(work.db, items).items():
        document_rows.insert_deprecation(work.db, entry_uuid, work.now)
        _make_document(work, members, rows.select_items_by_id(work.db, contents))


def _alive(versions: Iterable[ItemRow], made: Made) -> set[int]:
    """Ids of the rows that stand in documents: current, not cancelled, not said by another too."""
    current = (row for row in newest(versions).values() if not row.cancelled)
    return {row.id for row in twins.shown(current, made)}


def _grouped(items: Iterable[ItemRow]) -> list[list[ItemRow]]:
    """One group for each file and category."""
    groups: dict[tuple[str, str], list[ItemRow]] = defaultdict(list)
    for row in items:
        groups[row.file, row.category].append(row)
    return list(groups.values())


def _make_document(
    work: Work, members: Members, group: Sequence[ItemRow], arrived: Arrived | None = None
) -> None:
    """File one document of one facility's items of one category."""
    first = group[0]
    file: FileRow | None
    if arrived is not None and arrived.file.id == first.file:
        file = arrived.file
    else:
        file = uploads.select_file(work.db, first.file)
    made = arrived.made if arrived is not None else {}
    chart = PatientId(Oid(first.domain), first.value)
    facility = members.facilities.get(first.facility)
    title = facility.title if facility and facility.title else first.facility
    category, unique_id = Category(first.category), entries.new_unique_id(work)
    heading = entries.made_title(category, title)
    items = [made.get(row.origin) or rows.read_content(row) for row in group]
    bundle = fhir_document.document_bundle(
        patient=_patient(work, chart, file),
        items=items,
        author="",
        facility=title,
        title=heading,
        created=work.now,
        identifier=f"urn:oid:{unique_id}",
        category=category,
        provenances=_provenances(work, title, file, first, items),
    )
    blob = work.blobs.put_bytes(bundle)
    entry = entries.made_entry(
        work,
        blob,
        unique_id=unique_id,
        title=heading,
        chart=chart,
        category=category,
        facility=first.facility,
        facility_title=title,
        facility_type=facility.type if facility else FacilityType.OTHER,
        source_system=first.source,
    )
    document_rows.insert_document(
        work.db, entries.to_row(entry, file=first.file, posted=first.posted, registered=work.now)
    )
    document_rows.insert_document_items(work.db, entry.entry_uuid, [row.id for row in group])


def _provenances(
    work: Work, facility: str, file: FileRow | None, first: ItemRow, items: Sequence[Shared]
) -> list[Resource]:
    """Where the resources of a document come from, each with its place in the file (REC-01).

    A message has one Provenance, whose id is made of its file here; each document of the message
    carries the copy that tells of its own resources. A file that is signed has another one, which
    tells by whom and what verification said (SIG-06).
    """
    if file is None:
        return []
    targets: dict[str, str] = {file.patient["id"]: ""} if file.patient else {}
    mappings, tables = set(), set()
    before: Sequence[Resource] = ()
    for one in items:
        # A replay says of each item what made it; else it is what the file was read with.
        mappings.add(one.source.get("mapping", file.mapping))
        tables.update(one.source.get("tables", file.tables))
        said = one.source
        place = provenance.place(said["at"], said.get("start", 0), said.get("end", 0))
        targets.setdefault(one.resource["id"], place)
        if one.companions is not before:  # else they are there: those of an order are one tuple
            before = one.companions
            for resource in before:
                targets.setdefault(resource["id"], place)
    source = provenance.Source(
        sha256=file.received_sha256, format=file.format, received=first.posted,
        receipt=file.receipt, mappings=tuple(sorted(mappings - {""})),
        tables=tuple(sorted(tables)), facility=facility,
    )  # fmt: skip
    identity = fhir.resource_id("Provenance", file.id)
    made = [
        provenance.provenance(
            source, targets.items(), identity=identity, recorded=work.now, whole=False
        )
    ]
    signatures = attestation.read(reports.of_file(work.db, file.id))
    if signatures:
        signed = Signed(sha256=file.received_sha256, signatures=signatures)
        about = [one.resource["id"] for one in items]
        identity = fhir.resource_id("Provenance", file.id, "signatures")
        made.append(
            attested.provenance(signed, about, identity=identity, recorded=work.now, whole=False)
        )
    return made


def _patient(work: Work, chart: PatientId, file: FileRow | None) -> Resource:
    """The patient as the file described it, else as the chart's feed did."""
    if file is not None and file.patient is not None:
        return file.patient
    stated = crossref.stated(work, chart)
    return fhir.patient_resource(stated or Demographics(), [chart])


def _enter(
    work: Work, members: Members, moved: Sequence[ItemRow], documents: Sequence[DocumentRow]
) -> None:
    """Lines of the provision ledger, one for each facility and chart (LNK-03)."""
    day = facilities.today(work)
    groups: dict[tuple[str, str, str], tuple[list[datetime], list[datetime]]] = {}
    for row in moved:
        group = groups.setdefault((row.facility, row.domain, row.value), ([], []))
        group[0].append(row.posted)
    for document in documents:
        group = groups.setdefault((document.facility, document.domain, document.value), ([], []))
        group[1].append(document.posted)
    for (facility, domain, value), (items, files) in groups.items():
        provision.enter(
            work,
            facility=facility,
            patient=PatientId(Oid(domain), value),
            custody=members.has_custody(facility, day),
            posted=min((*items, *files)),
            items=len(items),
            documents=len(files),
        )

"""One file while it is read: items, findings, and what became of every line of it.

A mapper says what it took and what came of it (`add`); whatever nobody took is found at the end, so
nothing is dropped without a finding (STD-01). Messages (`message.py`) and rows (`rows.py`) say
what their fields and columns mean on top of this.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol

from gateway.model.batch import Batch, Finding, Item, Resource, SourcePosition
from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Demographics
from gateway.standardize import codes, enrich, musthave
from gateway.standardize.findings import finding
from gateway.standardize.format import UNSTATED, Upload
from gateway.standardize.version import mapping_version
from gateway.wire import fhir


class Place(Protocol):
    """Where something stands in the received bytes: a segment, a row, an element."""

    @property
    def at(self) -> str:
        """As findings say it: `OBX[3]`, `row 7`."""

    @property
    def start(self) -> int:
        """First byte in the file."""

    @property
    def end(self) -> int:
        """First byte after it."""


class Reading:
    """What is known and found while one file becomes a batch about one patient."""

    __slots__ = (
        "_account",
        "_beside",
        "_book",
        "_companions",
        "_counts",
        "_findings",
        "_found",
        "cancelled",
        "demographics",
        "domain",
        "items",
        "patient",
        "patient_resource",
        "scope",
        "subject",
        "tables",
        "upload",
        "version",
    )

    def __init__(
        self, upload: Upload, patient: PatientId, *, version: str = "", cancelled: bool = False
    ) -> None:
        self.upload = upload
        self.patient = patient
        self._book = upload.codes or None
        self.domain: Oid = patient.domain
        self.version = version
        self.cancelled = cancelled
        self.subject = fhir.reference(fhir.patient_resource_id(patient))
        self.items: list[Item] = []
        self.demographics: Demographics | None = None
        self.patient_resource: Resource | None = None
        self.scope = ""
        self.tables: set[str] = set()
        self._beside: tuple[Resource, ...] = ()
        self._companions: tuple[tuple[Resource, ...], tuple[Resource, ...]] = (), ()
        self._account: dict[str, str] = {}
        self._findings: list[Finding] = []
        self._found: set[tuple[str, str]] = set()
        self._counts: dict[str, int] = {}

    @property
    def sex(self) -> str:
        """The patient's administrative gender as FHIR says it; empty where it is not stated."""
        stated = self.demographics
        return stated.gender.fhir if stated and stated.gender else ""

    def find(self, code: str, at: str = "") -> None:
        """Note a finding, once at each place."""
        if (code, at) not in self._found:
            self._found.add((code, at))
            self._findings.append(finding(code, at))

    def unmapped(self, concept: Resource, at: str) -> None:
        """Note that a concept has no standard code, unless the facility's map has one for it."""
        if self._book is None or not enrich.is_mapped(concept, self._book):
            self.find("unmapped-code", at)

    def with_related(self, concept: Resource) -> Resource:
        """A concept with the codes that masters and the facility's map add."""
        if self._book is None:
            return concept
        return enrich.concept(concept, self._book, "", enrich.Added(self.tables))

    def account(self, place: Place, became: str) -> None:
        """Say what became of a segment or row that was read."""
        self._account[place.at] = became

    def leave(self, place: Place, code: str) -> None:
        """Say that a segment or row was not taken over, with its finding."""
        self._account[place.at] = code
        self.find(code, place.at)

    def leave_all(self, code: str, places: Iterable[Place]) -> None:
        """Say of places not taken so far that they share one cause, which is found once."""
        for place in places:
            self._account.setdefault(place.at, code)

    def has(self, place: Place) -> bool:
        """Whether a place is accounted for."""
        return place.at in self._account

    def add(
        self,
        category: Category,
        resource: Resource,
        key: str,
        place: Place,
        *,
        end: int = 0,
        companions: tuple[Resource, ...] = (),
        cancelled: bool = False,
        version: str = "",
    ) -> None:
        """Add an item that came from a place, or from it up to the byte `end`.

        Of `companions` with one id (a doctor who attends and orders) one is kept. `version` orders
        the item among its deliveries where the file's own does not.
        """
        if len(companions) > 1:
            companions = self._distinct(companions)
        if companions and companions is not self._beside:
            self._beside = companions  # the same for all results of one order
            for one in companions:
                self._require(one, place)
        if self._book is not None:
            companions = self._enrich(resource, companions, place)
        self._require(resource, place)
        self.items.append(
            Item(
                category,
                resource,
                key,
                SourcePosition(self.upload.path, place.at, place.start, end or place.end),
                version or self.version,
                cancelled or self.cancelled,
                companions,
            )
        )

    def _distinct(self, companions: tuple[Resource, ...]) -> tuple[Resource, ...]:
        """One of each id; the results of one order all have the same companions."""
        before, distinct = self._companions
        if before is not companions:
            distinct = tuple({one["id"]: one for one in companions}.values())
            self._companions = companions, distinct
        return distinct

    def _enrich(
        self, resource: Resource, companions: tuple[Resource, ...], place: Place
    ) -> tuple[Resource, ...]:
        """Add what masters and the map say; companions are shared, so they are copied."""
        day = enrich.day_of(resource)
        added = enrich.Added(self.tables)
        enrich.enrich(resource, self.upload.codes, day, added)
        copies = tuple(dict(one) for one in companions)
        for one in copies:
            enrich.enrich(one, self.upload.codes, day, added)
        if added.fewer:
            self.find("code-by-fewer-digits", place.at)
        if added.ended:
            self.find("code-ended", place.at)
        return copies

    def _require(self, resource: Resource, place: Place) -> None:
        """Mark and find what its profile demands of a resource, an item's or one beside it."""
        for path in self.complete(resource):
            self.find("value-absent", f"{place.at} {resource['resourceType']}.{path}")

    def complete(self, resource: Resource) -> tuple[str, ...]:
        """Mark as absent what the resource's profile demands and it lacks; the paths of those."""
        return musthave.complete(resource)

    def key(self, text: str) -> str:
        """A key that no other item of the file has: one that comes again is counted."""
        number = self._counts[text] = self._counts.get(text, 0) + 1
        return text if number == 1 else self.key(f"{text}|{number}")

    def digest_key(self, kind: str, *parts: str) -> str:
        """A key for an item that its format gives no number: a digest of what tells it apart.

        Names are part of that; a digest keeps them out of logs.
        """
        digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
        return self.key(f"{kind}|{digest}")

    def identity(self, kind: str, key: str) -> str:
        """The id of a resource about one source item of this patient."""
        return fhir.resource_id(kind, self.domain, self.patient.value, key)

    def local_system(self, name: str) -> str:
        """The system of a code that only the sender understands."""
        return codes.local_system(self.domain, name)

    def batch(self, name: str, occurred: str = "") -> Batch:
        """What the file became."""
        return Batch(
            path=self.upload.path,
            format=name,
            patient=self.patient,
            demographics=self.demographics,
            patient_resource=self.patient_resource,
            items=tuple(self.items),
            findings=tuple(self._findings),
            occurred=occurred,
            version=self.version,
            scope=self.scope,
            account=self._account,
            mapping=mapping_version(self.upload.codes.version),
            tables=tuple(sorted(self.tables)),
        )


def stated_domain(upload: Upload) -> Oid:
    """The domain of chart ids in an upload."""
    return upload.domain or UNSTATED

"""One medication notebook while it is read: items, findings, and what became of every row."""

import hashlib

from gateway.model.batch import Batch, Finding, Item, Resource, SourcePosition
from gateway.model.category import Category
from gateway.model.identifiers import PatientId
from gateway.model.person import Demographics
from gateway.standardize import codes, dates, musthave
from gateway.standardize.findings import finding
from gateway.standardize.format import Upload
from gateway.standardize.notebook_rows import Row
from gateway.wire import fhir

FORMAT_NAME = "jahis-notebook"


class NotebookReading:
    """What is known and found while one file becomes a batch."""

    __slots__ = (
        "_account",
        "_counts",
        "_findings",
        "_found",
        "demographics",
        "items",
        "patient",
        "patient_resource",
        "subject",
        "upload",
    )

    def __init__(self, upload: Upload, patient: PatientId) -> None:
        self.upload = upload
        self.patient = patient
        self.subject = fhir.reference(fhir.patient_resource_id(patient))
        self.items: list[Item] = []
        self.demographics: Demographics | None = None
        self.patient_resource: Resource | None = None
        self._account: dict[str, str] = {"row 1": "used"}
        self._findings: list[Finding] = []
        self._found: set[tuple[str, str]] = set()
        self._counts: dict[str, int] = {}

    def find(self, code: str, at: str = "") -> None:
        """Note a finding, once at each place."""
        if (code, at) not in self._found:
            self._found.add((code, at))
            self._findings.append(finding(code, at))

    def take(self, row: Row, *columns: str, became: str = "used") -> None:
        """Say that a row was read, which of its columns, and what became of it."""
        self._account[row.at] = became
        if row.get("creator") == "2":
            self.find("patient-entered", row.at)
        for name in row.cells:
            if name not in columns and name != "creator" and row.get(name):
                self.find("unmapped-field", f"{row.at} {name}")
        if row.extra:
            self.find("unmapped-field", row.at)

    def leave(self, row: Row, code: str) -> None:
        """Say that a row was not taken over, with its finding."""
        self._account[row.at] = code
        self.find(code, row.at)

    def has(self, row: Row) -> bool:
        """Whether the row is accounted for."""
        return row.at in self._account

    def key(self, *parts: str) -> str:
        """A stable key: what kind of item, and a digest of what tells it from others.

        The format has no item numbers, so names are part of it; a digest keeps them out of logs.
        Equal items of one file are counted, so that both stay.
        """
        digest = hashlib.sha256("\x1f".join(parts[1:]).encode()).hexdigest()[:32]
        key = f"notebook|{parts[0]}|{digest}"
        number = self._counts[key] = self._counts.get(key, 0) + 1
        return key if number == 1 else f"{key}|{number}"

    def identity(self, kind: str, key: str) -> str:
        """The id of a resource about one source item of this patient."""
        return fhir.resource_id(kind, self.patient.domain, self.patient.value, key)

    def add(
        self,
        category: Category,
        resource: Resource,
        key: str,
        row: Row,
        companions: tuple[Resource, ...] = (),
    ) -> None:
        """Add the item that came from a row."""
        for path in musthave.complete(resource):
            self.find("value-absent", f"{row.at} {resource['resourceType']}.{path}")
        source = SourcePosition(file=self.upload.path, at=row.at, start=row.start, end=row.end)
        self.items.append(
            Item(
                category=category,
                resource=resource,
                key=key,
                source=source,
                companions=companions,
            )
        )

    def day(self, row: Row, column: str) -> str:
        """A date cell as FHIR says it; one that does not exist is left out and found."""
        text = row.get(column)
        if not text:
            return ""
        found, overrun = dates.western(text)
        if found is None:
            self.find("bad-date", f"{row.at} {column}")
            return ""
        if overrun:
            self.find("era-overrun", f"{row.at} {column}")
        return found.isoformat()

    def local_system(self, name: str) -> str:
        """The system of a code that only the sender understands."""
        return codes.local_system(self.patient.domain, name)

    def batch(self, label: str, occurred: str) -> Batch:
        """What the file became."""
        return Batch(
            path=self.upload.path,
            format=label,
            patient=self.patient,
            demographics=self.demographics,
            patient_resource=self.patient_resource,
            items=tuple(self.items),
            findings=tuple(self._findings),
            occurred=occurred,
            account=self._account,
        )

"""What an upload became: items, findings, and whom they are about.

Nothing is dropped without a finding; every item names the bytes it came from.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from gateway.model.category import Category
from gateway.model.document import Paper
from gateway.model.identifiers import PatientId
from gateway.model.person import Demographics

Resource = dict[str, Any]
"A FHIR R4 resource as plain JSON, made by the builders of `wire/fhir.py`."


CLAIMED = "uke|"
"Keys of items that a claim (レセプト) says begin so; what an order says of the same goes before."


class Severity(Enum):
    """How bad a finding is: an error refused its unit, a warning lost or guessed something."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a facility should know about its file; never carries a value (section 2.3)."""

    code: str
    "Stable word, e.g. `unmapped-code`, `pid-clash`, `layout-unknown`."
    severity: Severity
    at: str = ""
    "Segment and field (`OBX[3].5`), row and column, or element."
    text: str = ""
    "English, one sentence; says what to do next where somebody must act."
    japanese: str = ""


class SourcePosition(NamedTuple):
    """Where in the received bytes an item stands."""

    file: str
    "Path of the file inside the upload, as data."
    at: str
    "Segment and field, row, or element."
    start: int = 0
    "First byte in the file."
    end: int = 0
    "First byte after it."


class Item(NamedTuple):
    """One clinical statement, standardized."""

    category: Category
    resource: Resource
    "The main resource; references inside are to `contained` ids or to urn:uuid of `companions`."
    key: str
    "Stable key of the source item: the same item from another delivery has the same key (STG-04)."
    source: SourcePosition
    version: str = ""
    "What orders two deliveries of one key: message time or order version, compared as text."
    cancelled: bool = False
    "The source says this item is deleted or cancelled."
    companions: tuple[Resource, ...] = ()
    "Resources the item needs beside it: Specimen, Practitioner, Organization, Encounter …"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One file, read: the patient it is about, its items and its findings."""

    path: str
    format: str
    "Name of the format that recognised it, e.g. `ssmix2/OML-11`."
    patient: PatientId | None
    "Chart id; None where the file names no patient, and then there are no items."
    demographics: Demographics | None = None
    patient_resource: Resource | None = None
    "JP_Patient made from the file, if it describes the patient."
    items: tuple[Item, ...] = ()
    findings: tuple[Finding, ...] = ()
    occurred: str = ""
    "Message time as the file states it, RFC 3339 where it is readable."
    version: str = ""
    "Order of the whole file among deliveries of one scope, compared as text; like `Item.version`."
    scope: str = ""
    """Prefix of item keys that this file states completely: an older item of this patient under it
    that this file no longer has is ended by it (a whole order, the whole list of diagnoses).
    Empty: the file adds only."""
    restates: tuple[str, ...] = ()
    """Versions in which this file states its scope anew, also where an earlier file did so under
    the same ones (a claim of the same month, corrected): what that one had and this one lacks is
    ended, whatever came later holds. Empty: of one version files add to each other."""
    mapping: str = ""
    "Version of the mapping and the tables that made it."
    tables: tuple[str, ...] = ()
    "Loaded code masters and maps that said something about its codes: name, version, digest."
    papers: tuple[Paper, ...] = ()
    """Documents that the file is or carries (`standardize/papers.py`): verified and filed with its
    items, or the whole file is refused or set aside."""
    keep: bool = True
    """Whether the bytes are kept once they were read; those of an index are not, because they name
    many people and an erasure of one of them could not reach into them."""
    account: dict[str, str] = field(default_factory=dict)
    "What became of each segment or row: position to `item …`, `used`, or a finding's code."

    def resources(self) -> set[str]:
        """The ids of every resource that the file became."""
        found = {item.resource["id"] for item in self.items}
        found.update(one["id"] for item in self.items for one in item.companions)
        return found

"""A FHIR R4 document: what a record shares, as one Bundle that does not change (R4 documents).

The Composition stands first, every reference points into the Bundle, and equal input gives equal
bytes. JP Core 1.2.0 has no profile for a general Composition, so it is a plain one.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.wire import fhir

_LOINC = "http://loinc.org"
_JP_DOCUMENTS = "http://jpfhir.jp/fhir/core/CodeSystem/JP_DocumentCodes_CS"
_SUMMARY = fhir.coding("34133-9", _LOINC, "Summarization of Episode Note")
_ABOUT = ("subject", "patient", "beneficiary")
_URN = "urn:uuid:"
_TO_RESOURCE = b'"reference":"urn:uuid:'
_UUID_AND_QUOTE = 37
_LEFT_OUT = (b"null", b":[]")
"What `_bound` leaves out, as it is written."

SECTIONS: Mapping[Category, tuple[str, dict[str, Any] | None]] = {
    Category.DIAGNOSIS: ("病名", fhir.coding("11450-4", _LOINC)),
    Category.ALLERGY: ("アレルギー", fhir.coding("48765-2", _LOINC)),
    Category.PRESCRIPTION: ("処方", fhir.coding("57828-6", _LOINC)),
    Category.DISPENSING: ("調剤", fhir.coding("10160-0", _LOINC)),
    Category.LAB_RESULT: ("検体検査結果", fhir.coding("30954-2", _LOINC)),
    Category.NURSING: ("看護", None),
    Category.CARE: ("介護", None),
    Category.MEDICAL: ("検査・処置", None),
    Category.MEDICATION: ("服薬", None),
    Category.PROGRESS: ("経過", None),
    Category.VISIT_HISTORY: ("受診歴", None),
    Category.CHECKUP: ("健診", None),
    Category.DAILY_LIVING: ("生活", None),
    Category.WATCH_OVER: ("見守り", None),
    Category.BIOMETRIC: ("バイタルサイン", None),
    Category.USER_NOTE: ("患者等のメモ", None),
    Category.DEMOGRAPHICS: ("患者基本情報", None),
}
"Section title and code by category; any other category is titled by its own word."

_TYPES = {Category.LAB_RESULT: fhir.coding("11502-2", _JP_DOCUMENTS, "検体検査報告書")}


class Content(Protocol):
    """What a document may contain; an `Item` is one, so is a row of the shared record."""

    @property
    def category(self) -> Category:
        """Under which heading it stands."""

    @property
    def resource(self) -> Resource:
        """The resource itself, with an id that is a UUID."""

    @property
    def companions(self) -> tuple[Resource, ...]:
        """What it refers to."""


def document_bundle(
    *,
    patient: Resource,
    items: Iterable[Content],
    author: str,
    facility: str,
    title: str,
    created: datetime,
    identifier: str,
    category: Category | None = None,
    provenances: Iterable[Resource] = (),
) -> bytes:
    """A document Bundle about one patient; `identifier` is its URI, `created` carries a zone.

    Items of other chart ids of the same person are re-addressed to `patient`. A reference to
    something that is not in the document is left out, without a trace (XCA-04). `provenances` say
    where its resources come from, and who signed that.
    """
    contents = list(items)
    issuer = fhir.organization(fhir.resource_id("facility", facility), facility)
    people = [issuer]
    if author and author != facility:
        writer = fhir.practitioner(fhir.resource_id("author", facility, author), ())
        writer["name"] = [{"text": author}]
        people.append(writer)
    resources = _unique(contents)
    composition = _composition(
        contents, patient, people, title=title, moment=_moment(created), category=category
    )
    composition["id"] = fhir.resource_id("Composition", identifier)
    composition["identifier"] = fhir.identifier("urn:ietf:rfc:3986", identifier)
    head: Resource = {
        "resourceType": "Bundle",
        "id": fhir.resource_id("Bundle", identifier),
        "language": "ja",
        "identifier": fhir.identifier("urn:ietf:rfc:3986", identifier),
        "type": "document",
        "timestamp": _moment(created),
    }
    before, after = [composition, patient, *people], list(provenances)
    made = fhir.dumps(head | {"entry": _entries(before, resources, after)})
    known = {one["id"] for one in [*people, patient, *resources]}
    about = {_about(one) for one in resources} - {""}
    target = _URN + patient["id"]
    if about <= {target} and _is_bound(made, known):
        return made
    known = {_URN + one for one in known}
    bound = [_bound(one, about, target, known) for one in resources]
    return fhir.dumps(head | {"entry": _entries(before, bound, after)})


def _entries(*groups: Iterable[Resource]) -> list[dict[str, Any]]:
    return [{"fullUrl": _URN + one["id"], "resource": one} for group in groups for one in group]


def _composition(
    contents: list[Content],
    patient: Resource,
    people: list[Resource],
    *,
    title: str,
    moment: str,
    category: Category | None,
) -> Resource:
    """The table of contents: one section a category, in the order of `Category`."""
    made = fhir.resource("Composition", "", "")
    made["status"] = "final"
    kind = _TYPES.get(category, _SUMMARY) if category else _SUMMARY
    made["type"] = fhir.concept(kind)
    made["subject"] = fhir.reference(patient["id"])
    made["date"] = moment
    made["author"] = [fhir.reference(people[-1]["id"])]
    made["title"] = title
    made["custodian"] = fhir.reference(people[0]["id"])
    sections = []
    for heading in Category:
        ids = [one.resource["id"] for one in contents if one.category is heading]
        if ids:
            words, code = SECTIONS.get(heading, (heading.value, None))
            section: dict[str, Any] = {"title": words}
            if code:
                section["code"] = fhir.concept(code)
            section["entry"] = [fhir.reference(one) for one in dict.fromkeys(ids)]
            sections.append(section)
    if sections:
        made["section"] = sections
    return made


def _unique(contents: list[Content]) -> list[Resource]:
    """Items, then what they refer to, each once."""
    found = {one.resource["id"]: one.resource for one in contents}
    before: tuple[Resource, ...] = ()
    for one in contents:
        if one.companions is not before:  # those of an order are one tuple
            before = one.companions
            for companion in before:
                found.setdefault(companion["id"], companion)
    return [one for one in found.values() if one["resourceType"] != "Patient"]


def _about(one: Resource) -> str:
    """The reference by which a resource names its patient."""
    return next((one[name].get("reference", "") for name in _ABOUT if name in one), "")


def _is_bound(made: bytes, known: set[str]) -> bool:
    """Whether `_bound` would change nothing of a document: as it is with what we make ourselves."""
    _, *references = made.split(_TO_RESOURCE)
    there = {one.encode() + b'"' for one in known}
    return {one[:_UUID_AND_QUOTE] for one in references} <= there and not any(
        one in made for one in _LEFT_OUT
    )


def _bound(value: Any, about: set[str], target: str, known: set[str]) -> Any:
    """The same value with references to the document's patient; others must lead into it."""
    if isinstance(value, dict):
        to = value.get("reference")
        if isinstance(to, str) and to.startswith(_URN):
            if to in about:
                return {**value, "reference": target}
            if to not in known:
                return None
        parts = {name: _bound(part, about, target, known) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not None and part != []}
    if isinstance(value, list):
        bound = [_bound(part, about, target, known) for part in value]
        return [part for part in bound if part is not None]
    return value


def _moment(created: datetime) -> str:
    return created.isoformat(timespec="seconds")

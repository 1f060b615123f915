"""DocumentEntry to ExtrinsicObject and back (ITI TF-3: 4.2.3.2 and 4.2.5.2).

What verification said of a document's signatures leaves as legalAuthenticator, which is who signed
and was verified, and as extra metadata (ITI TF-3: 4.2.3.1.6), which anybody may pass over.
"""

import re
import uuid
from collections.abc import Iterable
from datetime import datetime

from lxml import etree

from gateway.errors import Malformed
from gateway.model.attestation import Attestation
from gateway.model.category import Category
from gateway.model.document import Author, Availability, Code, DocumentEntry
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.wire import ebxml, xml
from gateway.wire.xml import Fragment, Template
from gateway.xca.stored_query import STABLE

AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
CODES = {
    "class_code": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "confidentiality": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "format_code": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "facility_type": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practice_setting": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "type_code": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
}
"Classification schemes of the coded attributes, by our name for them."
EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
"Classification scheme of eventCodeList."
PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"

SIGNATURE = "urn:x-regional-gateway:signature"
"""Slot with one value for each signature: verdict, level, time proven by a time-stamp (UTC), role,
certificate policy, signer and time of verification (UTC), with `^` between them."""
INSIDE = "urn:x-regional-gateway:signature-inside"
"The same of signatures on documents inside of this one: not of this document's signers."
_MOST_NAME, _MOST_VALUE = 64, 256
"Characters of a common name (X.520) and of a slot's value (ebRIM 3.0)."
_DELIMITERS = re.compile(r"[\^&~|\\\s]+")

_SLOT = Template(
    '<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList>'
    "</rim:Slot>"
)
_LIST = Template('<rim:Slot name="{name}"><rim:ValueList>{values}</rim:ValueList></rim:Slot>')
_VALUE = Template("<rim:Value>{value}</rim:Value>")
_LOCALIZED = Template(
    '<rim:Name><rim:LocalizedString xml:lang="{language}" charset="UTF-8" value="{value}"/>'
    "</rim:Name>"
)
_DESCRIPTION = Template(
    '<rim:Description><rim:LocalizedString xml:lang="{language}" charset="UTF-8"'
    ' value="{value}"/></rim:Description>'
)
_CLASSIFICATION = Template(
    f"""<rim:Classification id="{{id}}" classificationScheme="{{scheme}}"
    classifiedObject="{{entry}}" nodeRepresentation="{{code}}"
    objectType="{_OBJECT}Classification">{{slots}}{{name}}</rim:Classification>"""
)
_IDENTIFIER = Template(
    f"""<rim:ExternalIdentifier id="{{id}}" registryObject="{{entry}}"
    identificationScheme="{{scheme}}" value="{{value}}"
    objectType="{_OBJECT}ExternalIdentifier">{{name}}</rim:ExternalIdentifier>"""
)
_ENTRY = Template(
    f"""<rim:ExtrinsicObject id="{{id}}" home="{{home}}" objectType="{STABLE}" status="{{status}}"
    mimeType="{{mime_type}}">{{slots}}{{name}}{{comments}}{{classifications}}{{identifiers}}
    </rim:ExtrinsicObject>"""
)
_REFERENCE = Template('<rim:ObjectRef id="{id}" home="{home}"/>')


def write_reference(entry: DocumentEntry) -> Fragment:
    """The entry as `rim:ObjectRef`."""
    return _REFERENCE.fill(id=entry.entry_uuid, home=entry.home.urn)


def write(entry: DocumentEntry) -> Fragment:
    """The entry as `rim:ExtrinsicObject` with its `home` (ITI TF-2: 3.38.4.1.3)."""
    return _ENTRY.fill(
        id=entry.entry_uuid,
        home=entry.home.urn,
        status=entry.status.value,
        mime_type=entry.mime_type,
        slots=xml.join(
            (
                *(_SLOT.fill(name=name, value=value) for name, value in _slots(entry)),
                _listed("sourcePatientInfo", entry.source_patient_info),
                *_signatures(entry),
            )
        ),
        name=_localized(entry.title, entry.language) if entry.title else xml.EMPTY,
        comments=_DESCRIPTION.fill(language=entry.language, value=entry.comments)
        if entry.comments
        else xml.EMPTY,
        classifications=xml.join((*_authors(entry), *_codes(entry))),
        identifiers=xml.join(
            (
                _identifier(entry, PATIENT, entry.patient.cx, "XDSDocumentEntry.patientId"),
                _identifier(entry, UNIQUE, entry.unique_id, "XDSDocumentEntry.uniqueId"),
            )
        ),
    )


def _slots(entry: DocumentEntry) -> list[tuple[str, str]]:
    """The attributes that are slots, in alphabetical order; absent ones are left out."""
    times: tuple[tuple[str, datetime | None], ...] = (
        ("serviceStartTime", entry.service_start),
        ("serviceStopTime", entry.service_stop),
    )
    return [
        ("creationTime", ebxml.write_time(entry.created)),
        ("hash", entry.hash_sha1),
        ("languageCode", entry.language),
        *(("legalAuthenticator", _person(one)) for one in _authenticators(entry)),
        ("repositoryUniqueId", entry.repository),
        *((name, ebxml.write_time(moment)) for name, moment in times if moment is not None),
        ("size", str(entry.size)),
        ("sourcePatientId", entry.source_patient.cx),
    ]


def _listed(name: str, values: Iterable[str]) -> Fragment:
    """A slot with several values; nothing where there is none."""
    listed = xml.join(_VALUE.fill(value=value) for value in values if value)
    return _LIST.fill(name=name, values=listed) if listed else xml.EMPTY


def _authenticators(entry: DocumentEntry) -> list[Attestation]:
    """Who legally authenticated it: the first signer who was verified; one at most."""
    return [one for one in entry.signatures if one.holds and one.name][:1]


def _person(one: Attestation) -> str:
    """An XCN with a name and no number: numbers are unique with an authority without an OID."""
    return f"^{_text(one.name)}"


def _signatures(entry: DocumentEntry) -> list[Fragment]:
    """What verification said, as slots of our own; a document without a signature has none."""
    inside = [inner for one in entry.signatures for inner in one.inside]
    return [
        _listed(name, map(_attested, several))
        for name, several in ((SIGNATURE, entry.signatures), (INSIDE, inside))
    ]


def _attested(one: Attestation) -> str:
    proven = ebxml.write_time(one.proven) if one.proven else ""
    parts = (one.verdict.value, one.level, proven, next(iter(one.roles), ""), one.policy, one.name)
    return "^".join((*map(_text, parts), ebxml.write_time(one.checked)))[:_MOST_VALUE]


def _text(part: str) -> str:
    """A part of a value, without what separates parts."""
    return _DELIMITERS.sub(" ", part).strip()[:_MOST_NAME]


def _localized(text: str, language: str) -> Fragment:
    return _LOCALIZED.fill(language=language, value=text)


def _derived(entry: DocumentEntry, scheme: str, place: int = 0) -> str:
    """An id for a part of the entry: always the same for the same part, like nothing else.

    `place` counts from 0 among the parts of one scheme.
    """
    name = entry.entry_uuid + scheme + (f"#{place}" if place else "")
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}"


def _authors(entry: DocumentEntry) -> list[Fragment]:
    """Its authors; a bare name becomes the family name of an XCN, or the name of an XON."""
    person = entry.author if "^" in entry.author or not entry.author else f"^{entry.author}"
    alone = Author(person=person, institutions=(entry.author_institution,))
    written = []
    for place, author in enumerate(entry.authors or (alone,)):
        slots = xml.join(
            (
                _listed("authorInstitution", author.institutions),
                _listed("authorPerson", (author.person,)),
                _listed("authorRole", author.roles),
                _listed("authorSpecialty", author.specialties),
                _listed("authorTelecommunication", author.telecoms),
            )
        )
        if slots:
            written.append(_classification(entry, AUTHOR, "", slots, xml.EMPTY, place))
    return written


def _classification(
    entry: DocumentEntry, scheme: str, code: str, slots: Fragment, name: Fragment, place: int = 0
) -> Fragment:
    return _CLASSIFICATION.fill(
        id=_derived(entry, scheme, place), scheme=scheme, entry=entry.entry_uuid, code=code,
        slots=slots, name=name,
    )  # fmt: skip


def _codes(entry: DocumentEntry) -> list[Fragment]:
    """The coded attributes; a code without words is called by itself."""
    single: dict[str, tuple[Code, ...]] = {
        scheme: (getattr(entry, name),) for name, scheme in CODES.items()
    }
    several = {CODES["confidentiality"]: entry.confidentialities, EVENT: entry.event_codes}
    return [
        _classification(
            entry,
            scheme,
            code.code,
            _SLOT.fill(name="codingScheme", value=code.system),
            _localized(code.display or code.code, entry.language),
            place,
        )
        for scheme, codes in (single | several).items()
        for place, code in enumerate(codes)
    ]


def _identifier(entry: DocumentEntry, scheme: str, value: str, name: str) -> Fragment:
    return _IDENTIFIER.fill(
        id=_derived(entry, scheme),
        entry=entry.entry_uuid,
        scheme=scheme,
        value=value,
        name=_localized(name, "en-US"),
    )


def read(element: etree._Element, *, category: Category = Category.MEDICAL) -> DocumentEntry:
    """Read a peer's `rim:ExtrinsicObject`; what XDS does not carry is as the caller says.

    Names of slots and of classifications may repeat and stand in any order (FN-611), and the
    repository may be written as a URN (FN-102).
    """
    slots = ebxml.slots(element)
    title = xml.maybe(element, "rim:Name/rim:LocalizedString")
    several = read_codes(element)
    codes = {name: (*found, Code("", ""))[0] for name, found in several.items()}
    authors = read_authors(element)
    author = (*authors, Author())[0]
    identifiers = read_identifiers(element)
    if not {PATIENT, UNIQUE} <= identifiers.keys():
        raise Malformed(
            "the entry lacks an identifier", "識別子がありません", at="ExternalIdentifier"
        )
    return DocumentEntry(
        entry_uuid=xml.attribute(element, "id"),
        unique_id=identifiers[UNIQUE],
        repository=Oid(_slot(slots, "repositoryUniqueId").removeprefix("urn:oid:")),
        home=HomeCommunityId.from_urn(xml.attribute(element, "home")),
        patient=ebxml.read_cx(identifiers[PATIENT], at="patientId"),
        source_patient=_source_patient(slots, identifiers[PATIENT]),
        title=title.get("value", "") if title is not None else "",
        category=category,
        mime_type=element.get("mimeType", "application/octet-stream"),
        language=_slot(slots, "languageCode"),
        created=ebxml.read_time(_slot(slots, "creationTime"), at="creationTime"),
        service_start=_moment(slots, "serviceStartTime"),
        service_stop=_moment(slots, "serviceStopTime"),
        author=author.person.removeprefix("^"),
        author_institution=(*author.institutions, "")[0],
        hash_sha1=next(iter(slots.get("hash", ())), "").lower(),
        size=read_size(slots) or 0,
        authors=() if authors in ((), (_plain(author),)) else authors,
        event_codes=several["event_codes"],
        further_confidentiality=several["confidentiality"][1:],
        comments=read_comments(element),
        source_patient_info=tuple(slots.get("sourcePatientInfo", ())),
        status=Availability(xml.attribute(element, "status")),
        class_code=codes["class_code"],
        confidentiality=codes["confidentiality"],
        format_code=codes["format_code"],
        facility_type=codes["facility_type"],
        practice_setting=codes["practice_setting"],
        type_code=codes["type_code"],
    )


def read_identifiers(element: etree._Element) -> dict[str, str]:
    """The values of a registry object's external identifiers, by their schemes."""
    return {
        item.get("identificationScheme", ""): xml.attribute(item, "value")
        for item in xml.many(element, "rim:ExternalIdentifier")
    }


def read_codes(element: etree._Element) -> dict[str, tuple[Code, ...]]:
    """The coded attributes by our names, `event_codes` among them, each with all of its codes."""
    names = {scheme: name for name, scheme in CODES.items()} | {EVENT: "event_codes"}
    found: dict[str, tuple[Code, ...]] = dict.fromkeys(names.values(), ())
    for item in xml.many(element, "rim:Classification"):
        name = names.get(item.get("classificationScheme", ""))
        if name is not None:
            system = next(iter(ebxml.slots(item).get("codingScheme", ())), "")
            shown = xml.many(item, "rim:Name/rim:LocalizedString")
            display = shown[0].get("value", "") if shown else ""
            code = Code(item.get("nodeRepresentation", ""), system, display)
            found[name] = (*found[name], code)
    return found


def read_authors(element: etree._Element) -> tuple[Author, ...]:
    """The authors of a registry object, in its order."""
    found = []
    for item in xml.many(element, "rim:Classification"):
        if item.get("classificationScheme") == AUTHOR:
            slots = {name: tuple(values) for name, values in ebxml.slots(item).items()}
            found.append(
                Author(
                    person=(*slots.get("authorPerson", ()), "")[0],
                    institutions=slots.get("authorInstitution", ()),
                    roles=slots.get("authorRole", ()),
                    specialties=slots.get("authorSpecialty", ()),
                    telecoms=slots.get("authorTelecommunication", ()),
                )
            )
    return tuple(found)


def _source_patient(slots: dict[str, list[str]], patient: str) -> PatientId:
    """The patient id at the source; a national record leaves it out and knows one id only."""
    values = slots.get("sourcePatientId", [patient])
    return ebxml.read_cx(values[0], at="sourcePatientId")


def _slot(slots: dict[str, list[str]], name: str) -> str:
    values = slots.get(name, [])
    if not values:
        raise Malformed("the entry lacks a slot", "スロットがありません", at=name)
    return values[0]


def _moment(slots: dict[str, list[str]], name: str) -> datetime | None:
    values = slots.get(name, [])
    return ebxml.read_time(values[0], at=name) if values else None


def _plain(author: Author) -> Author:
    """What `author` and `author_institution` say of an author."""
    return Author(person=author.person, institutions=author.institutions[:1])


def read_comments(element: etree._Element) -> str:
    """The free text about a registry object."""
    found = xml.many(element, "rim:Description/rim:LocalizedString")
    return found[0].get("value", "") if found else ""


def read_size(slots: dict[str, list[str]]) -> int | None:
    """The stated size in bytes; None where none is stated."""
    values = slots.get("size", [])
    if not values:
        return None
    text = values[0]
    if not (text.isascii() and text.isdigit()):
        raise Malformed("the size is not a number", "サイズが数値ではありません", at="size")
    return int(text)

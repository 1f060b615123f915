"""SubmitObjectsRequest: what a document source says of the documents it hands us (ITI-41).

ITI TF-2: 3.41.4.1.2, ITI TF-3: 4.2.1 and 4.2.5. Pure. A refusal carries as its rule the error code
of ITI TF-3: 4.2.4.1; places are named by position, never by a value of the sender.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from gateway.errors import Invalid
from gateway.model.document import BARE_CONTROL, Author, Code
from gateway.model.identifiers import PatientId
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import RegistryError
from gateway.xca import metadata, packages
from gateway.xca.packages import Association, Package
from gateway.xca.stored_query import STABLE

CATEGORY = "urn:x-regional-gateway:category"
"""Slot by which a source says the category of a document in our words, where its typeCode is none
that we know."""
MOST_DOCUMENTS = 99
"The parts of one MTOM message, less its root."

_LONGEST = 256
"Characters of a slot's value (ebRIM 3.0)."
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_NEEDED = ("class_code", "confidentiality", "format_code", "facility_type", "practice_setting",
           "type_code")  # fmt: skip
_KEPT = frozenset({"creationTime", "hash", "languageCode", "serviceStartTime", "serviceStopTime",
                   "size", "sourcePatientId", "sourcePatientInfo", CATEGORY})  # fmt: skip
_OURS = frozenset({"repositoryUniqueId", "homeCommunityId", "URI"})
"Slots that we set ourselves, or that say where the source has it."
_SCHEMES = frozenset({*metadata.CODES.values(), metadata.EVENT, metadata.AUTHOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One document as its source describes it."""

    at: str
    "Where its entry stands: `ExtrinsicObject[1]`."
    id: str
    "As the message calls it: `Document/@id`."
    entry_uuid: str
    "Its `urn:uuid:…`; empty where the message calls it by a symbol."
    unique_id: str
    patient: PatientId
    source_patient: PatientId | None
    source_patient_info: tuple[str, ...]
    title: str
    comments: str
    category: str
    "As `CATEGORY` says it; empty where nothing is said."
    class_code: Code
    type_code: Code
    format_code: Code
    facility_type: Code
    practice_setting: Code
    confidentialities: tuple[Code, ...]
    event_codes: tuple[Code, ...]
    authors: tuple[Author, ...]
    mime_type: str
    language: str
    created: datetime
    service_start: datetime | None
    service_stop: datetime | None
    hash_sha1: str
    "As stated, lower case; empty where nothing is stated."
    size: int | None
    "As stated."
    replaces: tuple[str, ...]
    "Entry UUIDs of what it replaces (ITI TF-3: 4.2.2.2.3)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One submission set with its documents: filed whole, or not at all."""

    unique_id: str
    patient: PatientId
    documents: tuple[Submitted, ...]
    contents: tuple[etree._Element, ...]
    "The `xds:Document` of each, in the same order."
    warnings: tuple[RegistryError, ...]
    "What of it is not kept."


def read(body: etree._Element) -> Submission:
    """Read `xds:ProvideAndRegisterDocumentSetRequest`; raises `Invalid`, `Malformed`."""
    listed = xml.one(body, "lcm:SubmitObjectsRequest/rim:RegistryObjectList")
    objects = packages.read(listed)
    entries = xml.many(listed, "rim:ExtrinsicObject")
    contents = _contents(body, entries)
    replaced = packages.replaced(objects.associations, {xml.attribute(e, "id") for e in entries})
    documents = tuple(
        _submitted(entry, f"ExtrinsicObject[{place}]", replaced)
        for place, entry in enumerate(entries, 1)
    )
    _check(objects.submission_set, documents, objects.folders, objects.associations)
    extra = [one.at for one, entry in zip(documents, entries, strict=True) if _has_extra(entry)]
    return Submission(
        unique_id=objects.submission_set.unique_id,
        patient=objects.submission_set.patient,
        documents=documents,
        contents=contents,
        warnings=(
            *packages.warnings(objects, {one.id for one in documents}),
            *(packages.warning("XDSExtraMetadataNotSaved", f"slots of its own: {at}")
              for at in extra),
        ),
    )  # fmt: skip


def _contents(
    body: etree._Element, entries: Sequence[etree._Element]
) -> tuple[etree._Element, ...]:
    """The Document of each entry (ITI TF-2: 3.41.4.1.3)."""
    found = xml.many(body, "xds:Document")
    if len(found) != len(xml.children(body)) - 1:
        raise refused("XDSRepositoryMetadataError", "the request holds Documents",
                      "リクエストの構造が違います", at="Document")  # fmt: skip
    if max(len(found), len(entries)) > MOST_DOCUMENTS:
        raise refused("XDSRepositoryOutOfResources", "send fewer documents at a time",
                      "一度に送る文書が多すぎます")  # fmt: skip
    ids = [xml.attribute(one, "id") for one in found]
    wanted = [xml.attribute(entry, "id") for entry in entries]
    if len(set(ids)) < len(ids) or len(set(wanted)) < len(wanted):
        raise refused("XDSRepositoryMetadataError", "an id stands twice", "IDが重複しています",
                      at="@id")  # fmt: skip
    for place, id in enumerate(wanted, 1):
        if id not in ids:
            raise refused("XDSMissingDocument", "the entry has no Document of its id",
                          "文書本体がありません", at=f"ExtrinsicObject[{place}]")  # fmt: skip
    if not wanted or set(ids) - set(wanted):
        raise refused("XDSMissingDocumentMetadata", "a Document has no ExtrinsicObject of its id",
                      "文書のメタデータがありません", at="Document")  # fmt: skip
    by_id = dict(zip(ids, found, strict=True))
    return tuple(by_id[id] for id in wanted)


def _submitted(
    element: etree._Element, at: str, replaced: Mapping[str, tuple[str, ...]]
) -> Submitted:
    """One entry; every attribute that an entry must have is there (ITI TF-3: 4.2.3.2)."""
    if element.get("objectType") != STABLE:
        raise refused("XDSRegistryMetadataError", "not a stable document entry",
                      "安定文書ではありません", at=f"{at}/@objectType")  # fmt: skip
    slots = ebxml.slots(element)
    codes = metadata.read_codes(element)
    for name in _NEEDED:
        if not codes[name]:
            raise missing(f"{at}/{name}")
    for code in (code for several in codes.values() for code in several):
        _text(code.code, f"{at}/Classification", needed=True)
        _text(code.system, f"{at}/Classification/codingScheme", needed=True)
        _text(code.display, f"{at}/Classification/Name")
    identifiers = metadata.read_identifiers(element)
    patient = identifiers.get(metadata.PATIENT, "")
    if not patient:
        raise missing(f"{at}/patientId")
    language = _one(slots, "languageCode", at, needed=True)
    if not _LANGUAGE.fullmatch(language):
        raise refused("XDSRegistryMetadataError", "not a language code", "言語コードが違います",
                      at=f"{at}/languageCode")  # fmt: skip
    source_patient = _one(slots, "sourcePatientId", at)
    id = xml.attribute(element, "id")
    return Submitted(
        at=at,
        id=id,
        entry_uuid=id.lower() if _UUID.fullmatch(id) else "",
        unique_id=_text(identifiers.get(metadata.UNIQUE, ""), f"{at}/uniqueId", needed=True),
        patient=ebxml.read_cx(patient, at=f"{at}/patientId"),
        source_patient=ebxml.read_cx(source_patient, at=f"{at}/sourcePatientId")
        if source_patient
        else None,
        source_patient_info=_several(slots, "sourcePatientInfo", at),
        title=_text(_localized(element, "rim:Name", language), f"{at}/title"),
        comments=_text(_localized(element, "rim:Description", language), f"{at}/comments"),
        category=_one(slots, CATEGORY, at),
        class_code=codes["class_code"][0],
        type_code=codes["type_code"][0],
        format_code=codes["format_code"][0],
        facility_type=codes["facility_type"][0],
        practice_setting=codes["practice_setting"][0],
        confidentialities=codes["confidentiality"],
        event_codes=codes["event_codes"],
        authors=tuple(_author(author, at) for author in metadata.read_authors(element)),
        mime_type=_text(element.get("mimeType", ""), f"{at}/@mimeType", needed=True).lower(),
        language=language,
        created=ebxml.read_time(
            _one(slots, "creationTime", at, needed=True), at=f"{at}/creationTime"
        ),
        service_start=_moment(slots, "serviceStartTime", at),
        service_stop=_moment(slots, "serviceStopTime", at),
        hash_sha1=_one(slots, "hash", at).lower(),
        size=metadata.read_size(slots),
        replaces=replaced.get(id, ()),
    )


def _check(
    submission_set: Package,
    documents: Sequence[Submitted],
    folders: Sequence[Package],
    associations: Iterable[Association],
) -> None:
    """What holds of all of them together (ITI TF-2: 3.42.4.1.3)."""
    every: list[Package | Submitted] = [submission_set, *documents, *folders]
    if max(Counter(one.unique_id for one in every).values()) > 1:
        raise refused("XDSRegistryDuplicateUniqueIdInMessage", "a uniqueId stands twice",
                      "uniqueIdが重複しています")  # fmt: skip
    if any(one.patient != submission_set.patient for one in every):
        raise refused(
            "XDSPatientIdDoesNotMatch",
            "submission set, entries and folders are about one patientId",
            "患者IDが一致していません", at="patientId",
        )  # fmt: skip
    members = {
        one.target
        for one in associations
        if one.kind == packages.HAS_MEMBER and one.source == submission_set.id
    }
    for document in documents:
        if document.id not in members:
            raise refused("XDSRegistryMetadataError", "no HasMember from the submission set",
                          "サブミッションセットに属していません", at=document.at)  # fmt: skip


def _has_extra(element: etree._Element) -> bool:
    """Whether an entry says what is not kept (ITI TF-3: 4.2.3.1.6); who signed we say ourselves."""
    schemes = {
        one.get("classificationScheme", "") for one in xml.many(element, "rim:Classification")
    }
    return bool(ebxml.slots(element).keys() - _KEPT - _OURS or schemes - _SCHEMES)


def _author(author: Author, at: str) -> Author:
    for values in (author.institutions, author.roles, author.specialties, author.telecoms):
        for value in values:
            _text(value, f"{at}/author")
    _text(author.person, f"{at}/author")
    return author


def _localized(element: etree._Element, name: str, language: str) -> str:
    """The text in the document's language, else in Japanese, else the first."""
    texts = {
        one.get(xml.LANG, "").lower(): one.get("value", "")
        for one in reversed(xml.many(element, f"{name}/rim:LocalizedString"))
    }
    wanted = (language.lower(), language.lower()[:2], "ja-jp", "ja", *reversed(texts))
    return next((texts[one] for one in wanted if one in texts), "")


def _one(slots: Mapping[str, list[str]], name: str, at: str, *, needed: bool = False) -> str:
    values = _several(slots, name, at)
    if len(values) > 1:
        raise refused("XDSRegistryMetadataError", "one value is allowed", "値は一つだけです",
                      at=f"{at}/{_word(name)}")  # fmt: skip
    if needed and not values:
        raise missing(f"{at}/{_word(name)}")
    return values[0] if values else ""


def _several(slots: Mapping[str, list[str]], name: str, at: str) -> tuple[str, ...]:
    return tuple(_text(value, f"{at}/{_word(name)}") for value in slots.get(name, ()))


def _moment(slots: Mapping[str, list[str]], name: str, at: str) -> datetime | None:
    text = _one(slots, name, at)
    return ebxml.read_time(text, at=f"{at}/{name}") if text else None


def _word(name: str) -> str:
    return name.rpartition(":")[2]


def _text(value: str, at: str, *, needed: bool = False) -> str:
    """A text for people or a code: not long, no control characters."""
    if len(value) > _LONGEST or BARE_CONTROL.search(value):
        raise refused("XDSRegistryMetadataError", "the value is too long, or not plain text",
                      "値が長すぎるか、使えない文字があります", at=at)  # fmt: skip
    if needed and not value.strip():
        raise missing(at)
    return value


def missing(at: str) -> Invalid:
    """The refusal of metadata without a part that it needs."""
    return refused("XDSRegistryMetadataError", "missing", "必須の項目がありません", at=at)


def refused(code: str, english: str, japanese: str, *, at: str = "") -> Invalid:
    """A refusal under its error code of ITI TF-3: 4.2.4.1."""
    return packages.refused(code, english, japanese, at=at)

"""SS-MIX2 extended storage (拡張ストレージ): documents and vital signs beside the standardized one.

The same levels as there, but the data type is a folder `<local>^^<code>^<name>^<system>`, below it
one folder a document, and file names are free. Kinds of documents are LOINC coded. A PDF, an XML
document or an image of a known kind is filed as a document of the record (`papers.py`), and a
JP_DocumentReference states it: its versions and its deletion are the document's. Vital signs come
as ORU^R01, and what of them has a national or LOINC code is taken. Everything else has no public
layout: kept with its bytes and set aside as `layout-unknown`.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.errors import Invalid, Malformed
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.document import Paper, derived_unique_id
from gateway.model.identifiers import PatientId
from gateway.standardize import dates, papers, persons
from gateway.standardize.format import Format, Upload
from gateway.standardize.laboratory import results
from gateway.standardize.laboratory.observation import Examination
from gateway.standardize.message import HEADER, MessageReading
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import Reading, stated_domain
from gateway.standardize.ssmix2.storage import stored_name
from gateway.wire import fhir, hl7v2, xml

_LOINC = "http://loinc.org"
_SYSTEMS = frozenset({"LN", "LOINC"})
_DAY = re.compile(r"[0-9]{8}|-")
_CODED = frozenset({"JC10", "JC11", "LN"})
"Coding systems of OBX-3 that are the same everywhere."
_CONTENT_NAME = re.compile(
    r"[^_/]{1,64}_(?:[0-9]{8}|-)_[^_/]*_(?P<key>[^_/]{1,64})_(?P<issued>[0-9]{8,17})_[^_/]*"
    r"_(?P<flag>[012])"
)
"A document folder that is named like a stored file: key, moment and condition flag."
_IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"First bytes of images that are taken."
VITALS = Examination(
    prefix="vital",
    category=Category.BIOMETRIC,
    profile="JP_Observation_VitalSigns",
    categories=[
        fhir.concept(
            fhir.coding(
                "vital-signs",
                "http://jpfhir.jp/fhir/core/CodeSystem/JP_SimpleObservationCategory_CS",
            )
        )
    ],
    report="JP_DiagnosticReport_Common",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What the folders of a file say."""

    patient: str
    day: str
    code: str
    name: str
    system: str
    document: str
    "The document's own folder, or the file where it has none."
    file: str

    @property
    def is_known(self) -> bool:
        """Whether its kind of document is known; of any other nobody knows who may see it."""
        return self.system in _SYSTEMS and papers.is_kind(self.code)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A file as a place: it has no lines."""

    end: int
    at: str = "document"
    start: int = 0


def placed(path: str) -> Placed | None:
    """What the folders of a path in an extended storage say, or None."""
    parts = path.split("/")
    for level, folder in enumerate(parts[:-1]):
        words = folder.split("^")
        if level >= 2 and len(words) >= 5 and not words[1] and _DAY.fullmatch(parts[level - 1]):
            return Placed(
                patient=parts[level - 2], day=parts[level - 1], code=words[-3], name=words[-2],
                system=words[-1], document="/".join(parts[level + 1 : -1]) or parts[-1],
                file=parts[-1],
            )  # fmt: skip
    return None


def recognise(upload: Upload) -> bool:
    """By its place in a tree."""
    return placed(upload.path) is not None and stored_name(upload.path) is None


def read(upload: Upload) -> Batch:
    """Read one file of a document's folder."""
    place = placed(upload.path)
    if place is None:
        raise Malformed(
            "no path of an extended storage", "拡張ストレージのパスではありません", at="path",
            rule="E-08",
        )  # fmt: skip
    patient = _patient(upload, place)
    if upload.content.startswith((b"MSH", b"\x0b")):
        return _read_message(upload, patient)
    return _read_document(upload, place, patient)


def _patient(upload: Upload, place: Placed) -> PatientId:
    """The patient of the path; hash folders that contradict it refuse the file (E-08)."""
    above = upload.path.split(f"/{place.patient}/{place.day}/")[0].split("/")
    if len(above) > 1 and above[-2:] != [place.patient[:3], place.patient[3:6]]:
        raise Invalid(
            "the folders contradict one another", "フォルダが互いに矛盾しています",
            at="path", rule="E-08",
        )  # fmt: skip
    try:
        return PatientId(stated_domain(upload), safe_identifier(place.patient))
    except Malformed as refusal:
        raise Invalid(refusal.english, refusal.japanese, at="path", rule="E-06") from refusal


def _read_document(upload: Upload, place: Placed, patient: PatientId) -> Batch:
    """A document of a known kind; anything else is kept and set aside."""
    named = _CONTENT_NAME.fullmatch(place.document.partition("/")[0])
    version, cancelled = "", False
    if named:
        version, cancelled = named["issued"].ljust(17, "0"), named["flag"] == "0"
        # A file that is deleted keeps its issue time: `D` puts that after the file, in any order.
        version += "D" if cancelled else ""
    reading = Reading(upload, patient, version=version, cancelled=cancelled)
    whole = _Whole(len(upload.content))
    media = _media(upload)
    batch = f"ssmix2-extended/{media.rpartition('/')[2] or 'unknown'}"
    if named and named["flag"] == "2":
        reading.leave(whole, "superseded")
        return reading.batch(batch)
    if not media or not place.is_known:
        reading.leave(whole, "layout-unknown")
        return reading.batch(batch)
    if reading.cancelled:
        reading.find("deleted", "path")
    document = named["key"] if named else place.document
    key = reading.digest_key(f"document|{place.code}", place.day, document, place.file)
    paper = _paper(reading, place, media, key)
    made = fhir.resource(
        "DocumentReference", "JP_DocumentReference", reading.identity("DocumentReference", key)
    )
    made["masterIdentifier"] = fhir.identifier("urn:ietf:rfc:3986", f"urn:oid:{paper.unique_id}")
    made["status"] = "entered-in-error" if reading.cancelled else "current"
    made["type"] = fhir.concept(fhir.coding(place.code, _LOINC), text=paper.title)
    made["subject"] = reading.subject
    made["content"] = [{"attachment": _attachment(upload, media, paper.title)}]
    day = dates.fhir_time(place.day) if place.day != "-" else ""
    if day:
        made["context"] = {"period": {"start": day}}
    elif place.day != "-":
        reading.find("bad-date", "path")
    reading.account(whole, "item DocumentReference")
    reading.add(paper.category, made, key, whole)
    return replace(reading.batch(batch), papers=(paper,))


def _paper(reading: Reading, place: Placed, media: str, key: str) -> Paper:
    """The document itself; its id is made of what it is, its version and its bytes."""
    digest = hashlib.sha256(reading.upload.content).hexdigest()
    issued = dates.fhir_time(reading.version[:14])
    chart = reading.patient
    return replace(
        papers.of_kind(place.code, place.name, media),
        created=datetime.fromisoformat(issued) if "T" in issued else None,
        unique_id=derived_unique_id(chart.domain, chart.value, key, reading.version, digest),
        key=key,
        withdrawn=reading.cancelled,
    )


def _attachment(upload: Upload, media: str, title: str) -> dict[str, object]:
    """The bytes by their hashes: SHA-1 as R4 wants it, SHA-256 as they are kept."""
    sha1 = hashlib.sha1(upload.content, usedforsecurity=False).digest()
    sha256 = hashlib.sha256(upload.content).hexdigest()
    return {
        "contentType": media,
        "language": "ja",
        "url": f"urn:x-regional-gateway:sha256:{sha256}",
        "size": len(upload.content),
        "hash": base64.b64encode(sha1).decode(),
        "title": title,
    }


def _media(upload: Upload) -> str:
    """What a document is, by its content (E-12); empty where it is nothing that is taken."""
    content = upload.content
    if papers.is_pdf(upload):
        papers.refuse_large(upload)
        return papers.PDF
    for first, media in _IMAGES.items():
        if content.startswith(first):
            return media
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        try:
            root = xml.parse(content)
        except Malformed:
            return ""
        return "" if papers.acts(str(root.tag)) else papers.XML
    return ""


def _read_message(upload: Upload, patient: PatientId) -> Batch:
    """Vital signs: what has a code that means the same everywhere is taken."""
    message = hl7v2.parse(upload.content)
    label = f"ssmix2-extended/{message.type}"
    inside = persons.patient_of(upload, message.first("PID"))
    clash = inside is not None and inside.value != patient.value
    reading = MessageReading(upload, message, patient, clash=clash)
    if clash:
        reading.find("pid-clash", "PID-3")
    pid = message.first("PID")
    if message.type != "ORU^R01" or len(message.all("PID")) > 1:
        for segment in message:
            reading.account(segment, "layout-unknown")
        reading.find("layout-unknown", "MSH-9")
        return reading.batch(label)
    reading.take(message.header, HEADER)
    if pid:
        persons.describe(reading, pid)
    moment = ""
    for segment in message:
        if segment.name == "OBR":
            moment = reading.time(segment, 7)
            reading.take(segment, frozenset({1, 2, 3, 4, 7}))
        elif segment.name == "OBX":
            if not {segment.value(3, 3), segment.value(3, 6)} & _CODED:
                reading.leave(segment, "layout-unknown")
                continue
            context = results.Context(
                examination=VITALS, order=dates.order_of(segment.value(14)) or moment,
                specimen=None, mark="", sex=reading.sex, effective=moment, issued="", request={},
                encounter=None, companions=(),
            )  # fmt: skip
            results.read(reading, segment, [], context)
    return reading.batch(label)


FORMAT: Format = Format(name="ssmix2-extended", recognise=recognise, read=read, placed=True)

"""National e-prescription: a signed XML container around the records of a prescription.

`Document/Prescription/PrescriptionDocument` holds base64 of a CSV in UTF-8 with the header SJ1 and
the records of `records.py` (`hpki/README.md` section 6). Who signed it is judged where it comes in
(`intake/signed.py`): only what the signature covers becomes items, so what stands beside it in the
container is kept and not read. The dispensing result (調剤結果) and the CDA form have no public
record layout: each is filed as the document that it is, its own signature judged like that of any
document (`papers.py`), and nothing is made of what stands in it.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import Malformed
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.document import Paper
from gateway.standardize import papers
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Upload
from gateway.standardize.prescription import jahis, parties, records
from gateway.standardize.prescription.records import PrescriptionReading
from gateway.wire import fhir, xml
from gateway.wire.japanese import Charset

FORMAT_NAME = "e-prescription"
NEWEST = 1
PRESCRIPTION_ID = "urn:oid:1.2.392.100495.20.3.11"
_WITHIN = "PrescriptionDocument"
_HEADER = re.compile(r"SJ([1-9][0-9]?)")
_HEAD = 4096
_ROOT = re.compile(
    rb"<Document(?:\s[^<>]*)?>\s*<(?P<kind>Prescription|Dispensing)(?:Management|Sign)?[\s>]"
)
_CDA = re.compile(rb"<(?:[\w.-]+:)?ClinicalDocument[\s>]")
_CDA_KIND = b"1.2.392.100495.20.2.11"
"Code system of the e-prescription CDA's document kinds: 01 prescription, 02 dispensing result."
_CDA_CODE = "{urn:hl7-org:v3}code"
_CDA_RESULT = "02"
_BODY = re.compile(rb"<PrescriptionDocument(?:\s[^<>]*)?>([^<>]*)</PrescriptionDocument\s*>")
_BLANK = b" \t\r\n"
_FATES = {
    "PrescriptionManagement": "used",
    "PrescriptionDocument": "used",
    "PrescriptionSign": "used",
    "AdditionalPrescriptionInformation": "outside-signature",
}
"What becomes of the container's elements; the codes of other masters are not signed for."


@dataclass(frozen=True, slots=True)
class _Body:
    """Where the base64 text stands, and the bytes in it."""

    start: int
    places: Sequence[int]
    "Where each character of base64 stands in it: line ends between them are no part of it."
    content: bytes

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where bytes of the content stand in the file: the whole groups of four around them."""
        first, last = start // 3 * 4, -(-end // 3) * 4 - 1
        return self.start + self.places[first], self.start + self.places[last] + 1


def recognise(upload: Upload) -> bool:
    """By its root and what follows it; a CDA by its root and the code system of its kind."""
    head = upload.content[:_HEAD].lstrip(b"\xef\xbb\xbf" + _BLANK)
    if not head.startswith(b"<"):
        return False
    if _ROOT.search(head):
        return True
    return _CDA.search(head) is not None and _CDA_KIND in upload.content


def covered(upload: Upload) -> bytes:
    """The text that items are made of, which a signature has to cover; or empty."""
    root = _ROOT.search(upload.content[:_HEAD])
    if root is None or root["kind"] != b"Prescription":
        return b""
    found = _BODY.findall(upload.content)
    return found[0] if len(found) == 1 else b""


def read(upload: Upload) -> Batch:
    """Read one container; raises a Refusal where it is refused as a whole."""
    root = xml.parse(upload.content)
    if root.tag != "Document":
        code = root.find(_CDA_CODE)
        result = code is not None and code.get("code") == _CDA_RESULT
        return _filed(
            upload, "cda", _result() if result else papers.described("処方箋", papers.XML)
        )
    if xml.maybe(root, "Dispensing") is not None:
        return _filed(upload, "dispensing", _result())
    if not covered(upload):  # nothing is made of what no signature was asked for
        raise Malformed(
            "not the container of an e-prescription",
            "電子処方箋の様式ではありません",
            at="Document",
        )
    body = _body(upload, xml.text(xml.one(root, "Prescription/PrescriptionDocument")))
    inner = replace(upload, content=body.content, runs=())
    prescription = records.parse(
        inner, _HEADER, Charset.UTF_8, choose=False, within=_WITHIN, place=body.span
    )
    patient = parties.patient_of(upload, prescription)
    reading = PrescriptionReading(upload, patient, prescription)
    version = xml.maybe(root, "Prescription/PrescriptionManagement/Version")
    if prescription.version > NEWEST or version is None or version.get("Value") != "EPS1.0":
        reading.find("version-unknown", "PrescriptionManagement/Version")
    number = xml.maybe(root, "Prescription/PrescriptionManagement/PrescriptionId")
    value = number.get("Value", "") if number is not None else ""
    identifiers = (fhir.identifier(PRESCRIPTION_ID, value),) if value else ()
    account = {}
    for child in xml.children(xml.one(root, "Prescription")):
        name = str(child.tag)
        account[f"Prescription/{name}"] = fate = _FATES.get(name, "layout-unknown")
        if fate != "used":
            reading.find(fate, name)
    name = f"{FORMAT_NAME}/SJ{prescription.version}"
    batch = jahis.standardized(reading, prescription, name, identifiers)
    return replace(batch, account=account | batch.account)


def _body(upload: Upload, text: str) -> _Body:
    found = list(_BODY.finditer(upload.content))
    if len(found) != 1 or _plain(found[0][1]) != _plain(text.encode("utf-8")):
        raise Malformed(
            "PrescriptionDocument is not plain base64", "PrescriptionDocument を読み取れません",
            at=_WITHIN,
        )  # fmt: skip
    try:
        content = base64.b64decode(_plain(found[0][1]), validate=True)
    except binascii.Error as error:
        raise Malformed("not base64", "base64 ではありません", at=_WITHIN) from error
    places = [place for place, byte in enumerate(found[0][1]) if byte not in _BLANK]
    return _Body(found[0].start(1), places, content)


def _plain(text: bytes) -> bytes:
    """Base64 without its line ends."""
    return text.translate(None, _BLANK)


def _result() -> Paper:
    """A dispensing result: a pharmacy's record (34821-9), of the category of what it says."""
    made = papers.described("薬局記録", papers.XML)
    return replace(made, title="調剤結果", category=Category.DISPENSING)


def _filed(upload: Upload, kind: str, paper: Paper) -> Batch:
    """A document of a known kind whose records have no public layout; of whom, its sender says."""
    batch = papers.whole_file(upload, paper, f"{FORMAT_NAME}/{kind}")
    return replace(batch, findings=(*batch.findings, finding("layout-unknown", "document")))


FORMAT: Format = Format(name=FORMAT_NAME, recognise=recognise, read=read, signed=covered)

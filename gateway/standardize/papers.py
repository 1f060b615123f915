"""Documents among uploads: PDFs and XML documents that come as files, not by the document door.

What a reader does whose file is a document, or carries one (base64 in a segment, a member of a
container): it says so in `Batch.papers`. The rest is one way for all: intake verifies the bytes in
a process of its own (E-11), files what a signature covers, marks what is unsigned, sets the file
aside where a signature cannot be verified now, and refuses the whole file where one is wrong or a
due one is missing (SIG-05, RD-23). For instance:

    paper = replace(papers.described(title, PDF), content=decoded, created=moment, at="OBX[3].5")
    return replace(reading.batch(NAME), papers=(paper,))

A document needs its patient, either from the file or stated beside it; a reader that has none
returns `without_patient(upload, NAME)`, and the file is set aside until it is sent with one.
"""

import re
import unicodedata
from dataclasses import replace

from gateway.errors import Invalid, OverLimit
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.document import Code, Paper
from gateway.model.identifiers import PatientId
from gateway.standardize import tables
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Upload
from gateway.standardize.reading import stated_domain
from gateway.wire import xml
from gateway.wire.fhir_document import SECTIONS

PDF = "application/pdf"
XML = "text/xml"
PDF_BYTES = 100 * 1024 * 1024
"A PDF has at most these (E-11)."
NOT_STATED = "patient-not-stated"
_LOINC = "2.16.840.1.113883.6.1"
_OTHER = ("その他書類", "51852-2", "51852-2", Category.MEDICAL)
_KINDS = sorted(
    (
        (unicodedata.normalize("NFKC", row["name"]), row["code"], row["class"],
         Category(row["category"]))
        for row in tables.rows("document_kinds")
    ),
    key=lambda row: -len(row[0]),
)  # fmt: skip
_NAMES = {code: name for name, code, _, _ in reversed(_KINDS)}
_CATEGORIES = {
    **{row["code"]: category for category, (_, row) in SECTIONS.items() if row},
    **{code: category for _, code, _, category in _KINDS},
}
_SYSTEMS = (_LOINC, f"urn:oid:{_LOINC}", "http://loinc.org")
_LONGEST_TITLE = 200
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--[^>]{0,1000}-->\s*|<\?[^>]{0,1000}\?>\s*)*"
    rb"<(?:[A-Za-z_][\w.-]{0,60}:)?(?P<name>[A-Za-z_][\w.-]{0,60})[\s/>]"
)
_SIGNED = b"http://www.w3.org/2000/09/xmldsig#"
_CDA = b"ClinicalDocument"
_CONTAINER = b"Document"
_PRESCRIPTION = b"1.2.392.100495.20.2.11"
"Code system of the kinds of CDA that are electronic prescriptions; `prescription` has those."
_LOOK = 64 * 1024


def category_of(*codes: Code) -> Category | None:
    """The category of a document of the first of these kinds (LOINC) that is known."""
    for code in codes:
        if code.system in _SYSTEMS and code.code in _CATEGORIES:
            return _CATEGORIES[code.code]
    return None


def described(title: str, mime_type: str) -> Paper:
    """A document by its title: its kind is the longest word of the table that the title has.

    Names are those of JP_DocumentCodes_CS (JP Core 1.2.0); a title without any is 51852-2.
    """
    folded = unicodedata.normalize("NFKC", title)
    found = next((row for row in _KINDS if row[0] in folded), _OTHER)
    name, code, above, category = found
    return Paper(
        title=title[:_LONGEST_TITLE] or name,
        category=category,
        class_code=Code(above, _LOINC, _NAMES.get(above, name)),
        type_code=Code(code, _LOINC, _NAMES.get(code, name)),
        mime_type=mime_type,
    )


def of_kind(code: str, title: str, mime_type: str) -> Paper:
    """A document whose source says its kind; one that the table does not know goes by its title."""
    found = next((row for row in _KINDS if row[1] == code), None)
    made = described(found[0] if found else title, mime_type)
    return replace(made, title=title[:_LONGEST_TITLE] or made.title)


def is_kind(code: str) -> bool:
    """Whether the table has a kind of document of that LOINC code, and so its category."""
    return any(row[1] == code for row in _KINDS)


def title_of(path: str) -> str:
    """The title of a document that only has a file name."""
    name = path.rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    shown = "".join(c for c in (stem if dot and stem else name) if c.isprintable())
    return unicodedata.normalize("NFC", shown).strip()


def whole_file(upload: Upload, paper: Paper, name: str) -> Batch:
    """A file that is a document and nothing else, about the patient who is stated beside it."""
    if not upload.patient:
        return without_patient(upload, name)
    return Batch(
        path=upload.path,
        format=name,
        patient=PatientId(stated_domain(upload), upload.patient),
        papers=(paper,),
        account={"document": "item document"},
    )


def without_patient(upload: Upload, name: str) -> Batch:
    """A document of nobody: set aside until it is sent again with its patient."""
    return Batch(
        path=upload.path,
        format=name,
        patient=None,
        findings=(finding(NOT_STATED, "document"),),
        account={"document": NOT_STATED},
    )


def root_name(content: bytes) -> bytes:
    """The local name of the first element of an XML file, by its beginning; empty where none."""
    found = _ROOT.match(content[:_LOOK])
    return found["name"] if found else b""


def is_pdf(upload: Upload) -> bool:
    """By its first bytes; a header further down is refused where it is read (E-11)."""
    return upload.content.startswith(b"%PDF-")


def refuse_large(upload: Upload) -> None:
    """Refuse a PDF that nobody can look into."""
    if len(upload.content) > PDF_BYTES:
        raise OverLimit("too large a PDF", "PDF が大きすぎます", at="content", rule="E-11")


def _read_pdf(upload: Upload) -> Batch:
    refuse_large(upload)
    return whole_file(upload, described(title_of(upload.path), PDF), PDF_FORMAT.name)


def is_xml_document(upload: Upload) -> bool:
    """CDA, or any XML with a signature, but what `prescription` reads: container and its CDA."""
    name = root_name(upload.content)
    if not name or name == _CONTAINER or (name == _CDA and _PRESCRIPTION in upload.content):
        return False
    return name == _CDA or _SIGNED in upload.content


def acts(tag: str) -> bool:
    """Whether the first element of an XML file makes it HTML or SVG, whatever it is called."""
    return tag.rpartition("}")[2].lower() in ("html", "svg")


def _read_xml(upload: Upload) -> Batch:
    """Kept as a document: no path inside CDA is known, and none is guessed (pharmacy.md 4)."""
    if acts(str(xml.parse(upload.content).tag)):
        raise Invalid("HTML or SVG is no document that is taken", "HTML・SVG は受け付けません",
                      at="content", rule="E-12", log="TYPE")  # fmt: skip
    batch = whole_file(upload, described(title_of(upload.path), XML), XML_FORMAT.name)
    if not batch.papers:
        return batch
    return replace(batch, findings=(*batch.findings, finding("layout-unknown", "document")))


PDF_FORMAT: Format = Format(name="pdf", recognise=is_pdf, read=_read_pdf)
XML_FORMAT: Format = Format(name="xml-document", recognise=is_xml_document, read=_read_xml)

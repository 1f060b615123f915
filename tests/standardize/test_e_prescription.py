"""National e-prescription containers: what is read, where it stands, what is kept, bad input."""

import base64

import pytest

from gateway.errors import Refusal
from gateway.model.category import Category
from gateway.standardize import Upload, read
from tests import xades
from tests.shared import needs_shared, shared
from tests.standardize.build import DOMAIN, findings
from tests.standardize.prescriptions import DRUG, ORAL, USAGE, container, only, packed


def test_the_container():
    content = container(packed(ORAL, USAGE.replace(",2,", ",3,"), DRUG))
    batch = read(Upload(path="e.xml", content=content, domain=DOMAIN))
    made = only(batch)
    assert batch.format == "e-prescription/SJ1"
    assert made["identifier"][2] == {"system": "urn:oid:1.2.392.100495.20.3.11", "value": "abc"}
    usage = made["dosageInstruction"][0]["timing"]
    assert usage["code"]["coding"][0]["system"].endswith("MedicationUsage_ePrescription")
    assert usage["repeat"]["frequency"] == 3
    source = batch.items[0].source
    assert source.at == "PrescriptionDocument row 12"
    inside = content[source.start : source.end]
    assert DRUG.encode() in base64.b64decode(inside)
    assert len(base64.b64decode(inside)) <= len(DRUG.encode()) + 4


def test_base64_in_lines_keeps_its_places():
    plain = packed(ORAL, USAGE, DRUG).encode()
    body = base64.encodebytes(plain)
    content = container(b"x").replace(base64.b64encode(b"x"), body)
    batch = read(Upload(path="e.xml", content=content, domain=DOMAIN))
    source = batch.items[0].source
    assert DRUG.encode() in base64.b64decode(content[source.start : source.end])


def test_what_stands_beside_the_signed_part_is_not_read():
    other = "<AdditionalPrescriptionInformation><ConversionREcode>201,1,1,1,2,9,別薬,9,1,錠</ConversionREcode></AdditionalPrescriptionInformation>"  # noqa: E501
    content = container(packed(ORAL, USAGE, DRUG), inside=other + "<Other/>")
    batch = read(Upload(path="e.xml", content=content, domain=DOMAIN))
    assert len(batch.items) == 1
    assert batch.account["Prescription/AdditionalPrescriptionInformation"] == "outside-signature"
    assert batch.account["Prescription/Other"] == "layout-unknown"


def cda(code):
    return (
        f'<ClinicalDocument xmlns="urn:hl7-org:v3"><code code="{code}" '
        'codeSystem="1.2.392.100495.20.2.11"/></ClinicalDocument>'
    ).encode()


@pytest.mark.parametrize(
    ("content", "kind", "title", "category"),
    [
        (xades.DISPENSING, "e-prescription/dispensing", "調剤結果", Category.DISPENSING),
        (container("SJ1", root="Dispensing", name="Dispense"), "e-prescription/dispensing",
         "調剤結果", Category.DISPENSING),
        (cda("02"), "e-prescription/cda", "調剤結果", Category.DISPENSING),
        (cda("01"), "e-prescription/cda", "処方箋", Category.PRESCRIPTION),
        (cda("99"), "e-prescription/cda", "処方箋", Category.PRESCRIPTION),
    ],
)  # fmt: skip
def test_what_has_no_public_layout_is_a_document(content, kind, title, category):
    batch = read(Upload(path="d.xml", content=content, domain=DOMAIN, patient="00000123"))
    assert batch.format == kind
    assert batch.items == ()
    assert batch.patient.value == "00000123"
    (paper,) = batch.papers
    assert (paper.title, paper.category, paper.content) == (title, category, None)
    assert findings(batch) == ["layout-unknown document"]
    nobodys = read(Upload(path="d.xml", content=content, domain=DOMAIN))
    assert (nobodys.patient, nobodys.papers) == (None, ())
    assert findings(nobodys) == ["patient-not-stated document", "layout-unknown document"]


GOOD = container(packed(ORAL, USAGE, DRUG))


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace(b"</PrescriptionDocument>", b"!</PrescriptionDocument>"),
        GOOD.replace(b"</PrescriptionDocument>", b"=A</PrescriptionDocument>"),
        GOOD.replace(b"</PrescriptionDocument>", b"</PrescriptionDocument><PrescriptionDocument/>"),
        GOOD.replace(b"</PrescriptionDocument>", b"<x/></PrescriptionDocument>"),
        GOOD.replace(
            b"<Prescription>",
            b"<Prescription><!--<PrescriptionDocument>AA</PrescriptionDocument>-->",
        ),
        GOOD.replace(b"<?xml", b"<!DOCTYPE a []><?xml"),
        GOOD.replace(b"<Document ", b"<!DOCTYPE Document [<!ENTITY a 'b'>]><Document "),
        GOOD[:-20],
        container("SJ1\n"),
        container(""),
        container("JAHIS10\n" + packed(ORAL, USAGE, DRUG)),
        container(packed(ORAL, USAGE, DRUG).encode("cp932")),
        GOOD.decode().encode("utf-16"),
        # taken for a CDA, so that nobody would ask for the signature of what is inside
        GOOD.replace(
            b"<Prescription>",
            b"<!--<ClinicalDocument 1.2.392.100495.20.2.11--><Prescription>",
        ),
    ],
)  # fmt: skip
def test_damaged_containers_are_refused(content):
    with pytest.raises(Refusal):
        read(Upload(path="e.xml", content=content, domain=DOMAIN))


@needs_shared
def test_the_published_container():
    """A real e-prescription of a test card and an invented patient."""
    path = shared("hpki", "vectors", "hpki-real", "xades", "prescription-004_01.xml")
    content = path.read_bytes()
    batch = read(Upload(path="e.xml", content=content, domain=DOMAIN))
    assert batch.format == "e-prescription/SJ1"
    fates = set(batch.account.values())
    assert fates == {"item MedicationRequest", "used", "outside-signature"}
    assert [str(item.resource["dispenseRequest"]["quantity"]["value"]) for item in batch.items] == [
        "28", "1",
    ]  # fmt: skip
    for item in batch.items:
        inside = base64.b64decode(content[item.source.start : item.source.end])
        assert b"201," in inside

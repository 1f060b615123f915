"""Documents that come as files of an upload: verified, filed, marked, set aside or refused."""

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from gateway.errors import Invalid, Unsupported
from gateway.hpki.verify import verify as judge
from gateway.intake import papers
from gateway.intake.signed import Signatures
from gateway.intake.uploads import Intake
from gateway.model.category import Source
from gateway.model.document import DocumentEntry
from gateway.model.signature import Indication
from gateway.record import entries, reexamine, removal
from gateway.standardize import registry
from gateway.store.blobs import Blobs, Folder
from gateway.store.record import documents as rows
from tests import pki, xades
from tests.intake.test_cutting import Sent, told, work_through
from tests.record.house import CHARTS, House
from tests.record.test_erase import withdraw

CHART = CHARTS["hospital-a"].value
CDA = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">'
    b"<title>x</title></ClinicalDocument>"
)


def verifier(path, *, at, received):
    """The verifier of the product, in this process, trusting the tests' cards."""
    content = path.read_bytes()
    if content.startswith(b"%PDF-broken"):
        raise Invalid("not readable", "読み取れません", at="content", rule="E-11", log="PDF")
    return judge(content, pki.policy(), at=pki.NOW, received=pki.NOW), ()


class Sometimes:
    """A verifier that cannot establish a signature the first time it is asked about it."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, path, *, at, received):
        self.asked += 1
        if self.asked == 1:
            without = pki.policy(lists=[])
            report = judge(path.read_bytes(), without, at=pki.NOW, received=pki.NOW)
            assert report.indication is Indication.UNVERIFIABLE
            return report, ()
        return verifier(path, at=at, received=received)


@pytest.fixture
def intake(intake: Intake) -> Intake:
    return replace(intake, signatures=Signatures(verifier, lambda: pki.NOW))


def send(house: House, intake: Intake, content: bytes, path: str = "看護記録.pdf",
         patient: str = CHART) -> str:  # fmt: skip
    found = intake.receive(
        house.caller("hospital-a"), [Sent(content, intake.blobs, path)],
        facility="hospital-a", source=Source.EMR, patient=patient,
    )  # fmt: skip
    return str(found["receipt"])


def documents(house: House) -> list[DocumentEntry]:
    """What of the patient is in the shared record."""
    with house.work(reading=True) as work:
        found = rows.select_documents_of_person(work.db, house.person())
        return [entries.to_entry(row, work.community.home, house.shared) for row in found]


def test_an_unsigned_pdf_is_filed_and_marked(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.page("x"))
    assert work_through(house, intake) == 1
    file = told(house, receipt)
    assert (file["state"], file["format"]) == ("standardized", "pdf")
    assert [one["code"] for one in file["findings"]] == ["unsigned-document"]
    (entry,) = documents(house)
    assert (entry.title, entry.type_code.code) == ("看護記録", "28623-7")
    assert entry.assurance.value == "none"
    assert entry.sha256 == file["sha256"]
    assert entry.source_system == "emr"


def test_a_signed_pdf_is_filed_as_verified(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.pdf(), "検体検査報告書.pdf")
    work_through(house, intake)
    assert told(house, receipt)["findings"] == []
    (entry,) = documents(house)
    assert entry.assurance.value == "verified"
    assert entry.type_code.code == "11502-2"


def test_a_referral_without_a_signature_is_refused(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.page("紹介"), "診療情報提供書.pdf")
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert [one["code"] for one in file["findings"]] == ["untrusted-signature"]
    assert documents(house) == []


def test_a_kind_that_is_not_shared_is_held(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.pdf(), "紹介状.pdf")
    work_through(house, intake)
    codes = [one["code"] for one in told(house, receipt)["findings"]]  # type: ignore[attr-defined]
    assert codes == ["category-not-shared"]
    assert documents(house) == []
    with house.work(reading=True) as work:
        (held,) = rows.select_held(work.db, house.person())
    assert held.content["type_code"][0] == "57133-1"
    assert held.content["assurance"] == "verified"


def test_a_wrong_signature_is_refused(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    content = pki.pdf()
    place = content.index(b"/MediaBox") if b"/MediaBox" in content else 40
    changed = content[:place] + content[place:].replace(b"595", b"596", 1)
    assert changed != content
    receipt = send(house, intake, changed)
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert file["findings"][0]["code"] == "untrusted-signature"  # type: ignore[index]
    assert documents(house) == []


def test_a_document_of_nobody_is_set_aside(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.page("x"), patient="")
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "set-aside"
    assert [one["code"] for one in file["findings"]] == ["patient-not-stated"]
    again = send(house, intake, pki.page("x"))
    work_through(house, intake)
    assert told(house, again)["state"] == "standardized"
    assert len(documents(house)) == 1


def test_the_same_bytes_are_one_document_whatever_their_name(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    for path in ("看護記録.pdf", "看護記録.pdf", "看護サマリ.pdf"):
        receipt = send(house, intake, pki.page("x"), path)
        work_through(house, intake)
        assert told(house, receipt)["state"] in ("standardized", "duplicate")
    assert len(documents(house)) == 1


def test_without_consent_nothing_is_filed(house: House, intake: Intake) -> None:
    receipt = send(house, intake, pki.page("x"))
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert [one["code"] for one in file["findings"]] == ["unsigned-document", "no-consent"]


def test_custody_holds_a_document_until_consent(house: House, intake: Intake) -> None:
    house.custody("hospital-a")
    send(house, intake, pki.page("x"))
    work_through(house, intake)
    house.enrol("hospital-a")
    assert len(documents(house)) == 1


def test_a_signature_that_cannot_be_verified_waits(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    sometimes = Sometimes()
    intake = replace(intake, signatures=Signatures(sometimes, lambda: pki.NOW))
    receipt = send(house, intake, pki.pdf())
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "set-aside"
    assert [one["code"] for one in file["findings"]] == ["signature-unverifiable"]
    assert documents(house) == []
    with house.work() as work:
        assert reexamine.due(work) == []  # not yet an hour
    house.door.clock = lambda clock=house.door.clock: clock() + timedelta(hours=2)
    with house.work() as work:
        (due,) = reexamine.due(work)
        reexamine.again(work, due)
    work_through(house, intake)
    assert told(house, receipt)["state"] == "standardized"
    assert len(documents(house)) == 1


def test_an_unreadable_pdf_is_refused(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, b"%PDF-broken")
    work_through(house, intake)
    assert told(house, receipt)["state"] == "refused"


def test_without_a_verifier_a_document_waits(house: House, intake: Intake) -> None:
    intake = replace(intake, signatures=None)
    house.enrol("hospital-a")
    receipt = send(house, intake, pki.page("x"))
    work_through(house, intake)
    assert told(house, receipt)["state"] == "set-aside"
    assert documents(house) == []


def test_cda_is_kept_as_a_document(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, CDA, "看護サマリ.xml")
    work_through(house, intake)
    file = told(house, receipt)
    assert (file["state"], file["format"]) == ("standardized", "xml-document")
    codes = [one["code"] for one in file["findings"]]
    assert codes == ["layout-unknown", "unsigned-document"]
    (entry,) = documents(house)
    assert (entry.mime_type, entry.type_code.code) == ("text/xml", "34746-8")


@pytest.mark.parametrize("content", [
    b"<html><body/></html>",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"<!DOCTYPE a><ClinicalDocument/>",
    b"<Other/>",
    b"  %PDF-1.7",
    b"MZ%PDF-1.7",
])  # fmt: skip
def test_what_is_no_document_is_not_taken(house: House, intake: Intake, content: bytes) -> None:
    with pytest.raises(Unsupported):
        send(house, intake, content, "x.pdf")


@pytest.mark.parametrize("content", [
    b"<ClinicalDocument><open></ClinicalDocument>",
    b"<html xmlns:s='http://www.w3.org/2000/09/xmldsig#'/>",
])  # fmt: skip
def test_xml_that_cannot_be_kept_is_refused(house: House, intake: Intake, content: bytes) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, content, "x.xml")
    work_through(house, intake)
    assert told(house, receipt)["state"] == "refused"


def test_a_withdrawal_takes_the_document_and_its_file(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    send(house, intake, pki.page("x"))
    work_through(house, intake)
    assert list(blobs.each())
    withdraw(house)
    with house.work() as work:
        removal.sweep(work)
    assert not [one for one in blobs.each() if b"%PDF" in blobs.read(one)]


def test_a_reader_may_find_documents_inside(
    house: House, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What base64 in a segment, or a member of a container, becomes."""
    from gateway.model.batch import Batch
    from gateway.model.identifiers import PatientId
    from gateway.standardize import papers
    from gateway.standardize.format import Format
    from gateway.standardize.reading import stated_domain

    def read(upload):
        inner = upload.content.partition(b"\n")[2]
        paper = replace(papers.described("看護記録", papers.PDF), content=inner, at="line 2")
        patient = PatientId(stated_domain(upload), CHART)
        return Batch(path=upload.path, format="box", patient=patient, papers=(paper,),
                     account={"line 2": "item document"})  # fmt: skip

    box = Format(name="box", recognise=lambda up: up.content.startswith(b"BOX"), read=read)
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, box))
    house.enrol("hospital-a")
    receipt = send(house, intake, b"BOX\n" + pki.page("x"), "x.box", patient="")
    work_through(house, intake)
    (finding,) = told(house, receipt)["findings"]  # type: ignore[misc]
    assert (finding["code"], finding["at"]) == ("unsigned-document", "line 2")
    (entry,) = documents(house)
    assert intake.blobs.read(entry.sha256) == pki.page("x")
    wrong = send(house, intake, b"BOX\n" + pki.page("x", "y"), "y.box", patient="7")
    work_through(house, intake)
    assert told(house, wrong)["state"] == "set-aside"  # stated and found patient differ
    assert len(documents(house)) == 1


def test_harm_that_base64_hides_is_refused(house: House, intake: Intake) -> None:
    import base64
    import json

    harm = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    told_of = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": "Patient/p"},
        "content": [{"attachment": {
            "contentType": "application/pdf",
            "data": base64.b64encode(b"%PDF-1.7\n" + harm).decode(),
        }}],
    }  # fmt: skip
    house.enrol("hospital-a")
    receipt = send(house, intake, json.dumps(told_of).encode(), "x.json")
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert documents(house) == []


# --- signatures that carry what they sign -----------------------------------------------------


def test_what_an_envelope_of_xml_hides_is_not_filed_as_xml(tmp_path) -> None:
    """J-06, E-14: what is filed is what was looked at when it came."""
    blobs = Folder(tmp_path)
    letter = b"<letter>x</letter>"
    carried = xades.enveloping(letter)
    for made, reason in (
        (carried, ""),
        (xades.enveloping(b"%PDF-1.4 anything"), "not a document of this kind"),
        (xades.enveloping(b"MZ\x90\x00"), "not a document of this kind"),
        (xades.beside(etree.fromstring("<r><p Id='A'/><p Id='B'/></r>"), "A", "B"), "not a doc"),
    ):
        content = xades.written(xades.stamped(made))
        report = judge(content, pki.policy(), at=pki.NOW)
        assert report.passed
        blob = blobs.put_bytes(content)
        if reason:
            with pytest.raises(Invalid, match=reason):
                papers.covered(blobs, blob, report)
        else:
            assert blobs.read(papers.covered(blobs, blob, report).sha256) == letter


def dispensing(change: str = "") -> bytes:
    """A dispensing result of the e-prescription, signed by a pharmacist."""
    root, made = xades.dispensing()
    xades.stamp(made, pki.SIGNED + timedelta(hours=2))
    if change:
        xades.the(root, "Dispensing/DispensingDocument").text = change
    return etree.tostring(root)


def test_a_dispensing_result_is_filed_by_its_own_signature(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, dispensing(), "x.xml")
    work_through(house, intake)
    file = told(house, receipt)
    assert (file["state"], file["format"]) == ("standardized", "e-prescription/dispensing")
    assert [one["code"] for one in file["findings"]] == ["layout-unknown"]
    (entry,) = documents(house)
    assert (entry.title, entry.category.value) == ("調剤結果", "dispensing")
    assert entry.assurance.value == "verified"


def test_a_changed_dispensing_result_is_refused(house: House, intake: Intake) -> None:
    house.enrol("hospital-a")
    receipt = send(house, intake, dispensing("AAAA"), "x.xml")
    work_through(house, intake)
    file = told(house, receipt)
    assert file["state"] == "refused"
    assert file["findings"][0]["code"] == "untrusted-signature"
    assert documents(house) == []

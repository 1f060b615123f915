"""Documents as they are: filed with their report, once, for the facility that provides them."""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from gateway.errors import Inconsistent, Invalid, NotOwner, Refusal, UntrustedSignature
from gateway.model.category import Category
from gateway.model.document import (
    Assurance,
    Author,
    Code,
    Document,
    DocumentEntry,
    DocumentQuery,
)
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.signature import HcRole, Indication, Signature, SignatureReport
from gateway.record import disclose, documents, entries
from tests.record.house import CHARTS, SHARED, House, document, entry, unsigned

MOMENT = datetime(2026, 11, 21, tzinfo=UTC)
REFERRAL = Code("57133-1", "2.16.840.1.113883.6.1", "Referral note")


def signed(
    content: bytes, *, covered: bytes | None = None, role: str = "Medical Doctor",
    stamped: bool = True, indication: Indication = Indication.VERIFIED,
) -> SignatureReport:  # fmt: skip
    """The report of a document with one signature."""
    inner = content if covered is None else covered
    return SignatureReport(
        file_sha256=hashlib.sha256(content).hexdigest(), indication=indication,
        verified_at=MOMENT,
        signatures=(
            Signature(
                format="PAdES-T", indication=indication, checks=(), role=HcRole(role),
                roles=(HcRole(role),), proven=MOMENT if stamped else None, octets=inner,
                covered_sha256=hashlib.sha256(inner).hexdigest(),
                whole_document=covered is None,
            ),
        ),
    )  # fmt: skip


def file(house: House, made: Document, report: SignatureReport, who: str = "") -> DocumentEntry:
    with house.work(who or made.entry.facility) as work:
        return documents.file(work, made, report)


def found(house: House) -> tuple[DocumentEntry, ...]:
    with house.work("neighbour-n") as work:
        return disclose.find_documents(work, DocumentQuery(patient=house.shared))


def test_an_unsigned_document_is_filed_without_assurance(house: House) -> None:
    house.enrol("hospital-a")
    made = document(title="検査報告書", service_start=MOMENT)
    filed = file(house, made, unsigned(made.content))
    assert filed.assurance is Assurance.NONE
    (seen,) = found(house)
    assert seen == replace(filed, patient=house.shared)
    assert (seen.size, seen.hash_sha1) == (
        len(made.content), hashlib.sha1(made.content, usedforsecurity=False).hexdigest()
    )  # fmt: skip
    assert (seen.title, seen.author, seen.service_start) == ("検査報告書", "佐藤 一郎", MOMENT)


def test_a_verified_signature_is_kept_with_its_report(house: House) -> None:
    house.enrol("hospital-a")
    made = document()
    assert file(house, made, signed(made.content)).assurance is Assurance.VERIFIED
    (seen,) = found(house)
    assert seen.assurance is Assurance.VERIFIED
    (told,) = seen.signatures
    assert (told.verdict, told.level, told.roles, told.proven) == (
        Indication.VERIFIED, "PAdES-T", ("Medical Doctor",), MOMENT,
    )  # fmt: skip


def test_what_is_filed_is_what_the_signature_covers(house: House) -> None:
    house.enrol("hospital-a")
    whole, inner = b"<envelope><doc/></envelope>", b"<doc/>"
    report = signed(whole, covered=inner)
    filed = file(house, document(inner), report)
    assert filed.sha256 == hashlib.sha256(inner).hexdigest()
    with pytest.raises(Invalid) as caught:
        file(house, document(whole), report)
    assert caught.value.rule == "J-06"


@pytest.mark.parametrize("indication", [Indication.INVALID, Indication.UNVERIFIABLE])
def test_a_signature_that_did_not_verify_is_never_filed(
    house: House, indication: Indication
) -> None:
    house.enrol("hospital-a")
    made = document()
    report = signed(made.content, indication=indication)
    with pytest.raises(UntrustedSignature) as caught:
        file(house, made, report)
    assert caught.value.report is report
    assert found(house) == ()


@pytest.mark.parametrize(
    ("report", "holds"),
    [
        pytest.param(signed(b"%PDF"), True, id="doctor and time-stamp"),
        pytest.param(signed(b"%PDF", role="Dentist"), True, id="dentist"),
        pytest.param(signed(b"%PDF", role="Pharmacist"), False, id="pharmacist"),
        pytest.param(signed(b"%PDF", role="medical doctor"), False, id="another spelling"),
        pytest.param(signed(b"%PDF", stamped=False), False, id="no time-stamp"),
        pytest.param(unsigned(b"%PDF"), False, id="unsigned"),
    ],
)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type_code": REFERRAL}, id="referral"),
        pytest.param({"category": Category.PRESCRIPTION}, id="prescription"),
    ],
)
def test_documents_that_need_name_and_seal_need_a_card(
    house: House, report: SignatureReport, holds: bool, changes: dict[str, object]
) -> None:
    house.enrol("hospital-a")
    made = document(b"%PDF", **changes)
    if holds:
        assert file(house, made, report).assurance is Assurance.VERIFIED
    else:
        with pytest.raises(UntrustedSignature):
            file(house, made, report)


def test_the_same_document_twice_is_one(house: House) -> None:
    house.enrol("hospital-a")
    made = document()
    first, second = (file(house, made, unsigned(made.content)) for _ in range(2))
    assert second.entry_uuid == first.entry_uuid
    assert len(found(house)) == 1
    other = Document(replace(made.entry, entry_uuid="urn:uuid:other"), b"other")
    with pytest.raises(Inconsistent) as caught:
        file(house, other, unsigned(b"other"))
    assert caught.value.rule == "FN-804"


def test_under_custody_a_document_waits_for_the_link(house: House) -> None:
    house.custody("hospital-a")
    house.feed("hospital-a")
    made = document()
    assert file(house, made, unsigned(made.content)).registered is None
    house.enrol("clinic-b")
    assert found(house) == ()
    assert house.link("hospital-a").documents == 1
    (seen,) = found(house)
    assert seen.unique_id == made.entry.unique_id


def test_without_consent_and_custody_no_document_is_kept(house: House) -> None:
    house.feed("hospital-a")
    made = document()
    with pytest.raises(Inconsistent) as caught:
        file(house, made, unsigned(made.content))
    assert caught.value.rule == "CON-01"


@pytest.mark.parametrize(
    ("who", "changes", "refusal"),
    [
        pytest.param("clinic-b", {}, NotOwner, id="for another facility"),
        pytest.param("clinic-b", {"facility": "clinic-b"}, NotOwner, id="another's chart"),
        pytest.param("hospital-a", {"source_patient": CHARTS["clinic-b"]}, NotOwner, id="chart"),
        pytest.param(
            "hospital-a", {"source_patient": replace(CHARTS["clinic-b"], domain=SHARED)}, Refusal,
            id="a shared id",
        ),
        pytest.param(
            "hospital-a", {"category": Category.DIRECT_DOCUMENT}, Invalid, id="sent directly"
        ),
    ],
)  # fmt: skip
def test_what_may_not_be_filed(
    house: House, who: str, changes: dict[str, object], refusal: type[Refusal]
) -> None:
    house.enrol("hospital-a", "clinic-b")
    made = document(**changes)
    with pytest.raises(refusal):
        file(house, made, unsigned(made.content), who)
    assert found(house) == ()


def test_a_report_about_other_bytes_files_nothing(house: House) -> None:
    house.enrol("hospital-a")
    with pytest.raises(Invalid) as caught:
        file(house, document(b"one"), unsigned(b"two"))
    assert caught.value.log == "DOCSIG"


def test_no_attribute_is_lost_between_entry_and_row(house: House) -> None:
    made = replace(
        entry(), service_start=MOMENT, service_stop=MOMENT, author_institution="A病院",
        hash_sha1="a" * 40, sha256="b" * 64, size=7, source_system="emr",
        assurance=Assurance.VERIFIED, posted=MOMENT, registered=MOMENT,
        authors=(Author(person="^佐藤", roles=("医師", "部長")), Author(institutions=("B医院",))),
        event_codes=(Code("Y1", "2.999.1", "一"),), comments="控え",
        further_confidentiality=(Code("R", "2.999.2"),), source_patient_info=("PID-8|F",),
    )  # fmt: skip
    row = entries.to_row(made, posted=MOMENT, registered=MOMENT)
    assert entries.to_entry(row, HomeCommunityId("2.999.10.1"), made.patient) == made
    assert {item.name for item in fields(DocumentEntry)} == entries.ATTRIBUTES
    assert made.repository == Oid("2.999.40.1")

"""ITI-41: what sources hand in is judged like every document, and filed whole or not at all."""

import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from conformance import messages
from conformance.submissions import LOINC, Given, include, provide
from gateway import errors
from gateway.dispatch import Answer, DispatchFault
from gateway.errors import Refusal
from gateway.model.document import Availability
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import Status
from gateway.xca import iti41
from tests import pki
from tests.conftest import Clock
from tests.record.house import CHARTS, House
from tests.xca.conftest import Region, outcome, unique_ids
from tests.xca.source import CX, DIAGNOSIS, PAGE, PRESCRIPTION, SHA1, Source, given, of
from tests.xca.test_iti38 import STAMP

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def source(house: House) -> Source:
    house.enrol("hospital-a", "clinic-b")
    return of(house)


def error(answer: Answer) -> tuple[str, str, str]:
    """Code, context and location of the one error."""
    (told,) = xml.parse(answer.payload.xml).iter(xml.clark("rs:RegistryError"))
    return told.get("errorCode", ""), told.get("codeContext", ""), told.get("location", "")


def test_a_document_is_found_as_its_source_described_it(source: Source) -> None:
    full = given(
        id=f"urn:uuid:{uuid.uuid4()}", comments="控え", title="病名一覧",
        slots={"sourcePatientInfo": ("PID-5|山田^花子", "PID-8|F"),
               "hash": (SHA1.upper(),), "size": (str(len(PAGE)),),
               "serviceStartTime": ("20261031",)},
        codes={**DIAGNOSIS, "event": (("Y1", "2.999.1", "一"),),
               "confidentiality": (("N", "2.999.2", "n"), ("R", "2.999.2", "r"))},
    )  # fmt: skip
    assert source.send(full) == ("SUCCESS", [])
    (entry,) = source.found()
    assert (entry.entry_uuid, entry.unique_id) == (full.id, full.unique_id)
    assert (entry.hash_sha1, entry.size) == (SHA1, len(PAGE))
    assert (entry.repository, entry.source_patient) == ("2.999.40.1", CHARTS["hospital-a"])
    assert (entry.title, entry.comments, entry.language) == ("病名一覧", "控え", "ja-JP")
    assert (entry.facility_type.code, entry.practice_setting.code) == ("22232009", "394802001")
    assert [code.code for code in entry.confidentialities] == ["N", "R"]
    assert [code.code for code in entry.event_codes] == ["Y1"]
    assert (entry.author, entry.author_institution) == ("山田 太郎", "見本病院")
    assert entry.authors[0].roles == ("医師",)
    assert entry.source_patient_info == ("PID-5|山田^花子", "PID-8|F")
    assert (entry.facility, entry.category.value) == ("hospital-a", "diagnosis")
    (event,) = source.events()
    assert full.unique_id in str(event.content)


def test_neighbours_find_and_fetch_it(region: Region) -> None:
    sent, source = given(PAGE), of(region.house)
    assert source.send(sent) == ("SUCCESS", [])
    assert sent.unique_id in unique_ids(region.query())
    fetched = region.ask(messages.retrieve([("2.999.40.1", sent.unique_id)], home="2.999.10.1"))
    assert fetched.payload.attachments[0].path.read_bytes() == PAGE


def test_documents_come_as_parts(source: Source) -> None:
    first = replace(given(), content=include("a%40b%20c"))
    second = replace(given(), id="Document02", content=include("b@c"))
    bytes = {"a@b c": PAGE, "b@c": PAGE + b"\n"}
    assert source.send(first, second, parts=bytes) == ("SUCCESS", [])
    assert {entry.size for entry in source.found()} == {len(PAGE), len(PAGE) + 1}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param(include("nothing"), {}, id="a part that is not there"),
        pytest.param(include("x").replace("cid:", "https://h/"), {"x": PAGE}, id="an address"),
        pytest.param(include("x") + "y", {"x": PAGE}, id="text beside"),
        pytest.param("not base64!", {}, id="no base64"),
    ],
)
def test_a_reference_that_does_not_hold_is_a_fault(
    source: Source, content: str, parts: dict[str, bytes]
) -> None:
    before = source.kept()
    with pytest.raises(DispatchFault) as caught:
        source.send(replace(given(), content=content), parts=parts)
    assert caught.value.fault.code == "env:Sender"
    assert source.kept() == before
    assert not list(source.blobs.each())


def test_a_part_is_used_once_and_none_is_left(source: Source) -> None:
    first = replace(given(), content=include("x"))
    with pytest.raises(DispatchFault):
        source.send(first, replace(first, id="b", unique_id="2.25.9"), parts={"x": PAGE})
    assert source.send(first, parts={"x": PAGE, "y": PAGE}) == (
        "FAILURE", ["XDSMissingDocumentMetadata"],
    )  # fmt: skip
    assert not list(source.blobs.each())


def test_a_large_document_comes_as_a_part(source: Source) -> None:
    large = b"<a>" + b" " * (7 * 1024 * 1024) + b"</a>"
    with pytest.raises(DispatchFault) as caught:
        source.send(given(large))
    assert caught.value.fault.status == 413
    by_part = replace(given(), content=include("x"))
    assert source.send(by_part, parts={"x": large}) == ("SUCCESS", [])


def seal(content: bytes, **changes: Any) -> Given:
    return given(content, codes=PRESCRIPTION, title="院外処方箋", **changes)


def test_a_sealed_prescription_is_verified(source: Source) -> None:
    sent = seal(pki.prescription())
    assert source.send(sent) == ("SUCCESS", [])
    (entry,) = source.found()
    assert (entry.category.value, entry.assurance.value) == ("prescription", "verified")
    assert entry.signatures[0].holds


UNSEALED = {
    "no signature": (pki.page("処方"), "application/pdf"),
    "no time-stamp": (pki.prescription(stamped=None), "text/xml"),
    "a pharmacist's": (pki.prescription(pki.cards()["pharmacist"]), "text/xml"),
    "no role": (pki.prescription(pki.cards()["no role"]), "text/xml"),
    "a test card": (pki.prescription(pki.cards()["test card"]), "text/xml"),
    "one changed byte": (
        re.sub(rb"(<PrescriptionDocument [^>]*>.)(.)", rb"\1/", pki.prescription()),
        "text/xml",
    ),
}


def test_without_its_seal_nothing_of_a_submission_is_filed(source: Source) -> None:
    before = source.kept()
    for name, (content, kind) in UNSEALED.items():
        bad = seal(content, mime_type=kind, id="Document02", unique_id="2.25.77")
        source.at = pki.SIGNED if name == "no time-stamp" else pki.NOW
        answer = source.post(provide([given(), bad]))
        code, context, location = error(answer)
        assert (code, location) == ("InvalidDocumentContent", "2.25.77"), name
        assert "send it again" in context
        assert "ExtrinsicObject[2]" in context
        assert CHARTS["hospital-a"].value not in context
        assert outcome(answer)[0] == "FAILURE"
        assert source.kept() == before, name
    assert not list(source.blobs.each())
    assert [event.outcome for event in source.events()] == [8] * len(UNSEALED)


def test_a_source_cannot_call_a_prescription_something_else(source: Source) -> None:
    slot = {"urn:x-regional-gateway:category": ("diagnosis",)}
    assert source.send(seal(pki.page("x"), slots=slot)) == ("FAILURE", ["XDSRegistryMetadataError"])
    named = {"urn:x-regional-gateway:category": ("nonsense",)}
    assert source.send(given(slots=named)) == ("FAILURE", ["XDSRegistryMetadataError"])
    codes = {"type": (("34133-9", LOINC, "要約"),)}
    assert source.send(given(slots=slot, codes=codes)) == ("SUCCESS", [])
    assert source.found()[0].category.value == "diagnosis"


def test_what_cannot_be_verified_now_waits_and_is_filed_later(source: Source, clock: Clock) -> None:
    old = given()
    assert source.send(old) == ("SUCCESS", [])
    (before,) = source.found()
    source.lists = []
    late = seal(pki.prescription(), replaces=(before.entry_uuid,), comments="控え")
    answer = source.post(provide([given(id="b"), late]))
    assert outcome(answer)[0] == "SUCCESS"
    code, context, _ = error(answer)
    assert code == "DocumentQueued"
    receipt = context.rpartition("/")[2]
    assert source.house.receipt("hospital-a", receipt)["files"][1]["state"] == "set-aside"
    assert late.unique_id not in {entry.unique_id for entry in source.found()}
    assert before in source.found()  # what it replaces stands until it is filed
    clock.advance(hours=2)
    source.lists = None
    secretariat = source.house.caller("secretariat")
    assert source.filing.examine_again(lambda: secretariat, lambda facility: secretariat) == 1
    (entry,) = [one for one in source.found() if one.unique_id == late.unique_id]
    assert (entry.comments, entry.assurance.value) == ("控え", "verified")
    assert (entry.title, entry.authors[0].roles) == ("院外処方箋", ("医師",))
    assert before.unique_id not in {one.unique_id for one in source.found()}


def deprecated(source: Source) -> list[str]:
    found = source.found(statuses=frozenset({Availability.DEPRECATED}))
    return [entry.unique_id for entry in found]


def test_a_replacement_deprecates_what_it_replaces(source: Source) -> None:
    old = given()
    source.send(old)
    (entry,) = source.found()
    new = given(PAGE + b"\n", replaces=(entry.entry_uuid.upper().replace("URN:UUID", "urn:uuid"),))
    for _ in range(2):  # a replacement that is sent again is one replacement
        assert source.send(new) == ("SUCCESS", [])
        assert [one.unique_id for one in source.found()] == [new.unique_id]
        assert deprecated(source) == [old.unique_id]
    another = given(PAGE + b"\r", replaces=(entry.entry_uuid,))
    assert source.send(another) == ("FAILURE", ["XDSRegistryDeprecatedDocumentError"])
    assert len(source.found()) == 1


def test_only_ones_own_documents_of_the_chart_are_replaced(source: Source) -> None:
    source.send(given())
    (entry,) = source.found()
    before = source.kept()
    unresolved = ("FAILURE", ["UnresolvedReferenceException"])
    clinic = given(PAGE, patient=CHARTS["clinic-b"].cx, replaces=(entry.entry_uuid,))
    assert source.send(clinic, who="clinic-b") == unresolved
    assert source.send(given(replaces=(f"urn:uuid:{uuid.uuid4()}",))) == unresolved
    assert source.send(given(replaces=("Document99",))) == unresolved
    assert (source.kept(), deprecated(source)) == (before, [])


def test_what_is_held_is_replaced_too(house: House) -> None:
    source = of(house)
    house.custody("hospital-a")
    house.feed("hospital-a")
    old = given(id=f"urn:uuid:{uuid.uuid4()}")
    new = given(PAGE + b"\n", replaces=(old.id,))
    assert source.send(old) == source.send(new) == ("SUCCESS", [])
    assert source.kept()["held_document"] == 2
    house.enrol("hospital-a")
    assert [one.unique_id for one in source.found()] == [new.unique_id]
    assert deprecated(source) == [old.unique_id]


def test_whom_a_document_is_about(source: Source) -> None:
    house = source.house
    shared, clinic = house.shared.cx, CHARTS["clinic-b"].cx
    before = source.kept()
    said = set()
    for changes in (
        {"patient": clinic},
        {"patient": "1^^^&2.999.77&ISO"},
        {"patient": shared},  # no chart beside it
        {"patient": shared, "slots": {"sourcePatientId": (clinic,)}},
        {"patient": "1" * 16 + "^^^&2.999.20.1&ISO", "slots": {"sourcePatientId": (CX,)}},
        {"patient": clinic, "slots": {"sourcePatientId": (CX,)}},
        {"patient": "00077^^^&2.999.30.1&ISO"},  # nobody has fed it: no consent either
    ):
        answer = source.post(provide([given(**changes)]))
        said.add(error(answer))
        assert outcome(answer)[0] == "FAILURE"
    ((code, context, location),) = said  # all of them read the same
    assert (code, location) == ("XDSUnknownPatientId", "")
    assert "ITI-44" in context
    assert source.kept() == before
    both = given(patient=shared, slots={"sourcePatientId": (CX,)})
    assert source.send(both) == ("SUCCESS", [])
    assert source.found()[0].patient == house.shared


BAD: list[tuple[str, Callable[[], Given], str]] = [
    ("hash", lambda: given(slots={"hash": ("0" * 40,)}), "XDSRepositoryMetadataError"),
    ("size", lambda: given(slots={"size": ("1",)}), "XDSRepositoryMetadataError"),
    ("type", lambda: given(mime_type="application/pdf"), "InvalidDocumentContent"),
    ("text", lambda: given(b"x", mime_type="text/plain"), "InvalidDocumentContent"),
    ("empty", lambda: given(b""), "InvalidDocumentContent"),
    ("markup", lambda: given(b"<html><script/></html>"), "InvalidDocumentContent"),
    ("doctype", lambda: given(b"<!DOCTYPE a><a/>"), "InvalidDocumentContent"),
    ("harmful", lambda: given(b"<a>X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-"
                              b"ANTIVIRUS-TEST-FILE!$H+H*</a>"), "InvalidDocumentContent"),
    ("slot", lambda: given(slots={"hash": ("0" * 40, "1" * 40)}), "XDSRegistryMetadataError"),
]  # fmt: skip


def test_bad_documents_leave_nothing(source: Source) -> None:
    before = source.kept()
    for name, make, code in BAD:
        assert source.send(given(id="b"), make()) == ("FAILURE", [code]), name
        assert source.kept() == before, name
    assert not list(source.blobs.each())


def test_the_same_message_again_is_answered_again(source: Source) -> None:
    sent, id = provide([given()]), str(uuid.uuid4())
    first, after = source.post(sent, id=id), source.kept()
    again = source.post(sent, id=id)
    assert (again.payload, source.kept()) == (first.payload, after)
    with pytest.raises(DispatchFault) as caught:
        source.post(provide([given()]), id=id)
    assert "wsa:DuplicateMessageID" in caught.value.fault.subcodes


def test_the_same_message_with_other_parts_is_another_one(source: Source) -> None:
    sent, id = provide([replace(given(), content=include("x"))]), str(uuid.uuid4())
    source.post(sent, id=id, parts={"x": PAGE})
    with pytest.raises(DispatchFault):
        source.post(sent, id=id, parts={"x": PAGE + b"\n"})
    (entry,) = source.found()
    assert entry.size == len(PAGE)


def test_a_document_sent_again_is_one_document(source: Source) -> None:
    sent = given()
    for _ in range(2):
        assert source.send(sent) == ("SUCCESS", [])
    assert len(source.found()) == 1
    other = given(PAGE + b"\n", unique_id=sent.unique_id)
    assert source.send(other) == ("FAILURE", ["XDSNonIdenticalHash"])
    taken = given(id=source.found()[0].entry_uuid)
    assert source.send(taken) == ("FAILURE", ["XDSRegistryMetadataError"])
    assert len(source.found()) == 1


def test_a_refused_message_may_come_again_under_its_id(source: Source) -> None:
    sent, id = provide([given(patient="00077^^^&2.999.30.1&ISO")]), str(uuid.uuid4())
    answers = [outcome(source.post(sent, id=id)) for _ in range(2)]
    assert answers == [("FAILURE", [("XDSUnknownPatientId", "")])] * 2


def test_a_facility_that_is_none_hands_nothing_in(source: Source) -> None:
    with suppress(DispatchFault):
        assert source.send(given(), who="neighbour-n")[0] == "FAILURE"
    assert source.found() == ()


def test_every_kind_of_refusal_has_its_answer(source: Source) -> None:
    assert set(iti41.CODES) == set(errors.kinds())
    body = xml.parse(provide([given()]).encode())
    for kind in errors.kinds():
        payload = iti41.refuse(body, kind("reason", "理由", at="ExtrinsicObject[1]/x"), STAMP)
        code = iti41.CODES[kind]
        if code is None:
            assert payload is None
            continue
        assert payload is not None
        element = xml.parse(payload.xml)
        found = ebxml.read_response(element)
        assert (found.status, [one.code for one in found.errors]) == (Status.FAILURE, [code])
        if source.schemas is not None:
            source.schemas.check(element, "ebRS/rs.xsd")


def test_a_rule_that_is_an_error_code_is_that_code(source: Source) -> None:
    body = xml.parse(provide([given()]).encode())
    for rule in ("XDSMissingDocument", "UnresolvedReferenceException"):
        refusal: Refusal = errors.Invalid("reason", "理由", rule=rule)
        payload = iti41.refuse(body, refusal, STAMP)
        assert payload is not None
        assert rule.encode() in payload.xml

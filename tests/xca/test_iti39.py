"""ITI-39: the bytes that leave, the errors of those that do not, and what looks absent."""

import hashlib
from pathlib import Path

import pytest

from conformance import messages
from gateway import errors
from gateway.consent import ledger
from gateway.dispatch import Answer
from gateway.errors import Refusal
from gateway.model.category import ExclusionGroup
from gateway.model.identifiers import PatientId
from gateway.wire import ebxml, xml
from gateway.xca import iti39
from tests.record.house import SHARED
from tests.xca.conftest import HOME, REPOSITORY, Region, outcome, root
from tests.xca.test_iti38 import LOCATION, STAMP, second_patient

NOBODY = "2.25.1"
ABSENT = ("XDSDocumentUniqueIdError", LOCATION)


def ask(region: Region, *unique_ids: str, home: str = HOME, **changes: object) -> Answer:
    wanted = [(REPOSITORY, unique_id) for unique_id in unique_ids]
    return region.ask(messages.retrieve(wanted, home=home), **changes)


def responses(answer: Answer) -> list[dict[str, str]]:
    """Each DocumentResponse by the names of its elements, and what its Include names."""
    found = []
    for item in root(answer).iter(xml.clark("xds:DocumentResponse")):
        told = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
        include = xml.one(item, "xds:Document/xop:Include")
        found.append(told | {"href": include.get("href", "")})
    return found


def test_a_document_leaves_from_the_blob_store(region: Region) -> None:
    (unique_id,) = region.contents
    answer = ask(region, unique_id)
    assert outcome(answer) == ("SUCCESS", [])
    assert answer.mtom
    (told,) = responses(answer)
    (part,) = answer.payload.attachments
    assert told["href"] == f"cid:{part.content_id}"
    assert (told["HomeCommunityId"], told["RepositoryUniqueId"]) == (LOCATION, REPOSITORY)
    assert (told["DocumentUniqueId"], told["mimeType"]) == (unique_id, "application/pdf")
    assert part.path.read_bytes() == region.contents[unique_id]
    assert (part.size, part.mime_type) == (len(region.contents[unique_id]), "application/pdf")


def test_several_documents_leave_in_the_order_asked(region: Region) -> None:
    region.file(b"%PDF-1.7 second")
    region.file(b"<ClinicalDocument/>", mime_type="text/xml")
    wanted = list(region.contents)[::-1]
    answer = ask(region, *wanted)
    assert [told["DocumentUniqueId"] for told in responses(answer)] == wanted
    parts = answer.payload.attachments
    assert [part.path.read_bytes() for part in parts] == [region.contents[one] for one in wanted]
    assert len({part.content_id for part in parts}) == 3


def test_a_document_asked_for_twice_leaves_once(region: Region) -> None:
    (unique_id,) = region.contents
    assert len(ask(region, unique_id, unique_id).payload.attachments) == 1


def test_what_is_missing_is_told_beside_what_leaves(region: Region) -> None:
    (unique_id,) = region.contents
    answer = ask(region, NOBODY, unique_id)
    assert outcome(answer) == ("PARTIAL", [ABSENT])
    assert [told["DocumentUniqueId"] for told in responses(answer)] == [unique_id]
    (error,) = root(answer).iter(xml.clark("rs:RegistryError"))
    assert error.get("codeContext") == f"no such document: {NOBODY}"


def test_nothing_found_is_a_failure_with_one_error_each(region: Region) -> None:
    answer = ask(region, "2.25.1", "2.25.2", "2.25.3")
    assert outcome(answer) == ("FAILURE", [ABSENT] * 3)
    assert answer.payload.attachments == ()


@pytest.mark.parametrize(
    ("home", "repository", "code"),
    [
        pytest.param("urn:oid:2.999.10.9", REPOSITORY, "XDSUnknownCommunity", id="another"),
        pytest.param(HOME, REPOSITORY, "XDSUnknownCommunity", id="ours without its urn"),
        pytest.param(LOCATION + " ", REPOSITORY, "XDSUnknownCommunity", id="ours and a blank"),
        pytest.param("", REPOSITORY, "XDSMissingHomeCommunityId", id="empty"),
        pytest.param(None, REPOSITORY, "XDSMissingHomeCommunityId", id="none"),
        pytest.param(LOCATION, "2.999.40.9", "XDSUnknownRepositoryId", id="another repository"),
        pytest.param(LOCATION, "urn:oid:" + REPOSITORY, "XDSUnknownRepositoryId", id="with a urn"),
    ],
)
def test_community_and_repository_must_be_ours(
    region: Region, home: str | None, repository: str, code: str
) -> None:
    (unique_id,) = region.contents
    payload = messages.retrieve([(repository, unique_id)], home=HOME)
    element = f"<xds:HomeCommunityId>{LOCATION}</xds:HomeCommunityId>"
    assert element in payload
    other = "" if home is None else f"<xds:HomeCommunityId>{home}</xds:HomeCommunityId>"
    answer = region.ask(payload.replace(element, other))
    assert outcome(answer) == ("FAILURE", [(code, LOCATION)])
    assert answer.payload.attachments == ()


def test_denied_and_absent_documents_read_the_same(region: Region) -> None:
    (unique_id,) = region.contents
    house = region.house
    person = house.person()
    with house.work() as work:
        ledger.exclude(work, person, groups=[ExclusionGroup.HOSPITAL])
    denied, absent = ask(region, unique_id), ask(region, NOBODY)
    assert outcome(denied) == outcome(absent) == ("FAILURE", [ABSENT])
    assert denied.payload.xml.replace(unique_id.encode(), b"") == absent.payload.xml.replace(
        NOBODY.encode(), b""
    )


def test_an_assertion_about_another_patient_opens_nothing(region: Region) -> None:
    (unique_id,) = region.contents
    answer = ask(region, unique_id, about=PatientId(SHARED, "9" * 16))
    assert outcome(answer) == ("FAILURE", [ABSENT])
    assert ask(region, unique_id, about=region.house.shared).payload.attachments


def test_documents_of_two_patients_do_not_leave_together(region: Region) -> None:
    (first,) = region.contents
    second = second_patient(region)
    answer = ask(region, first, second)
    assert outcome(answer) == ("FAILURE", [("XDSResultNotSinglePatient", LOCATION)])
    assert answer.payload.attachments == ()
    assert ask(region, second).payload.attachments


def test_a_damaged_document_does_not_leave(region: Region) -> None:
    (unique_id,) = region.contents
    path = ask(region, unique_id).payload.attachments[0].path
    _damage(path)
    answer = ask(region, unique_id)
    assert outcome(answer) == ("FAILURE", [ABSENT])
    assert answer.payload.attachments == ()


def _damage(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert hashlib.sha256(path.read_bytes()).hexdigest() != hashlib.sha256(content).hexdigest()


def test_ninety_nine_documents_are_the_most(region: Region) -> None:
    wanted = [f"2.25.{number}" for number in range(2, 101)]
    assert outcome(ask(region, *wanted)) == ("FAILURE", [ABSENT] * 99)
    answer = ask(region, *wanted, "2.25.200")
    assert outcome(answer) == ("FAILURE", [("XDSRepositoryError", LOCATION)])


@pytest.mark.parametrize("odd", ["<b/>", "x" * 129, "a b", "％00", "'; --", "山田"])
def test_an_odd_id_is_not_repeated(odd: str) -> None:
    (asked,) = iti39.decode(xml.parse(messages.retrieve([(REPOSITORY, odd)], home=HOME).encode()))
    missing = iti39.Missing(asked=asked, code=ABSENT[0], reason="no such document")
    content = iti39.encode((asked,), (missing,), STAMP).xml
    assert odd.encode() not in content
    assert b'"no such document"' in content


_REQUEST = (
    '<x:RetrieveDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007">'
    "{}</x:RetrieveDocumentSetRequest>"
)
_PARTS = {
    "H": f"<x:HomeCommunityId>{LOCATION}</x:HomeCommunityId>",
    "R": f"<x:RepositoryUniqueId>{REPOSITORY}</x:RepositoryUniqueId>",
    "D": "<x:DocumentUniqueId>2.25.1</x:DocumentUniqueId>",
}


def _request(parts: str) -> str:
    inner = "".join(_PARTS[part] for part in parts)
    return _REQUEST.format(f"<x:DocumentRequest>{inner}</x:DocumentRequest>")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(_REQUEST.format(""), id="nothing asked"),
        pytest.param(_REQUEST.format("<x:Other/>"), id="something else"),
        pytest.param(_request("HDR"), id="another order"),
        pytest.param(_request("RHD"), id="the community later"),
        pytest.param(_request("HRDD"), id="an id twice"),
        pytest.param(_request("HHRD"), id="two communities"),
        pytest.param(_request("HR"), id="no id"),
        pytest.param(_request("HRD").replace("2.25.1", "2.<!-- -->25"), id="a remark in an id"),
        pytest.param(_request("HRD").replace("2.25.1", "1" * 257), id="a long id"),
    ],
)
def test_what_is_no_retrieval_is_refused(payload: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        iti39.decode(xml.parse(payload.encode()))
    assert iti39.refuse(xml.parse(payload.encode()), caught.value, STAMP) is None


def test_every_kind_of_refusal_has_its_answer() -> None:
    assert set(iti39.CODES) == set(errors.kinds())


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_a_refusal_is_a_failure_at_our_community(kind: type[Refusal]) -> None:
    wanted = [(REPOSITORY, "2.25.1"), (REPOSITORY, "2.25.2")]
    body = xml.parse(messages.retrieve(wanted, home=HOME).encode())
    payload = iti39.refuse(body, kind("reason", "理由"), STAMP)
    code = iti39.CODES[kind]
    if code is None:
        assert payload is None
        return
    assert payload is not None
    response = xml.one(xml.parse(payload.xml), "rs:RegistryResponse")
    found = ebxml.read_response(response)
    assert found.status is ebxml.Status.FAILURE
    assert [error.code for error in found.errors] == [code] * (2 if code == ABSENT[0] else 1)
    assert {error.location for error in found.errors} == {LOCATION}

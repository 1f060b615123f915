"""Document entries as XML: what XDS demands is there, and reads back as it was."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.errors import Invalid, Malformed
from gateway.model.attestation import Attestation
from gateway.model.category import Category
from gateway.model.document import Author, Availability, Code, DocumentEntry
from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.model.signature import Indication
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import Status
from gateway.wire.schemas import Schemas
from gateway.xca import metadata
from tests.shared import needs_shared, shared

ENTRY = DocumentEntry(
    entry_uuid="urn:uuid:43d7bae9-025b-43dc-bf25-3aecd9d9baee",
    unique_id="2.25.289431293481293481",
    repository=Oid("2.999.40.1"),
    home=HomeCommunityId("2.999.10.1"),
    patient=PatientId(Oid("2.999.20.1"), "9000000000000001"),
    source_patient=PatientId(Oid("2.999.30.1"), "0001"),
    title='退院時サマリー <第1版> & "控え"',
    category=Category.MEDICAL,
    class_code=Code("18842-5", "2.16.840.1.113883.6.1", "Discharge summary"),
    type_code=Code("18842-5", "2.16.840.1.113883.6.1", "退院時サマリー"),
    format_code=Code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mime"),
    facility_type=Code("22232009", "2.16.840.1.113883.6.96", "Hospital"),
    practice_setting=Code("394802001", "2.16.840.1.113883.6.96", "General medicine"),
    confidentiality=Code("N", "2.16.840.1.113883.5.25", "normal"),
    mime_type="application/pdf",
    language="ja-JP",
    created=datetime(2026, 11, 24, 0, 30, 15, tzinfo=UTC),
    service_start=datetime(2026, 11, 20, tzinfo=UTC),
    author="山田 太郎",
    author_institution="中央病院",
    hash_sha1="da39a3ee5e6b4b0d3255bfef95601890afd80709",
    size=512,
)


def parsed(entry: DocumentEntry = ENTRY) -> etree._Element:
    content = ebxml.write_query_response(Status.SUCCESS, (), (metadata.write(entry),))
    return xml.one(xml.parse(content), "rim:RegistryObjectList/rim:ExtrinsicObject")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(ENTRY, id="full"),
        pytest.param(replace(ENTRY, status=Availability.DEPRECATED), id="deprecated"),
        pytest.param(replace(ENTRY, title="", author="", author_institution=""), id="thin"),
        pytest.param(
            replace(
                ENTRY,
                author="12^山田^太郎",
                authors=(
                    Author(
                        person="12^山田^太郎", institutions=("中央病院", "分院"), roles=("医師",)
                    ),
                    Author(person="^鈴木", specialties=("内科",), telecoms=("^^Internet^a@b",)),
                ),
                event_codes=(Code("Y1", "2.999.1", "一"), Code("Y2", "2.999.1", "二")),
                further_confidentiality=(Code("R", "2.16.840.1.113883.5.25", "restricted"),),
                comments="控え & <注意>",
                source_patient_info=("PID-5|山田^花子", "PID-8|F"),
            ),
            id="as a source describes it",
        ),
        pytest.param(replace(ENTRY, author="12^山田^太郎^^^^^^&1.2.3&ISO"), id="author as XCN"),
        pytest.param(
            replace(ENTRY, service_stop=datetime(2026, 11, 21, tzinfo=UTC)), id="with stop"
        ),
    ],
)
def test_an_entry_reads_back_as_it_was_written(entry: DocumentEntry) -> None:
    assert metadata.read(parsed(entry)) == entry


SIGNED = Attestation(
    verdict=Indication.VERIFIED, level="XAdES-T", serial="111", roles=("Medical Doctor",),
    signer="CN=Taro\\, Yamada^x,serialNumber=T1,O=HPKI,C=JP", policy="1.2.392.100495.1.5.1.1.0.1",
    proven=datetime(2026, 11, 24, 0, 31, tzinfo=UTC), checked=datetime(2026, 11, 25, tzinfo=UTC),
)  # fmt: skip
OPEN = Attestation(
    verdict=Indication.UNVERIFIABLE, level="XAdES-BES", signer="O=nobody", roles=("Pharmacist",),
    checked=datetime(2026, 11, 25, tzinfo=UTC),
)  # fmt: skip
TOLD = (
    "verified^XAdES-T^20261124003100^Medical Doctor^1.2.392.100495.1.5.1.1.0.1^Taro, Yamada x"
    "^20261125000000"
)


@pytest.mark.parametrize(
    ("signatures", "authenticator", "told", "inside"),
    [
        pytest.param((), None, None, None, id="unsigned"),
        pytest.param((SIGNED,), ["^Taro, Yamada x"], [TOLD], None, id="verified"),
        pytest.param(
            (replace(SIGNED, verdict=Indication.INVALID),),
            None, [TOLD.replace("verified", "invalid", 1)], None, id="invalid",
        ),
        pytest.param(
            (OPEN, SIGNED), ["^Taro, Yamada x"],
            ["unverifiable^XAdES-BES^^Pharmacist^^O=nobody^20261125000000", TOLD], None,
            id="only who was verified authenticates",
        ),
        pytest.param(
            (replace(SIGNED, signer="CN=Hanako", inside=(SIGNED,)),), ["^Hanako"],
            [TOLD.replace("Taro, Yamada x", "Hanako")], [TOLD], id="a prescription inside",
        ),
        pytest.param(
            (replace(SIGNED, signer="CN=" + "a" * 500, roles=("b" * 500,), policy="c" * 500),),
            ["^" + "a" * 64], None, None, id="long",
        ),
    ],
)  # fmt: skip
def test_the_verdict_travels(
    signatures: tuple[Attestation, ...], authenticator: list[str] | None, told: list[str] | None,
    inside: list[str] | None,
) -> None:  # fmt: skip
    element = parsed(replace(ENTRY, signatures=signatures))
    slots = ebxml.slots(element)
    assert slots.get("legalAuthenticator") == authenticator
    if signatures and told is None:
        assert len(slots[metadata.SIGNATURE][0]) <= 256
    else:
        assert slots.get(metadata.SIGNATURE) == told
    assert slots.get(metadata.INSIDE) == inside
    assert metadata.read(element) == ENTRY  # a peer's word for a verdict is never ours


def test_extra_metadata_has_names_of_its_own() -> None:
    """A URN, and not of IHE's name space (ITI TF-3: 4.2.3.1.6)."""
    for name in (metadata.SIGNATURE, metadata.INSIDE):
        assert name.startswith("urn:")
        assert not name.startswith("urn:ihe:")


@needs_shared
def test_entries_and_references_fit_the_published_schema() -> None:
    schemas = Schemas(shared("ihe", "schema"))
    signed = replace(ENTRY, entry_uuid="urn:uuid:1", signatures=(SIGNED, OPEN))
    author = Author(person="^鈴木", institutions=("A", "B"), roles=("医師",), telecoms=("t",))
    told = replace(
        ENTRY, entry_uuid="urn:uuid:2", comments="c", authors=(author, author),
        event_codes=(ENTRY.type_code, ENTRY.class_code), source_patient_info=("PID-8|F",),
        further_confidentiality=(ENTRY.type_code,),
    )  # fmt: skip
    for write in (metadata.write, metadata.write_reference):
        written = (write(ENTRY), write(signed), write(told))
        content = ebxml.write_query_response(Status.SUCCESS, (), written)
        ids = [one.get("id") for one in xml.parse(content).iter(xml.clark("rim:Classification"))]
        assert len(set(ids)) == len(ids)
        schemas.check(xml.parse(content), "ebRS/query.xsd")


def test_what_a_strict_peer_demands_is_there() -> None:
    """A strict peer refuses an answer without these (IPF; ITI TF-3: 4.2.3.2)."""
    element = parsed()
    slots = ebxml.slots(element)
    for name in ("hash", "size", "languageCode", "creationTime", "sourcePatientId"):
        assert len(slots[name]) == 1
    assert slots["creationTime"] == ["20261124003015"]
    assert slots["repositoryUniqueId"] == ["2.999.40.1"]
    assert element.get("home") == "urn:oid:2.999.10.1"
    assert element.get("status") == Availability.APPROVED.value
    assert element.get("mimeType") == "application/pdf"
    shown = list(element.iter(xml.clark("rim:LocalizedString")))
    assert shown
    assert {item.get("charset") for item in shown} == {"UTF-8"}
    ids = [item.get("id") for item in element.iter() if item.get("id")]
    assert len(ids) == len(set(ids))
    owners = {item.get("classifiedObject") or item.get("registryObject") for item in element}
    assert owners - {None} == {ENTRY.entry_uuid}


def test_parts_keep_their_ids() -> None:
    assert etree.tostring(parsed()) == etree.tostring(parsed())


def _without(path: str) -> etree._Element:
    element = parsed()
    found = element.find(path)
    assert found is not None
    element.remove(found)
    return element


@pytest.mark.parametrize(
    "path",
    [
        "{*}Slot[@name='creationTime']",
        "{*}Slot[@name='repositoryUniqueId']",
        "{*}Slot[@name='languageCode']",
        "{*}ExternalIdentifier",
    ],
)
def test_an_entry_without_a_needed_part_is_refused(path: str) -> None:
    with pytest.raises(Malformed):
        metadata.read(_without(path))


@pytest.mark.parametrize("size", ["-1", "1.5", "x", "１"])
def test_an_odd_size_is_refused(size: str) -> None:
    element = parsed()
    value = element.find("{*}Slot[@name='size']/{*}ValueList/{*}Value")
    assert value is not None
    value.text = size
    with pytest.raises(Malformed):
        metadata.read(element)


def test_a_source_patient_that_is_not_stated_is_the_patient() -> None:
    entry = metadata.read(_without("{*}Slot[@name='sourcePatientId']"))
    assert entry.source_patient == entry.patient == ENTRY.patient


def _published(*path: str) -> list[etree._Element]:
    root = xml.parse(shared("ihe", *path).read_bytes())
    elements = list(root.iter(xml.clark("rim:ExtrinsicObject")))
    assert elements
    for element in elements:
        element.set("home", element.get("home") or "urn:oid:1.2.3")
    return elements


@needs_shared
@pytest.mark.parametrize(
    "path",
    [
        ("wire", "iti38-1.resp.body"),
        ("wire", "iti18-1.resp.body"),
        ("samples", "visible", "iti-18", "gematik__ePA1_Responses_adhocquery-resp.xml"),
    ],
    ids=lambda path: path[-1],
)
def test_entries_of_published_answers_are_read(path: tuple[str, ...]) -> None:
    for element in _published(*path):
        entry = metadata.read(element)
        assert entry.unique_id
        assert entry.repository
        assert entry.type_code.code


@needs_shared
@pytest.mark.parametrize(
    "path", [("iti-18", "nist__sq-resp-lc.xml"), ("iti-38", "nist__soap-xcq-resp.xml")]
)
def test_entries_with_identifiers_of_no_domain_are_refused(path: tuple[str, ...]) -> None:
    """Their sourcePatientId is of the authority `3.4.5`, and no OID begins with 3."""
    for element in _published("samples", "visible", *path):
        with pytest.raises(Invalid):
            metadata.read(element)

"""HL7 v3 identifiers, wrappers and acknowledgements."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.errors import Invalid, Malformed
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import hl7v3, xml
from gateway.wire.hl7v3 import Detail, Instance

V3 = 'xmlns="urn:hl7-org:v3"'
JST = timezone(timedelta(hours=9))


def element(attributes: str) -> xml.etree._Element:
    return xml.parse(f"<id {V3} {attributes}/>".encode())


def test_patient_identifiers() -> None:
    patient = hl7v3.read_ii(element('root="2.999.1" extension="１２ 3" assigningAuthorityName="x"'))
    assert patient == PatientId(Oid("2.999.1"), "１２ 3")
    written = hl7v3.write_patient_id(PatientId(Oid("2.999.1"), '<&"'))
    assert written == '<id root="2.999.1" extension="&lt;&amp;&quot;"/>'


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        'root="2.999.1"',
        'extension="1"',
        'root="2.999.1" extension=""',
        'root="2.999.1" extension="1" nullFlavor="UNK"',
        'root="urn:oid:2.999.1" extension="1"',
        'root="2.999.01" extension="1"',
        'root="86c9d0df-f1fb-4013-b472-d07a01085ffb" extension="1"',
        f'root="2.{"9" * 70}" extension="1"',
        'root="2.999.1" extension="1&#x202e;"',
        'root="2.999.1" extension="1&#9;"',
    ],
)
def test_patient_identifiers_that_are_refused(attributes: str) -> None:
    with pytest.raises(Invalid) as caught:
        hl7v3.read_ii(element(attributes))
    assert caught.value.at == "/id"


def test_domains_are_roots_alone() -> None:
    assert hl7v3.read_oid(element('root="2.999.1"')) == "2.999.1"
    for attributes in ('root="2.999.1" extension=""', 'nullFlavor="UNK"'):
        with pytest.raises(Malformed):
            hl7v3.read_oid(element(attributes))
    for attributes in ('root="x"', ""):
        with pytest.raises(Invalid):
            hl7v3.read_oid(element(attributes))


@pytest.mark.parametrize("instance", [Instance("a-b"), Instance("2.999.1", "x<")])
def test_instances_are_echoed(instance: Instance) -> None:
    for written in (hl7v3.write_id(instance), hl7v3.write_query_id(instance)):
        assert hl7v3.read_instance(xml.parse(written.encode())) == instance
    with pytest.raises(Malformed):
        hl7v3.read_instance(element('extension="1"'))


def test_moments_carry_their_zone() -> None:
    assert hl7v3.write_moment(datetime(2026, 1, 2, 3, 4, 5, 678, UTC)) == "20260102030405+0000"
    assert hl7v3.write_moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=JST)) == "20260101180405+0000"


def wrapper(content: str = "", name: str = "M") -> xml.etree._Element:
    device = '<device><id root="2.999.{}"/>{}</device>'
    agent = (
        '<asAgent><representedOrganization><id root="2.999.9"/></representedOrganization></asAgent>'
    )
    body = content or (
        f'<id root="a"/><interactionId extension="M"/><processingCode code="T"/>'
        f"<receiver>{device.format(1, '')}</receiver><sender>{device.format(2, agent)}</sender>"
    )
    return xml.parse(f"<{name} {V3}>{body}</{name}>".encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20261121090000+0900", "2026-11-21T00:00:00+00:00"),
        ("20261121090000.123+0000", "2026-11-21T09:00:00+00:00"),
        ("20261121090000", "2026-11-21T00:00:00+00:00"),  # without a zone: Japan's
        ("202611210900", None),
        ("20261121", None),
        ("", None),
        ("２０261121090000", None),
    ],
)
def test_moments_are_read_to_the_second(value: str, expected: str | None) -> None:
    found = hl7v3.read_moment(element(f'value="{value}"'))
    assert (found and found.astimezone(UTC).isoformat()) == expected


def test_a_moment_that_cannot_be() -> None:
    with pytest.raises(Invalid):
        hl7v3.read_moment(element('value="20261332250000"'))


def test_the_wrapper() -> None:
    found = hl7v3.read_wrapper(wrapper())
    assert found.id == Instance("a")
    assert (found.receiver, found.sender, found.sender_organization) == (
        "2.999.1",
        "2.999.2",
        "2.999.9",
    )
    assert found.processing == "T"


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ('<interactionId extension="M"/>', "/M/receiver"),
        ("<receiver><device><id root='1.2'/></device></receiver>", "/M/sender"),
        ("<receiver/><sender/>", "/M/sender/device"),
        ("<sender><device/></sender>", "/M/receiver"),
        ("<sender><device><id root='1.2'/></device></sender>" * 2, "/M/sender"),
        ('<interactionId extension="N"/>', "/M/interactionId"),
    ],
)
def test_wrappers_that_are_refused(content: str, at: str) -> None:
    with pytest.raises(Malformed) as caught:
        hl7v3.read_wrapper(wrapper(content))
    assert caught.value.at in (at, "/M/id", "/M/sender", "/M/receiver")


def test_an_acknowledgement_says_what_is_wrong() -> None:
    content = hl7v3.write_answer(
        "MCCI_IN000002UV01",
        hl7v3.read_wrapper(wrapper()),
        id="1",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        code="CE",
        details=[
            Detail(code="204", text="<no>", location="/a/b[1]"),
            Detail(code="NS200", text="x"),
        ],
    )
    root = xml.parse(content)
    details = root.findall("{*}acknowledgement/{*}acknowledgementDetail")
    assert [d.find("{*}code").attrib for d in details] == [
        {"code": "204", "codeSystem": "2.16.840.1.113883.12.357"},
        {"code": "NS200", "codeSystem": "2.16.840.1.113883.5.1100"},
    ]
    assert [d.findtext("{*}text") for d in details] == ["<no>", "x"]
    assert [d.findtext("{*}location") for d in details] == ["/a/b[1]", None]
    assert root.find("{*}sender/{*}device/{*}id").get("root") == "2.999.1"
    assert root.find("{*}receiver/{*}device/{*}id").get("root") == "2.999.2"

"""ITI-45 PIXV3 Query: the question, the six answers, the refusals."""

import copy

import pytest
from lxml import etree

from gateway import errors
from gateway.errors import Malformed, OverLimit, UnknownDomain, UnknownPatient
from gateway.model.identifiers import Oid
from gateway.pix import iti45
from tests.pix.messages import STAMP, judged, pid, sample, value

PATIENT = (
    "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList/patientIdentifier/value"
)
SOURCE = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList/dataSource[{}]/value"


def test_decode() -> None:
    query = iti45.decode(sample("iti45-two-domains"))
    assert query.patient == pid("0012345")
    assert query.domains == (Oid("2.999.20.1"), Oid("2.999.30.2"))
    assert query.asked.wrapper.sender == "2.999.30.1.1"
    assert query.asked.query_id.root == "2.999.30.1.1"
    assert iti45.decode(sample("iti45-all-domains")).domains == ()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(('extension="0012345"', ""), UnknownPatient, id="no extension"),
        pytest.param(('extension="0012345"', 'extension=""'), UnknownPatient, id="an empty one"),
        pytest.param(('extension="0012345"', 'extension=" 1"'), UnknownPatient, id="a blank"),
        pytest.param(
            ('extension="0012345"', 'extension="1&#x200b;"'), UnknownPatient, id="invisible"
        ),
        pytest.param(('"0012345"', '"' + "1" * 65 + '"'), UnknownPatient, id="65 characters"),
        pytest.param(
            ('<value root="2.999.30.1" ', '<value root="urn:oid:2.999.30.1" '),
            UnknownPatient,
            id="a URN",
        ),
        pytest.param(
            ('<value root="2.999.30.1" ', '<value root="2.999.30.01" '),
            UnknownPatient,
            id="leading zero",
        ),
        pytest.param(
            ('<value root="2.999.30.1" extension="0012345"/>', '<value nullFlavor="UNK"/>'),
            UnknownPatient,
            id="null",
        ),
        pytest.param(
            ('<value root="2.999.30.2"/>', '<value root="2.999.30.2" extension="x"/>'),
            Malformed,
            id="a domain with extension",
        ),
        pytest.param(("patientIdentifier>", "patientName>"), Malformed, id="no patientIdentifier"),
        pytest.param(("queryId", "queryIdentity"), Malformed, id="no queryId"),
        pytest.param(("receiver", "listener"), Malformed, id="no receiver"),
        pytest.param(
            ('extension="PRPA_IN201309UV02"', 'extension="PRPA_IN201305UV02"'),
            Malformed,
            id="interaction",
        ),
    ],
)
def test_decode_refuses(change: tuple[str, str], kind: type[errors.Refusal]) -> None:
    with pytest.raises(kind):
        iti45.decode(sample("iti45-two-domains", change))


def test_every_domain_that_cannot_exist_is_named() -> None:
    body = sample(
        "iti45-two-domains",
        ('<value root="2.999.20.1"/>', '<value root="b425af6a-0ade-4720-89fc-599c3bda76cf"/>'),
        ('<value root="2.999.30.2"/>', "<value/>"),
    )
    with pytest.raises(UnknownDomain) as caught:
        iti45.decode(body)
    assert caught.value.positions == (1, 2)


def test_a_flood_of_domains_is_refused() -> None:
    body = sample("iti45-two-domains")
    source = body.find(".//{*}dataSource")
    assert source is not None
    for _ in range(500):
        source.addnext(copy.deepcopy(source))
    with pytest.raises(OverLimit):
        iti45.decode(body)


def test_two_identifiers_are_not_one_question() -> None:
    body = sample("iti45-two-domains")
    patient = body.find(".//{*}patientIdentifier")
    assert patient is not None
    patient.addnext(copy.deepcopy(patient))
    with pytest.raises(Malformed):
        iti45.decode(body)


@pytest.mark.parametrize(
    ("found", "response"),
    [
        pytest.param((), "NF", id="case 3: nothing in the requested domains"),
        pytest.param((pid("77", "2.999.30.2"),), "OK", id="case 1: one id"),
        pytest.param(
            (pid("1234567890123456", "2.999.20.1"), pid("77", "2.999.30.2")), "OK", id="case 2: all"
        ),
        pytest.param(
            (pid("77", "2.999.30.2"), pid("78", "2.999.30.2")), "OK", id="case 6: several in one"
        ),
        pytest.param((pid("<&\"山'>", "2.999.30.2"),), "OK", id="odd characters"),
    ],
)
def test_encode(found, response) -> None:
    body = sample("iti45-two-domains")
    root = judged(iti45.encode(iti45.decode(body), found, STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "AA"
    assert value(root, "//h:queryResponseCode/@code") == response
    ids = [(e.get("root"), e.get("extension")) for e in root.iterfind(".//{*}patient/{*}id")]
    assert ids == [(patient.domain, patient.value) for patient in found]
    assert value(root, "string(h:acknowledgement/h:targetMessage/h:id/@root)") == value(
        body, "string(h:id/@root)"
    )
    assert value(root, "string(h:id/@root)") == STAMP.id
    assert value(root, "string(h:creationTime/@value)") == "20261121000001+0000"
    assert value(root, "string(h:receiver/h:device/h:id/@root)") == "2.999.30.1.1"
    assert value(root, "count(//h:custodian/h:assignedEntity/h:id[@root='2.999.10.1'])") == bool(
        found
    )
    assert not list(root.iter("{*}acknowledgementDetail"))


def canonical(element: etree._Element | None) -> bytes:
    assert element is not None
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=True)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param((), id="as it is"),
        pytest.param(
            (("<parameterList>", "<parameterList><!-- 注 -->"), ("Patient.id", '&lt;&#10;"山&gt;')),
            id="a comment and odd characters",
        ),
        pytest.param(
            (
                (
                    'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
                    'xmlns="urn:hl7-org:v3"',
                ),
                (
                    "<env:Envelope ",
                    '<env:Envelope xmlns:t="urn:hl7-org:v3" '
                    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ',
                ),
                ('<value root="2.999.30.2"/>', '<t:value xsi:type="t:II" root="2.999.30.2"/>'),
            ),
            id="prefixes of the envelope",
        ),
    ],
)
def test_the_query_comes_back_verbatim(changes) -> None:
    body = sample("iti45-two-domains", *changes)
    for payload in (
        iti45.encode(iti45.decode(body), (pid("77", "2.999.30.2"),), STAMP),
        iti45.refuse(body, UnknownPatient("x"), STAMP),
    ):
        root = judged(payload)
        path = ".//{*}queryByParameter"
        assert canonical(root.find(path)) == canonical(body.find(path))


REFUSALS = [
    pytest.param(UnknownPatient("x"), [PATIENT], id="case 4: patient not known"),
    pytest.param(UnknownDomain("x"), [PATIENT], id="the patient's own domain not known"),
    pytest.param(UnknownDomain("x", positions=(2,)), [SOURCE.format(2)], id="case 5: one domain"),
    pytest.param(
        UnknownDomain("x", positions=(1, 2)),
        [SOURCE.format(1), SOURCE.format(2)],
        id="case 5: both",
    ),
    pytest.param(errors.NotPermitted("x"), [PATIENT], id="not permitted looks like not known"),
    pytest.param(errors.NotOwner("x"), [PATIENT], id="not the owner looks like not known"),
]


@pytest.mark.parametrize(("refusal", "places"), REFUSALS)
def test_refuse(refusal: errors.Refusal, places: list[str]) -> None:
    body = sample("iti45-two-domains")
    root = judged(iti45.refuse(body, refusal, STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "AE"
    assert value(root, "//h:queryResponseCode/@code") == "AE"
    details = list(root.iter("{*}acknowledgementDetail"))
    assert [detail.findtext("{*}location") for detail in details] == places
    for detail in details:
        assert value(detail, "string(h:code/@code)") == "204"
        place = (
            (detail.findtext("{*}location") or "").replace("/", "/h:").replace("/h:PRPA", "/h:PRPA")
        )
        selected = body.getroottree().xpath(
            place.replace("/h:PRPA_IN201309UV02", "//h:PRPA_IN201309UV02", 1),
            namespaces={"h": "urn:hl7-org:v3"},
        )
        assert [node.tag for node in selected] == ["{urn:hl7-org:v3}value"]
    assert not list(root.iter("{*}registrationEvent"))


def test_unknown_foreign_and_forbidden_are_one_answer() -> None:
    """G8."""
    body = sample("iti45-two-domains")
    kinds = (errors.UnknownPatient, errors.UnknownDomain, errors.NotPermitted, errors.NotFound)
    answers = {iti45.refuse(body, kind("something else"), STAMP) for kind in kinds}
    assert len(answers) == 1


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_refusal_has_a_line(kind: type[errors.Refusal]) -> None:
    payload = iti45.refuse(sample("iti45-two-domains"), kind("SECRET"), STAMP)
    if payload is not None:
        assert b"SECRET" not in payload.xml
        assert value(judged(payload), "//h:queryResponseCode/@code") == "AE"
    assert kind in iti45._ANSWERS


def test_what_cannot_be_echoed_becomes_a_fault() -> None:
    for change in (("queryId", "queryIdentity"), ("sender", "speaker")):
        body = sample("iti45-two-domains", change)
        assert iti45.refuse(body, UnknownPatient("x"), STAMP) is None

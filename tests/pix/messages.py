"""Messages for the tests of this folder: the samples, changed where a test says so."""

from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from gateway.model.identifiers import HomeCommunityId, Oid, PatientId
from gateway.transaction import Payload, Stamp
from gateway.wire import soap, xml
from gateway.wire.schemas import Schemas
from tests.shared import SHARED

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "pix"
V3 = {"h": "urn:hl7-org:v3"}
SCHEMAS = Schemas(SHARED / "ihe" / "schema") if SHARED else None
CORE = "HL7V3/NE2008/multicacheschemas/"

STAMP = Stamp(
    id="11111111-2222-4333-8444-555555555555",
    at=datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC),
    home=HomeCommunityId("2.999.10.1"),
    repository=Oid("2.999.40.1"),
)


def sample(name: str, *changes: tuple[str, str]) -> etree._Element:
    """The payload of a sample after textual changes, each of which must change something."""
    text = (SAMPLES / f"{name}.xml").read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return soap.read(text.encode()).payload


def pid(value: str, domain: str = "2.999.30.1") -> PatientId:
    return PatientId(Oid(domain), value)


def judged(payload: Payload | None) -> etree._Element:
    """The answer, after the published schema and the rules of the answer's profile."""
    assert payload is not None
    root = xml.parse(payload.xml)
    if SCHEMAS is not None:
        SCHEMAS.check(root, f"{CORE}{etree.QName(root).localname}.xsd")
    for rule in _RULES + _MORE.get(etree.QName(root).localname, ()):
        assert root.xpath(rule, namespaces=V3) is True, rule
    return root


def value(root: etree._Element, path: str) -> object:
    """What a path finds: one attribute or text, or a list of them."""
    found = root.xpath(path, namespaces=V3)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


_RULES = (
    # ITI TF-2: O.1.2 and O.1.3, as the published rules check them.
    "h:interactionId/@extension = local-name()",
    "h:interactionId/@root = '2.16.840.1.113883.1.6'",
    "h:processingModeCode/@code = 'T'",
    "h:acceptAckCode/@code = 'NE'",
    "count(h:receiver/h:device) = 1 and count(h:sender/h:device) = 1",
    "not(*/h:device/h:id/@extension)",
    "not(translate(h:sender/h:device/h:id/@root, '0123456789.', ''))",
    "not(translate(h:receiver/h:device/h:id/@root, '0123456789.', ''))",
    "count(h:acknowledgement) = 1 and count(h:acknowledgement/h:targetMessage/h:id/@root) = 1",
    "not(h:acknowledgement/h:acknowledgementDetail[not(@typeCode='E' and h:code/@code)])",
)
_QUERY = (
    "h:controlActProcess/@moodCode = 'EVN'",
    "h:controlActProcess/h:code/@code = concat('PRPA_TE', substring(local-name(), 8))",
    "count(h:controlActProcess/h:queryAck/h:queryId) = 1",
    "h:controlActProcess/h:queryAck/h:queryId/@root"
    " = h:controlActProcess/h:queryByParameter/h:queryId/@root",
    "count(h:controlActProcess/h:queryByParameter) = 1",
    "not(//h:subject1/h:patient[not(h:statusCode/@code='active')])",
    "not(//h:subject1/h:patient[not(h:id[@root and @extension])])",
    "not(//h:replacementOf)",
    "not(//h:asOtherIDs[not(h:id/@root = h:scopingOrganization/h:id/@root)])",
)
_MORE = {
    "PRPA_IN201310UV02": (
        *_QUERY,
        "count(//h:registrationEvent) < 2",
        "count(//h:registrationEvent) = count(//h:custodian)",
        "not(//h:patientPerson[not(h:name[* or @nullFlavor='NA' or string-length()>0])])",
        "count(//h:registrationEvent) = count(//h:queryAck/h:queryResponseCode[@code='OK'])",
    ),
    "PRPA_IN201306UV02": (
        *_QUERY,
        "not(//h:resultTotalQuantity or //h:resultCurrentQuantity or //h:resultRemainingQuantity)",
        "not(//h:subject1/h:patient[count(h:id) != 1])",
        "not(//h:subject1/h:patient[not(h:subjectOf1/h:queryMatchObservation/h:value/@value)])",
        "not(//h:custodian/h:assignedEntity[count(h:id) != 1 or h:id/@extension])",
        "not(//h:custodian/h:assignedEntity/h:code[not(@code='NotHealthDataLocator'"
        " and @codeSystem='1.3.6.1.4.1.19376.1.2.27.2')])",
        "count(//h:custodian/h:assignedEntity/h:code) = count(//h:registrationEvent)",
        "h:sender/h:device/h:asAgent/h:representedOrganization/h:id/@root = '2.999.10.1'",
    ),
    "MCCI_IN000002UV01": (),
}

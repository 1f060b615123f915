"""Reading HL7 v3 answers: acknowledgements, query responses, identifiers."""

from lxml import etree

from conformance.case import expect, expect_equal
from conformance.client import NAMESPACES, Answer
from conformance.world import Id

_ACK = "soap:Body/*/hl7:acknowledgement"


def acknowledgement(answer: Answer) -> str:
    """The acknowledgement's typeCode."""
    found = answer.xml().find(f"{_ACK}/hl7:typeCode", NAMESPACES)
    expect(found is not None, f"no acknowledgement but {answer.status} {' '.join(answer.fault)}")
    return str(found.get("code")) if found is not None else ""


def details(answer: Answer) -> list[tuple[str, str, str]]:
    """Type, code and location of each acknowledgementDetail."""
    found = answer.xml().iterfind(f"{_ACK}/hl7:acknowledgementDetail", NAMESPACES)
    return [
        (
            str(item.get("typeCode")),
            str(getattr(item.find("hl7:code", NAMESPACES), "attrib", {}).get("code", "")),
            item.findtext("hl7:location", "", NAMESPACES).strip(),
        )
        for item in found
    ]


def response_code(answer: Answer) -> str:
    """The queryAck's queryResponseCode."""
    found = answer.values("//hl7:queryAck/hl7:queryResponseCode/@code")
    expect_equal(len(found), 1, "number of queryResponseCode")
    return found[0]


def events(answer: Answer) -> int:
    """How many registrationEvents there are."""
    return len(answer.values("//hl7:registrationEvent/hl7:statusCode/@code"))


def ids(answer: Answer) -> list[Id]:
    """Every patient identifier: of the patients and their asOtherIDs."""
    paths = ("//hl7:subject1/hl7:patient/hl7:id", "//hl7:asOtherIDs/hl7:id")
    return [
        Id(str(item.get("root")), str(item.get("extension")))
        for path in paths
        for item in _elements(answer, path)
        if item.get("extension")
    ]


def _elements(answer: Answer, path: str) -> list[etree._Element]:
    return answer.xml().findall("." + path, NAMESPACES)


def expect_outcome(answer: Answer, ack: str, response: str, subjects: int | None = None) -> str:
    """Hold acknowledgement, query response and number of events together."""
    expect_equal(
        f"{acknowledgement(answer)}/{response_code(answer)}", f"{ack}/{response}", "outcome"
    )
    if subjects is not None:
        expect_equal(events(answer), subjects, "number of registrationEvents")
    return f"{ack}/{response}"


def expect_places(answer: Answer, *ends: str) -> None:
    """Hold one E detail with code 204 for each place, by the node that its XPath selects."""
    found = details(answer)
    expect_equal([item[:2] for item in found], [("E", "204")] * len(ends), "details")
    for (_, _, location), end in zip(found, ends, strict=True):
        plain = location.replace("[1]", "")
        expect(plain.endswith(end.replace("[1]", "")), f"location is {location!r}")

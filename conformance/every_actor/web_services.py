"""SOAP 1.2 and WS-Addressing as every transaction uses them (ITI TF-2: Appendix V)."""

import uuid
from collections.abc import Callable

from lxml import etree

from conformance import hl7, messages
from conformance.case import Case, Group, expect, expect_equal, expect_fault
from conformance.client import SOAP, WSA, Answer, envelope
from conformance.world import World

_KIND = "application/soap+xml; charset=UTF-8"
_SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"


def _payload(world: World) -> str:
    mine = world.mine(world.linked())
    return messages.pix_query(mine.domain, mine.value)


def _content(world: World, **changes: str) -> str:
    client = world.at_facility()
    given = {"action": messages.PIX_QUERY, "message_id": f"urn:uuid:{uuid.uuid4()}", **changes}
    return envelope(
        given["action"], _payload(world), to=client.target + "/pix",
        message_id=given["message_id"], reply_to=given.get("reply_to", WSA + "/anonymous"),
    ).decode()  # fmt: skip


def _send(world: World, content: str | bytes, kind: str = _KIND, path: str = "/pix") -> Answer:
    body = content.encode() if isinstance(content, str) else content
    return world.at_facility().request("POST", path, body, {"Content-Type": kind})


def _cut(content: str, start: str, end: str) -> str:
    before, _, rest = content.partition(start)
    return before + rest.partition(end)[2]


def _answered(answer: Answer) -> str:
    """Hold an answer to the query itself."""
    expect_equal(answer.status, 200, "HTTP status")
    expect_equal(hl7.acknowledgement(answer), "AA", "acknowledgement")
    return "200, AA"


def good(world: World) -> str:
    """The control, with the response action and RelatesTo (judged for every good answer)."""
    answer = world.feed(messages.PIX_QUERY, _payload(world))
    return _answered(answer)


def without_action_parameter(world: World) -> str:
    """The action parameter of the media type is not needed."""
    return _answered(_send(world, _content(world)))


def bare_message_id(world: World) -> str:
    """A bare UUID as MessageID comes back as it was sent."""
    message_id = str(uuid.uuid4()).upper()
    answer = _send(world, _content(world, message_id=message_id))
    expect_equal(answer.text("soap:Header/wsa:RelatesTo"), message_id, "RelatesTo")
    return "RelatesTo unchanged"


def unknown_action(world: World) -> str:
    """An action of no transaction."""
    return expect_fault(_send(world, _content(world, action="urn:example:x")), "ActionNotSupported")


def other_endpoint(world: World) -> str:
    """An action of another endpoint."""
    content = _content(world, action=messages.GATEWAY_QUERY)
    return expect_fault(
        _send(world, content), "ActionNotSupported", "ActionMismatch", "InvalidAddressingHeader"
    )


def action_parameter(world: World) -> str:
    """The media type says another action than the header."""
    answer = _send(world, _content(world), f'{_KIND}; action="{messages.FEED_ADD}"')
    return expect_fault(answer, "ActionMismatch", "InvalidAddressingHeader")


def without(name: str) -> Callable[[World], str]:
    """A required addressing header is missing."""

    def check(world: World) -> str:
        content = _content(world)
        start = next(form for form in (f"<wsa:{name} ", f"<wsa:{name}>") if form in content)
        return expect_fault(
            _send(world, _cut(content, start, f"</wsa:{name}>")),
            "MessageAddressingHeaderRequired",
            "InvalidAddressingHeader",
        )

    return check


def doubled(world: World) -> str:
    """Two MessageIDs."""
    content = _content(world).replace(
        "<wsa:To>", "<wsa:MessageID>urn:uuid:1</wsa:MessageID><wsa:To>", 1
    )
    return expect_fault(_send(world, content), "InvalidAddressingHeader")


def reply_elsewhere(world: World) -> str:
    """A reply address that nobody registered."""
    answer = _send(world, _content(world, reply_to="https://127.0.0.1:1/reply"))
    return expect_fault(answer, "InvalidAddressingHeader", "DestinationUnreachable")


def soap_11(world: World) -> str:
    """SOAP 1.1 is answered with VersionMismatch and the supported envelope."""
    answer = _send(world, _content(world).replace(SOAP, _SOAP_11), "text/xml; charset=UTF-8")
    if answer.status == 415:
        return "415"
    told = expect_fault(answer, code="VersionMismatch")
    expect_equal(answer.status, 500, "HTTP status")
    return told


def version_mismatch(world: World) -> str:
    """An envelope of another version under the right media type."""
    content = _content(world).replace(SOAP, _SOAP_11)
    return expect_fault(_send(world, content), code="VersionMismatch")


def must_understand(world: World) -> str:
    """A header that must be understood and is not."""
    block = f'<x:Odd xmlns:x="urn:example:x" xmlns:s="{SOAP}" s:mustUnderstand="true"/>'
    content = _content(world).replace("</soap:Header>", block + "</soap:Header>", 1)
    answer = _send(world, content)
    told = expect_fault(answer, code="MustUnderstand")
    expect(b"NotUnderstood" in answer.body, "no NotUnderstood header block")
    return told


def may_ignore(world: World) -> str:
    """A header that need not be understood is ignored."""
    block = '<x:Odd xmlns:x="urn:example:x"/>'
    content = _content(world).replace("</soap:Header>", block + "</soap:Header>", 1)
    return _answered(_send(world, content))


def doctype(world: World) -> str:
    """A DOCTYPE is refused whatever is in it."""
    prolog = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return expect_fault(_send(world, prolog + _content(world)))


def not_xml(world: World) -> str:
    """Bytes that are no XML."""
    return expect_fault(_send(world, b"\x00\xff not XML"))


def two_bodies(world: World) -> str:
    """Two payloads in one Body."""
    content = _content(world).replace("</soap:Body>", '<x xmlns="urn:x"/></soap:Body>', 1)
    return expect_fault(_send(world, content))


def media_type(world: World) -> str:
    """A media type that is none of SOAP 1.2."""
    answer = _send(world, _content(world), "text/plain")
    expect_equal(answer.status, 415, "HTTP status")
    return "415"


def wsdl(path: str) -> Callable[[World], str]:
    """The endpoint describes itself."""

    def check(world: World) -> str:
        client = world.neighbour if path.startswith("/x") else world.facility
        answer = (client or world.at_facility()).request("GET", f"{path}?wsdl")
        expect_equal(answer.status, 200, "HTTP status")
        name = etree.QName(answer.xml()).localname
        expect_equal(name, "definitions", "root")
        return "200, definitions"

    return check


def not_stored(world: World) -> str:
    """What is about patients is not for caches."""
    answer = world.feed(messages.PIX_QUERY, _payload(world))
    said = answer.headers.get("cache-control", "")
    expect("no-store" in said, f"Cache-Control is {said!r}")
    return said


def _case(number: int, at: str, sends: str, expects: str, check: Callable[[World], str]) -> Case:
    return Case(
        id=f"WS-{number:02}", transaction="Appendix V", section=at, sends=sends, expects=expects,
        check=check,
    )  # fmt: skip


_V3, _WSA, _SOAP = "ITI TF-2: V.3", "WS-Addressing 1.0 SOAP Binding 6", "SOAP 1.2 part 1: 5.4"

GROUP = Group(
    actor="Every actor",
    actor_ja="すべてのアクタ",
    profile="",
    cases=(
        _case(1, _V3, "a query", "200; RelatesTo and response action", good),
        _case(2, _V3, "no action parameter in Content-Type", "200", without_action_parameter),
        _case(3, _V3, "a bare UUID as MessageID", "RelatesTo unchanged", bare_message_id),
        _case(4, _WSA, "an unknown action", "fault ActionNotSupported", unknown_action),
        _case(5, _WSA, "an action of another endpoint", "fault", other_endpoint),
        _case(6, _WSA, "Content-Type with another action", "fault ActionMismatch",
              action_parameter),
        _case(7, _WSA, "no wsa:Action", "fault MessageAddressingHeaderRequired",
              without("Action")),
        _case(8, _WSA, "no wsa:MessageID", "fault MessageAddressingHeaderRequired",
              without("MessageID")),
        _case(9, _WSA, "two wsa:MessageID", "fault InvalidAddressingHeader", doubled),
        _case(10, "ITI TF-2: V.5", "a reply address nobody registered", "fault", reply_elsewhere),
        _case(11, _SOAP, "SOAP 1.1", "fault VersionMismatch (or 415)", soap_11),
        _case(12, _SOAP, "a SOAP 1.1 envelope as application/soap+xml", "fault VersionMismatch",
              version_mismatch),
        _case(13, _SOAP, "an unknown mustUnderstand header", "fault MustUnderstand",
              must_understand),
        _case(14, _SOAP, "an unknown header", "200", may_ignore),
        _case(15, "SOAP 1.2 part 1: 5", "a DOCTYPE", "fault", doctype),
        _case(16, "SOAP 1.2 part 1: 5", "no XML", "fault", not_xml),
        _case(17, "SOAP 1.2 part 1: 5.3", "two payloads", "fault", two_bodies),
        _case(18, "SOAP 1.2 part 2: 7", "text/plain", "415", media_type),
        _case(19, _V3, "GET /pix?wsdl", "a WSDL", wsdl("/pix")),
        _case(20, _V3, "GET /xca/query?wsdl", "a WSDL", wsdl("/xca/query")),
        _case(21, "RFC 9111 5.2.2.5", "a query", "Cache-Control: no-store", not_stored),
    ),
)  # fmt: skip

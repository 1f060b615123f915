"""SOAP messages: what is read, which fault is given, and what is written."""

from pathlib import Path

import pytest
from lxml import etree

from gateway.wire import faults, soap, xml
from gateway.wire.limits import Limits
from gateway.wire.soap import Fault
from tests.shared import SHARED, needs_shared, shared
from tests.wire.envelopes import ACTION, ANONYMOUS, ENV, HEADERS, MESSAGE_ID, envelope, reply_to


def test_a_good_request_is_read() -> None:
    message = soap.read(envelope(), content_type_action=ACTION, charset="utf-8")
    assert message.action == ACTION
    assert message.message_id == MESSAGE_ID
    assert message.to == "https://localhost/pix"
    assert message.reply_to == soap.ANONYMOUS
    assert message.payload.tag == "{urn:hl7-org:v3}q"
    assert message.security is None
    assert message.envelope.tag == f"{{{ENV}}}Envelope"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(envelope(ReplyTo=""), id="no ReplyTo"),
        pytest.param(envelope(To=""), id="no To"),
        pytest.param(envelope(Action=f"<a:Action>{ACTION}</a:Action>"), id="no mustUnderstand"),
        pytest.param(
            envelope(Action=f'<a:Action e:mustUnderstand="1">\n {ACTION} \n</a:Action>'), id="blank"
        ),
        pytest.param(
            envelope(To='<a:To e:mustUnderstand="true">https://h/</a:To>'), id="To is understood"
        ),
        pytest.param(envelope(extra="<!-- remark --><x xmlns='u:x'>y</x>"), id="an unknown header"),
        pytest.param(
            envelope(extra="<x xmlns='u:x' e:mustUnderstand='false'/>"), id="need not be understood"
        ),
        pytest.param(
            envelope(extra=f"<x xmlns='u:x' e:mustUnderstand='1' e:role='{ENV}/role/none'/>"),
            id="for nobody",
        ),
        pytest.param(envelope(body=" <!-- c --> <q xmlns='urn:x'/> \n"), id="blanks in Body"),
        pytest.param(
            envelope(extra="<a:FaultTo><a:Address>https://peer.invalid/</a:Address></a:FaultTo>"),
            id="FaultTo is ignored",
        ),
        pytest.param(
            envelope(extra='<a:RelatesTo RelationshipType="urn:other">urn:x:1</a:RelatesTo>'),
            id="related otherwise",
        ),
        pytest.param(
            envelope(extra="<t:CorrelationTimeToLive xmlns:t='urn:ihe:iti:xcpd:2009' "
                     "e:mustUnderstand='1'>P1D</t:CorrelationTimeToLive>"),
            id="a hint of XCPD",
        ),
    ],
)  # fmt: skip
def test_what_is_let_in(content: bytes) -> None:
    assert soap.read(content).action == ACTION


@pytest.mark.parametrize(
    "message_id",
    [
        "urn:uuid:86c9d0df-f1fb-4013-b472-d07a01085ffb",
        "uuid:1795bb7a-8dc2-403a-9914-f2e4f2f0b3b3",
        "86C9D0DF-f1fb-4013-b472-d07a01085ffb",
        "urn:uuid:3D4B161591CD1DEC0C1286850962146",
        "https://peer.invalid/42?x=1",
    ],
)
def test_message_ids_are_echoed_unchanged(message_id: str) -> None:
    """FN-905."""
    content = envelope(MessageID=f"<a:MessageID>{message_id}</a:MessageID>")
    assert soap.read(content).message_id == message_id


def test_security_is_understood_and_handed_on() -> None:
    wsse = xml.NAMESPACES["wsse"]
    security = f'<s:Security xmlns:s="{wsse}" e:mustUnderstand="true"><t/></s:Security>'
    found = soap.read(envelope(extra=security)).security
    assert found is not None
    assert found[0].tag == "t"
    other = security.replace("e:must", f'e:role="{ENV}/role/none" e:must')
    assert soap.read(envelope(extra=other)).security is None


UNDERSTAND = ("env:MustUnderstand",)
HEADER = ("env:Sender", "wsa:InvalidAddressingHeader")
REQUIRED = ("env:Sender", "wsa:MessageAddressingHeaderRequired")
CARDINALITY = (*HEADER, "wsa:InvalidCardinality")
REPLY = (*HEADER, "wsa:OnlyAnonymousAddressSupported")
SENDER = ("env:Sender",)

BAD = [
    pytest.param(envelope(Action=""), REQUIRED, id="no Action"),
    pytest.param(envelope(MessageID=""), REQUIRED, id="no MessageID"),
    pytest.param(envelope(headers={}), REQUIRED, id="no headers"),
    pytest.param(
        envelope().replace(b"2005/08/addressing", b"2004/08/addressing"), UNDERSTAND, id="old WSA"
    ),
    pytest.param(envelope(Action="<a:Action/>"), HEADER, id="empty Action"),
    pytest.param(envelope(Action="<a:Action>no uri</a:Action>"), HEADER, id="Action is no URI"),
    pytest.param(
        envelope(Action=f"<a:Action>{ACTION}<!-- x -->:More</a:Action>"), HEADER, id="comment"
    ),
    pytest.param(envelope(Action="<a:Action><b/></a:Action>"), HEADER, id="child in Action"),
    pytest.param(envelope(MessageID="<a:MessageID>42</a:MessageID>"), HEADER, id="id is no URI"),
    pytest.param(
        envelope(MessageID=f"<a:MessageID>urn:x:{'y' * 1020}</a:MessageID>"), HEADER, id="long id"
    ),
    pytest.param(
        envelope(MessageID="<a:MessageID>urn:x:山</a:MessageID>"), (), id="an IRI is a URI here"
    ),
    pytest.param(envelope(To="<a:To>nowhere</a:To>"), HEADER, id="To is no URI"),
    pytest.param(envelope(ReplyTo="<a:ReplyTo/>"), HEADER, id="ReplyTo without address"),
    pytest.param(
        envelope(ReplyTo=reply_to(ANONYMOUS, f"<a:Address>{ANONYMOUS}</a:Address>")),
        HEADER,
        id="two addresses",
    ),
    pytest.param(envelope(extra=HEADERS["Action"]), CARDINALITY, id="two Actions"),
    pytest.param(envelope(extra=HEADERS["ReplyTo"]), CARDINALITY, id="two ReplyTo"),
    pytest.param(
        envelope(extra="<a:RelatesTo>urn:uuid:1</a:RelatesTo>"), HEADER, id="says it is an answer"
    ),
    pytest.param(envelope(ReplyTo=reply_to(ANONYMOUS[:-9] + "none")), REPLY, id="no answer wanted"),
    pytest.param(envelope(ReplyTo=reply_to(ANONYMOUS + "/")), REPLY, id="nearly anonymous"),
    pytest.param(envelope(body=""), SENDER, id="empty Body"),
    pytest.param(envelope(body="text"), SENDER, id="text in Body"),
    pytest.param(envelope(body="<q/>text"), SENDER, id="text beside the payload"),
    pytest.param(envelope(extra="text"), SENDER, id="text in Header"),
    pytest.param(envelope(after="<x/>"), SENDER, id="an element after Body"),
    pytest.param(envelope(after="text"), SENDER, id="text after Body"),
    pytest.param(b"<Envelope/>", ("env:VersionMismatch",), id="no namespace"),
    pytest.param(b"<html/>", SENDER, id="HTML"),
    pytest.param(b"{}", SENDER, id="JSON"),
    pytest.param(
        envelope(extra="<x xmlns='u:x' e:mustUnderstand='yes'/>"), SENDER, id="odd mustUnderstand"
    ),
    pytest.param(
        envelope(body='<q e:encodingStyle="urn:x"/>'), SENDER, id="encoded payload"
    ),
    pytest.param(
        envelope(extra=f'<s:Security xmlns:s="{xml.NAMESPACES["wsse"]}"/>' * 2),
        ("env:Sender", "wsse:InvalidSecurity"),
        id="two security headers",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "codes"), BAD)
def test_bad_requests(content: bytes, codes: tuple[str, ...]) -> None:
    if not codes:
        assert soap.read(content)
        return
    with pytest.raises(Fault) as caught:
        soap.read(content)
    fault = caught.value
    assert (fault.code, *fault.subcodes) == codes
    assert fault.status == (
        500 if codes[0] in ("env:VersionMismatch", "env:MustUnderstand") else 400
    )
    assert fault.log


def test_the_fault_relates_to_the_message_where_its_id_is_readable() -> None:
    for content, expected in (
        (envelope(ReplyTo=reply_to("https://peer.invalid/")), MESSAGE_ID),
        (envelope(extra=HEADERS["MessageID"]), ""),
        (envelope(MessageID="<a:MessageID>4 2</a:MessageID>"), ""),
    ):
        with pytest.raises(Fault) as caught:
            soap.read(content)
        assert caught.value.relates_to == expected


def test_an_answer_must_relate_to_something() -> None:
    related = "<a:RelatesTo>urn:uuid:1</a:RelatesTo>"
    assert soap.read(envelope(extra=related), answer=True).relates_to == "urn:uuid:1"
    for extra in ("", related * 2):
        with pytest.raises(Fault):
            soap.read(envelope(extra=extra), answer=True)


def test_an_include_stands_only_where_it_is_asked_for() -> None:
    include = f'<x:Include xmlns:x="{xml.NAMESPACES["xop"]}" href="cid:a"/>'
    body = f'<r xmlns="urn:ihe:iti:xds-b:2007"><Document>{include}</Document></r>'
    document = "{urn:ihe:iti:xds-b:2007}Document"
    assert soap.read(envelope(body=body), includes=(document,))
    for content, allowed in ((body, ()), (body.replace("Document>", "mimeType>"), (document,))):
        with pytest.raises(Fault) as caught:
            soap.read(envelope(body=content), includes=allowed)
        assert caught.value.log == "MTOM-REF"


def test_limits_reach_the_headers() -> None:
    with pytest.raises(Fault) as caught:
        soap.read(envelope(), limits=Limits(header_blocks=3))
    assert caught.value.status == 413
    assert soap.read(envelope(), limits=Limits(header_blocks=4))


def test_what_is_written_is_read_again() -> None:
    content = soap.write(
        action="urn:x:Answer", message_id="86c9d0df-f1fb-4013-b472-d07a01085ffb",
        relates_to="urn:x:<&>\"'", payload=b"<q/>",
    )  # fmt: skip
    root = xml.parse(content)
    related = root.find(".//{*}RelatesTo")
    assert related is not None
    assert related.text == "urn:x:<&>\"'"
    message = soap.read(
        soap.write(action="urn:x:A", message_id=MESSAGE_ID, relates_to="urn:x:1", payload=b"<q/>"),
        answer=True,
    )
    assert (message.action, message.message_id, message.relates_to) == (
        "urn:x:A", MESSAGE_ID, "urn:x:1",
    )  # fmt: skip
    request = soap.read(
        soap.write(action=ACTION, message_id="1-2", payload=b"<q/>", to="https://peer.invalid/x")
    )
    assert (request.to, request.message_id) == ("https://peer.invalid/x", "urn:uuid:1-2")


CAPTURED = sorted((SHARED / "ihe" / "wire").glob("*.re*.body")) if SHARED else []


@needs_shared
@pytest.mark.parametrize(
    "path", [path for path in CAPTURED if path.read_bytes().startswith(b"<")],
    ids=lambda path: path.name,
)  # fmt: skip
def test_captured_messages_of_a_strict_client(path: Path) -> None:
    content = path.read_bytes()
    message = soap.read(content, charset="UTF-8", answer=".resp." in path.name)
    assert message.message_id.startswith("urn:uuid:")


@needs_shared
def test_what_is_written_fits_the_published_schemas() -> None:
    envelope_schema = etree.XMLSchema(etree.parse(shared("ihe/schema/SOAP/soap-1.2-envelope.xsd")))
    addressing = etree.XMLSchema(etree.parse(shared("ihe/schema/WSA/ws-addr.xsd")))
    answer = soap.write(action="urn:x:A", message_id="1", relates_to="urn:x:2", payload=b"<q/>")
    fault = faults.must_understand((("urn:x", "h"),))
    fault.upgrade = True
    contents = [answer, soap.write_fault(fault, message_id="1"), soap.write_fault(
        faults.only_anonymous(), message_id="1", relates_to="urn:x:1")]  # fmt: skip
    for content in contents:
        root = xml.parse(content)
        envelope_schema.assertValid(root)
        for block in root.findall("{*}Header/{http://www.w3.org/2005/08/addressing}*"):
            addressing.assertValid(block)
        fault_element = root.find("{*}Body/{*}Fault")
        if fault_element is not None:
            envelope_schema.assertValid(fault_element)

"""`security/payloads/gateway/soap.jsonl`, as far as the message itself decides; the row is the id.

Rows that need a socket, two messages or a peer belong to the edge, to dispatch, or to outreach:
they are named here, so that no row is forgotten.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import Malformed
from gateway.wire import soap
from gateway.wire.schemas import Schemas
from gateway.wire.soap import Fault
from tests.shared import SHARED, needs_shared, shared
from tests.wire.envelopes import ACTION, ANONYMOUS, ENV, HEADERS, PAYLOAD, envelope, reply_to

TABLE = SHARED / "security/payloads/gateway/soap.jsonl" if SHARED else None
ROWS = [json.loads(line) for line in TABLE.read_text("utf-8").splitlines()] if TABLE else []

ELSEWHERE = {
    "SOAP-01": "dispatch: action against body",
    "SOAP-10": "dispatch: resend",
    "SOAP-11": "dispatch: resend",
    "SOAP-17": "no call to a reply address is made",
    "SOAP-18": "no call to a reply address is made",
    "SOAP-22": "no answer of a peer is awaited",
    "SOAP-26": "edge: methods",
    "SOAP-27": "edge: media types",
}


def refused(content: bytes, *codes: str, status: int = 400, **how: str) -> None:
    with pytest.raises(Fault) as caught:
        soap.read(content, **how)  # type: ignore[arg-type]
    assert (caught.value.code, *caught.value.subcodes) == codes
    assert caught.value.status == status


HEADER = ("env:Sender", "wsa:InvalidAddressingHeader")


def soap_02() -> None:
    refused(envelope(), *HEADER, "wsa:ActionMismatch", content_type_action=ACTION + "x")
    assert soap.read(envelope(), content_type_action=ACTION)


def soap_03() -> None:
    old = envelope(namespace="http://schemas.xmlsoap.org/soap/envelope/")
    refused(old, "env:VersionMismatch", status=500)


def soap_04() -> None:
    refused(envelope(after=f"<e:Body>{PAYLOAD}</e:Body>"), "env:Sender")


def soap_05() -> None:
    refused(envelope(body=PAYLOAD * 2), "env:Sender")


def soap_06() -> None:
    found = re.search(rb"<e:Header>.*</e:Header>", envelope())
    assert found is not None
    content = envelope().replace(found[0], b"").replace(b"</e:Body>", b"</e:Body>" + found[0])
    refused(content, "env:Sender")


def soap_07() -> None:
    unknown = "<x:h xmlns:x='urn:x' e:mustUnderstand='true'/>"
    refused(envelope(extra=unknown), "env:MustUnderstand", status=500)


def soap_08() -> None:
    other = "<x:h xmlns:x='urn:x' e:mustUnderstand='true' e:role='http://example.invalid/other'/>"
    assert soap.read(envelope(extra=other)).action == ACTION


def soap_09() -> None:
    refused(envelope(extra=HEADERS["MessageID"]), *HEADER, "wsa:InvalidCardinality")


def replies(*addresses: str) -> Callable[[], None]:
    def check() -> None:
        for address in addresses:
            with pytest.raises(Fault) as caught:
                soap.read(envelope(ReplyTo=reply_to(address)))
            assert caught.value.subcodes[0] == "wsa:InvalidAddressingHeader"
            assert caught.value.code == "env:Sender"

    return check


def soap_16() -> None:
    fault_to = "<a:FaultTo><a:Address>https://peer.invalid/</a:Address></a:FaultTo>"
    message = soap.read(envelope(extra=fault_to))
    assert message.reply_to == ANONYMOUS
    refused(envelope(extra=fault_to, body=""), "env:Sender")


def soap_20() -> None:
    """Reference parameters are read over; large ones are refused; none is ever echoed."""
    secret = "<a:ReferenceParameters><s>{}</s></a:ReferenceParameters>"
    small = envelope(ReplyTo=reply_to(ANONYMOUS, secret.format("SECRET")))
    message = soap.read(small)
    assert message.security is None
    answer = soap.write(
        action="u:x", message_id="1", relates_to=message.message_id, payload=b"<q/>"
    )
    assert b"SECRET" not in answer
    large = envelope(ReplyTo=reply_to(ANONYMOUS, secret.format("x" * 4096)))
    refused(large, "env:Sender", status=413)


def soap_21() -> None:
    refused(envelope(extra="<a:RelatesTo>urn:uuid:never-sent</a:RelatesTo>"), *HEADER)


def soap_23() -> None:
    refused(envelope(extra="<x xmlns='urn:x'/>" * 10_000), "env:Sender", status=413)


def soap_24() -> None:
    with pytest.raises(Fault) as caught:
        soap.read(envelope(body="<a>" * 10_000 + "</a>" * 10_000))
    assert caught.value.code == "env:Sender"


def soap_25() -> None:
    many = "".join(f' a{n}=""' for n in range(100_000))
    refused(envelope(body=f"<q{many}/>"), "env:Sender", status=413)
    many = "".join(f' xmlns:a{n}="u:{n}"' for n in range(100_000))
    refused(envelope(body=f"<q{many}/>"), "env:Sender", status=413)


def soap_28() -> None:
    refused(envelope(body_attributes=f' e:encodingStyle="{ENV}/encoding"'), "env:Sender")


def soap_29() -> None:
    """A derived type is another type: the schema says no."""
    schemas = Schemas(shared("ihe/schema"))
    content = shared("ihe/wire/iti45-1.req.body").read_bytes()
    name = "HL7V3/NE2008/multicacheschemas/PRPA_IN201309UV02.xsd"
    schemas.check(soap.read(content).payload, name)
    switched = content.replace(
        b"<patientIdentifier><value ", b'<patientIdentifier><value xsi:type="IVL_TS" '
    )
    with pytest.raises(Malformed) as caught:
        schemas.check(soap.read(switched).payload, name)
    assert "patientIdentifier" in caught.value.at


def soap_30() -> None:
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    body = f'<q xmlns:i="{xsi}" i:schemaLocation="urn:x http://example.invalid/a.xsd"/>'
    assert soap.read(envelope(body=body)).payload.tag == "q"


def soap_31() -> None:
    before = '<?xml-stylesheet href="http://example.invalid/a.xsl"?>'
    refused(envelope(before=before), "env:Sender")


def soap_32() -> None:
    for content in (b"", b"  \r\n ", b"<?xml version='1.0'?>", envelope(body="")):
        refused(content, "env:Sender")


CHECKS: dict[str, Callable[[], None]] = {
    "SOAP-02": soap_02,
    "SOAP-03": soap_03,
    "SOAP-04": soap_04,
    "SOAP-05": soap_05,
    "SOAP-06": soap_06,
    "SOAP-07": soap_07,
    "SOAP-08": soap_08,
    "SOAP-09": soap_09,
    "SOAP-12": replies("http://127.0.0.1:5432/"),
    "SOAP-13": replies("http://169.254.169.254/latest/meta-data/"),
    "SOAP-14": replies("https://peer.example.invalid:8443/cb"),
    "SOAP-15": replies(
        "file:///x", "ftp://h/x", "gopher://h/", "jar:file:///x!/", "ldap://h/", "mailto:a@b"
    ),
    "SOAP-16": soap_16,
    "SOAP-19": replies("https://peer@127.0.0.1/", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/"),
    "SOAP-20": soap_20,
    "SOAP-21": soap_21,
    "SOAP-23": soap_23,
    "SOAP-24": soap_24,
    "SOAP-25": soap_25,
    "SOAP-28": soap_28,
    "SOAP-29": soap_29,
    "SOAP-30": soap_30,
    "SOAP-31": soap_31,
    "SOAP-32": soap_32,
}


@needs_shared
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["id"] not in ELSEWHERE], ids=lambda row: row["id"]
)
def test_payload_row(row: dict[str, str]) -> None:
    CHECKS[row["id"]]()


@needs_shared
def test_every_row_is_here_or_named_as_elsewhere() -> None:
    assert {row["id"] for row in ROWS} == CHECKS.keys() | ELSEWHERE.keys()


@needs_shared
@pytest.mark.parametrize(
    "path", sorted((SHARED / "ihe/samples/visible/malformed").iterdir()) if SHARED else [],
    ids=lambda path: path.name,
)  # fmt: skip
def test_malformed_samples(path: Path) -> None:
    with pytest.raises(Fault) as caught:
        soap.read(path.read_bytes())
    assert caught.value.status in (400, 500)

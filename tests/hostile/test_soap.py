"""`soap.jsonl` over the wire: every row at the PIX door, and where it fits at the XCA door."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conformance import messages
from conformance.client import ANONYMOUS, WSSE, Answer, envelope
from tests.hostile import xua
from tests.hostile.site import Site, is_fault
from tests.shared import SHARED, needs_shared

_TABLE = (SHARED or Path()) / "security" / "payloads" / "gateway" / "soap.jsonl"
IDS = [json.loads(line)["id"] for line in _TABLE.read_text("utf-8").splitlines()] if SHARED else []
PAYLOADS = {f"gateway/soap.jsonl#{row}" for row in IDS}
ADDRESSING = ("Sender", "InvalidAddressingHeader")
WHO = {"/pix": "hospital-a", "/xca/query": "neighbour-n"}
SENDER = {"/pix": 400, "/xca/query": 500}
"How each caller wants its Sender faults."
USED = ("assertion_seen",)
"A verified assertion is used up by a request that is refused after it."


@dataclass
class At:
    """One door, and a good request to spoil."""

    site: Site
    door: str
    id: str = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")

    @property
    def action(self) -> str:
        return messages.PIX_QUERY if self.door == "/pix" else messages.GATEWAY_QUERY

    def payload(self) -> str:
        if self.door == "/pix":
            return messages.pix_query("2.999.30.1", "0000100001")
        return xua.doors(self.site)[self.door][1]

    def good(self, **changes: str) -> str:
        """A request that would be answered."""
        token = None if self.door == "/pix" else xua.token()
        text = envelope(
            changes.get("action", self.action), changes.get("payload", self.payload()),
            to="https://localhost" + self.door, assertion=token, message_id=self.id,
            reply_to=changes.get("reply_to", ANONYMOUS),
        )  # fmt: skip
        return text.decode()

    def with_header(self, block: str) -> str:
        return self.good().replace("</soap:Header>", block + "</soap:Header>")

    def post(self, content: str | bytes, kind: str | None = None) -> Answer:
        """Send it as this door's caller."""
        body = content.encode() if isinstance(content, str) else content
        if kind is None:
            kind = "application/soap+xml; charset=UTF-8"
        return self.site.client(WHO[self.door]).request(
            "POST", self.door, body, {"Content-Type": kind} if kind else {}
        )

    def answered(self, content: str, kind: str | None = None) -> Answer:
        answer = self.post(content, kind)
        assert (answer.status, answer.fault) == (200, ())
        assert answer.text("soap:Header/wsa:RelatesTo") == self.id
        return answer

    def refused(
        self, content: str | bytes, code: str, *subcodes: str, status: int = 0,
        log: str = "XML-SOAP", related: bool = True, kind: str | None = None,
    ) -> None:  # fmt: skip
        with self.site.nothing_left(log, but=USED):
            answer = self.post(content, kind)
            is_fault(answer, code, *subcodes, status=status or SENDER[self.door],
                     relates_to=self.id if related else "")  # fmt: skip

    def turned_away(self, kind: str) -> None:
        with self.site.nothing_left("TYPE"):
            answer = self.post(self.good(), kind)
            assert (answer.status, answer.body) == (415, b"")


def soap_01(at: At) -> None:
    other = messages.GATEWAY_RETRIEVE
    at.refused(at.good(action=other), "Sender", "ActionNotSupported", log="WSA-ACTION")
    fed = messages.feed("2.999.30.1", "S-1", _PERSON)
    if at.door == "/pix":
        at.refused(at.good(payload=fed), *ADDRESSING, "ActionMismatch", log="WSA-ACTION")
    else:
        retrieve = messages.retrieve([("2.999.40.1", "2.25.1")], home=xua.HOME)
        at.refused(at.good(payload=retrieve), *ADDRESSING, "ActionMismatch", log="WSA-ACTION")


def soap_02(at: At) -> None:
    kind = 'application/soap+xml; action="urn:ihe:iti:2007:RetrieveDocumentSet"'
    at.refused(at.good(), *ADDRESSING, "ActionMismatch", log="WSA-ACTION", kind=kind)


def soap_03(at: At) -> None:
    old = at.good().replace("http://www.w3.org/2003/05/soap-envelope",
                            "http://schemas.xmlsoap.org/soap/envelope/")  # fmt: skip
    at.refused(old, "VersionMismatch", status=500)
    assert at.post(old).values("//soap:Upgrade/soap:SupportedEnvelope/@qname") == ["env:Envelope"]


def soap_04(at: At) -> None:
    text = at.good()
    found = re.search("<soap:Body>.*</soap:Body>", text, re.DOTALL)
    assert found is not None
    at.refused(text.replace(found[0], found[0] * 2), "Sender")


def soap_05(at: At) -> None:
    at.refused(at.good(payload=at.payload() * 2), "Sender")


def soap_06(at: At) -> None:
    text = at.good()
    found = re.search("<soap:Header>.*</soap:Header>", text, re.DOTALL)
    assert found is not None
    at.refused(
        text.replace(found[0], "").replace("</soap:Body>", "</soap:Body>" + found[0]), "Sender"
    )


def soap_07(at: At) -> None:
    block = "<x:h xmlns:x='urn:x' soap:mustUnderstand='true'/>"
    at.refused(at.with_header(block), "MustUnderstand", status=500)
    assert at.post(at.with_header(block)).values("//soap:NotUnderstood/@qname") == ["h:h"]


def soap_08(at: At) -> None:
    at.answered(at.with_header(
        "<x:h xmlns:x='urn:x' soap:mustUnderstand='true' soap:role='http://example.invalid/o'/>"
    ))  # fmt: skip


def soap_09(at: At) -> None:
    block = f"<wsa:MessageID>{at.id}</wsa:MessageID>"
    at.refused(at.with_header(block), *ADDRESSING, "InvalidCardinality", log="WSA-ADDR",
               related=False)  # fmt: skip


def _fed(at: At, value: str) -> str:
    payload = messages.feed("2.999.30.1", value, _PERSON)
    return At(at.site, "/pix", at.id).good(action=messages.FEED_ADD, payload=payload)


def soap_10(at: At) -> None:
    """A feed again: the same answer, one effect; a query again: answered anew."""
    if at.door != "/pix":
        text = at.good()
        first, second = at.answered(text), at.answered(text)
        assert _without_ids(first) == _without_ids(second)
        return
    text = _fed(at, f"S-{uuid.uuid4().hex[:8]}")
    first = at.answered(text)
    before = at.site.state()
    second = at.answered(text)
    assert first.values("//hl7:acknowledgement/hl7:typeCode/@code") == ["CA"]
    assert first.payload() is not None
    assert first.body.partition(b"<env:Body>")[2] == second.body.partition(b"<env:Body>")[2]
    assert at.site.settled(before).rows == before.rows


def soap_11(at: At) -> None:
    if at.door == "/pix":
        at.answered(_fed(at, f"S-{uuid.uuid4().hex[:8]}"))
        again = _fed(at, f"S-{uuid.uuid4().hex[:8]}")
        at.refused(again, *ADDRESSING, "DuplicateMessageID", log="REPLAY")
        other = At(at.site, at.door)
        other.answered(other.good())
        at.id = other.id
        at.refused(other.good(), *ADDRESSING, "DuplicateMessageID", log="REPLAY")
        return
    at.answered(at.good())
    at.refused(at.good().replace("LeafClass", "ObjectRef"), *ADDRESSING, "DuplicateMessageID",
               log="REPLAY")  # fmt: skip


def replies(*addresses: str) -> Callable[[At], None]:
    def check(at: At) -> None:
        for address in addresses:
            with at.site.nothing_left("WSA-ADDR"):
                answer = at.post(at.good(reply_to=address))
                assert answer.fault[:2] == ADDRESSING
                assert answer.status == SENDER[at.door]
                assert answer.text("soap:Header/wsa:RelatesTo") == at.id

    return check


def soap_16(at: At) -> None:
    fault_to = "<wsa:FaultTo><wsa:Address>https://peer.invalid/</wsa:Address></wsa:FaultTo>"
    at.answered(at.with_header(fault_to))
    spoilt = at.with_header(fault_to).replace(at.payload(), "")
    spoilt = re.sub("<soap:Body>.*</soap:Body>", "<soap:Body/>", spoilt, flags=re.DOTALL)
    at.refused(spoilt, "Sender")


def soap_20(at: At) -> None:
    anonymous = f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address>"
    within = "<wsa:ReferenceParameters>{}</wsa:ReferenceParameters>"
    secret = f'<s:Security xmlns:s="{WSSE}"><s:Token>SECRET</s:Token></s:Security>'
    text = at.good().replace(anonymous, anonymous + within.format(secret))
    if at.door == "/pix":
        assert b"SECRET" not in at.answered(text).body
    else:
        assert b"SECRET" not in at.post(text).body
    large = at.good().replace(anonymous, anonymous + within.format(f"<x>{'y' * 5000}</x>"))
    at.refused(large, "Sender", status=413, log="LIMIT")


def soap_21(at: At) -> None:
    block = "<wsa:RelatesTo>urn:uuid:never-sent</wsa:RelatesTo>"
    at.refused(at.with_header(block), *ADDRESSING, log="WSA-REL")


def soap_22(at: At) -> None:
    """Another machine says that it answers what the first one asked."""
    asked = At(at.site, at.door)
    asked.answered(asked.good())
    block = f"<wsa:RelatesTo>{asked.id}</wsa:RelatesTo>"
    at.refused(at.with_header(block), *ADDRESSING, log="WSA-REL")


def soap_23(at: At) -> None:
    at.refused(at.with_header("<x xmlns='urn:x'/>" * 10_000), "Sender", status=413, log="LIMIT")


def soap_24(at: At) -> None:
    deep = "<a>" * 10_000 + "</a>" * 10_000
    at.refused(at.good(payload=deep), "Sender", status=413, log="LIMIT", related=False)


def soap_25(at: At) -> None:
    for many in (
        "".join(f' a{n}=""' for n in range(100_000)),
        "".join(f' xmlns:a{n}="u:{n}"' for n in range(100_000)),
    ):
        at.refused(at.good(payload=f"<q{many}/>"), "Sender", status=413, log="LIMIT",
                   related=False)  # fmt: skip


def soap_26(at: At) -> None:
    client = at.site.client(WHO[at.door])
    for method in ("PUT", "TRACE", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        with at.site.nothing_left("HTTP-FRAME"):
            answer = client.request(method, at.door, None, {"X-Marker": "MARKER"})
            assert answer.status == 405
            assert "POST" in answer.headers["allow"]
            assert b"MARKER" not in answer.body
    with at.site.nothing_left("HTTP-FRAME"):
        assert client.request("GET", at.door).status == 404
    assert client.request("GET", at.door + "?wsdl").status == 200


def soap_27(at: At) -> None:
    for kind in ("text/xml", "application/json", "application/xml", "text/plain", "", "x",
                 "application/soap+xml+x", "application/soap"):  # fmt: skip
        at.turned_away(kind)


def soap_28(at: At) -> None:
    env = "http://www.w3.org/2003/05/soap-encoding"
    rpc = at.good().replace("<soap:Body>", f'<soap:Body soap:encodingStyle="{env}">')
    at.refused(rpc, "Sender")


def soap_29(at: At) -> None:
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    if at.door == "/pix":
        text = at.good().replace("<patientIdentifier><value ",
                                 '<patientIdentifier><value xsi:type="IVL_TS" ')  # fmt: skip
        with at.site.nothing_left():
            answer = at.post(text)
            assert answer.fault[:1] == ("Sender",) or "AE" in answer.values("//@code")
        return
    option = "<query:ResponseOption "
    text = at.good().replace(option, f'{option}xmlns:i="{xsi}" i:type="query:X" ')
    with at.site.nothing_left(but=USED):
        answer = at.post(text)
        assert answer.fault or answer.values("//rs:RegistryError/@errorCode")


def soap_30(at: At) -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    place = 'xsi:schemaLocation="urn:x http://example.invalid/a.xsd"'
    at.answered(at.good().replace("<soap:Envelope ", f"<soap:Envelope {xsi} {place} "))


def soap_31(at: At) -> None:
    for before in ('<?xml-stylesheet href="http://example.invalid/a.xsl"?>', "<?php x?>"):
        at.refused(before + at.good(), "Sender", log="XML-PI", related=False)


def soap_32(at: At) -> None:
    for content in ("", "  \r\n ", "<?xml version='1.0'?>"):
        at.refused(content, "Sender", related=False)
    at.refused(re.sub("<soap:Body>.*</soap:Body>", "<soap:Body/>", at.good(), flags=re.DOTALL),
               "Sender")  # fmt: skip


_PERSON = messages.Person(
    family="例示", given="一", family_kana="レイジ", given_kana="ハジメ",
    birth="19700101", gender="M",
)  # fmt: skip


def _without_ids(answer: Answer) -> str:
    text = answer.body.decode()
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|value=\"\d{14}[^\"]*\"", "", text)


CHECKS: dict[str, Callable[[At], None]] = {
    "SOAP-12": replies("http://127.0.0.1:5432/"),
    "SOAP-13": replies("http://169.254.169.254/latest/meta-data/"),
    "SOAP-14": replies("https://peer.example.invalid:8443/cb"),
    "SOAP-15": replies("file:///x", "ftp://h/x", "gopher://h/", "jar:file:///x!/", "ldap://h/",
                       "mailto:a@b"),
    "SOAP-17": replies("https://localhost:9/redirect"),
    "SOAP-18": replies("https://localhost.example.invalid/", "https://127.0.0.1.nip.io/"),
    "SOAP-19": replies("https://peer@127.0.0.1/", "https://0x7f.1/",
                       "https://[::ffff:127.0.0.1]/"),
    **{
        name.upper().replace("_", "-"): value for name, value in list(globals().items())
        if re.fullmatch(r"soap_\d\d", name)
    },
}  # fmt: skip


@pytest.fixture(params=list(WHO))
def at(request: pytest.FixtureRequest, site: Site) -> At:
    return At(site, request.param)


@needs_shared
@pytest.mark.parametrize("row", IDS)
def test_row(at: At, row: str) -> None:
    CHECKS[row](at)


def test_the_twin_of_every_row_is_answered(at: At) -> None:
    at.answered(at.good())
    at.id = str(uuid.uuid4())  # a bare UUID is allowed
    at.answered(at.good(), f'application/soap+xml; charset=utf-8; action="{at.action}"')


@pytest.mark.parametrize("door", ["/pix/consumer", "/pdq", "/registry", "/repository",
                                  "/uploads/soap"])  # fmt: skip
def test_a_door_whose_transaction_is_not_built_says_so(site: Site, door: str) -> None:
    with site.nothing_left("WSA-ACTION"):
        answer = site.client("hospital-a").soap(
            door, messages.PIX_QUERY, messages.pix_query("2.999.30.1", "1"), message_id="urn:x:1"
        )
        is_fault(answer, "Sender", "ActionNotSupported", status=400, relates_to="urn:x:1")


@pytest.mark.parametrize(("name", "value"), [
    ("gzip", "gzip"), ("br", "br"), ("doubled", "identity, gzip"), ("deflate", "deflate"),
])  # fmt: skip
def test_c_09_a_content_encoding_is_not_taken(site: Site, name: str, value: str) -> None:
    import gzip

    with site.nothing_left("TYPE"):
        answer = site.client("hospital-a").request(
            "POST", "/pix", gzip.compress(b" " * 10_000_000),
            {"Content-Type": "application/soap+xml", "Content-Encoding": value},
        )  # fmt: skip
        assert answer.status == 415

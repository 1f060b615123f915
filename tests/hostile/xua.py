"""Assertions for the wire: the published changes put on whole requests to the three XUA doors."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

from conformance import messages
from conformance import saml as issuing
from conformance.client import NAMESPACES, WSA, Answer, Client
from gateway.cli import demo_authority as make
from tests.hostile.site import Site
from tests.saml import NEIGHBOUR, certificate, issued_at, message, neighbour, pem, rsa_key, signed
from tests.saml import statement as stated
from tests.wire.xua_statements import ROWS

_EXPIRED, _FUTURE = 11, 12
HOME = "2.999.10.1"


def _timed(number: int) -> issuing.Issuer:
    """A signer of the neighbour whose certificate is over, or not valid yet."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    start, end = (-20 * day, -10 * day) if number == _EXPIRED else (10 * day, 20 * day)
    key = rsa_key(number)
    made = certificate(key, f"signer {number}", start=now + start, end=now + end)
    return issuing.Issuer(name=NEIGHBOUR, key=key, certificate=made)


TIMED = {number: _timed(number) for number in (_EXPIRED, _FUTURE)}


def issue_client(folder: Path, name: str, serial: int) -> x509.Certificate:
    """Another client certificate of the demo's authority, beside the ones that are there."""
    pki = folder / "pki"
    authority = make.Issued(
        x509.load_pem_x509_certificate((pki / "ca.pem").read_bytes()),
        issuing.load_key((pki / "ca.key").read_bytes()),
    )
    now = datetime.now(UTC)
    made = make.issue(
        make.name(name), make.ec_key(), authority,
        (make.leaf(), make.usage("digital_signature"),
         make.purposes(ExtendedKeyUsageOID.CLIENT_AUTH)),
        serial=serial, since=now - timedelta(days=1), until=now + timedelta(days=30),
    )  # fmt: skip
    (pki / "clients" / f"{name}.pem").write_bytes(made.pem)
    (pki / "clients" / f"{name}.key").write_bytes(made.key_pem)
    return made.certificate


def equip(folder: Path) -> None:
    """Let the tests' keys sign for the neighbour, and give it a second machine."""
    place = folder / "pki" / "xua"
    signers = {"tests": neighbour(), "expired": TIMED[_EXPIRED], "future": TIMED[_FUTURE]}
    for name, issuer in signers.items():
        (place / f"{name}.pem").write_bytes(pem(issuer))
    second = issue_client(folder, "neighbour-m", 501).public_bytes(serialization.Encoding.DER)
    issue_client(folder, "stranger", 502)
    path = folder / "peers" / "neighbour-n.yaml"
    text = path.read_text("utf-8")
    text = text.replace(
        "[pki/xua/neighbour-n.pem]", f"[{', '.join(f'pki/xua/{name}.pem' for name in signers)}]"
    ).replace('client_certificates: ["',
              f'client_certificates: ["{hashlib.sha256(second).hexdigest()}", "')  # fmt: skip
    path.write_text(text, "utf-8")


def doors(site: Site) -> dict[str, tuple[str, str]]:
    """Path to action and payload of a question that would be answered."""
    person = next(one for one in site.known["patients"] if one["label"] == "A")
    shared = person["identifiers"][0]
    family, given = person["name"]["kanji"].split()
    kana = person["name"]["kana"].split()
    who = messages.Person(
        family=family, given=given, family_kana=kana[0], given_kana=kana[1],
        birth=person["birth"].replace("-", ""), gender=person["gender"][0].upper(),
    )  # fmt: skip
    asked = [("2.999.40.1", person["documents"][0]["unique_id"])]
    return {
        "/xcpd": (
            messages.DISCOVERY,
            messages.discovery(who, ids=[(shared["domain"], shared["value"])]),
        ),
        "/xca/query": (
            messages.GATEWAY_QUERY,
            messages.find_documents(shared["domain"], shared["value"], home=HOME),
        ),
        "/xca/retrieve": (messages.GATEWAY_RETRIEVE, messages.retrieve(asked, home=HOME)),
    }


def graft(envelope: etree._Element, action: str, payload: str) -> tuple[bytes, str]:
    """The envelope of a case around a real request; its bytes and its MessageID."""
    root = deepcopy(envelope)
    header, body = root[0], root[1]
    for old in header.findall(f"{{{WSA}}}Action"):
        header.remove(old)
    message_id = f"urn:uuid:{uuid.uuid4()}"
    for name, text in (("MessageID", message_id), ("Action", action)):
        block = etree.Element(f"{{{WSA}}}{name}", nsmap={"wsa": WSA})
        block.text = text
        header.insert(0, block)
    query = body.find("{urn:q}query")
    assert query is not None
    asked = etree.fromstring(payload)
    body.replace(query, asked)
    for extra in body[1:]:  # a Body with two children is refused for that alone
        asked.append(extra)
    return etree.tostring(root), message_id


def post(client: Client, path: str, action: str, content: bytes) -> Answer:
    """Send bytes as a SOAP message."""
    kind = f'application/soap+xml; charset=UTF-8; action="{action}"'
    return client.request("POST", path, content, {"Content-Type": kind})


def token(**changes: Any) -> bytes:
    """A good assertion of this moment, or one that states something else."""
    with issued_at(datetime.now(UTC)):
        return etree.tostring(signed(stated(**changes)))


def cases(name: str) -> Iterator[etree._Element]:
    """The envelopes of one row, issued now; rules for a verifier alone are left out."""
    with issued_at(datetime.now(UTC)):
        made = _WIRE.get(name, ROWS.get(name))
        assert made is not None
        for given in list(made()):
            yield (given[0] if isinstance(given[1], dict) else given)[1]


def _expired_keys() -> Iterator[Any]:
    for issuer in TIMED.values():
        yield message(signed(issuer=issuer))
    other = rsa_key(13)
    self_made = issuing.Issuer(name=NEIGHBOUR, key=other, certificate=certificate(other))
    yield message(signed(issuer=self_made))


def _organisation() -> Iterator[Any]:
    for wrong in ("urn:oid:2.999.10.3", "urn:oid:2.999.10.1", "hospital-a"):
        yield message(signed(stated(organization_id=wrong)))
    yield message(signed(stated(home="urn:oid:2.999.10.3")))


def _roles() -> Iterator[Any]:
    unknown = issuing.Coded("106292003", "2.16.840.1.113883.6.96", "nurse")
    emergency = issuing.Coded("EMERGENCY", "2.16.840.1.113883.3.18.7.1", "break glass")
    yield message(signed(stated(roles=(unknown,))))
    yield message(signed(stated(roles=(issuing.DOCTOR, unknown))))
    yield message(signed(stated(roles=())))
    yield message(signed(stated(purposes=(emergency,))))
    yield message(signed(stated(purposes=(issuing.TREATMENT, emergency))))
    yield message(signed(stated(purposes=())))


_WIRE: dict[str, Callable[[], Iterator[Any]]] = {
    "SAML-13": _expired_keys, "SAML-30": _organisation, "SAML-31": _roles,
}  # fmt: skip
"Rows that a running gateway needs told otherwise than a verifier alone."


def fault_subcode(answer: Answer) -> str:
    """The innermost subcode as a local name."""
    found = answer.xml().xpath(
        "string(//soap:Fault/soap:Code/soap:Subcode/soap:Value)", namespaces=NAMESPACES
    )
    return str(found).rpartition(":")[2]

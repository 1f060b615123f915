"""Rows of `xua_mutations.jsonl` about what an assertion states: times, audiences, attributes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from lxml import etree

from conformance import saml as issuing
from gateway.wire import saml, xml
from tests.saml import (
    AUDIENCE,
    NEIGHBOUR,
    certificate,
    message,
    moment,
    neighbour,
    pem,
    rsa_key,
    signed,
    statement,
)
from tests.wire.xua_mutations import ROWS, Case, Message, row

__all__ = ["ROWS"]


def _stated(**changes: Any) -> Message:
    return message(signed(statement(**changes)))


@row("SAML-19")
def _() -> Iterator[Message]:
    yield _stated(not_before=moment() - timedelta(seconds=781))


@row("SAML-20")
def _() -> Iterator[Message]:
    yield _stated(not_before=moment() + timedelta(seconds=181))


@row("SAML-21")
def _() -> Iterator[Message]:
    yield _stated(life=timedelta(hours=4, seconds=1))


@row("SAML-22")
def _() -> Iterator[Message]:
    assertion = issuing.build(NEIGHBOUR, statement(), moment())
    assertion.remove(xml.one(assertion, "saml:Conditions"))
    yield message(issuing.sign(assertion, neighbour()))


@row("SAML-23")
def _() -> Iterator[Message]:
    for audience in (
        ("urn:oid:2.999.10.9",),
        (),
        (AUDIENCE, "urn:oid:2.999.10.9"),
        (AUDIENCE + "1",),
        (AUDIENCE[:-1],),
        (AUDIENCE.upper(),),
        (" " + AUDIENCE,),
    ):
        yield _stated(audience=audience)


@row("SAML-24")
def _() -> Iterator[Case]:
    elsewhere = _stated(confirmation={"Recipient": "https://elsewhere/xca/query"})
    yield elsewhere, {"recipients": frozenset({"https://localhost/xca/query"})}


@row("SAML-25")
def _() -> Iterator[Case | Message]:
    yield message(signed(issuer=neighbour("urn:oid:2.999.10.9")))
    both = [(NEIGHBOUR, pem(neighbour())), ("urn:b", pem(neighbour("urn:b", 1)))]
    for info in (True, False):
        other = neighbour("urn:b", 1)
        forger = issuing.Issuer(
            name=NEIGHBOUR, key=other.key, certificate=other.certificate if info else None
        )
        yield message(signed(issuer=forger)), {"trust": saml.trust_of(both)}


@row("SAML-26")
def _() -> Iterator[Case]:
    held = _stated(method=issuing.HOLDER_OF_KEY, holder=certificate(rsa_key(1), "client"))
    yield held, {"holder": "ab" * 32}
    yield held, {}


@row("SAML-29")
def _() -> Iterator[Message]:
    yield _stated(method=issuing.SENDER_VOUCHES)
    yield _stated(method="urn:oasis:names:tc:SAML:2.0:cm:unheard-of")


@row("SAML-32")
def _() -> Iterator[Message]:
    encrypted = etree.Element(f"{{{issuing.SAML}}}EncryptedAssertion")
    etree.SubElement(encrypted, "{http://www.w3.org/2001/04/xmlenc#}EncryptedData")
    yield message(encrypted)


@row("SAML-33")
def _() -> Iterator[Message]:
    yield _stated(name="x" * (9 * 1024 * 1024))
    assertion = issuing.build(NEIGHBOUR, statement(), moment())
    place = xml.one(assertion, "saml:AttributeStatement")
    for number in range(10_000):
        etree.SubElement(place, f"{{{issuing.SAML}}}Attribute", Name=f"urn:{number}")
    yield message(issuing.sign(assertion, neighbour()))


@row("SAML-34")
def _() -> Iterator[Message]:
    yield message(signed(), signed(statement(subject="jiro")))

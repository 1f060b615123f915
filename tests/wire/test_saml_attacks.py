"""Assertions that must not pass: the published table of changes, and published forgeries."""

import base64
import binascii
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from gateway.errors import Invalid, Malformed, OverLimit, Refusal, Unauthenticated
from gateway.wire import faults, saml, saml_signature, xml
from tests.pace import thread_spends
from tests.saml import (
    AUDIENCE,
    NEIGHBOUR,
    NOW,
    certificate,
    message,
    neighbour,
    parsed,
    pem,
    rsa_key,
    signed,
)
from tests.shared import SHARED, needs_shared
from tests.wire.xua_statements import ROWS

ELSEWHERE = {
    "SAML-27": "a Work binds an assertion to its first TLS client (edge/authn)",
    "SAML-28": "a Work remembers one-time assertions (edge/authn)",
    "SAML-30": "the neighbour's profile compares communities (edge/authn)",
    "SAML-31": "the neighbour's profile maps roles and purposes (edge/authn)",
}
"Rows that are not about the assertion alone; the tests of the door hold them."

_PUBLISHED = (SHARED or Path()) / "security" / "payloads" / "saml"
_ACCEPTED_CHECKS = {
    "security", "token", "unsupported-token", "algorithm", "signature", "authentication", "expired",
}  # fmt: skip


def _rows() -> list[Any]:
    path = _PUBLISHED.parent / "gateway" / "xua_mutations.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _verify(given: Any) -> saml.Claims:
    case, changes = given if isinstance(given[1], dict) else (given, {})
    rules = {"trust": saml.trust_of([(NEIGHBOUR, pem(neighbour()))]), **changes}
    trust = rules.pop("trust")
    return saml.verify(*case, trust, audience=AUDIENCE, now=NOW, **rules)


@needs_shared
def test_every_row_of_the_table_has_its_change() -> None:
    assert {row["id"] for row in _rows()} == ROWS.keys() | ELSEWHERE.keys()


def test_the_control_passes() -> None:
    assert [_verify(given).subject for given in ROWS["XSW-0"]()] == ["hanako"]


@pytest.mark.parametrize("name", [name for name in ROWS if name != "XSW-0"])
def test_a_changed_assertion_is_refused(name: str) -> None:
    cases = list(ROWS[name]())
    assert cases
    for given in cases:
        with thread_spends(0.5), pytest.raises((Unauthenticated, OverLimit)) as caught:
            _verify(given)
        refusal = caught.value
        fault = faults.fault_of(refusal)
        assert fault.code == "env:Sender"
        assert fault.log
        assert "mallory" not in str(fault)
        if isinstance(refusal, Unauthenticated):
            assert refusal.check in _ACCEPTED_CHECKS


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("SAML-06", "algorithm"), ("SAML-07", "algorithm"), ("SAML-09", "algorithm"),
        ("SAML-10", "algorithm"), ("SAML-19", "expired"), ("SAML-23", "authentication"),
        ("SAML-26", "authentication"), ("SAML-25", "authentication"),
    ],
)  # fmt: skip
def test_the_answer_is_the_one_of_its_row(name: str, check: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        _verify(next(iter(ROWS[name]())))
    assert caught.value.check == check


def test_instructions_inside_an_assertion_do_not_get_past_the_parser() -> None:
    content = etree.tostring(message(signed())[1]).replace(b">hanako<", b">ha<?p x?>nako<")
    with pytest.raises(Malformed):
        parsed(content)


@pytest.mark.parametrize(
    "weak",
    [
        pytest.param(lambda: certificate(rsa_key(2, 1024)), id="a short key"),
        pytest.param(
            lambda: certificate(
                rsa_key(),
                usage=x509.KeyUsage(
                    digital_signature=False, content_commitment=False, key_encipherment=True,
                    data_encipherment=False, key_agreement=False, key_cert_sign=False,
                    crl_sign=False, encipher_only=False, decipher_only=False,
                ),
            ),
            id="a key that may not sign",
        ),
    ],
)  # fmt: skip
def test_a_weak_key_is_refused_before_anything_is_signed_with_it(weak: Any) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    with pytest.raises(Invalid):
        saml.trust_of([(NEIGHBOUR, weak().public_bytes(Encoding.PEM))])
    with pytest.raises(Invalid):
        saml.trust_of([(NEIGHBOUR, b"not a certificate")])


def _content(path: Any) -> bytes:
    content: bytes = path.read_bytes()
    if path.name.endswith("base64"):
        try:
            content = base64.b64decode("".join(content.decode().split()))
        except (binascii.Error, UnicodeDecodeError):
            return content
        if not content.lstrip().startswith(b"<"):
            try:
                content = zlib.decompress(content, -15)
            except zlib.error:
                return content
    return content


@needs_shared
@pytest.mark.parametrize(
    "path",
    sorted(path for path in _PUBLISHED.rglob("*") if path.is_file() and path.suffix != ".pem"),
    ids=lambda path: path.name,
)
def test_a_published_forgery_gives_no_claims(path: Any) -> None:
    """Even under its own certificates, at its own time, every one is refused, with a reason."""
    try:
        root = xml.parse(_content(path))
    except Refusal:
        return
    certificates = []
    for found in root.iter("{*}X509Certificate"):
        try:
            certificates.append(x509.load_der_x509_certificate(base64.b64decode(found.text or "")))
        except ValueError:
            continue
    assertions = list(root.iter(xml.clark("saml:Assertion")))
    issuers = {found.text or "" for found in root.iter(xml.clark("saml:Issuer"))}
    trust = {issuer: tuple(certificates) for issuer in issuers}
    conditions = next(root.iter(xml.clark("saml:Conditions")), None)
    now = NOW
    if conditions is not None and conditions.get("NotBefore"):
        text = conditions.get("NotBefore", "")[:19]
        now = datetime.fromisoformat(text).replace(tzinfo=UTC)
    audiences = [found.text or "" for found in root.iter(xml.clark("saml:Audience"))]
    for tokens in ([item] for item in assertions), [assertions]:
        for token in tokens:
            with pytest.raises(Refusal) as caught:
                saml.verify(*message(*token), trust, audience=(audiences or [""])[0], now=now)
            assert faults.fault_of(caught.value).code == "env:Sender"


@needs_shared
def test_the_published_control_is_refused_for_its_algorithm_alone() -> None:
    """`valid_saml.xml` is sound, with SHA-1 and 1024 bits: it gets as far as the algorithm."""
    root = xml.parse((_PUBLISHED / "xml-crypto" / "valid_saml.xml").read_bytes())
    assertion = next(root.iter(xml.clark("saml:Assertion")))
    key = x509.load_pem_x509_certificate(
        (_PUBLISHED / "xml-crypto" / "feide_public.pem").read_bytes()
    )
    with pytest.raises(Unauthenticated) as caught:
        saml_signature.signed_part(assertion, (key,), NOW)
    assert (caught.value.check, caught.value.log) == ("algorithm", "SIG-ALG")

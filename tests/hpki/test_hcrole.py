"""The health-care role: read to the last byte, or not at all."""

import json

import pytest
from asn1crypto import x509

from gateway.cli import demo_authority as make
from gateway.errors import Malformed
from gateway.hpki.hcrole import SCHEME, parse_roles, read_roles
from gateway.model.signature import HcRole
from tests import pki
from tests.shared import needs_shared, shared

DOCTOR = bytes.fromhex(
    "303430320606288185420001312831263024a0223120a00c060a2a830886910f01060101"
    "a2100c0e4d65646963616c20446f63746f72"
)
HEALTHCARE_ACTOR = bytes.fromhex("0606288185420001")


def tlv(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    assert len(joined) < 0x80
    return bytes((tag, len(joined))) + joined


def actor(*coded: bytes) -> bytes:
    return tlv(0x30, tlv(0xA0, tlv(0x31, *coded)))


def attribute(*actors: bytes, kind: bytes = HEALTHCARE_ACTOR) -> bytes:
    return tlv(0x30, kind, tlv(0x31, tlv(0x31, *actors)))


SCHEME_JP = bytes.fromhex("a00c060a2a830886910f01060101")
TEXT = tlv(0xA2, tlv(0x0C, b"Pharmacist"))
OTHER = tlv(0x30, bytes.fromhex("0603550409"), tlv(0x31, tlv(0x0C, b"x")))


def test_a_doctor() -> None:
    assert parse_roles(DOCTOR) == (HcRole("Medical Doctor", SCHEME),)


def test_the_builder_writes_what_stands_in_real_certificates() -> None:
    extension, critical = make.role("Medical Doctor")
    assert (extension.value, critical) == (DOCTOR, False)


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        pytest.param(tlv(0x30, attribute(actor(SCHEME_JP, TEXT))), ["Pharmacist"], id="one"),
        pytest.param(
            tlv(0x30, attribute(actor(SCHEME_JP, tlv(0xA1, tlv(0x12, b"123")), TEXT))),
            ["Pharmacist"],
            id="with a coded value",
        ),
        pytest.param(
            tlv(
                0x30,
                attribute(
                    tlv(
                        0x30,
                        tlv(0xA0, tlv(0x31, SCHEME_JP, TEXT)),
                        tlv(0xA1, tlv(0x30)),
                    )
                ),
            ),
            ["Pharmacist"],
            id="with an empty regional part",
        ),
        pytest.param(
            tlv(0x30, OTHER, attribute(actor(SCHEME_JP, TEXT))), ["Pharmacist"], id="beside another"
        ),
        pytest.param(
            make.role("Dentist", "Pharmacist")[0].value, ["Dentist", "Pharmacist"], id="two roles"
        ),
    ],
)
def test_forms_that_are_read(value: bytes, roles: list[str]) -> None:
    assert [role.text for role in parse_roles(value)] == roles


REFUSED = {
    "nothing": b"",
    "no attribute": tlv(0x30),
    "another attribute only": tlv(0x30, OTHER),
    "trailing byte": DOCTOR + b"\x00",
    "cut": DOCTOR[:-1],
    "twice the attribute": tlv(
        0x30, attribute(actor(SCHEME_JP, TEXT)), attribute(actor(SCHEME_JP, TEXT))
    ),
    "foreign scheme": tlv(0x30, attribute(actor(tlv(0xA0, bytes.fromhex("0603883701")), TEXT))),
    "no scheme": tlv(0x30, attribute(actor(TEXT))),
    "no text": tlv(0x30, attribute(actor(SCHEME_JP))),
    "empty text": tlv(0x30, attribute(actor(SCHEME_JP, tlv(0xA2, tlv(0x0C))))),
    "text that is no text": tlv(
        0x30, attribute(actor(SCHEME_JP, tlv(0xA2, tlv(0x04, b"Pharmacist"))))
    ),
    "no coded data": tlv(0x30, attribute(tlv(0x30))),
    "one good, one foreign": tlv(
        0x30,
        attribute(actor(SCHEME_JP, TEXT), actor(tlv(0xA0, bytes.fromhex("0603883701")), TEXT)),
    ),
    "a sequence for a set": tlv(0x30, tlv(0x30, HEALTHCARE_ACTOR, tlv(0x30, b""))),
    "long form of a short length": DOCTOR.replace(b"\xa2\x10", b"\xa2\x81\x10"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        parse_roles(REFUSED[name])


def test_no_changed_byte_makes_a_doctor_of_another_text() -> None:
    for place in range(len(DOCTOR)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(DOCTOR)
            changed[place] ^= flip
            try:
                roles = parse_roles(bytes(changed))
            except Malformed:
                continue
            assert "Medical Doctor" not in {role.text for role in roles}


def test_a_certificate_without_the_extension_states_no_role() -> None:
    card = x509.Certificate.load(pki.hierarchy().card(role=None).der)
    with pytest.raises(Malformed, match="states no health-care role"):
        read_roles(card)


@needs_shared
def test_the_published_extension_values() -> None:
    expected = json.loads(shared("hpki", "vectors", "hpki-real", "expected.json").read_text())
    for case in expected["hcrole_der"]:
        value = bytes.fromhex(case["hex"])
        if "HCActor" in case["what"]:
            value = tlv(0x30, attribute(value))
        assert [[role.scheme, role.text] for role in parse_roles(value)] == [
            [scheme, text] for scheme, _, text in case["roles"]
        ]


@needs_shared
def test_the_real_certificates() -> None:
    folder = shared("hpki", "vectors", "hpki-real", "certs")
    for name, role in (
        ("ee-medis-doctor-Test117120", "Medical Doctor"),
        ("ee-medis-doctor-2017-Test316622", "Medical Doctor"),
        ("ee-medis-pharmacist-Test317044", "Pharmacist"),
    ):
        certificate = x509.Certificate.load((folder / f"{name}.der").read_bytes())
        assert [one.text for one in read_roles(certificate)] == [role]

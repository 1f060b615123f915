"""Encodings whose length ends in the octet 0x80, as that of one certificate in 256 does.

The library takes such a length for an indefinite one; `gateway.hpki.libraries` corrects it.
"""

import pytest
from asn1crypto import core, parser, tsp
from asn1crypto import x509 as asn1
from cryptography import x509

from gateway.hpki import libraries
from gateway.hpki.certificates import fingerprint, read_certificate
from gateway.hpki.verify import verify
from tests import cades, pki

HERE = pki.hierarchy()
assert libraries.RAISED  # it is imported before anything is read


def padded(size: int) -> pki.Issued:
    """A doctor's card with an extension of so many octets that nobody knows."""
    value = core.OctetString(bytes(size)).dump()
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.3"), value)
    return HERE.card((unknown, False))


def card(*, inner: bool) -> pki.Issued:
    """A card whose whole length ends so, or that of the part that its authority signed."""
    first = asn1.Certificate.load(padded(0).der)
    held = first["tbs_certificate"] if inner else first
    guess = (0x80 - len(held.contents)) % 256
    for size in range(max(guess - 12, 0), guess + 1):
        made = padded(size)
        read = asn1.Certificate.load(made.der)
        held = read["tbs_certificate"] if inner else read
        if len(held.contents) % 256 == 0x80:
            return made
    raise AssertionError("no such card")


@pytest.mark.parametrize("inner", [False, True], ids=["certificate", "what is signed of it"])
def test_a_card_of_such_a_length_signs_as_every_other_one(inner: bool) -> None:
    doctor = card(inner=inner)
    read = read_certificate(doctor.der)
    assert (read.dump(), fingerprint(read)) == (
        doctor.der,
        fingerprint(read_certificate(read.dump())),
    )
    for content in (cades.cades(doctor), pki.prescription(doctor), pki.pdf(doctor)):
        report = verify(content, pki.policy(), at=pki.NOW)
        assert report.passed, [c.reason for one in report.signatures for c in one.checks]
        assert [role.text for one in report.signatures for role in one.roles] == ["Medical Doctor"]


def _encoded(contents: bytes, tag: int = 16, method: int = 1) -> bytes:
    return bytes(parser.emit(0, method, tag, contents))


class _Strange(core.Sequence):
    _fields = [("values", core.Any)]  # noqa: RUF012


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        (core.Sequence, _encoded(_encoded(bytes(0x7E), 4, 0))),
        (core.SequenceOf, _encoded(_encoded(bytes(0x7E), 4, 0))),
        (core.OctetString, _encoded(bytes(0x180), 4, 0)),
        (core.Any, _encoded(_encoded(_encoded(bytes(0x7C), 4, 0), 17), 17)),
        (_Strange, _encoded(_encoded(bytes(0x7E), 17))),
    ],
)
def test_what_was_read_is_given_back(kind: type[core.Asn1Value], encoding: bytes) -> None:
    assert kind.load(encoding).dump() == encoding


def test_what_was_changed_is_written_anew() -> None:
    """Also where its length had ended so, or ends so now."""
    encoding = _encoded(_encoded(bytes(0x7E), 4, 0))

    class Octets(core.SequenceOf):
        _child_spec = core.OctetString

    found = Octets.load(encoding)
    assert encoding[2] == 0x80
    found.append(b"more")
    assert found.dump() == _encoded(_encoded(bytes(0x7E), 4, 0) + b"\x04\x04more")
    del found[1]
    assert found.dump() == encoding


def test_what_is_of_indefinite_length_is_still_written_in_der() -> None:
    loose = b"\x24\x80\x04\x03abc\x04\x01d\x00\x00"
    assert core.OctetString.load(loose).dump() == b"\x04\x04abcd"
    imprint = tsp.MessageImprint.load(
        b"\x30\x80" + tsp.MessageImprint(
            {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
        ).contents + b"\x00\x00"
    )  # fmt: skip
    assert imprint.dump()[:2] == b"\x30\x31"

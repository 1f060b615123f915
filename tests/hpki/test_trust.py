"""Trust as it is written: what counts, what is refused, what ships."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from gateway.hpki.policy import AnchorKind, SignaturePolicy
from gateway.hpki.trust import parse, shipped
from gateway.settings import SettingsError
from tests import pki

JAPAN = timezone(timedelta(hours=9))


def files() -> dict[str, bytes]:
    here = pki.hierarchy()
    crl = make.revocation_list(here.signing, since=pki.SIGNED, until=pki.AFTER)
    return {
        "root.pem": here.root.pem,
        "root.der": here.root.der,
        "both.pem": here.root.pem + here.tsa_root.pem,
        "signing.pem": here.signing.pem,
        "list.crl": crl.public_bytes(Encoding.DER),
        "list.pem": crl.public_bytes(Encoding.PEM),
        "text.txt": b"hello",
        "empty": b"",
    }


def read(text: str):
    held = files()

    def content(name: str) -> bytes:
        if name not in held:
            raise FileNotFoundError(name)
        return held[name]

    return parse(text, content)


def test_every_kind_of_row() -> None:
    trust = read(
        """
        [[anchor]]
        kind = "hpki"
        file = "root.pem"
        from = 2026-01-01
        to = 2026-12-31
        [[anchor]]
        kind = "tsa"
        file = "both.pem"
        from = "2026-01-01T00:00:00+09:00"
        test = true
        [[certificate]]
        file = "signing.pem"
        [[crl]]
        file = "list.crl"
        [[crl]]
        file = "list.pem"
        """
    )
    first, *stampers = trust.anchors
    assert first.kind is AnchorKind.HPKI
    assert first.since == datetime(2026, 1, 1, tzinfo=JAPAN)
    assert first.covers(datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC))
    assert not first.covers(datetime(2026, 12, 31, 15, 0, 0, tzinfo=UTC))
    assert [one.kind for one in stampers] == [AnchorKind.TSA] * 2
    assert all(one.test for one in stampers)
    assert len(trust.certificates) == 1
    assert trust.crls[0].sha256 == trust.crls[1].sha256
    policy = SignaturePolicy(trust=trust)
    assert policy.anchors(AnchorKind.TSA) == ()
    assert len(SignaturePolicy(trust=trust, accept_test=True).anchors(AnchorKind.TSA)) == 2


def test_trusts_add_up() -> None:
    both = shipped() | pki.hierarchy().trust()
    assert len(both.anchors) == len(shipped().anchors) + 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("anchor = 1", "two brackets"),
        ("[anchor]\nfile='root.pem'", "two brackets"),
        ("[[anchor]]\nkind='hpki'", "needs file"),
        ("[[anchor]]\nfile='root.pem'", "kind must be"),
        ("[[anchor]]\nfile='root.pem'\nkind='ca'", "kind must be"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\ntrusted=true", "unknown key trusted"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\ntest='no'", "true or false"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\nfrom='soon'", "from must be a day"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\nfrom=2026-01-01T00:00:00", "with its zone"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\nto=3", "to must be a day"),
        ("[[anchor]]\nfile='root.pem'\nkind='hpki'\nfrom=2027-01-01\nto=2026-01-01", "after to"),
        ("[[anchor]]\nfile='nobody.pem'\nkind='hpki'", "cannot read nobody.pem"),
        ("[[anchor]]\nfile='text.txt'\nkind='hpki'", "text.txt: a certificate"),
        ("[[anchor]]\nfile='list.crl'\nkind='hpki'", "list.crl: a certificate"),
        ("[[crl]]\nfile='root.der'", "root.der: a revocation list"),
        ("[[crl]]\nfile='empty'", "empty: a revocation list"),
        ("[[crls]]\nfile='list.crl'", "unknown table [[crls]]"),
        ("[[anchor]", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(text)
    assert reason in str(refused.value)


def test_what_ships_is_the_ministry_root_and_nothing_else_untested() -> None:
    trust = shipped()
    real = [one for one in trust.anchors if not one.test]
    assert [hashlib.sha256(one.certificate.dump()).hexdigest() for one in real] == [
        "6ed2796b1b101736d952185787cb36da9ce80522cc8cb7b5ce728b61be1b674c"
    ]
    assert real[0].kind is AnchorKind.HPKI
    assert all(one.since and one.until for one in trust.anchors)
    assert trust.crls == ()
    names = {one.subject.native["common_name"] for one in trust.certificates}
    assert all(name.startswith("HPKI-01-") for name in names)

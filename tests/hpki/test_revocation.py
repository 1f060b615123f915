"""Revocation lists: which may be believed, and what they say about a moment."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.errors import Malformed
from gateway.hpki.policy import Algorithms
from gateway.hpki.revocation import RevocationList, Standing, Status, read_list, status
from tests import pki

GOOD, REVOKED, HELD, MISSING, STALE = (
    Standing.GOOD,
    Standing.REVOKED,
    Standing.HELD,
    Standing.MISSING,
    Standing.STALE,
)
DAY = timedelta(days=1)
HERE = pki.hierarchy()
CARD = HERE.card(serial=pki.REVOKED)
CEASED = x509.ReasonFlags.cessation_of_operation
HOLD = x509.ReasonFlags.certificate_hold


def ask(
    *lists: RevocationList,
    card: Issued = CARD,
    issuer: Issued | None = None,
    moment: datetime = pki.SIGNED,
    now: datetime = pki.NOW,
    grace: timedelta = timedelta(0),
) -> Status:
    return status(
        pki.parsed(card),
        pki.parsed(issuer or HERE.signing),
        lists,
        moment=moment,
        now=now,
        grace=grace,
        digests=Algorithms().digests,
    )


def entry(moment: datetime, reason: x509.ReasonFlags = CEASED):
    return (pki.REVOKED, moment, reason)


def crl(*entries, **about) -> RevocationList:
    return HERE.crl(entries, **about)


@pytest.mark.parametrize(
    ("lists", "standing"),
    [
        pytest.param([], MISSING, id="no list"),
        pytest.param([crl()], GOOD, id="not on the list"),
        pytest.param([crl(entry(pki.BEFORE))], REVOKED, id="revoked before"),
        pytest.param([crl(entry(pki.SIGNED))], REVOKED, id="revoked at that moment"),
        pytest.param([crl(entry(pki.AFTER))], GOOD, id="revoked after"),
        pytest.param([crl((7, pki.BEFORE, CEASED))], GOOD, id="another one revoked"),
        pytest.param([crl(entry(pki.BEFORE, HOLD))], HELD, id="on hold"),
        pytest.param(
            [crl(entry(pki.BEFORE, HOLD)), crl(since=pki.SIGNED)], GOOD, id="a lifted hold"
        ),
        pytest.param(
            [crl(), crl(entry(pki.BEFORE, HOLD), since=pki.SIGNED)], HELD, id="a new hold"
        ),
        pytest.param(
            [crl(), crl(entry(pki.BEFORE), since=pki.SIGNED)], REVOKED, id="newer list tells more"
        ),
        pytest.param(
            [crl(entry(pki.BEFORE)), crl(since=pki.SIGNED)], REVOKED, id="an entry that vanished"
        ),
        pytest.param([crl(since=pki.SIGNED - 5 * DAY)], STALE, id="too old"),
        pytest.param(
            [crl(entry(pki.BEFORE - DAY), since=pki.SIGNED - 5 * DAY)],
            REVOKED,
            id="too old, and revoked",
        ),
        pytest.param([crl(since=pki.SIGNED + 10 * DAY)], GOOD, id="made later"),
        pytest.param(
            [crl(), crl(entry(pki.BEFORE), since=pki.NOW + DAY)], GOOD, id="not known by then"
        ),
        pytest.param(
            [crl(entry(pki.BEFORE), since=pki.NOW + DAY)], REVOKED, id="only a list of later"
        ),
        pytest.param([crl(issuer=HERE.login)], MISSING, id="of another authority"),
        pytest.param(
            [crl(issuer=Issued(HERE.signing.certificate, pki.rogue().signing.key))],
            MISSING,
            id="forged",
        ),
        pytest.param(
            [crl(scope=make.authorities_only(HERE.signing)[1])], MISSING, id="about authorities"
        ),
        pytest.param([crl(scope=make.users_only())], GOOD, id="about end entities"),
    ],
)
def test_standing(lists: list[RevocationList], standing: Standing) -> None:
    found = ask(*lists)
    assert found.standing is standing
    assert bool(found.evidence) is (standing in (GOOD, REVOKED, HELD))


def test_a_list_made_after_the_certificate_ended_proves_nothing() -> None:
    ended = HERE.card(serial=pki.REVOKED, until=pki.SIGNED + DAY)
    assert ask(crl(since=pki.SIGNED), card=ended).standing is GOOD
    assert ask(crl(since=pki.SIGNED + 2 * DAY), card=ended).standing is STALE
    late = crl(entry(pki.BEFORE), since=pki.SIGNED + 2 * DAY)
    assert ask(late, card=ended).standing is REVOKED


def test_grace_counts_only_where_it_is_set() -> None:
    old = crl(since=pki.SIGNED - 5 * DAY)
    assert ask(old, grace=timedelta(hours=23)).standing is STALE
    assert ask(old, grace=timedelta(hours=25)).standing is GOOD


def test_the_boundary_is_the_last_second() -> None:
    one = crl(since=pki.SIGNED - 4 * DAY, days=4)
    assert ask(one).standing is GOOD
    assert ask(one, moment=pki.SIGNED + timedelta(seconds=1)).standing is STALE


@pytest.mark.parametrize(
    ("stated", "invalid", "standing", "since"),
    [
        pytest.param(pki.AFTER, pki.BEFORE, REVOKED, pki.BEFORE, id="dated back"),
        pytest.param(pki.AFTER, pki.SIGNED, REVOKED, pki.SIGNED, id="dated back to that moment"),
        pytest.param(
            pki.AFTER, pki.SIGNED + timedelta(seconds=1), GOOD,
            pki.SIGNED + timedelta(seconds=1), id="dated back to a second after",
        ),
        pytest.param(pki.AFTER, pki.AFTER, GOOD, pki.AFTER, id="not dated back"),
        pytest.param(pki.BEFORE, pki.AFTER, REVOKED, pki.BEFORE, id="a later date helps nobody"),
    ],
)  # fmt: skip
def test_a_revocation_counts_from_the_earlier_of_its_dates(
    stated: datetime, invalid: datetime, standing: Standing, since: datetime
) -> None:
    made = make.revocation_list(
        HERE.signing, since=pki.AFTER, until=pki.AFTER + DAY, invalid_since=invalid,
        revoked=[entry(stated, x509.ReasonFlags.key_compromise)],
    )  # fmt: skip
    told = read_list(made.public_bytes(Encoding.DER))
    found = ask(crl(), told)
    assert (found.standing, found.since) == (standing, since)
    assert found.entry is not None
    assert (found.entry.stated, found.entry.invalid_since) == (stated, invalid)
    assert found.entry.sha256 == told.sha256
    assert ask(crl(), told, now=pki.SIGNED).entry is None, "nobody knew by then"


def test_authorities_are_looked_up_in_the_list_of_authorities() -> None:
    point, scope = make.authorities_only(HERE.root)
    sarl = HERE.crl(issuer=HERE.root, scope=scope)
    about = {"card": HERE.signing, "issuer": HERE.root}
    assert ask(sarl, **about).standing is GOOD
    assert ask(HERE.crl(issuer=HERE.root, scope=make.users_only()), **about).standing is MISSING
    other = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://crl.invalid/rarl")],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=True,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    assert ask(HERE.crl(issuer=HERE.root, scope=other), **about).standing is MISSING
    revoked = HERE.crl([(2, pki.BEFORE, CEASED)], issuer=HERE.root, scope=scope)
    assert ask(revoked, **about).standing is REVOKED
    assert point is not None


@dataclass(frozen=True)
class Odd:
    """A list that is complete but for one thing."""

    extension: x509.ExtensionType
    critical: bool
    usable: bool


ODD = {
    "a delta": Odd(x509.DeltaCRLIndicator(1), critical=True, usable=False),
    "a delta that hides it": Odd(x509.DeltaCRLIndicator(1), critical=False, usable=False),
    "something critical": Odd(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00"), True, False
    ),
    "something harmless": Odd(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00"), False, True
    ),
    "indirect": Odd(
        x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True, False
    ),
    "some reasons only": Odd(
        x509.IssuingDistributionPoint(
            None, None, True, False, frozenset({x509.ReasonFlags.key_compromise}), False, False
        ),
        True,
        False,
    ),
    "attribute certificates": Odd(
        x509.IssuingDistributionPoint(None, None, False, False, None, False, True), True, False
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_lists_that_are_not_understood_are_not_used(name: str) -> None:
    odd = ODD[name]
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(HERE.signing.certificate.subject)
        .last_update(pki.SIGNED)
        .next_update(pki.AFTER)
        .add_extension(odd.extension, odd.critical)
        .sign(HERE.signing.key, hashes.SHA256())
    )
    one = read_list(built.public_bytes(Encoding.DER))
    assert ask(one).standing is (GOOD if odd.usable else MISSING)


def test_an_entry_with_something_critical_in_it_counts_from_ever() -> None:
    strange = (
        x509.RevokedCertificateBuilder()
        .serial_number(pki.REVOKED)
        .revocation_date(pki.AFTER)
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00"), True
        )
        .build()
    )
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(HERE.signing.certificate.subject)
        .last_update(pki.SIGNED)
        .next_update(pki.AFTER)
        .add_revoked_certificate(strange)
        .sign(HERE.signing.key, hashes.SHA256())
    )
    assert ask(read_list(built.public_bytes(Encoding.DER))).standing is REVOKED


def test_a_weakly_signed_list_is_not_believed() -> None:
    weak = replace(crl())
    found = status(
        pki.parsed(CARD),
        pki.parsed(HERE.signing),
        [weak],
        moment=pki.SIGNED,
        now=pki.NOW,
        grace=timedelta(0),
        digests=frozenset({"sha512"}),
    )
    assert found.standing is MISSING


@pytest.mark.parametrize("content", [b"", b"text", pki.hierarchy().root.der, b"\x30\x80"])
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        read_list(content)

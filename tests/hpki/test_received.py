"""A revocation list that has just come: whose it is, and how it follows the one before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.errors import Inconsistent, Refusal
from gateway.hpki.received import Received, follow, receive, tells_more
from gateway.hpki.revocation import RevocationList
from tests import pki

HERE, THERE = pki.hierarchy(), pki.rogue()
MADE = pki.NOW - timedelta(hours=3)
DAY = timedelta(days=1)
CEASED, HOLD = x509.ReasonFlags.cessation_of_operation, x509.ReasonFlags.certificate_hold


def crl(
    *revoked: tuple[int, datetime, x509.ReasonFlags],
    issuer: Issued | None = None,
    since: datetime = MADE,
    number: int = 5,
    scope: x509.IssuingDistributionPoint | None = None,
) -> bytes:
    return make.revocation_list(
        issuer or HERE.signing, since=since, until=since + 4 * DAY, number=number,
        revoked=revoked, scope=scope,
    ).public_bytes(Encoding.DER)  # fmt: skip


def take(content: bytes, issuer: Issued | None = HERE.signing) -> Received:
    return receive(content, pki.policy(), issuer and pki.parsed(issuer), pki.NOW)


def read(content: bytes) -> RevocationList:
    return take(content).read


def test_a_list_of_its_authority_is_taken_by_name_or_by_search() -> None:
    found = take(crl())
    assert found == take(crl(), issuer=None)
    assert (found.read.number, found.until) == (5, MADE + 4 * DAY)
    scope = make.authorities_only(HERE.root)[1]
    whole, authorities = (
        take(crl(issuer=HERE.root, scope=one), issuer=HERE.root) for one in (None, scope)
    )
    assert whole.series != authorities.series, "lists of another scope do not follow each other"
    assert take(crl(number=6)).series == found.series
    pem = make.revocation_list(HERE.signing, since=MADE, until=MADE + DAY)
    assert take(pem.public_bytes(Encoding.PEM)).read == take(pem.public_bytes(Encoding.DER)).read


def _delta() -> bytes:
    builder = x509.CertificateRevocationListBuilder()
    builder = builder.issuer_name(HERE.signing.certificate.subject).last_update(MADE)
    builder = builder.next_update(MADE + DAY).add_extension(x509.DeltaCRLIndicator(1), True)
    return builder.sign(HERE.signing.key, make.hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("content", "issuer", "words"),
    [
        pytest.param(lambda: b"<html>404</html>", HERE.signing, "cannot be read", id="a page"),
        pytest.param(lambda: b"", HERE.signing, "cannot be read", id="nothing"),
        pytest.param(lambda: crl()[:-20], HERE.signing, "cannot be read", id="cut off"),
        pytest.param(
            lambda: crl()[:-1] + bytes([crl()[-1] ^ 1]), HERE.signing, "not signed by its issuer",
            id="one bit",
        ),
        pytest.param(
            lambda: crl(issuer=Issued(HERE.signing.certificate, THERE.signing.key)), HERE.signing,
            "not signed by its issuer", id="forged",
        ),
        pytest.param(
            lambda: crl(issuer=Issued(HERE.signing.certificate, THERE.signing.key)), None,
            "not signed by its issuer", id="forged, and anybody's would do",
        ),
        pytest.param(
            lambda: crl(issuer=HERE.login), HERE.signing, "another issuer", id="another's"
        ),
        pytest.param(
            lambda: crl(issuer=THERE.signing), THERE.signing, "no trusted authority",
            id="of an authority that leads nowhere",
        ),
        pytest.param(
            lambda: crl(issuer=pki.doctor()), pki.doctor(), "another issuer",
            id="by a card, which may sign no list",
        ),
        pytest.param(
            lambda: crl(since=pki.NOW + timedelta(minutes=4)), HERE.signing, "future",
            id="from the future",
        ),
        pytest.param(_delta, HERE.signing, "partial or indirect", id="a delta"),
    ],
)  # fmt: skip
def test_what_is_not_taken(content: Callable[[], bytes], issuer: Issued | None, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        take(content(), issuer)
    assert caught.value.japanese != caught.value.english


def follows(before: bytes, after: bytes) -> list[tuple[str, int]]:
    found = follow(take(after), read(before), ())
    return [(one.code, one.count) for one in found.anomalies]


BEFORE = crl((1, pki.BEFORE, CEASED), (2, pki.BEFORE, HOLD), since=MADE - DAY, number=4)


@pytest.mark.parametrize(
    ("after", "anomalies"),
    [
        pytest.param(crl((1, pki.BEFORE, CEASED), (2, pki.BEFORE, HOLD)), [], id="in order"),
        pytest.param(
            crl((1, pki.BEFORE, CEASED), (2, pki.SIGNED, CEASED), (3, pki.SIGNED, CEASED)), [],
            id="a hold that became a revocation, and a new one",
        ),
        pytest.param(crl((2, pki.BEFORE, HOLD)), [("entries-gone", 1)], id="an entry vanished"),
        pytest.param(crl((1, pki.BEFORE, CEASED)), [("hold-lifted", 1)], id="a hold was lifted"),
        pytest.param(
            crl((1, pki.SIGNED, CEASED), (2, pki.BEFORE, HOLD)), [("entries-changed", 1)],
            id="another date",
        ),
        pytest.param(
            crl((1, pki.BEFORE, CEASED), (2, pki.BEFORE, HOLD), number=4),
            [("number-repeated", 0)], id="the same number, other content",
        ),
        pytest.param(
            crl((1, pki.BEFORE, CEASED), (2, pki.BEFORE, HOLD), since=MADE - DAY),
            [("moment-repeated", 0)], id="the same moment",
        ),
    ],
)  # fmt: skip
def test_how_it_follows(after: bytes, anomalies: list[tuple[str, int]]) -> None:
    assert follows(BEFORE, after) == anomalies


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(crl(since=MADE - 2 * DAY, number=6), id="made earlier"),
        pytest.param(crl(since=MADE, number=3), id="numbered lower"),
    ],
)
def test_it_never_goes_back(after: bytes) -> None:
    with pytest.raises(Inconsistent, match="older"):
        follow(take(after), read(BEFORE), ())


def test_what_only_an_older_list_says_keeps_it_in_use() -> None:
    before = read(crl((1, pki.BEFORE, CEASED), (2, pki.BEFORE, CEASED), number=1, since=MADE - DAY))
    assert follow(take(crl((1, pki.BEFORE, CEASED))), before, ()).keeps
    assert follow(take(crl((1, pki.SIGNED, CEASED), (2, pki.BEFORE, CEASED))), before, ()).keeps
    earlier = crl((1, pki.BEFORE - DAY, CEASED), (2, pki.BEFORE, CEASED))
    assert not follow(take(earlier), before, ()).keeps, "dated back: the newer one says more"
    oldest = read(crl((2, pki.BEFORE, CEASED), (9, pki.BEFORE, CEASED), since=MADE - 2 * DAY))
    assert not follow(take(crl((1, pki.BEFORE, CEASED))), before, (oldest,)).keeps
    assert tells_more(oldest, (before,))
    assert not tells_more(read(BEFORE), (before,)), "a hold is no revocation"


def test_a_weak_digest_is_no_signature() -> None:
    weak = replace(pki.policy(), algorithms=replace(pki.policy().algorithms, digests=frozenset()))
    with pytest.raises(Refusal, match="not signed"):
        receive(crl(), weak, pki.parsed(HERE.signing), pki.NOW)

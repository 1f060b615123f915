"""Renewed digests of listed files: the same files again, by a digest that came later.

EN 319 132-1 5.5.3. An archive time-stamp is over a list of files and not over the files; where the
digests of the list grow weak, newer ones are added before the next one. Each names a reference of
the list by the digest of that element. The files must match both.
"""

import hashlib
from collections.abc import Iterator, Sequence

from lxml import etree

from gateway.errors import Malformed
from gateway.hpki.opened import failed, passed
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import refusals
from gateway.hpki.xades.canonical import canonical
from gateway.hpki.xades.names import DIGESTS, DS, XADES141
from gateway.hpki.xades.places import Parts, only
from gateway.hpki.xades.references import Reference, method_of, plain_base64
from gateway.model.signature import Check

SECTION = "EN 319 132-1 5.5.3"
_RENEWED = f"{XADES141}RenewedDigestsV2"
_MOST = 10
"Renewals that are looked at; each may name every file."


def judge(
    parts: Parts, listed: Sequence[tuple[Reference, bytes | None]], allowed: Algorithms
) -> tuple[Check, ...]:
    """Whether every renewed digest is of a listed file as it is here; nothing without any.

    Raises `Unfit` for what is not written as it must be. A file that was not handed in is the
    list's own matter.
    """
    renewals = [] if parts.unsigned is None else parts.unsigned.findall(_RENEWED)
    if len(renewals) > _MOST:
        raise refusals.crowd()
    if not renewals:
        return ()
    for renewal in renewals:
        for reference, octets, digest, algorithm in _read(renewal, listed, allowed):
            if reference is None:
                return _failed(
                    "a renewed digest is of no file of the signed list",
                    "更新されたハッシュ値が一覧のファイルのものではありません",
                )
            if octets is not None and hashlib.new(algorithm, octets).digest() != digest:
                return _failed(
                    "a file of the signed list does not match its renewed digest",
                    "一覧のファイルが更新されたハッシュ値と一致しません",
                )
    return (
        passed(
            "renewed-digests",
            "the files of the signed list match their renewed digests",
            "一覧のファイルは更新されたハッシュ値と一致します",
            SECTION,
        ),
    )


def _read(
    renewal: etree._Element,
    listed: Sequence[tuple[Reference, bytes | None]],
    allowed: Algorithms,
) -> Iterator[tuple[Reference | None, bytes | None, bytes, str]]:
    """Of each digest: the reference that it renews, the file, the digest and its algorithm.

    Each is renewed once.
    """
    method, prefixes = method_of(only(renewal, f"{DS}CanonicalizationMethod"))
    algorithm = DIGESTS.get(only(renewal, f"{DS}DigestMethod").get("Algorithm") or "")
    if algorithm is None or algorithm not in allowed.digests:
        raise refusals.weak()
    known = {
        hashlib.new(algorithm, canonical(one.element, method, prefixes)).digest(): (one, octets)
        for one, octets in listed
    }
    values = renewal.findall(f"{XADES141}RecomputedDigestValue")
    if not values:
        raise refusals.unreadable()
    for value in values:
        try:
            digest = plain_base64(only(value, f"{XADES141}NewSDODigestValue"))
            original = plain_base64(only(value, f"{XADES141}OriginalRefDigest"))
        except Malformed as error:
            raise refusals.unreadable() from error
        yield *known.pop(original, (None, None)), digest, algorithm


def _failed(english: str, japanese: str) -> tuple[Check]:
    return (failed("renewed-digests", english, japanese, SECTION),)

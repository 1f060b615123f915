"""Revocation lists: whether a certificate was revoked at a moment, as far as lists can tell.

RFC 5280 5 and 6.3 for what HPKI uses: complete lists of the issuing authority, with or without a
scope (SARL). Indirect and partial lists are not used; their absence makes a status unknown, never
good. HPKI lists drop entries of expired certificates, so a list made after a certificate's end
proves nothing about it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache

from asn1crypto import pem
from asn1crypto import x509 as asn1
from cryptography import x509

from gateway.errors import Malformed
from gateway.hpki.libraries import RAISED
from gateway.hpki.names import comparable

SECTION = "RFC 5280 6.3"
_OID = x509.oid.ExtensionOID
_KNOWN = {_OID.ISSUING_DISTRIBUTION_POINT, _OID.CRL_NUMBER, _OID.AUTHORITY_KEY_IDENTIFIER}
_BENIGN = {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """A revocation list, wholly read; whether it may be believed depends on who asks."""

    sha256: str
    crl: x509.CertificateRevocationList
    issuer: str
    "The issuer's name in a form that can be compared (RFC 5280 7.1)."
    since: datetime
    until: datetime | None
    key_id: bytes | None
    users: bool
    "Whether it speaks about end entities."
    authorities: bool
    "Whether it speaks about authorities (SARL)."
    points: frozenset[x509.GeneralName]
    "Names of its distribution point; empty means all."
    usable: bool
    "Whether every critical extension is understood, and it is complete and direct."
    entries: dict[int, tuple[x509.RevokedCertificate, ...]]
    "By the serial number of the certificate."
    number: int | None
    "CRL number (RFC 5280 5.2.3)."
    scope: str
    "Digest of its issuingDistributionPoint: lists of one issuer and one scope follow each other."


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a list says about one certificate."""

    since: datetime | None
    "From when it counts; None means from ever."
    stated: datetime
    invalid_since: datetime | None
    reason: x509.ReasonFlags
    made: datetime
    sha256: str
    "Of the list."


class Standing(Enum):
    """What the lists say about a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    HELD = "held"
    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The standing of one certificate, and what it was read from."""

    standing: Standing
    since: datetime | None = None
    "Moment of revocation; with `GOOD` one that came later than the moment asked about."
    benign: bool = True
    "Whether the reason leaves earlier uses alone (RFC 3161 4)."
    evidence: tuple[str, ...] = ()
    entry: Entry | None = None
    "The revocation; with `GOOD` the first of those that came later."


def read_list(content: bytes) -> RevocationList:
    """One revocation list, DER or PEM; `Malformed` where it cannot be read.

    The same few lists come with every document, so small ones are kept.
    """
    try:
        if pem.detect(content):
            content = pem.unarmor(content)[2]
        return _kept(content) if len(content) <= _SMALL else _read(content)
    except RAISED as error:
        raise Malformed("a revocation list cannot be read", "失効リストを読み取れません") from error


EVER = datetime.min.replace(tzinfo=UTC)
_SMALL = 64 * 1024
"Bytes of a list that is kept; HPKI's have about 20 000."


@lru_cache(maxsize=64)
def _kept(der: bytes) -> RevocationList:
    return _read(der)


def _read(der: bytes) -> RevocationList:
    crl = x509.load_der_x509_crl(der)
    scope: x509.IssuingDistributionPoint | None = None
    number: int | None = None
    key_id: bytes | None = None
    usable = True
    for extension in crl.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            scope = extension.value
        elif isinstance(extension.value, x509.AuthorityKeyIdentifier):
            key_id = extension.value.key_identifier
        elif isinstance(extension.value, x509.CRLNumber):
            number = extension.value.crl_number
        usable &= extension.oid in _KNOWN or not extension.critical
        usable &= extension.oid != _OID.DELTA_CRL_INDICATOR
    if scope is not None:
        usable &= not scope.indirect_crl and scope.only_some_reasons is None
        usable &= not scope.only_contains_attribute_certs and scope.relative_name is None
    entries: dict[int, tuple[x509.RevokedCertificate, ...]] = {}
    for entry in crl:
        serial = entry.serial_number
        entries[serial] = (*entries[serial], entry) if serial in entries else (entry,)
    return RevocationList(
        sha256=hashlib.sha256(der).hexdigest(),
        crl=crl,
        issuer=comparable(asn1.Name.load(crl.issuer.public_bytes())),
        since=crl.last_update_utc,
        until=crl.next_update_utc,
        key_id=key_id,
        users=scope is None or not scope.only_contains_ca_certs,
        authorities=scope is None or not scope.only_contains_user_certs,
        points=frozenset(scope.full_name or ()) if scope is not None else frozenset(),
        usable=usable,
        entries=entries,
        number=number,
        scope=hashlib.sha256(scope.public_bytes()).hexdigest() if scope is not None else "",
    )


def status(
    certificate: asn1.Certificate,
    issuer: asn1.Certificate,
    lists: Iterable[RevocationList],
    *,
    moment: datetime,
    now: datetime,
    grace: timedelta,
    digests: frozenset[str],
) -> Status:
    """What `lists` say about `certificate` at `moment`, asked at `now`.

    Every believable list that shows a revocation at or before `moment` counts, whatever another
    one says. Lists made after `now` are looked at only where no earlier one can answer.
    """
    believable = [one for one in lists if _speaks(one, certificate, issuer, digests)]
    if not believable:
        return Status(standing=Standing.MISSING)
    then = [one for one in believable if one.since <= now]
    if not any(_fresh(one, certificate, moment, grace) for one in then):
        then = believable
    revocations = _revocations(certificate.serial_number, then)
    for found in revocations:
        if found.since is None or found.since <= moment:
            return found
    fresh = [one for one in then if _fresh(one, certificate, moment, grace)]
    if not fresh:
        return Status(standing=Standing.STALE)
    newest = max(fresh, key=lambda one: one.since)
    later = [found for found in revocations if found.since is not None and found.entry is not None]
    first = min(later, key=lambda found: found.since or moment, default=None)
    return Status(
        standing=Standing.GOOD,
        since=first.since if first else None,
        evidence=(newest.sha256,),
        entry=first.entry if first else None,
    )


def _speaks(
    one: RevocationList,
    certificate: asn1.Certificate,
    issuer: asn1.Certificate,
    digests: frozenset[str],
) -> bool:
    """Whether the list is about this certificate, and made by the authority that issued it."""
    if not one.usable or one.issuer != comparable(certificate.issuer):
        return False
    if not (one.authorities if certificate.ca else one.users):
        return False
    try:
        if one.points and not one.points & _points(certificate):
            return False
    except RAISED:
        return False
    return _may_list(one, issuer) and _is_made_by(one, issuer, digests)


def is_made_by(
    one: RevocationList, issuer: asn1.Certificate, digests: frozenset[str]
) -> bool | None:
    """Whether the list is signed by this authority; None where it does not say to be its list."""
    if one.issuer != comparable(issuer.subject) or not _may_list(one, issuer):
        return None
    return _is_made_by(one, issuer, digests)


def _may_list(one: RevocationList, issuer: asn1.Certificate) -> bool:
    """Whether key identifiers and key usage allow that the authority made the list."""
    if one.key_id and issuer.key_identifier and one.key_id != issuer.key_identifier:
        return False
    usage = issuer.key_usage_value
    return usage is None or "crl_sign" in usage.native


def _is_made_by(one: RevocationList, issuer: asn1.Certificate, digests: frozenset[str]) -> bool:
    try:
        digest = one.crl.signature_hash_algorithm
        if digest is None or digest.name not in digests:
            return False
        return _is_signed(_Listed(one), issuer.dump())
    except RAISED:
        return False


class _Listed:
    """A list that is known by its digest."""

    def __init__(self, one: RevocationList) -> None:
        self.crl, self._sha256 = one.crl, one.sha256

    def __hash__(self) -> int:
        return hash(self._sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Listed) and self._sha256 == other._sha256


@lru_cache(maxsize=256)
def _is_signed(one: _Listed, issuer: bytes) -> bool:
    """Whether the list is signed with the issuer's key: a fact about two byte strings."""
    key = x509.load_der_x509_certificate(issuer).public_key()
    return one.crl.is_signature_valid(key)  # type: ignore[arg-type]


def _points(certificate: asn1.Certificate) -> frozenset[x509.GeneralName]:
    """The distribution points that the certificate names, without those of other authorities."""
    return _named_points(certificate.dump())


@lru_cache(maxsize=128)
def _named_points(der: bytes) -> frozenset[x509.GeneralName]:
    read = x509.load_der_x509_certificate(der)
    try:
        points = read.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        name for point in points if point.crl_issuer is None for name in (point.full_name or ())
    )


def _fresh(
    one: RevocationList, certificate: asn1.Certificate, moment: datetime, grace: timedelta
) -> bool:
    """Whether the list can prove that the certificate was not revoked at `moment`."""
    if one.until is None or one.since > certificate.not_valid_after:
        return False
    return one.until + grace >= moment


def look_up(one: RevocationList, serial: int) -> tuple[x509.RevokedCertificate, ...]:
    """The entries about a serial number, which is unique together with the list's issuer."""
    return one.entries.get(serial, ())


def _revocations(serial: int, lists: list[RevocationList]) -> list[Status]:
    """Every revocation of the certificate; a hold counts only while the newest list shows it.

    An entry that says something critical which is not understood counts from ever (RFC 5280 5.3).
    """
    newest = max(one.since for one in lists)
    found: list[Status] = []
    for one in lists:
        for entry in look_up(one, serial):
            said, strange = _entry(entry, one)
            held = said.reason is x509.ReasonFlags.certificate_hold
            if said.reason is x509.ReasonFlags.remove_from_crl or (held and one.since < newest):
                continue
            found.append(
                Status(
                    standing=Standing.HELD if held else Standing.REVOKED,
                    since=said.since,
                    benign=said.reason in _BENIGN and not strange,
                    evidence=(one.sha256,),
                    entry=said,
                )
            )
    return sorted(found, key=lambda one: one.standing is Standing.HELD)


def entries_of(one: RevocationList) -> dict[int, Entry]:
    """Every entry by its serial number; of several about one, that which counts first."""
    found: dict[int, Entry] = {}
    for serial, entries in one.entries.items():
        told = (_entry(entry, one)[0] for entry in entries)
        found[serial] = min(told, key=lambda entry: entry.since or EVER)
    return found


def _entry(entry: x509.RevokedCertificate, one: RevocationList) -> tuple[Entry, bool]:
    """When and why; and whether it says something critical that is not understood.

    It counts from the earlier of revocationDate and invalidityDate (RFC 5280 5.3.2): an authority
    may not date the first back, and says with the second since when the key was not the holder's.
    """
    reason, strange = x509.ReasonFlags.unspecified, False
    invalid: datetime | None = None
    try:
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason
            elif isinstance(extension.value, x509.InvalidityDate):
                invalid = extension.value.invalidity_date_utc
            else:
                strange |= extension.critical
    except RAISED:
        strange = True
    stated = entry.revocation_date_utc
    since = None if strange else min(stated, invalid or stated)
    return Entry(
        since=since, stated=stated, invalid_since=invalid, reason=reason, made=one.since,
        sha256=one.sha256,
    ), strange  # fmt: skip

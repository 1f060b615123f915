"""Archive time-stamps of CAdES, and those over references, oldest first.

EN 319 122-1 5.5 and annex A.1.5, A.2. The token of version 3 carries an index of digests: every
certificate, revocation list and unsigned attribute that was there. What the index names must be
there still; every time-stamp that is judged by this one's time must be in the index. Versions 1 and
2 are in `cades_archive_v2`.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import algos, core
from asn1crypto import cms as asn1

from gateway.errors import Malformed
from gateway.hpki import cades_archive_v2 as v2
from gateway.hpki import cms
from gateway.hpki.cades_elements import Elements
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Archive, Digest, Reach, unknown
from gateway.hpki.timestamp import claimed, imprint
from gateway.model.signature import Check

SIGNATURE_STAMP = "1.2.840.113549.1.9.16.2.14"
CERTIFICATE_REFERENCES = "1.2.840.113549.1.9.16.2.21"
REVOCATION_REFERENCES = "1.2.840.113549.1.9.16.2.22"
ESC_STAMP, REFERENCES_STAMP = "1.2.840.113549.1.9.16.2.25", "1.2.840.113549.1.9.16.2.26"
CONTENT_STAMP = "1.2.840.113549.1.9.16.2.20"
ARCHIVE_V1, ARCHIVE_V2 = "1.2.840.113549.1.9.16.2.27", "1.2.840.113549.1.9.16.2.48"
ARCHIVE = "0.4.0.1733.2.4"
ARCHIVES = frozenset({ARCHIVE_V1, ARCHIVE_V2, ARCHIVE})
INDEX = "0.4.0.19122.1.5"
OLD_INDEXES = ("0.4.0.1733.2.5", "0.4.0.19122.1.4")
"ats-hash-index and ats-hash-index-v2: by attributes, not by values (TS 101 733 6.4.2)."
_JUDGED = {SIGNATURE_STAMP, ESC_STAMP, REFERENCES_STAMP}
_LAST = datetime.max.replace(tzinfo=UTC)
_MOST, _TIED = 1000, 5
_TROUBLE: tuple[type[BaseException], ...] = (*RAISED, Malformed)


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Attribute(core.Sequence):  # type: ignore[misc]
    """An attribute with its values as they are encoded."""

    _fields = [("type", core.ObjectIdentifier), ("values", _Values)]  # noqa: RUF012


class _Attributes(core.SetOf):  # type: ignore[misc]
    _child_spec = _Attribute


class _Parts(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Digests(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class Index(core.Sequence):  # type: ignore[misc]
    """ATSHashIndexV3 (EN 319 122-1 5.5.2)."""

    _fields = [  # noqa: RUF012
        ("algorithm", algos.DigestAlgorithm),
        ("certificates", _Digests),
        ("crls", _Digests),
        ("values", _Digests),
    ]


class _OldIndex(core.Sequence):  # type: ignore[misc]
    """ATSHashIndex where it leaves SHA-256 unsaid (TS 101 733 6.4.2)."""

    _fields = Index._fields[1:]


def whole_attributes(held: core.Asn1Value) -> list[core.Sequence]:
    """Attributes as they are encoded, up to a limit; none where there are none."""
    if not isinstance(held, asn1.CMSAttributes):
        return []
    return list(_Attributes.load(held.untag().dump()))[:_MOST]


def attributes(info: asn1.SignerInfo) -> Iterator[tuple[str, bytes, bytes]]:
    """The unsigned attribute values: type, its encoding, and the value's encoding."""
    for attribute in whole_attributes(info["unsigned_attrs"]):
        for value in list(attribute["values"])[:_MOST]:
            yield attribute["type"].dotted, attribute["type"].dump(), value.dump()


def values(info: asn1.SignerInfo, kind: str) -> Iterator[bytes]:
    """The values of one type of unsigned attribute."""
    return (value for found, _, value in attributes(info) if found == kind)


def content_stamps(info: asn1.SignerInfo, digest: Digest) -> tuple[Archive, ...]:
    """Content time-stamps among the signed attributes (EN 319 122-1 5.2.8)."""
    return tuple(
        Archive(value.dump(), digest)
        for attribute in whole_attributes(info["signed_attrs"])
        if attribute["type"].dotted == CONTENT_STAMP
        for value in list(attribute["values"])[:_MOST]
    )


@dataclass(frozen=True, slots=True)
class Archived:
    """What was put around one signature later."""

    archives: tuple[Archive, ...] = ()
    checks: tuple[Check, ...] = ()
    "About those that cannot be read."


def read(
    signer: cms.Signer, content: bytes, elements: Callable[[], Elements], *, inside: bool
) -> Archived:
    """The archive time-stamps of one signature; those over references stand before them.

    `elements` gives the signature as it is encoded; `inside` tells whether the content is there.
    """
    references = [
        Archive(token, _References(signer.info, signed=kind == ESC_STAMP), reach)
        for kind, reach in ((ESC_STAMP, Reach.SIGNATURE), (REFERENCES_STAMP, Reach.NOTHING))
        for token in values(signer.info, kind)
    ]
    references.sort(key=lambda one: claimed(one.token) or _LAST)
    kinds = {value: kind for kind, _, value in attributes(signer.info) if kind in ARCHIVES}

    def over(token: bytes, older: tuple[bytes, ...]) -> Archive:
        if kinds[token] == ARCHIVE:
            return Archive(token, _Imprint(signer, content, token, older))
        beside = None if inside else content
        return Archive(token, v2.Imprint(elements(), beside, token, older, ARCHIVES))

    archives: list[Archive] = []
    checks: list[Check] = []
    for archive in _ordered(list(kinds), over):
        if kinds[archive.token] == ARCHIVE_V1 and not (inside and _matches(archive)):
            checks.append(_unread())
        else:
            archives.append(archive)
    return Archived((*references, *archives), tuple(checks))


def _ordered(
    tokens: list[bytes], over: Callable[[bytes, tuple[bytes, ...]], Archive]
) -> Iterator[Archive]:
    """Oldest first by what they state; of one second, so that each is over those before it."""
    left = sorted(tokens, key=lambda token: claimed(token) or _LAST)
    older: tuple[bytes, ...] = ()
    while left:
        first = over(left[0], older)
        tied = [one for one in left[:_TIED] if claimed(one) == claimed(left[0])]
        if len(tied) > 1:
            fitting = (found for one in tied if _matches(found := over(one, older)))
            first = next(fitting, first)
        yield first
        left.remove(first.token)
        older = (*older, first.token)


def _matches(archive: Archive) -> bool:
    """Whether the token states the digest that version 2 would have."""
    try:
        stated = imprint(archive.token)
        algorithms = {32: "sha256", 48: "sha384", 64: "sha512", 20: "sha1"}
        return archive.digest(algorithms[len(stated)]) == stated
    except _TROUBLE:
        return False


def _unread() -> Check:
    """Version 1 changed more than once under one name (RFC 5126 6.4.1 note 1)."""
    return unknown(
        "archive-time-stamp",
        "what an archive time-stamp of version 1 is over cannot be told: renew it as version 3",
        "第1版のアーカイブタイムスタンプの対象を特定できません。第3版で付け直してください",
        "RFC 5126 6.4.1",
    )


class _References:
    """What a time-stamp over references is over (TS 101 733 6.3.5, 6.3.6).

    The signature value without tag and length, then the attributes without those of the sequence
    around type and values.
    """

    def __init__(self, info: asn1.SignerInfo, *, signed: bool) -> None:
        self._info = info
        self._signed = signed

    def __call__(self, algorithm: str) -> bytes:
        """The digest by the imprint's algorithm."""
        digest = hashlib.new(algorithm)
        kinds = [CERTIFICATE_REFERENCES, REVOCATION_REFERENCES]
        if self._signed:
            digest.update(self._info["signature"].native)
            kinds.insert(0, SIGNATURE_STAMP)
        held = whole_attributes(self._info["unsigned_attrs"])
        for kind in kinds:
            for one in held:
                if one["type"].dotted == kind:
                    digest.update(one["type"].dump() + one["values"].dump())
        return digest.digest()


class _Imprint:
    """What one archive time-stamp must be over (EN 319 122-1 5.5.3)."""

    def __init__(
        self, signer: cms.Signer, content: bytes, token: bytes, older: tuple[bytes, ...]
    ) -> None:
        self._signer = signer
        self._content = content
        self._token = token
        self._older = older

    def __call__(self, algorithm: str) -> bytes:
        """The digest by the imprint's algorithm; `Malformed` where the index does not fit."""
        kind, encoded = _index(self._token)
        stated, index = _read_index(kind, encoded)
        if stated != algorithm:
            raise Malformed("the index has another digest algorithm than the imprint")
        self._compare(index, algorithm, by_value=kind == INDEX)
        signed, info = self._signer.signed, self._signer.info
        digest = hashlib.new(algorithm)
        digest.update(signed["encap_content_info"]["content_type"].dump())
        digest.update(hashlib.new(algorithm, self._content).digest())
        for part in (
            "version",
            "sid",
            "digest_algorithm",
            "signed_attrs",
            "signature_algorithm",
            "signature",
        ):
            digest.update(info[part].dump())
        digest.update(encoded)
        return digest.digest()

    def _compare(self, index: core.Sequence, algorithm: str, *, by_value: bool) -> None:
        """What the index names is there, and what must be covered is in it."""
        signed = self._signer.signed
        here = list(self._unsigned(by_value=by_value))
        for name, found in (
            ("certificates", [one.dump() for one in signed["certificates"] or ()]),
            ("crls", [one.dump() for one in signed["crls"] or ()]),
            ("values", [encoded for _, encoded in here]),
        ):
            there = {hashlib.new(algorithm, one).digest() for one in found}
            if not {one.native for one in index[name]} <= there:
                raise Malformed("something that the archive time-stamp covers was removed")
        covered = {one.native for one in index["values"]}
        for due, encoded in here:
            if due and hashlib.new(algorithm, encoded).digest() not in covered:
                raise Malformed("a time-stamp is not covered by the archive time-stamp")

    def _unsigned(self, *, by_value: bool) -> Iterator[tuple[bool, bytes]]:
        """What the index may name of the unsigned attributes, and whether it must."""
        if by_value:
            for kind, encoded, value in attributes(self._signer.info):
                yield self._is_due(kind, (value,)), encoded + value
            return
        for one in whole_attributes(self._signer.info["unsigned_attrs"]):
            held = [value.dump() for value in one["values"]]
            yield self._is_due(one["type"].dotted, held), one.dump()

    def _is_due(self, kind: str, held: Sequence[bytes]) -> bool:
        older = kind in ARCHIVES and any(value in self._older for value in held)
        return older or kind in _JUDGED


def _index(token: bytes) -> tuple[str, bytes]:
    """The index in the token's unsigned attributes: its type, and as it is encoded."""
    signed = asn1.ContentInfo.load(token)["content"]
    found = [
        (kind, value)
        for info in signed["signer_infos"]
        for kind, _, value in attributes(info)
        if kind in (INDEX, *OLD_INDEXES)
    ]
    if len(found) != 1:
        raise Malformed("the archive time-stamp has no index, or several")
    return found[0]


def _read_index(kind: str, encoded: bytes) -> tuple[str, core.Sequence]:
    """The index's algorithm, and the index."""
    if kind == OLD_INDEXES[0] and len(_Parts.load(encoded, strict=True)) == len(_OldIndex._fields):
        return "sha256", _OldIndex.load(encoded, strict=True)
    index = Index.load(encoded, strict=True)
    return str(index["algorithm"]["algorithm"].native), index

"""Archive time-stamps of CAdES: version 3, with its index of what it covers.

EN 319 122-1 5.5. The token carries an index of digests: every certificate, revocation list and
unsigned attribute value that was there. What the index names must be there still; the signature
time-stamps and every older archive time-stamp must be in the index, for their time is judged by
this one's.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from asn1crypto import algos, core
from asn1crypto import cms as asn1

from gateway.errors import Malformed
from gateway.hpki import cms
from gateway.hpki.opened import Archive
from gateway.hpki.timestamp import claimed

SIGNATURE_STAMP = "1.2.840.113549.1.9.16.2.14"
ARCHIVE = "0.4.0.1733.2.4"
INDEX = "0.4.0.19122.1.5"
_LAST = datetime.max.replace(tzinfo=UTC)
_MOST = 1000


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Attribute(core.Sequence):  # type: ignore[misc]
    """An attribute with its values as they are encoded."""

    _fields = [("type", core.ObjectIdentifier), ("values", _Values)]  # noqa: RUF012


class _Attributes(core.SetOf):  # type: ignore[misc]
    _child_spec = _Attribute


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


def attributes(info: asn1.SignerInfo) -> Iterator[tuple[str, bytes, bytes]]:
    """The unsigned attribute values: type, its encoding, and the value's encoding."""
    held = info["unsigned_attrs"]
    if isinstance(held, asn1.CMSAttributes):
        for attribute in list(_Attributes.load(held.untag().dump()))[:_MOST]:
            for value in list(attribute["values"])[:_MOST]:
                yield attribute["type"].dotted, attribute["type"].dump(), value.dump()


def values(info: asn1.SignerInfo, kind: str) -> Iterator[bytes]:
    """The values of one type of unsigned attribute."""
    return (value for found, _, value in attributes(info) if found == kind)


def read(signer: cms.Signer, content: bytes) -> tuple[Archive, ...]:
    """The archive time-stamps of one signature, oldest first."""
    tokens = sorted(values(signer.info, ARCHIVE), key=lambda token: claimed(token) or _LAST)
    return tuple(
        Archive(token, _Imprint(signer, content, token, tuple(tokens[:place])))
        for place, token in enumerate(tokens)
    )


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
        encoded = _index(self._token)
        self._compare(Index.load(encoded, strict=True), algorithm)
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

    def _compare(self, index: Index, algorithm: str) -> None:
        """What the index names is there, and what must be covered is in it."""
        if index["algorithm"]["algorithm"].native != algorithm:
            raise Malformed("the index has another digest algorithm than the imprint")
        signed = self._signer.signed
        here = list(attributes(self._signer.info))
        for name, found in (
            ("certificates", [one.dump() for one in signed["certificates"] or ()]),
            ("crls", [one.dump() for one in signed["crls"] or ()]),
            ("values", [kind + value for _, kind, value in here]),
        ):
            there = {hashlib.new(algorithm, one).digest() for one in found}
            if not {one.native for one in index[name]} <= there:
                raise Malformed("something that the archive time-stamp covers was removed")
        covered = {one.native for one in index["values"]}
        for kind, encoded, value in here:
            due = kind == SIGNATURE_STAMP or (kind == ARCHIVE and value in self._older)
            if due and hashlib.new(algorithm, encoded + value).digest() not in covered:
                raise Malformed("a time-stamp is not covered by the archive time-stamp")


def _index(token: bytes) -> bytes:
    """The index in the token's unsigned attributes, as it is encoded."""
    signed = asn1.ContentInfo.load(token)["content"]
    found = [value for info in signed["signer_infos"] for value in values(info, INDEX)]
    if len(found) != 1:
        raise Malformed("the archive time-stamp has no index, or several")
    return found[0]

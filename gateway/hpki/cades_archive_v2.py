"""Archive time-stamps of CAdES before version 3, which are over everything as it is encoded.

TS 101 733 6.4.1, RFC 5126 6.4.1, JIS X 5092: encapContentInfo; the content, where it is beside the
signature; certificates and crls; every element of the SignerInfo, of its unsigned attributes those
that were there. Archive time-stamps that came later are left out; nothing else can have come.
"""

import hashlib
from collections.abc import Iterable, Iterator

from asn1crypto import core, parser

from gateway.hpki.cades_elements import Elements, parts
from gateway.hpki.timestamp import imprint


class Imprint:
    """What one archive time-stamp of version 2 must be over."""

    def __init__(
        self,
        elements: Elements,
        beside: bytes | None,
        token: bytes,
        older: tuple[bytes, ...],
        kinds: frozenset[str],
    ) -> None:
        self._elements = elements
        self._beside = beside
        "The content, where it is not in encapContentInfo."
        self._token = token
        self._older = older
        self._kinds = kinds
        "Types of the attributes that hold archive time-stamps."

    def __call__(self, algorithm: str) -> bytes:
        """Their digest, with or without tag and length of the unsigned attributes.

        The annex K of TS 101 733 once left those two out, against clause 6.4.1; later versions
        advise to try both (TS 101 733 2.2.1, table K.3, note 3).
        """
        stated = imprint(self._token)
        found = [digest.digest() for digest in self._digests(algorithm)]
        return stated if stated in found else found[0]

    def _digests(self, algorithm: str) -> "Iterator[hashlib._Hash]":
        start = hashlib.new(algorithm)
        start.update(self._elements.content)
        start.update(self._beside or b"")
        for part in (*self._elements.sets, *self._elements.signer):
            start.update(part)
        held = b"".join(self._unsigned())
        for octets in (parser.emit(2, 1, 1, held) if held else b"", held):
            digest = start.copy()
            digest.update(octets)
            yield digest

    def _unsigned(self) -> Iterator[bytes]:
        """The unsigned attributes that were there."""
        for attribute in self._elements.unsigned:
            kind, values = parts(attribute)
            if core.ObjectIdentifier.load(bytes(kind)).dotted not in self._kinds:
                yield bytes(attribute)
                continue
            held = [bytes(value) for value in parts(values)]
            kept = [value for value in held if value in self._older]
            if kept == held:
                yield bytes(attribute)
            elif kept:
                yield _attribute(bytes(kind), kept)


def _attribute(kind: bytes, values: Iterable[bytes]) -> bytes:
    return bytes(parser.emit(0, 1, 16, kind + parser.emit(0, 1, 17, b"".join(values))))

"""Archive time-stamps: the octets that they are over, in the order of the standard.

EN 319 132-1 5.5.2.2 and TS 101 903 8.2.1 (namespace 1.4.1), TS 101 903 1.3.2 7.7 (namespace
1.3.2), in the case where everything stands in one place:

1. what each `ds:Reference` of SignedInfo signs, in order, as the reference processing leaves it;
   elements that no transform canonicalised are canonicalised by the time-stamp's method;
2. SignedInfo, SignatureValue and, where there is one, KeyInfo;
3. the unsigned signature properties before the time-stamp, in order;
4. the `ds:Object` elements without the one that holds the properties; the older form leaves out
   those that a reference already signed.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from gateway.hpki.opened import Unfit
from gateway.hpki.xades.canonical import canonical
from gateway.hpki.xades.names import INCLUSIVE_10
from gateway.hpki.xades.places import Parts
from gateway.hpki.xades.references import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Imprint:
    """What a time-stamp is over: signed octets first, then elements, one after the other."""

    method: str | None
    prefixes: tuple[str, ...] = ()
    signed: tuple[tuple[Reference, bytes | None], ...] = ()
    root: etree._Element | None = None
    files: Mapping[str, bytes] | None = None
    elements: tuple[etree._Element, ...] = ()

    def digest(self, algorithm: str) -> bytes:
        """Their digest; `ValueError` where something has no octets."""
        found = hashlib.new(algorithm)
        try:
            for octets in self._octets():
                found.update(octets)
        except Unfit as unfit:
            raise ValueError("not to be canonicalised") from unfit
        return found.digest()

    def _octets(self) -> Iterator[bytes]:
        for reference, digested in self.signed:
            octets = digested
            if reference.bare and self.method not in (None, INCLUSIVE_10) and self.root is not None:
                octets = reference.octets(self.root, self.files or {}, self.method)
            if octets is None:
                raise ValueError("a file that is signed was not handed in")
            yield octets
        for element in self.elements:
            yield canonical(element, self.method, self.prefixes)


def imprint(
    parts: Parts,
    references: tuple[Reference, ...],
    octets: tuple[bytes | None, ...],
    files: Mapping[str, bytes],
    before: list[etree._Element],
    method: str | None,
    prefixes: tuple[str, ...],
    *,
    newer: bool,
) -> Imprint:
    """What an archive time-stamp is over; `newer` is the form of namespace 1.4.1."""
    own = [parts.info, parts.value, *([] if parts.key_info is None else [parts.key_info])]
    signed = [one.target for one in references]
    carried = [one for one in parts.objects if newer or not any(one is target for target in signed)]
    return Imprint(
        method=method,
        prefixes=prefixes,
        signed=tuple(zip(references, octets, strict=True)),
        root=parts.root,
        files=files,
        elements=(*own, *before, *carried),
    )

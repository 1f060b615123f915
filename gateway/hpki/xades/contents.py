"""Content time-stamps: over what is signed, and there before the signature was.

EN 319 132-1 5.2.8, TS 101 903 7.2.9 and 7.2.10. AllDataObjectsTimeStamp is over everything that
SignedInfo refers to but the signed properties, IndividualDataObjectsTimeStamp over what it includes
of that and of signed lists. Both stand in the signed properties: the signature is younger.
"""

from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from gateway.hpki.opened import Archive, Unfit, failed
from gateway.hpki.xades import stamps
from gateway.hpki.xades.archive import Imprint
from gateway.hpki.xades.names import XADES
from gateway.hpki.xades.places import Parts
from gateway.hpki.xades.references import Reference, Role

SECTION = "EN 319 132-1 5.2.8"
_PLACE = f"{XADES}SignedDataObjectProperties"
_ALL, _SOME = f"{XADES}AllDataObjectsTimeStamp", f"{XADES}IndividualDataObjectsTimeStamp"
Pair = tuple[Reference, bytes | None]
"A reference with what was digested for it."


def read(
    parts: Parts,
    signed: Sequence[Pair],
    listed: Sequence[Pair],
    ids: Mapping[str, Sequence[etree._Element]],
    files: Mapping[str, bytes],
) -> tuple[Archive, ...]:
    """The content time-stamps; `Unfit` where one does not say what it is over as it must.

    Those over a file that was not handed in are left out: the digests already say so.
    """
    return tuple(_read(parts, signed, listed, ids, files))


def _read(
    parts: Parts,
    signed: Sequence[Pair],
    listed: Sequence[Pair],
    ids: Mapping[str, Sequence[etree._Element]],
    files: Mapping[str, bytes],
) -> Iterator[Archive]:
    every = [pair for pair in signed if pair[0].role is not Role.PROPERTIES]
    for stamp in parts.properties.iterfind(f"{_PLACE}/*"):
        if stamp.tag not in (_ALL, _SOME):
            continue
        container = stamps.read(stamp, explicit=stamp.tag == _SOME)
        over = every if stamp.tag == _ALL else _included(stamp, [*every, *listed], ids)
        if any(octets is None for _, octets in over):
            continue
        imprint = Imprint(
            method=container.method, prefixes=container.prefixes, signed=tuple(over),
            root=parts.root, files=files,
        )  # fmt: skip
        for token in container.tokens:
            yield Archive(token, imprint.digest)


def _included(
    stamp: etree._Element, pairs: Sequence[Pair], ids: Mapping[str, Sequence[etree._Element]]
) -> list[Pair]:
    """What the time-stamp includes, in its order: references by their ids, and their data."""
    marked = {
        f"#{pair[0].mark}": pair
        for pair in pairs
        if pair[0].mark and len(ids.get(pair[0].mark, ())) == 1
    }
    found: dict[str, Pair] = {}
    for one in stamp.iterfind(f"{XADES}Include"):
        uri = one.get("URI") or ""
        if uri not in marked or uri in found or one.get("referencedData") not in ("true", "1"):
            raise _misnamed()
        found[uri] = marked[uri]
    if not found:
        raise _misnamed()
    return list(found.values())


def _misnamed() -> Unfit:
    return Unfit(
        failed(
            "content-time-stamp",
            "a content time-stamp does not include what is signed by its references",
            "コンテンツタイムスタンプの対象（Include）が署名対象の参照ではありません",
            SECTION,
        )
    )

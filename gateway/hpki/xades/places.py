"""Where signatures stand in a document, found by position and never by search (B-01, A-08).

Known places: the e-prescription container (EPS 1.0), the dispensing container with the
prescription embedded in it (EPD 1.0), children of the root (enveloped, or beside what they sign),
and the root itself (enveloping, or detached). Countersignatures stand in the unsigned properties of
the signature they are about. A signature anywhere else makes the whole document unfit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from lxml import etree

from gateway.hpki.xades import refusals
from gateway.hpki.xades.canonical import is_signature
from gateway.hpki.xades.names import DS, XADES

MOST_SIGNATURES = 10
"Signatures that are judged in one document, countersignatures among them."
MOST_CARRIED = 1000
"Objects in one signature."
_DEEPEST = 3
"Countersignatures of countersignatures."
_IDS = etree.XPath("//*[@*[local-name()='Id' or local-name()='ID' or local-name()='id']]")
_NAMES = ("Id", "ID", "id")
_UNSIGNED = f"{XADES}UnsignedProperties/{XADES}UnsignedSignatureProperties"


class Kind(Enum):
    """How a signature stands to what it signs."""

    CONTAINER = "container"
    "Beside the one body that the container has a place for."
    CHILD = "child"
    "A child of the document's root."
    ROOT = "root"
    "The document itself is the signature."
    COUNTER = "counter"
    "Over the value of another signature."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one signature, each found by position."""

    kind: Kind
    root: etree._Element
    signature: etree._Element
    body: etree._Element | None
    "What must be signed where the place says so: a container's body, a signature's value."
    peers: tuple[etree._Element, ...]
    "Every signature that is a child of the root."
    info: etree._Element
    value: etree._Element
    key_info: etree._Element | None
    objects: tuple[etree._Element, ...]
    "What the signature carries, without the properties."
    properties: etree._Element
    unsigned: etree._Element | None
    embedded: "tuple[Parts, ...]" = ()
    "Signatures inside of what this one signs, with a place of their own there."
    counters: "tuple[Parts, ...]" = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A signed document: its signatures in document order, and its ids."""

    signatures: tuple[Parts, ...]
    ids: dict[str, list[etree._Element]]


def locate(root: etree._Element) -> Document:
    """The signatures of a document; `Unfit` where one is out of place. Without any it is empty."""
    everywhere = list(root.iter(f"{DS}Signature"))
    if not everywhere:
        return Document((), {})
    if len(everywhere) > MOST_SIGNATURES:
        raise refusals.crowd()
    found = _signatures(root)
    placed = {id(one.signature) for outer in found for one in every(outer)}
    if placed != {id(one) for one in everywhere}:
        raise refusals.misplaced()
    return Document(found, _ids(root))


def every(parts: Parts) -> Iterator[Parts]:
    """A signature with those inside of it and about it."""
    yield parts
    for one in (*parts.embedded, *parts.counters):
        yield from every(one)


def _signatures(root: etree._Element) -> tuple[Parts, ...]:
    if root.tag == f"{DS}Signature":
        return (read(root, root, Kind.ROOT),)
    if root.tag == "Document" and root.find("Dispensing") is not None:
        return (_dispensing(root),)
    if root.tag == "Document" and root.find("Prescription") is not None:
        return (_prescription(root, only(root, "Prescription")),)
    peers = tuple(child for child in root if is_signature(child))
    return tuple(read(root, one, Kind.CHILD, peers=peers) for one in peers)


def _prescription(root: etree._Element, holder: etree._Element) -> Parts:
    """The prescription of a container, or the one embedded in a dispensing container."""
    body = only(holder, "PrescriptionDocument")
    if len(list(root.iter("{*}PrescriptionDocument"))) != 1:
        raise refusals.misplaced()
    signature = only(holder, f"PrescriptionSign/{DS}Signature")
    return read(root, signature, Kind.CONTAINER, body=body)


def _dispensing(root: etree._Element) -> Parts:
    """The dispensing container; a prescription in it must have kept its own signature."""
    body = only(root, "Dispensing")
    if len(list(root.iter("{*}Dispensing"))) != 1 or root.find("Prescription") is not None:
        raise refusals.misplaced()
    holder = at_most_one(body, "ReferencePrescription")
    embedded: tuple[Parts, ...] = ()
    if holder is not None and holder.find("PrescriptionDocument") is not None:
        embedded = (_prescription(root, holder),)
    elif next(root.iter("{*}PrescriptionDocument"), None) is not None:
        raise refusals.misplaced()
    signature = only(root, f"DispensingSign/{DS}Signature")
    return read(root, signature, Kind.CONTAINER, body=body, embedded=embedded)


def read(
    root: etree._Element,
    signature: etree._Element,
    kind: Kind,
    *,
    body: etree._Element | None = None,
    peers: tuple[etree._Element, ...] = (),
    embedded: tuple[Parts, ...] = (),
    depth: int = 0,
) -> Parts:
    """The parts of a signature, each in its place and nothing else (XMLDSig 4.1)."""
    info, value = only(signature, f"{DS}SignedInfo"), only(signature, f"{DS}SignatureValue")
    key_info = at_most_one(signature, f"{DS}KeyInfo")
    objects = signature.findall(f"{DS}Object")
    if len(objects) > MOST_CARRIED:
        raise refusals.crowd()
    expected = [info, value, *([] if key_info is None else [key_info]), *objects]
    if [child for child in signature if isinstance(child.tag, str)] != expected:
        raise refusals.misplaced()
    holders = [one for one in objects if one.find(f"{XADES}QualifyingProperties") is not None]
    if len(holders) != 1:
        raise refusals.misplaced()
    qualifying = only_child(holders[0])
    if (
        qualifying.tag != f"{XADES}QualifyingProperties"
        or signature.get("Id") is None
        or qualifying.get("Target") != f"#{signature.get('Id')}"
    ):
        raise refusals.misplaced()
    unsigned = at_most_one(qualifying, _UNSIGNED)
    return Parts(
        kind=kind,
        root=root,
        signature=signature,
        body=body,
        peers=peers,
        info=info,
        value=value,
        key_info=key_info,
        objects=tuple(one for one in objects if one is not holders[0]),
        properties=only(qualifying, f"{XADES}SignedProperties"),
        unsigned=unsigned,
        embedded=embedded,
        counters=tuple(_counters(root, value, unsigned, depth)),
    )


def _counters(
    root: etree._Element, value: etree._Element, unsigned: etree._Element | None, depth: int
) -> Iterator[Parts]:
    """Countersignatures (EN 319 132-1 5.2.7): over the value of the signature they stand in."""
    found = [] if unsigned is None else unsigned.findall(f"{XADES}CounterSignature")
    if found and depth == _DEEPEST:
        raise refusals.crowd()
    for one in found:
        signature = only(one, f"{DS}Signature")
        yield read(root, signature, Kind.COUNTER, body=value, depth=depth + 1)


def _ids(root: etree._Element) -> dict[str, list[etree._Element]]:
    """Every element by its ids, in whatever spelling and namespace; one with two counts twice."""
    found: dict[str, list[etree._Element]] = {}
    elements = _IDS(root)
    for element in elements if isinstance(elements, list) else ():
        for name, value in element.attrib.items():
            if etree.QName(name).localname in _NAMES:
                found.setdefault(str(value), []).append(element)
    return found


def only(parent: etree._Element, place: str) -> etree._Element:
    """The one element at a place."""
    found = parent.findall(place)
    if len(found) != 1:
        raise refusals.misplaced()
    return found[0]


def only_child(parent: etree._Element) -> etree._Element:
    """The one element in another."""
    found = [child for child in parent if isinstance(child.tag, str)]
    if len(found) != 1:
        raise refusals.misplaced()
    return found[0]


def at_most_one(parent: etree._Element, place: str) -> etree._Element | None:
    """The element at a place, where there is one."""
    found = parent.findall(place)
    if len(found) > 1:
        raise refusals.misplaced()
    return found[0] if found else None

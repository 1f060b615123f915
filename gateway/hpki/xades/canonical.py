"""Canonical XML, of an element where it stands (C14N 1.0 and 1.1, Exclusive C14N 1.0).

The library writes the namespaces in scope, but not the `xml:` attributes that an element of a
larger document inherits (C14N 1.0 2.4); those are added here for as long as it writes.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy

from lxml import etree

from gateway.hpki.xades import refusals
from gateway.hpki.xades.names import CANONICAL, COMMENTED, DS, EXCLUSIVE, INCLUSIVE_11

_XML = "{http://www.w3.org/XML/1998/namespace}"


def canonical(
    element: etree._Element, method: str | None = None, prefixes: Sequence[str] = ()
) -> bytes:
    """The element canonicalised where it stands; inclusive C14N 1.0 where no method is named.

    Raises `Unfit` for a method that is not on the list, and for what has no canonical form.
    """
    if method is not None and method not in CANONICAL:
        raise refusals.transform()
    comments = method in COMMENTED
    method = COMMENTED.get(method or "", method)
    inherited = {} if method == EXCLUSIVE else _inherited(element, method)
    for name, value in inherited.items():
        element.set(name, value)
    try:
        return etree.tostring(
            element,
            method="c14n",
            exclusive=method == EXCLUSIVE,
            with_comments=comments,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    except (etree.LxmlError, ValueError) as error:  # relative namespaces (B-07)
        raise refusals.transform() from error
    finally:
        for name in inherited:
            del element.attrib[name]


def _inherited(element: etree._Element, method: str | None) -> dict[str, str]:
    """`xml:` attributes of the nearest ancestors; 1.1 keeps ids and bases where they were set."""
    found: dict[str, str] = {}
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if str(name).startswith(_XML) and element.get(name) is None:
                found.setdefault(str(name), str(value))
    if method == INCLUSIVE_11:
        found.pop(f"{_XML}id", None)
        if f"{_XML}base" in found:  # to be joined, which nobody needs
            raise refusals.transform()
    return found


def without(root: etree._Element, signatures: Iterable[etree._Element]) -> etree._Element:
    """A copy of the document without these children of its root; the text around them stays."""
    places = sorted((root.index(signature) for signature in signatures), reverse=True)
    copy = deepcopy(root)
    for place in places:
        signature = copy[place]
        tail = signature.tail or ""
        if place:
            before = copy[place - 1]
            before.tail = (before.tail or "") + tail
        else:
            copy.text = (copy.text or "") + tail
        signature.tail = None
        copy.remove(signature)
    return copy


def is_signature(element: etree._Element) -> bool:
    """Whether the element is a signature."""
    return bool(element.tag == f"{DS}Signature")

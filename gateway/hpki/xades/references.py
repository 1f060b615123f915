"""What a signature signs: each reference resolved by its place, each transform on the list.

All of it is looked at before any cryptography and before any transform runs (B-03, B-04). A file
beside the signature is taken from what the caller handed in, by the exact name; nothing is fetched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from lxml import etree

from gateway.errors import Malformed, Refusal
from gateway.hpki.certificates import decode_base64
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import refusals
from gateway.hpki.xades.canonical import canonical, is_signature, without
from gateway.hpki.xades.names import (
    BASE64,
    CANONICAL,
    COMMENTED,
    COUNTERSIGNED,
    DIGESTS,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    FILTER2,
    INCLUSIVE_10,
    MANIFEST,
    PROPERTIES,
    XPATH,
)
from gateway.hpki.xades.places import Document, Kind, Parts, only
from gateway.wire import xml

MOST_REFERENCES = 1000
_ID = re.compile(r"#([^\s#()/&?'\"]{1,256})")
_FILE = re.compile(
    r"(?![A-Za-z][A-Za-z0-9+.\-]*:)[^\x00-\x1f\x7f#?/\\][^\x00-\x1f\x7f#?\\]{0,1023}"
)
_ALL = {
    (FILTER2, "/descendant::ds:Signature", "subtract"),
    (XPATH, "not(ancestor-or-self::ds:Signature)", None),
}
"Two usual ways to write: without any signature. Understood as written, never evaluated."
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"


class Role(Enum):
    """What a reference is about."""

    WHOLE = "whole"
    "The document without its signatures."
    PART = "part"
    "An element that is content."
    LIST = "list"
    "A list of files (ds:Manifest)."
    FILE = "file"
    "A file beside the signature."
    PROPERTIES = "properties"
    KEY_INFO = "key-info"
    VALUE = "value"
    "The value of the signature that is countersigned."

    @property
    def content(self) -> bool:
        """Whether a document's user would call it content."""
        return self in (Role.WHOLE, Role.PART, Role.LIST, Role.FILE, Role.VALUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference: what it points at, how that becomes octets, and their digest."""

    role: Role
    name: str
    "The file's name, or the id with its `#`, or nothing for the whole document."
    target: etree._Element | None
    "None for a file."
    removed: tuple[etree._Element, ...]
    "Signatures that are left out."
    decoded: bool
    "Base64 text, which is decoded."
    method: str | None
    "Canonicalisation; None leaves an element to the one who needs octets."
    prefixes: tuple[str, ...]
    algorithm: str
    value: bytes
    element: etree._Element
    "The reference itself."

    @property
    def mark(self) -> str:
        """Its own id, by which a time-stamp may include it; empty without one."""
        return self.element.get("Id") or ""

    @property
    def bare(self) -> bool:
        """Whether it is an element that no transform canonicalises."""
        return self.target is not None and not self.decoded and self.method is None

    def octets(
        self, root: etree._Element | None, files: Mapping[str, bytes], method: str | None = None
    ) -> bytes | None:
        """What is digested; None for a file that is not at hand (XMLDSig 4.4.3.2).

        `method` is for elements that no transform canonicalises: C14N 1.0 unless said.
        """
        if self.target is None:
            return self._file(files)
        if self.decoded:
            try:
                return plain_base64(self.target)
            except Malformed as error:
                raise refusals.unreadable() from error
        element = self.target
        if self.removed and root is not None:
            element = without(root, self.removed)
        chosen = self.method or method or INCLUSIVE_10
        return canonical(element, COMMENTED.get(chosen, chosen), self.prefixes)

    def _file(self, files: Mapping[str, bytes]) -> bytes | None:
        content = files.get(self.name)
        if content is None or self.method is None:
            return content
        try:
            return canonical(xml.parse(content), self.method, self.prefixes)
        except Refusal as refusal:
            raise refusals.unreadable() from refusal


def read_all(parts: Parts, document: Document, allowed: Algorithms) -> tuple[Reference, ...]:
    """Every reference of a signature; `Unfit` for anything unexpected."""
    elements = parts.info.findall(f"{DS}Reference")
    if len(elements) > MOST_REFERENCES:
        raise refusals.crowd()
    known = {f"{DS}CanonicalizationMethod", f"{DS}SignatureMethod", f"{DS}Reference"}
    if any(child.tag not in known for child in parts.info if isinstance(child.tag, str)):
        raise refusals.misplaced()
    found = tuple(_read(parts, document, element, allowed) for element in elements)
    targets = [id(one.target) if one.target is not None else one.name for one in found]
    if len(set(targets)) != len(targets):
        raise refusals.misplaced()
    _demand(parts, found)
    return found


def content(found: tuple[Reference, ...]) -> frozenset[object]:
    """What a signature is over, so that two signatures can be compared."""
    if any(one.role is Role.WHOLE for one in found):
        return frozenset({Role.WHOLE})
    return frozenset(
        one.name if one.target is None else id(one.target) for one in found if one.role.content
    )


def read_listed(listing: etree._Element, allowed: Algorithms) -> tuple[Reference, ...]:
    """The files of a ds:Manifest; it may list nothing else (XMLDSig 5.1)."""
    elements = [child for child in listing if isinstance(child.tag, str)]
    if len(elements) > MOST_REFERENCES:
        raise refusals.crowd()
    if not elements or any(one.tag != f"{DS}Reference" for one in elements):
        raise refusals.misplaced()
    found = tuple(_external(element, allowed) for element in elements)
    if len({one.name for one in found}) != len(found):
        raise refusals.misplaced()
    return found


def _read(
    parts: Parts, document: Document, element: etree._Element, allowed: Algorithms
) -> Reference:
    uri = element.get("URI")
    if uri is None:
        raise refusals.pointer()
    if uri and not uri.startswith("#"):
        if parts.kind in (Kind.CONTAINER, Kind.COUNTER):
            raise refusals.pointer()
        return _external(element, allowed)
    role, target = _target(parts, document, uri)
    kind = element.get("Type")
    if (role is Role.PROPERTIES) != (kind == PROPERTIES):
        raise refusals.misplaced()
    if kind == COUNTERSIGNED and role is not Role.VALUE:
        raise refusals.misplaced()
    if kind == MANIFEST and role is not Role.LIST:
        raise refusals.misplaced()
    removed, decoded, method, prefixes = _steps(parts, element, role, target)
    return Reference(
        role=role, name=uri, target=target, removed=removed, decoded=decoded, method=method,
        prefixes=prefixes, algorithm=_digest(element, allowed), value=_value(element),
        element=element,
    )  # fmt: skip


def _external(element: etree._Element, allowed: Algorithms) -> Reference:
    """A file beside the signature: a plain relative name, and at most a canonicalisation."""
    uri = element.get("URI") or ""
    name = unquote(uri)
    if not _FILE.fullmatch(name) or any(step in ("", ".", "..") for step in name.split("/")):
        raise refusals.pointer()
    if element.get("Type") in (PROPERTIES, COUNTERSIGNED, MANIFEST):
        raise refusals.misplaced()
    method, prefixes = _method(list(_transforms(element)))
    if method in COMMENTED:  # those around the root would count, too
        raise refusals.transform()
    return Reference(
        role=Role.FILE, name=name, target=None, removed=(), decoded=False, method=method,
        prefixes=prefixes, algorithm=_digest(element, allowed), value=_value(element),
        element=element,
    )  # fmt: skip


def _target(parts: Parts, document: Document, uri: str) -> tuple[Role, etree._Element]:
    """What a reference within the document points at: its id must be the only one, and in place."""
    if uri == "":
        if parts.kind is not Kind.CHILD:
            raise refusals.pointer()
        return Role.WHOLE, parts.root
    found = _ID.fullmatch(uri)
    if found is None:
        raise refusals.pointer()
    targets = document.ids.get(found[1], [])
    if len(targets) != 1:
        raise refusals.ambiguous()
    target = targets[0]
    if target is parts.properties:
        return Role.PROPERTIES, target
    if target is parts.key_info:
        return Role.KEY_INFO, target
    if parts.body is not None:
        if target is not parts.body:
            raise refusals.misplaced()
        return Role.VALUE if parts.kind is Kind.COUNTER else Role.PART, target
    if parts.kind is Kind.CHILD and target is parts.root:
        return Role.WHOLE, target
    parent = target.getparent()
    carried = any(target is one or parent is one for one in parts.objects)
    beside = parts.kind is Kind.CHILD and parent is parts.root and not is_signature(target)
    if not carried and not beside:
        raise refusals.misplaced()
    return Role.PART if listing(target) is None else Role.LIST, target


def listing(target: etree._Element) -> etree._Element | None:
    """The list of files that an element is or holds."""
    if target.tag == f"{DS}Manifest":
        return target
    held = [child for child in target if isinstance(child.tag, str)]
    if target.tag == f"{DS}Object" and any(one.tag == f"{DS}Manifest" for one in held):
        return only(target, f"{DS}Manifest") if len(held) == 1 else _mixed()
    return None


def _mixed() -> etree._Element:
    raise refusals.misplaced()


def _transforms(element: etree._Element) -> list[etree._Element]:
    holders = element.findall(f"{DS}Transforms")
    if len(holders) > 1:
        raise refusals.misplaced()
    steps = [child for child in holders[0] if isinstance(child.tag, str)] if holders else []
    if any(step.tag != f"{DS}Transform" for step in steps):
        raise refusals.transform()
    return steps


def _steps(
    parts: Parts, element: etree._Element, role: Role, target: etree._Element
) -> tuple[tuple[etree._Element, ...], bool, str | None, tuple[str, ...]]:
    """Signatures left out, whether base64 is decoded, and the canonicalisation."""
    steps = _transforms(element)
    left_out: list[etree._Element] = []
    removing = False
    while steps and role in (Role.WHOLE, Role.PART) and (which := _removes(steps[0])):
        removing = True
        left_out.extend(parts.peers if which == "all" else [parts.signature])
        steps = steps[1:]
    if role is Role.WHOLE:
        if not removing:
            raise refusals.transform()
        method, prefixes = _method(steps)
        return tuple({id(one): one for one in left_out}.values()), False, method, prefixes
    # Elsewhere the signature stands outside of its target, so that leaving it out changes
    # nothing; signers that write it all the same are read.
    if [step.get("Algorithm") for step in steps] == [BASE64] and not removing:
        if not any(target is one for one in parts.objects) or len(steps[0]):
            raise refusals.transform()
        return (), True, None, ()
    method, prefixes = _method(steps)
    return (), False, method, prefixes


def _removes(step: etree._Element) -> str:
    """Which signatures a transform leaves out: its own, all of them, or none."""
    algorithm = step.get("Algorithm")
    if algorithm == ENVELOPED and not len(step):
        return "own"
    if algorithm not in (FILTER2, XPATH) or len(step) != 1:
        return ""
    path = step[0]
    wanted = f"{{{algorithm}}}XPath" if algorithm == FILTER2 else f"{DS}XPath"
    if path.tag != wanted or path.nsmap.get("ds") != DS[1:-1] or len(path):
        return ""
    written = (algorithm, (path.text or "").strip(), path.get("Filter"))
    return "all" if written in _ALL else ""


def _method(steps: list[etree._Element]) -> tuple[str | None, tuple[str, ...]]:
    """The canonicalisation at the end of the transforms, where there is one."""
    if not steps:
        return None, ()
    if len(steps) > 1:
        raise refusals.transform()
    return method_of(steps[0])


def method_of(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    """A canonicalisation with its prefixes; `Unfit` where it is not on the list."""
    method = element.get("Algorithm")
    if method not in CANONICAL:
        raise refusals.transform()
    inside = [child for child in element if isinstance(child.tag, str)]
    if not inside:
        return method, ()
    if COMMENTED.get(method, method) != EXCLUSIVE or [one.tag for one in inside] != [
        _INCLUSIVE_NAMESPACES
    ]:
        raise refusals.transform()
    return method, tuple((inside[0].get("PrefixList") or "").split())


def _digest(element: etree._Element, allowed: Algorithms) -> str:
    found = DIGESTS.get(only(element, f"{DS}DigestMethod").get("Algorithm") or "")
    if found is None or found not in allowed.digests:
        raise refusals.weak()
    return found


def _value(element: etree._Element) -> bytes:
    """The digest as it is written; what cannot be read is no digest of anything."""
    try:
        return plain_base64(only(element, f"{DS}DigestValue"))
    except Malformed:
        return b""


def plain_base64(element: etree._Element) -> bytes:
    """Base64 text without anything in it, comments included (B-03); `Malformed` otherwise."""
    return decode_base64(xml.text(element))


def _demand(parts: Parts, found: tuple[Reference, ...]) -> None:
    """Whether everything that must be signed is, and nothing stands beside it unsigned."""
    roles = {one.role for one in found}
    if Role.PROPERTIES not in roles or not any(role.content for role in roles):
        raise refusals.unsigned()
    signed = [one.target for one in found if one.target is not None]
    for carried in parts.objects:
        if not any(target is carried for target in signed):
            inside = [child for child in carried if isinstance(child.tag, str)]
            held = len(inside) == 1 and any(target is inside[0] for target in signed)
            if not held or "".join(_texts(carried)).strip():
                raise refusals.beside()
    if parts.kind is Kind.CHILD and Role.WHOLE not in roles:
        around = [child for child in parts.root if isinstance(child.tag, str)]
        loose = [one for one in around if not is_signature(one)]
        if any(not any(one is target for target in signed) for one in loose):
            raise refusals.beside()
        if "".join(_texts(parts.root)).strip():
            raise refusals.beside()


def _texts(element: etree._Element) -> list[str]:
    """Text that stands directly in an element."""
    return [element.text or "", *(child.tail or "" for child in element)]

"""The changes of `xua_mutations.jsonl`, one function a row: assertions that must not pass.

Each returns messages (security header and envelope), or one with other rules for the verifier.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from conformance import saml as issuing
from gateway.wire import saml, xml
from tests.saml import (
    ENVELOPE,
    NEIGHBOUR,
    certificate,
    message,
    moment,
    neighbour,
    parsed,
    pem,
    rsa_key,
    signed,
    statement,
)

Message = tuple[etree._Element | None, etree._Element]
Case = tuple[Message, dict[str, Any]]
ROWS: dict[str, Callable[[], Iterator[Case | Message]]] = {}
"One function for each row id."

DS = issuing.DS


def row(name: str) -> Callable[[Callable[[], Iterator[Any]]], Callable[[], Iterator[Any]]]:
    """Put a function under its row's id."""

    def keep(function: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        ROWS[name] = function
        return function

    return keep


def evil(of: etree._Element, *, same_id: bool = False, signature: bool = False) -> etree._Element:
    """A copy with another subject; unless asked, with another id and without the signature."""
    copy = deepcopy(of)
    xml.one(copy, "saml:Subject/saml:NameID").text = "mallory"
    if not same_id:
        copy.set("ID", "_evil")
    if not signature:
        copy.remove(xml.one(copy, "ds:Signature"))
    return copy


def bare(of: etree._Element) -> etree._Element:
    """A copy without its signature."""
    copy = deepcopy(of)
    copy.remove(xml.one(copy, "ds:Signature"))
    return copy


def changed(change: Callable[[etree._Element], object], *, resign: bool = True) -> Message:
    """The usual assertion with its signature element changed, and signed again if asked."""
    token = signed()
    signature = xml.one(token, "ds:Signature")
    change(signature)
    if resign and signature.find(f"{{{DS}}}SignedInfo") is not None:
        issuing.resign(signature, neighbour().key)
    return message(token)


def replaced(old: str, new: str) -> Message:
    """The usual message with one piece of its text replaced after signing."""
    envelope = etree.tostring(message(signed())[1]).decode()
    assert old in envelope
    return parsed(envelope.replace(old, new, 1).encode())


@row("XSW-0")
def _() -> Iterator[Message]:
    yield message(signed())


@row("XSW-1")
def _() -> Iterator[Message]:
    original = signed()
    for same in (False, True):
        forged = evil(original, same_id=same, signature=True)
        xml.one(forged, "ds:Signature").append(bare(original))
        yield message(forged)


@row("XSW-2")
def _() -> Iterator[Message]:
    original = signed()
    forged = evil(original, signature=True)
    forged.insert(1, bare(original))
    yield message(forged)


@row("XSW-3")
def _() -> Iterator[Message]:
    original = signed()
    yield message(evil(original), original)
    yield message(evil(original, same_id=True), original)


@row("XSW-4")
def _() -> Iterator[Message]:
    original = signed()
    forged = evil(original)
    forged.append(original)
    yield message(forged)


@row("XSW-5")
def _() -> Iterator[Message]:
    original = signed()
    yield message(evil(original, signature=True), bare(original))
    yield message(evil(original, same_id=True, signature=True), bare(original))


@row("XSW-6")
def _() -> Iterator[Message]:
    original = signed()
    forged = evil(original, signature=True)
    xml.one(forged, "ds:Signature").insert(0, bare(original))
    yield message(forged)


@row("XSW-7")
def _() -> Iterator[Message]:
    original = signed()
    extensions = etree.Element("Extensions")
    extensions.append(evil(original, same_id=True))
    yield message(extensions, original)


@row("XSW-8")
def _() -> Iterator[Message]:
    original = signed()
    forged = evil(original, same_id=True, signature=True)
    etree.SubElement(xml.one(forged, "ds:Signature"), f"{{{DS}}}Object").append(bare(original))
    yield message(forged)


@row("XSW-9")
def _() -> Iterator[Message]:
    original = signed()
    for place in ("Body", "Header"):
        for forged in (evil(original), evil(original, signature=True)):
            root = etree.fromstring(ENVELOPE)
            home = xml.one(root, f"env:{place}")
            etree.SubElement(home, "{urn:x}Elsewhere").append(deepcopy(original))
            root[0].append(issuing.security(forged))
            yield parsed(etree.tostring(root))


@row("XSW-10")
def _() -> Iterator[Message]:
    original = signed()
    forged = evil(original)
    advice = etree.Element(f"{{{issuing.SAML}}}Advice")
    advice.append(original)
    forged.insert(3, advice)
    yield message(forged)


@row("SAML-01")
def _() -> Iterator[Message]:
    yield message(bare(signed()))


@row("SAML-02")
def _() -> Iterator[Message]:
    token = signed()
    subject = xml.one(token, "saml:Subject")
    subject.set("ID", "subject")
    canonical = etree.tostring(subject, method="c14n", exclusive=True)
    digest = issuing.encode(issuing._hash(canonical, SHA256()))
    signature = xml.one(token, "ds:Signature")
    reference = xml.one(signature, "ds:SignedInfo/ds:Reference")
    reference.set("URI", "#subject")
    xml.one(reference, "ds:DigestValue").text = digest
    issuing.resign(signature, neighbour().key)
    yield message(token)


@row("SAML-03")
def _() -> Iterator[Message]:
    for uri in ("", "http://127.0.0.1/a", "#xpointer(/)", "#xpointer(id('a'))", "#other", None):

        def change(signature: etree._Element, uri: str | None = uri) -> None:
            reference = xml.one(signature, "ds:SignedInfo/ds:Reference")
            if uri is None:
                del reference.attrib["URI"]
            else:
                reference.set("URI", uri)

        yield changed(change)


@row("SAML-04")
def _() -> Iterator[Message]:
    def change(signature: etree._Element) -> None:
        info = xml.one(signature, "ds:SignedInfo")
        info.append(deepcopy(xml.one(info, "ds:Reference")))

    yield changed(change)


@row("SAML-05")
def _() -> Iterator[Message]:
    def second_info(signature: etree._Element) -> None:
        signature.insert(0, deepcopy(signature[0]))

    def second_digest(signature: etree._Element) -> None:
        reference = xml.one(signature, "ds:SignedInfo/ds:Reference")
        reference.append(deepcopy(xml.one(reference, "ds:DigestValue")))

    def comment(signature: etree._Element) -> None:
        value = xml.one(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue")
        text = value.text or ""
        value.text = text[:5]
        remark = etree.Comment("x")
        remark.tail = text[5:]
        value.append(remark)

    yield changed(second_info, resign=False)
    yield changed(second_digest)
    yield changed(comment)


def _transforms(*algorithms: str) -> Message:
    def change(signature: etree._Element) -> None:
        place = xml.one(signature, "ds:SignedInfo/ds:Reference/ds:Transforms")
        for algorithm in algorithms:
            added = etree.Element(f"{{{DS}}}Transform", Algorithm=algorithm)
            etree.SubElement(added, f"{{{DS}}}XPath").text = "//*"
            place.insert(1, added)

    return changed(change)


@row("SAML-06")
def _() -> Iterator[Message]:
    yield _transforms("http://www.w3.org/TR/1999/REC-xslt-19991116")


@row("SAML-07")
def _() -> Iterator[Message]:
    yield _transforms("http://www.w3.org/TR/1999/REC-xpath-19991116")
    yield _transforms("http://www.w3.org/2002/06/xmldsig-filter2")
    yield _transforms(DS + "base64")


@row("SAML-08")
def _() -> Iterator[Message]:
    inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    for name in (inclusive, inclusive + "#WithComments", issuing.EXCLUSIVE + "WithComments"):
        for path in ("CanonicalizationMethod", "Reference/{%s}Transforms/{%s}Transform[2]"):

            def change(signature: etree._Element, name: str = name, path: str = path) -> None:
                found = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}" + path.replace("%s", DS))
                assert found is not None
                found.set("Algorithm", name)

            yield changed(change)


def _method(uri: str) -> Message:
    def change(signature: etree._Element) -> None:
        xml.one(signature, "ds:SignedInfo/ds:SignatureMethod").set("Algorithm", uri)

    return changed(change)


@row("SAML-09")
def _() -> Iterator[Message]:
    yield _method(DS + "hmac-sha1")
    yield _method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")


@row("SAML-10")
def _() -> Iterator[Case | Message]:
    yield message(signed(digest="sha1"))
    yield _method("http://www.w3.org/2001/04/xmldsig-more#rsa-md5")
    yield _method(DS + "dsa-sha1")


@row("SAML-11")
def _() -> Iterator[Message]:
    def truncated(signature: etree._Element) -> None:
        method = xml.one(signature, "ds:SignedInfo/ds:SignatureMethod")
        etree.SubElement(method, f"{{{DS}}}HMACOutputLength").text = "1"

    def empty(signature: etree._Element) -> None:
        xml.one(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue").text = ""

    yield changed(truncated)
    yield changed(empty)


@row("SAML-12")
def _() -> Iterator[Message]:
    attacker = neighbour(number=1)
    yield message(signed(issuer=attacker))
    assert attacker.certificate is not None
    other = issuing.key_info(attacker.certificate)
    retrieval = etree.Element(f"{{{DS}}}KeyInfo")
    etree.SubElement(retrieval, f"{{{DS}}}RetrievalMethod", URI="http://127.0.0.1:9/key")
    named = etree.Element(f"{{{DS}}}KeyInfo")
    etree.SubElement(named, f"{{{DS}}}KeyName").text = NEIGHBOUR
    der = etree.Element(f"{{{DS}}}KeyInfo")
    etree.SubElement(der, "{http://www.w3.org/2009/xmldsig11#}DEREncodedKeyValue").text = "MA=="
    for info in (other, retrieval, named, der):

        def change(signature: etree._Element, info: etree._Element = info) -> None:
            signature[-1] = deepcopy(info)

        yield changed(change, resign=False)


@row("SAML-13")
def _() -> Iterator[Case]:
    key = rsa_key()
    for start, end in ((-20, -10), (10, 20)):
        days = timedelta(days=1)
        timed = certificate(key, start=moment() + start * days, end=moment() + end * days)
        issuer = issuing.Issuer(name=NEIGHBOUR, key=key, certificate=timed)
        yield message(signed(issuer=issuer)), {"trust": saml.trust_of([(NEIGHBOUR, pem(issuer))])}
    yield message(signed()), {"trust": {NEIGHBOUR: ()}}


@row("SAML-14")
def _() -> Iterator[Message]:
    yield replaced(">hanako<", ">hana<!-- -->ko<")
    yield replaced(">Doctor One<", ">Doctor<!-- --> One<")


@row("SAML-15")
def _() -> Iterator[Message]:
    yield replaced(">hanako<", ">hana<![CDATA[ko]]><")
    yield replaced(">hanako<", ">hanako&amp;#0;<")


@row("SAML-16")
def _() -> Iterator[Message]:
    token = signed(statement(id="_twice"))
    for place in ("Header", "Body"):
        root = etree.fromstring(ENVELOPE)
        etree.SubElement(xml.one(root, f"env:{place}"), "{urn:x}y", ID="_twice")
        root[0].append(issuing.security(deepcopy(token)))
        yield parsed(etree.tostring(root))


@row("SAML-17")
def _() -> Iterator[Message]:
    names = ("id", "Id", "{http://www.w3.org/XML/1998/namespace}id", xml.clark("wsu:Id"))
    for name in names:
        moved, doubled = signed(), signed()
        moved.set(name, moved.attrib.pop("ID"))
        doubled.set(name, str(doubled.get("ID")))
        yield message(moved)
        yield message(doubled)


@row("SAML-18")
def _() -> Iterator[Message]:
    yield replaced("<saml:Subject>", '<saml:Subject xmlns:saml="urn:oasis:other">')
    yield replaced("<saml:NameID>", '<saml:NameID xmlns:saml="relative">')

"""Mutated copies: no crash, and nothing verified whose covered bytes differ.

A short form of the campaign, with a fixed seed; `FUZZ=100000` in the environment makes it long.
"""

import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from functools import cache

import pytest
from lxml import etree

from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import verify
from gateway.model.signature import Signature
from tests import pki, xades, xades_levels
from tests.hpki.test_xades_files import renew
from tests.shared import SHARED

# What only noise reaches is not covered; following it costs twice the time of the test.
pytestmark = pytest.mark.no_cover
COUNT = int(os.environ.get("FUZZ", "300"))
PIECES = (
    b"<", b">", b"&", b"\x00", b"\xff", b'"', b"Id", b"id", b"<!--", b"-->", b"<![CDATA[", b"0",
    b"9999999999", b"endobj", b"/ByteRange", b"[", b"]", b"<<", b">>", b"stream", b" 0 R",
)  # fmt: skip


def mutated(source: bytes, chance: random.Random) -> bytes:
    """One to four changes of one of six kinds."""
    content = bytearray(source)
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(content)), chance.choice((1, 1, 1, 2, 8, 64))
        kind = chance.randrange(6)
        if kind == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del content[at : at + size]
        elif kind == 2:
            content[at:at] = chance.choice(PIECES)
        elif kind == 3:
            content[at:at] = content[at : at + size]
        elif kind == 4:
            other = chance.randrange(len(content))
            content[at : at + size], content[other : other + size] = (
                content[other : other + size],
                content[at : at + size],
            )
        else:
            content[at : at + size] = chance.randbytes(size)
        if not content:
            content = bytearray(b"\n")
    return bytes(content)


def rearranged(source: bytes, chance: random.Random) -> bytes:
    """One to three changes of the tree: the ways in which signatures are wrapped."""
    root = etree.fromstring(source)
    for _ in range(chance.randint(1, 3)):
        elements = [one for one in root.iter() if isinstance(one.tag, str)]
        one, other = chance.choice(elements), chance.choice(elements)
        kind = chance.randrange(7)
        inside = any(above is one for above in (other, *other.iterancestors()))
        if kind == 0 and one.getparent() is not None:
            one.getparent().remove(one)
        elif kind == 1 and one.getparent() is not None and not inside:
            other.insert(chance.randint(0, len(other)), one)
        elif kind == 2:
            other.insert(chance.randint(0, len(other)), deepcopy(one))
        elif kind == 3:
            name, value = chance.choice(("Id", "id", "ID")), chance.choice(_ids(elements))
            one.set(name, value)
        elif kind == 4 and one.attrib:
            del one.attrib[chance.choice(list(one.attrib))]
        elif kind == 5:
            one.text = chance.choice(("", "AAAA", one.text, other.text))
        elif one.attrib:
            one.set(chance.choice(list(one.attrib)), chance.choice(_values(elements)))
    return etree.tostring(root)


def _ids(elements: list[etree._Element]) -> list[str]:
    return [str(one.get(name)) for one in elements for name in ("Id", "id") if one.get(name)] or [
        ""
    ]


def _values(elements: list[etree._Element]) -> list[str]:
    return [str(value) for one in elements for value in one.attrib.values()]


def signed_part(covered: bytes) -> bytes:
    """Without the signature value of a PDF, which cannot sign itself."""
    return re.sub(rb"/Contents <[0-9A-Fa-f]*>", b"", covered)


def sources() -> dict[str, tuple[bytes, SignaturePolicy]]:
    found = {
        "prescription": (pki.prescription(), pki.policy()),
        "enveloped": (pki.enveloped(b"<a><b>1</b></a>"), pki.policy()),
        "pdf": (pki.pdf(), pki.policy()),
    }
    if SHARED is not None:
        real = SHARED / "hpki" / "vectors" / "hpki-real" / "xades" / "prescription-004_01.xml"
        found["real"] = (
            real.read_bytes(),
            SignaturePolicy(trust=shipped(), accept_test=True),
        )
    return found


@pytest.mark.parametrize("name", ["prescription", "enveloped", "pdf", "real"])
def test_mutations(name: str) -> None:
    held = sources()
    if name not in held:
        pytest.skip("the published prescription is not there")
    source, policy = held[name]
    (original,) = verify(source, policy, at=pki.NOW).signatures
    chance = random.Random(20261124)  # noqa: S311
    for _ in range(COUNT // 4):
        content = mutated(source, chance)
        report = verify(content, policy, at=pki.NOW)
        if report.passed:
            (one,) = report.signatures
            assert signed_part(one.covered) == signed_part(original.covered)


FILES = {"a.pdf": b"%PDF-1.4 a referral", "b.txt": "検査".encode()}


@cache
def signed_xml() -> dict[str, tuple[bytes, Mapping[str, bytes]]]:
    """One document of every form, with the files beside it."""
    letter = "<a xmlns:u='urn:u' xml:lang='ja'><u:b>紹介状</u:b></a>"
    twice = etree.fromstring(letter)
    for name, card in (("A", pki.doctor()), ("B", xades.PHARMACIST)):
        xades.stamp(xades.enveloped(twice, name=name, card=card))
    archived = xades.enveloping(FILES["a.pdf"])
    xades.stamp(archived)
    xades.stamp(xades.countersign(archived, card=xades.PHARMACIST))
    xades_levels.values(archived)
    xades_levels.archive(archived, pki.SIGNED + timedelta(days=1))
    renewed = xades.stamped(xades.manifest(FILES))
    renew(renewed, FILES)
    xades_levels.archive(renewed, pki.AFTER)
    parts = etree.fromstring("<r><p Id='One'>処方</p><p Id='Two'/></r>")
    younger = deepcopy(parts)

    def before(properties: etree._Element, signs: list[xades.Signs]) -> None:
        octets = [one.octets(xades.INCLUSIVE_10) for one in signs]
        xades_levels.stamp_contents(properties, octets, pki.BEFORE)
        xades_levels.stamp_contents(properties, octets[1:], pki.BEFORE, included=["#Sig-R1"])

    return {
        "prescription": (pki.prescription(), {}),
        "enveloped twice": (xades.written(twice), {}),
        "archived": (xades.written(archived), {}),
        "content stamps": (
            xades.written(xades.stamped(xades.beside(younger, "One", "Two", before=before))),
            {},
        ),
        "beside": (xades.written(xades.stamped(xades.beside(parts, "One", "Two"))), {}),
        "detached": (xades.written(xades.stamped(xades.detached(FILES))), FILES),
        "list of files": (xades.written(xades.stamped(xades.manifest(FILES))), FILES),
        "renewed list": (xades.written(renewed), FILES),
        "dispensing": (xades.written(xades.stamped(xades.dispensing()[1])), {}),
    }


def covering(signatures: Iterable[Signature]) -> set[object]:
    """Everything that is said to be covered, inside of what is signed too."""
    found: set[object] = set()
    for one in signatures:
        found.update((one.covered, one.files) if one.covered or one.files else ())
        found |= covering(one.embedded)
    return found - {b"", ()}


def every(signatures: Iterable[Signature]) -> Iterator[Signature]:
    """Those inside and about, too."""
    for one in signatures:
        yield one
        yield from every((*one.embedded, *one.countersignatures))


def gained(before: Iterable[Signature], after: Iterable[Signature]) -> set[object]:
    """Signers that were none before, and times that are proven to be earlier."""
    first, second = list(every(before)), list(every(after))
    earliest = min(one.proven for one in first if one.proven is not None)
    early = {one.proven for one in second if one.proven is not None and one.proven < earliest}
    people = [{(one.subject, one.serial, one.role) for one in held} for held in (first, second)]
    return (people[1] - people[0]) | early


def hunt(name: str, chance: random.Random, count: int) -> int:
    """Judge that many mutated copies of one form; how many of them still verified.

    Raises where anything is raised, or where anything else than in the original is covered.
    """
    source, files = signed_xml()[name]
    policy = pki.policy()
    original = verify(source, policy, at=pki.NOW, detached=files)
    assert original.passed
    expected, verified = covering(original.signatures), 0
    for _ in range(count):
        content, beside = source, files
        if files and chance.random() < 0.2:
            changed = chance.choice(list(files))
            beside = {**files, changed: mutated(files[changed], chance)}
        else:
            content = chance.choice((mutated, rearranged))(source, chance)
        report = verify(content, policy, at=pki.NOW, detached=beside)
        if report.passed:
            verified += 1
            found = covering(report.signatures)
            assert found
            assert found <= expected
            assert all(beside[one] == files[one] for one in files)
            assert not gained(original.signatures, report.signatures)
    return verified


@pytest.mark.parametrize("name", signed_xml())
def test_xml_mutations(name: str) -> None:
    hunt(name, random.Random(20261130), max(20, COUNT // 6))  # noqa: S311

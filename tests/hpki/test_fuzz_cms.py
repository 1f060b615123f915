"""Mutated CMS and PDF: no crash, and nothing verified whose covered bytes differ.

The bytes are changed, and the tree of the encoding: parts removed, doubled, exchanged, put
elsewhere, with every length around them mended. The short form has a fixed seed.
"""

import random
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import pytest
from asn1crypto import core, parser
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.hpki import cades_archive
from gateway.hpki.verify import verify
from gateway.model.signature import SignatureReport
from tests import cades, pki
from tests.hpki import test_cades, test_pdf_longterm
from tests.hpki.test_fuzz import COUNT, gained, mutated, signed_part

# What only noise reaches is not covered; following it costs twice the time of the test.
pytestmark = pytest.mark.no_cover
SEED = 20261130
Node = tuple[int, int, int, "bytes | list[Node]"]
"Class, method, tag; contents, or the parts of a constructed value."


def tree(content: bytes) -> list[Node]:
    """The values of an encoding, to the bottom."""
    found: list[Node] = []
    while content:
        kind, method, tag, header, value, trailer = parser.parse(content)
        found.append((kind, method, tag, tree(value) if method else value))
        content = content[len(header) + len(value) + len(trailer) :]
    return found


def encoded(nodes: list[Node]) -> bytes:
    """The tree again, with the lengths that it needs."""
    return b"".join(
        parser.emit(kind, method, tag, encoded(value) if isinstance(value, list) else value)
        for kind, method, tag, value in nodes
    )


def lists(nodes: list[Node]) -> list[list[Node]]:
    """Every place where parts stand beside each other."""
    inner = [value for _, _, _, value in nodes if isinstance(value, list)]
    return [nodes, *(one for value in inner for one in lists(value))]


def rearranged(source: bytes, chance: random.Random) -> bytes:
    """One to three changes of the tree of an encoding."""
    nodes = tree(source)
    for _ in range(chance.randint(1, 3)):
        places = [one for one in lists(nodes) if one]
        here, there = chance.choice(places), chance.choice(places)
        at = chance.randrange(len(here))
        kind, method, tag, value = here[at]
        what = chance.randrange(6)
        if what == 0:
            del here[at]
        elif what == 1:
            here.insert(at, here[at])
        elif what == 2:
            there.insert(chance.randint(0, len(there)), (kind, method, tag, _copied(value)))
        elif what == 3:
            here[at] = (chance.choice((0, 2)), method, chance.randrange(31), value)
        elif what == 4 and not isinstance(value, list) and value:
            here[at] = (kind, method, tag, mutated(value, chance))
        else:
            other = chance.randrange(len(here))
            here[at], here[other] = here[other], here[at]
        if not nodes:
            return b"\x30\x00"
    return encoded(nodes)


def _copied(value: "bytes | list[Node]") -> "bytes | list[Node]":
    if isinstance(value, bytes):
        return value
    return [(kind, method, tag, _copied(inner)) for kind, method, tag, inner in value]


@cache
def signed() -> dict[str, tuple[bytes, Mapping[str, bytes]]]:
    """One object of every form, with the content beside it."""
    stamp = pki.hierarchy().stamp
    info = cades.signer_info(cades.TEXT, pki.doctor(), stamp=stamp())
    outside = cades.signed_data([info], None).dump()
    archived = cades.archived(cades.signed_data([info]), stamp(pki.AFTER))
    whole = cades.archived_whole(cades.signed_data([info]), stamp(pki.AFTER))
    again = cades.archived_whole(whole, stamp(pki.AFTER + timedelta(days=1)))
    crls = [one.crl.public_bytes(Encoding.DER) for one in (pki.hierarchy().crl(),)]
    referring = cades.signer_info(cades.TEXT, pki.doctor(), stamp=stamp())
    cades.add(referring, *cades.references_to([pki.hierarchy().signing.der], crls))
    cades.stamped_references(referring, stamp(pki.AFTER))
    early = core.Any.load(stamp(pki.BEFORE)(cades.TEXT))
    content = [cades.attribute(cades_archive.CONTENT_STAMP, early)]
    younger = cades.signer_info(cades.TEXT, pki.doctor(), stamp=stamp(), extra=content)
    two = test_cades._two(cades.signer_info(cades.TEXT, test_cades.PHARMACIST, stamp=stamp()))
    plain = cades.signed_data([info])
    listed = cades.signer_info(cades.TEXT, pki.doctor(), stamp=stamp())
    cades.add(listed, *cades.references_to([pki.hierarchy().signing.der], crls))
    only = cades.signer_info(cades.TEXT, pki.doctor(), stamp=stamp())
    cades.add(only, *cades.references_to([pki.hierarchy().signing.der], crls))
    cades.stamped_references(only, stamp(pki.AFTER), whole=False)
    longterm = test_pdf_longterm
    return {
        "attached": (cades.cades(), {}),
        "detached": (outside, {"letter": cades.TEXT}),
        "archived": (archived.dump(), {}),
        "archived whole": (whole.dump(), {}),
        "archived whole twice": (again.dump(), {}),
        "archived v1": (
            cades.archived_whole(plain, stamp(pki.AFTER), kind=cades_archive.ARCHIVE_V1).dump(),
            {},
        ),
        "archived v2 and v3": (
            cades.archived(whole, stamp(pki.AFTER + timedelta(days=1))).dump(),
            {},
        ),
        "archived, old index": (cades.archived(plain, stamp(pki.AFTER), version=1).dump(), {}),
        "references": (cades.signed_data([listed]).dump(), {}),
        "stamped references alone": (cades.signed_data([only]).dump(), {}),
        "stamped references": (cades.signed_data([referring]).dump(), {}),
        "content stamp": (cades.signed_data([younger]).dump(), {}),
        "two signers": (two, {}),
        "BER": (test_cades._ber(cades.cades()), {}),
        "PEM": (test_cades._pem(cades.cades()), {}),
        "pdf": (longterm.signed(longterm.HERE.tsa), {}),
        "pdf twice": (longterm.signed_again(longterm.signed(longterm.HERE.tsa)), {}),
        "pdf archived": (longterm.stamped(longterm.stored(longterm.signed())), {}),
    }


def said(report: SignatureReport) -> set[bytes | str]:
    """What is said to be covered."""
    return {
        signed_part(one.covered) if one.whole_document else one.covered or one.covered_sha256
        for one in report.signatures
    }


def hunt(name: str, chance: random.Random, count: int) -> int:
    """Judge that many mutated copies of one form; how many of them still verified.

    Raises where anything is raised, or where anything else than in the original is covered.
    """
    source, beside = signed()[name]
    original = verify(source, pki.policy(), at=pki.NOW, detached=beside)
    assert original.passed
    expected, verified = said(original), 0
    ways = (mutated,) if name.startswith(("pdf", "PEM")) else (mutated, rearranged)
    for _ in range(count):
        content, files = source, beside
        if beside and chance.random() < 0.2:
            files = {key: mutated(value, chance) for key, value in beside.items()}
        else:
            content = chance.choice(ways)(source, chance)
        report = verify(content, pki.policy(), at=pki.NOW, detached=files)
        if report.passed:
            verified += 1
            found = said(report)
            assert found
            assert found <= expected
            assert files == beside
            assert not gained(original.signatures, report.signatures)
    return verified


@pytest.mark.parametrize("name", signed())
def test_mutations(name: str) -> None:
    hunt(name, random.Random(SEED), max(20, COUNT // 9))  # noqa: S311


def test_the_tree_of_an_encoding_is_put_together_again() -> None:
    content = cades.cades()
    assert encoded(tree(content)) == content


# --- bombs (security.md A and E) -----------------------------------------------------------------


def _nested(depth: int) -> bytes:
    content = b"\x04\x00"
    for _ in range(depth):
        content = parser.emit(0, 1, 16, content)
    return content


HEAD = bytes.fromhex("06092a864886f70d010702")
BOMBS = {
    "definite lengths, ten thousand deep": parser.emit(
        0, 1, 16, HEAD + parser.emit(2, 1, 0, _nested(10_000))
    ),
    "indefinite lengths, ten thousand deep": b"\x30\x80" + HEAD + b"\xa0\x80" * 10_000,
    "a length of four gigabytes": b"\x30\x84\xff\xff\xff\xff" + HEAD,
    "a length of a hundred and twenty-six bytes": b"\x30\xfe" + b"\xff" * 126 + HEAD,
    "a million empty parts": parser.emit(
        0, 1, 16, HEAD + parser.emit(2, 1, 0, parser.emit(0, 1, 16, b"\x05\x00" * 1_000_000))
    ),
    "base64 without end": b"MIIB" + b"A" * 5_000_000,
    "PEM without end": b"-----BEGIN PKCS7-----\n" + b"A" * 5_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_time(name: str) -> None:
    begun = time.process_time()
    report = verify(BOMBS[name], pki.policy(), at=pki.NOW)
    assert not report.passed
    assert time.process_time() - begun < 5

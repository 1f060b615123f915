"""Mutated copies: no crash, and nothing verified whose covered bytes differ.

A short form of the campaign, with a fixed seed; `FUZZ=100000` in the environment makes it long.
"""

import os
import random
import re

import pytest

from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import verify
from tests import pki
from tests.shared import SHARED

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

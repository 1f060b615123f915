"""A time-stamp that we ask for: the request, and answers that are not believed (RFC 3161 2.4)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import tsp
from pyhanko.sign.timestamps import DummyTimeStamper

from gateway.demo.sign import stamper
from gateway.errors import Invalid
from gateway.hpki.stamping import Asked, read
from gateway.hpki.timestamp import Surroundings
from tests import pki

ASKED = Asked(content=b"what is stamped", nonce=2**63 + 5)
HERE = pki.hierarchy()


def authority(tsa: Any = None, moment: Any = pki.SIGNED) -> DummyTimeStamper:
    made = tsa or HERE.tsa
    return stamper(made.certificate, made.key, moment)


def answer(asked: Asked, by: DummyTimeStamper | None = None) -> bytes:
    request = tsp.TimeStampReq.load(asked.der(), strict=True)
    return bytes((by or authority()).request_tsa_response(request).dump())


def around(**changes: Any) -> Surroundings:
    policy = pki.policy()
    made = Surroundings(
        policy=policy, helpers=(), crls=(HERE.tsa_crl,), now=pki.SIGNED, received=None
    )
    return replace(made, **changes)


def test_the_request_tells_a_digest_and_nothing_else() -> None:
    asked = replace(ASKED, policy="1.2.392.1")
    told = tsp.TimeStampReq.load(asked.der(), strict=True).native
    assert (told["version"], told["nonce"], told["cert_req"]) == ("v1", ASKED.nonce, True)
    assert told["req_policy"] == "1.2.392.1"
    assert ASKED.content not in asked.der()


def test_a_right_answer_is_believed() -> None:
    found = read(ASKED, answer(ASKED), around())
    assert found.time == pki.SIGNED
    assert found.ends == HERE.tsa.certificate.not_valid_after_utc
    assert found.token.startswith(b"\x30")


WRONG: dict[str, tuple[Callable[[Asked], bytes], str]] = {
    "nothing": (lambda asked: b"", "cannot be read"),
    "a page": (lambda asked: b"<html/>", "cannot be read"),
    "more behind it": (lambda asked: answer(asked) + b"\x00", "cannot be read"),
    "cut off": (lambda asked: answer(asked)[:-20], "cannot be read"),
    "a rejection": (lambda asked: bytes.fromhex("30053003020102"), "does not grant"),
    "of another request": (lambda asked: answer(replace(asked, nonce=7)), "nonce"),
    "over something else": (
        lambda asked: answer(replace(asked, content=b"else")), "stamps something else"
    ),
    "by a stranger": (
        lambda asked: answer(asked, authority(pki.rogue().tsa)), "authority",
    ),
    "of yesterday": (
        lambda asked: answer(asked, authority(moment=pki.SIGNED - timedelta(days=1))), "not now"
    ),
    "of tomorrow": (
        lambda asked: answer(asked, authority(moment=pki.SIGNED + timedelta(days=1))), "later"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_not(name: str) -> None:
    make, reason = WRONG[name]
    with pytest.raises(Invalid, match=reason):
        read(ASKED, make(ASKED), around())


def test_another_policy_than_the_one_demanded_is_refused() -> None:
    asked = replace(ASKED, policy="1.2.3.4.5")
    with pytest.raises(Invalid, match="another policy"):
        read(asked, answer(asked), around())


def test_without_a_list_it_proves_nothing() -> None:
    with pytest.raises(Invalid, match="revocation"):
        read(ASKED, answer(ASKED), around(crls=()))

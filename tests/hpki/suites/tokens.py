"""Time-stamp tokens of three authorities, and the role in certificates."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import tsp

from gateway.errors import Malformed
from gateway.hpki.certificates import read_all
from gateway.hpki.hcrole import parse_roles
from gateway.hpki.policy import Anchor, AnchorKind, SignaturePolicy, Trust
from gateway.hpki.revocation import read_list
from gateway.hpki.timestamp import Stamp, Surroundings
from gateway.hpki.timestamp import judge as judged
from gateway.model.signature import CheckOutcome
from tests.hpki.suites.case import Case

_WORDS = {
    CheckOutcome.PASSED: "valid",
    CheckOutcome.FAILED: "invalid",
    CheckOutcome.UNKNOWN: "indeterminate",
}


def cases(vectors: Path) -> Iterator[Case]:
    """Every token, over its message and over another; every role extension."""
    yield from _responses(vectors / "rfc3161")
    yield from _real(vectors / "hpki-real")
    yield from _roles(vectors / "hpki-real")


def _around(anchor: bytes, *lists: bytes, alone: bool = False) -> Surroundings:
    """The chain pinned; `alone` pins its authority and leaves the rest to the token."""
    chain = read_all(anchor)
    pinned = [one for one in chain if one.ca] if alone else list(chain)
    anchors = tuple(Anchor(kind=AnchorKind.TSA, certificate=one) for one in pinned)
    return Surroundings(
        policy=SignaturePolicy(trust=Trust(anchors=anchors)),
        helpers=() if alone else chain,
        crls=tuple(map(read_list, lists)),
        now=datetime(2026, 6, 1, tzinfo=UTC),
        received=None,
    )


def _said(stamp: Stamp) -> str:
    word = _WORDS[stamp.check.outcome]
    return word if stamp.check.outcome is CheckOutcome.PASSED else f"{word}: {stamp.check.reason}"


def _responses(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "expected.json").read_text())["cases"]:
        response = tsp.TimeStampResp.load((folder / case["file"]).read_bytes())
        token = response["time_stamp_token"].dump()
        chain = (folder / case["chain"]).read_bytes()
        expected = case["expected"]
        found = _said(judged(token, b"hello", _around(chain)))
        alone = _said(judged(token, b"hello", _around(chain, alone=True)))
        if expected.startswith("valid only"):
            passed = found == "valid" and alone.startswith("indeterminate")
            found = f"{found}; without it {alone}"
        elif expected == "untrusted":
            passed = found != "valid"
        else:
            passed = found.partition(":")[0] == expected
        yield Case(
            suite="RFC 3161 responses", name=case["file"], expected=expected, found=found,
            passed=passed,
        )  # fmt: skip
        other = _said(judged(token, b"hallo", _around(chain)))
        yield Case(
            suite="RFC 3161 responses, over another message", name=case["file"],
            expected="invalid", found=other, passed=other.startswith("invalid"),
        )  # fmt: skip


def _real(folder: Path) -> Iterator[Case]:
    for case in json.loads((folder / "expected.json").read_text())["tst"]:
        around = _around(
            (folder / case["anchor"]).read_bytes(), (folder / case["crl"]).read_bytes()
        )
        token = (folder / case["token"]).read_bytes()
        stamp = judged(token, (folder / case["message"]).read_bytes(), around)
        time = datetime.fromisoformat(case["gen_time"])
        yield Case(
            suite="HPKI e-prescription, its token",
            name=Path(case["token"]).name,
            expected=f"{case['expected']}, {case['gen_time']}",
            found=_said(stamp),
            passed=stamp.time == time,
        )


def _roles(folder: Path) -> Iterator[Case]:
    for number, case in enumerate(
        json.loads((folder / "expected.json").read_text())["hcrole_der"], 1
    ):
        content = bytes.fromhex(case["hex"])
        try:
            roles = parse_roles(
                content if case["what"].startswith("whole") else _extension(content)
            )
            found = [[role.scheme, role.text] for role in roles]
        except Malformed as error:
            found = [[error.english]]
        yield Case(
            suite="hcRole",
            name=f"{number} {case['what']}",
            expected=", ".join(role[2] for role in case["roles"]),
            found=", ".join(str(role[-1]) for role in found),
            passed=found == [[role[0], role[2]] for role in case["roles"]],
        )


def _extension(actor: bytes) -> bytes:
    """One actor, wrapped into a whole extension value."""

    def tlv(tag: int, content: bytes) -> bytes:
        return bytes((tag, len(content))) + content  # short enough for one byte of length

    kind = bytes.fromhex("0606288185420001")
    return tlv(0x30, tlv(0x30, kind + tlv(0x31, tlv(0x31, actor))))

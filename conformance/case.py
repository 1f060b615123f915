"""What a conformance case is, and the small words in which it judges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.client import NAMESPACES, Answer

if TYPE_CHECKING:
    from conformance.world import World


class NotHeld(Exception):
    """The gateway did something else; the text says what came instead."""


class NotTried(Exception):
    """The case needs something that was not given; the text says what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One black-box case: what is sent, and what the framework says must come back."""

    id: str
    "Stable: the conformance statement and divergences name it."
    transaction: str
    section: str
    "The framework's section that says so."
    sends: str
    expects: str
    check: Callable[["World"], str | None]
    "Runs it; returns what came back, raises `NotHeld` or `NotTried`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The cases of one actor and transaction."""

    actor: str
    actor_ja: str
    profile: str
    "`pix` or `xca`: what `--profile` selects; empty for every profile."
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one case."""

    case: Case
    group: Group
    held: bool
    tried: bool
    detail: str
    ms: float


def expect(condition: object, instead: str) -> None:
    """Hold a condition, or say what was found instead."""
    if not condition:
        raise NotHeld(instead)


def expect_equal(found: object, wanted: object, what: str) -> None:
    """Hold an equality, or name both sides."""
    if found != wanted:
        raise NotHeld(f"{what} is {found!r}, not {wanted!r}")


def expect_fault(answer: Answer, *subcodes: str, code: str = "Sender") -> str:
    """Hold a SOAP fault with this code and one of these subcodes (none: any)."""
    fault = answer.fault
    expect(fault, f"no SOAP fault but HTTP {answer.status} {_first(answer)}")
    expect_equal(fault[0], code, "fault code")
    if subcodes:
        expect(set(subcodes) & set(fault[1:]), f"subcodes are {fault[1:]}, not {subcodes}")
    allowed = {400, 413, 500} if code == "Sender" else {500, 503}
    expect(answer.status in allowed, f"a {code} fault came with HTTP {answer.status}")
    reason = answer.text("soap:Body/soap:Fault/soap:Reason/soap:Text")
    expect(reason, "the fault has no reason")
    return f"{answer.status} {' / '.join(fault)}"


def _first(answer: Answer) -> str:
    return answer.body[:80].decode("utf-8", "replace")


def errors(answer: Answer) -> list[tuple[str, str]]:
    """Code and location of each RegistryError."""
    found = answer.xml().iter(f"{{{NAMESPACES['rs']}}}RegistryError")
    return [(str(item.get("errorCode")), str(item.get("location"))) for item in found]


def expect_error(answer: Answer, home: str, *codes: str, status: str = "Failure") -> str:
    """Hold a registry outcome with exactly these codes, located at the community."""
    found = errors(answer)
    expect_equal([code for code, _ in found], list(codes), "error codes")
    expect_equal(outcome(answer), status, "status")
    for _, location in found:
        expect_equal(location, f"urn:oid:{home}", "error location")
    return f"{status} {' '.join(codes)}"


def outcome(answer: Answer) -> str:
    """The last word of the registry status; PartialSuccess must be IHE's own URN."""
    for name in ("query:AdhocQueryResponse", ".//rs:RegistryResponse"):
        found = answer.xml().find(f"soap:Body/{name}" if name[0] == "q" else name, NAMESPACES)
        if found is not None:
            status = str(found.get("status"))
            prefix = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
            if status.endswith("PartialSuccess"):
                prefix = "urn:ihe:iti:2007:ResponseStatusType:"
            expect(status.startswith(prefix), f"status is {status!r}")
            return status.rpartition(":")[2]
    raise NotHeld(f"no registry response but {answer.status} {_first(answer)}")

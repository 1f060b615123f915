"""SOAP faults: what each cause is answered with, and each kind of refusal as a fault.

One table, `security.md` 2.1. Reasons are fixed texts: none repeats what was refused (G11).
"""

from dataclasses import dataclass

from gateway import errors
from gateway.errors import Refusal, Unauthenticated

_SENDER = "env:Sender"
_RECEIVER = "env:Receiver"
_BAD_REQUEST = 400
_TOO_LARGE = 413
_RETRY_SECONDS = "5"


@dataclass(slots=True, kw_only=True, eq=False)
class Fault(Exception):
    """One SOAP 1.2 fault and the HTTP status and headers that go with it."""

    code: str
    "Prefixed name: `env:Sender`, `env:Receiver`, `env:VersionMismatch`, `env:MustUnderstand`."
    reason: str
    "English, fixed per code."
    subcodes: tuple[str, ...] = ()
    "Prefixed names, outermost first (`wsa:`, `wsse:`, `wsu:`)."
    status: int = _BAD_REQUEST
    headers: tuple[tuple[str, str], ...] = ()
    "HTTP headers beside it, such as Retry-After."
    upgrade: bool = False
    "The answer names the supported envelope (SOAP 1.2 part 1: 5.4.7)."
    not_understood: tuple[tuple[str, str], ...] = ()
    "Namespace and local name of header blocks that were not understood (5.4.8)."
    problem: str = ""
    "Prefixed name of the addressing header at fault (WS-Addressing SOAP binding 6.3)."
    log: str = ""
    "Audit code of `security.md` section 5."
    rule: str = ""
    relates_to: str = ""
    "MessageID of the request, where it could be read."
    bare: bool = False
    "Answered by status alone, without a SOAP body."

    def __str__(self) -> str:
        """Codes and reason: nothing of the message."""
        return " ".join((self.code, *self.subcodes, self.reason))

    def status_for(self, sender_fault_status: int) -> int:
        """The HTTP status for a caller whose profile wants another one for Sender faults."""
        if self.code == _SENDER and self.status == _BAD_REQUEST:
            return sender_fault_status
        return self.status


def malformed(reason: str = "not a SOAP message of ours", *, log: str = "XML-SOAP") -> Fault:
    """The envelope is not as SOAP 1.2 part 1: 5 wants it (D-04)."""
    return Fault(code=_SENDER, reason=reason, log=log)


def version_mismatch() -> Fault:
    """SOAP 1.1 or another envelope (FN-901)."""
    return Fault(
        code="env:VersionMismatch",
        reason="only SOAP 1.2 is answered",
        status=500,
        upgrade=True,
        log="XML-SOAP",
    )


def must_understand(names: tuple[tuple[str, str], ...]) -> Fault:
    """A header block for us that must be understood and is not (D-05)."""
    return Fault(
        code="env:MustUnderstand",
        reason="a header block is not understood",
        status=500,
        not_understood=names,
        log="XML-SOAP",
    )


def action_not_supported() -> Fault:
    """No transaction of this endpoint has this action (FN-906)."""
    return _addressing("the action is not supported here", "wsa:ActionNotSupported", "WSA-ACTION")


def action_mismatch() -> Fault:
    """`wsa:Action`, the Content-Type's action and the body do not say the same (D-03)."""
    return _addressing(
        "the action does not fit the message",
        "wsa:InvalidAddressingHeader wsa:ActionMismatch",
        "WSA-ACTION",
        "wsa:Action",
    )


def header_required(name: str) -> Fault:
    """An addressing header is missing."""
    return _addressing(
        "a required addressing header is missing",
        "wsa:MessageAddressingHeaderRequired",
        "WSA-ADDR",
        name,
    )


def header_invalid(name: str, *, log: str = "WSA-ADDR") -> Fault:
    """An addressing header is not of the expected form."""
    return _addressing(
        "an addressing header is not valid", "wsa:InvalidAddressingHeader", log, name
    )


def header_doubled(name: str) -> Fault:
    """An addressing header is there more than once."""
    return _addressing(
        "an addressing header is there more than once",
        "wsa:InvalidAddressingHeader wsa:InvalidCardinality",
        "WSA-ADDR",
        name,
    )


def only_anonymous() -> Fault:
    """The reply address is neither anonymous nor a registered one (D-01, FN-907)."""
    return _addressing(
        "only anonymous reply addresses are supported",
        "wsa:InvalidAddressingHeader wsa:OnlyAnonymousAddressSupported",
        "WSA-ADDR",
        "wsa:ReplyTo",
    )


def duplicate_message() -> Fault:
    """The MessageID was used before for another content (D-06)."""
    return _addressing(
        "the message id was used before",
        "wsa:InvalidAddressingHeader wsa:DuplicateMessageID",
        "REPLAY",
        "wsa:MessageID",
    )


def over_limit() -> Fault:
    """The message is larger than a limit allows (section 3)."""
    return Fault(code=_SENDER, reason="the message exceeds a limit", status=_TOO_LARGE, log="LIMIT")


def unsupported_media() -> Fault:
    """Media type or content encoding that this door does not take."""
    reason = "media type is not supported"
    return Fault(code=_SENDER, reason=reason, status=415, log="TYPE", bare=True)


def too_many_requests(seconds: int) -> Fault:
    """The caller's rate is over its limit."""
    return Fault(
        code=_SENDER,
        reason="too many requests",
        status=429,
        headers=(("Retry-After", str(seconds)),),
        log="LIMIT",
        bare=True,
    )


def unavailable() -> Fault:
    """The gateway cannot take this work now; the same message may come again."""
    return Fault(
        code=_RECEIVER,
        reason="the gateway cannot take this message now",
        status=503,
        headers=(("Retry-After", _RETRY_SECONDS),),
    )


def defect(incident: str) -> Fault:
    """Something of ours failed; the peer hears the incident number and nothing else (G11)."""
    return Fault(code=_RECEIVER, reason=f"internal error, incident {incident}", status=500)


def fault_of(refusal: Refusal) -> Fault:
    """A refusal as the fault that says it, for a profile that has no answer of its own for it."""
    if isinstance(refusal, Unauthenticated):
        reason, subcode = _CHECKS.get(refusal.check, _CHECKS["authentication"])
        fault = Fault(code=_SENDER, reason=reason, subcodes=(subcode,))
    else:
        reason = _REASONS[type(refusal)]
        match refusal:
            case errors.OverLimit():
                fault = over_limit()
            case errors.Busy():
                fault = unavailable()
            case _:
                fault = Fault(code=_SENDER, reason=reason)
    fault.log, fault.rule = refusal.log or fault.log, refusal.rule
    return fault


def _addressing(reason: str, subcodes: str, log: str, problem: str = "") -> Fault:
    return Fault(
        code=_SENDER, reason=reason, subcodes=tuple(subcodes.split()), problem=problem, log=log
    )


_CHECKS: dict[str, tuple[str, str]] = {
    # check of errors.Unauthenticated: reason and subcode (WS-Security 1.1: 12)
    "security": ("the security header is missing or malformed", "wsse:InvalidSecurity"),
    "token": ("the security token is malformed", "wsse:InvalidSecurityToken"),
    "unsupported-token": (
        "the security token is of an unsupported kind",
        "wsse:UnsupportedSecurityToken",
    ),
    "algorithm": ("an algorithm is not supported", "wsse:UnsupportedAlgorithm"),
    "signature": ("the signature does not verify", "wsse:FailedCheck"),
    "authentication": ("the security token is not accepted", "wsse:FailedAuthentication"),
    "expired": ("the security token is not valid now", "wsu:MessageExpired"),
}

_NOT_YOURS = "the request is refused"
"One text for what is not there and what is not the caller's (G8)."

_REASONS: dict[type[Refusal], str] = {
    errors.Busy: "the gateway cannot take this message now",
    errors.Gone: _NOT_YOURS,
    errors.Inconsistent: "the request does not fit the state of things",
    errors.Invalid: "the message's content is refused",
    errors.Malformed: "not a message of the expected form",
    errors.MissingCommunity: "the homeCommunityId is missing",
    errors.MissingParameter: "a required parameter is missing",
    errors.NotFound: _NOT_YOURS,
    errors.NotOwner: _NOT_YOURS,
    errors.NotPermitted: _NOT_YOURS,
    errors.OverLimit: "the message exceeds a limit",
    errors.ParameterCount: "a parameter has the wrong number of values",
    errors.SeveralPatients: "the answer would cover several patients",
    errors.TooManyResults: "too many results",
    errors.Unauthenticated: "the security token is not accepted",
    errors.UnknownCommunity: "the community is not known",
    errors.UnknownDocument: _NOT_YOURS,
    errors.UnknownDomain: "an identifier domain is not known",
    errors.UnknownPatient: _NOT_YOURS,
    errors.UnknownQuery: "the stored query is not known",
    errors.UnknownRepository: "the repository is not known",
    errors.Unsupported: "the message is not supported",
    errors.UntrustedSignature: "a due signature is missing or not valid",
}

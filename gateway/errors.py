"""Refusals: expected answers of *no* that the peer may hear.

Every other exception is a defect, and the peer hears an incident number (`security.md` G6, G11).
A refusal names the field or the rule, never the patient and never the refused value. It carries
its text in English and Japanese; no HTTP status, SOAP code or acknowledgement letter is in it:
each profile keeps one table from kind to wire code.
"""

from typing import ClassVar


class Refusal(Exception):
    """An expected *no* that may be told to whoever asked."""

    code: ClassVar[str] = "refused"
    "Stable word for this kind, used in JSON answers and in the audit trail."

    def __init__(
        self, english: str, japanese: str = "", *, at: str = "", rule: str = "", log: str = ""
    ) -> None:
        super().__init__(english)
        self.english = english
        "Short fixed reason, in English, without refused values."
        self.japanese = japanese or english
        "The same in Japanese, for people."
        self.at = at
        "Where in the input: an XPath, a field such as `PID-3`, a row, a parameter name."
        self.rule = rule
        "The rule that decided, as `requirements.md` or `security.md` numbers it."
        self.log = log
        "Audit code of `security.md` section 5, e.g. `AUTH-SPOOF`; empty where none applies."


class Malformed(Refusal):
    """Not a message, file or value of the expected form."""

    code = "malformed"


class Invalid(Refusal):
    """Readable, and its content is refused (a wrong value, a missing part, a harmful file)."""

    code = "invalid"


class Unsupported(Refusal):
    """A message, option or kind of file that this gateway does not answer."""

    code = "unsupported"


class UnknownPatient(Refusal):
    """The patient identifier is not known here, or may not be asked about (`security.md` G8)."""

    code = "unknown-patient"


class UnknownDomain(Refusal):
    """One or more patient identifier domains are not declared (DOM-03)."""

    code = "unknown-domain"

    def __init__(
        self, english: str, japanese: str = "", *, at: str = "", positions: tuple[int, ...] = ()
    ) -> None:
        super().__init__(english, japanese, at=at, rule="DOM-03")
        self.positions = positions
        "Positions, from 1, of the unknown domains among those asked for (ITI-45 case 5)."


class UnknownDocument(Refusal):
    """The document is not there, no longer there, or not for this caller."""

    code = "unknown-document"


class UnknownRepository(Refusal):
    """The repositoryUniqueId is not ours."""

    code = "unknown-repository"


class UnknownCommunity(Refusal):
    """The homeCommunityId is neither ours nor a configured neighbour's."""

    code = "unknown-community"


class MissingCommunity(Refusal):
    """A homeCommunityId is required here and was not sent."""

    code = "missing-community"


class UnknownQuery(Refusal):
    """The stored-query id is not one this gateway answers."""

    code = "unknown-query"


class MissingParameter(Refusal):
    """A required parameter is absent; `at` names it."""

    code = "missing-parameter"


class ParameterCount(Refusal):
    """A parameter has the wrong number of values, or two exclude each other; `at` names it."""

    code = "parameter-count"


class SeveralPatients(Refusal):
    """The answer would cover more than one patient."""

    code = "several-patients"


class TooManyResults(Refusal):
    """More results than one answer may carry."""

    code = "too-many-results"


class NotPermitted(Refusal):
    """The caller may not do this; `rule` names the rule that decided (ACC-02)."""

    code = "not-permitted"


class NotOwner(Refusal):
    """The sender does not own the identifier domain or the thing it writes about (G-01)."""

    code = "not-owner"


class Unauthenticated(Refusal):
    """The caller could not be established: certificate, assertion or credentials."""

    code = "unauthenticated"

    def __init__(
        self,
        english: str,
        japanese: str = "",
        *,
        check: str = "authentication",
        at: str = "",
        rule: str = "",
        log: str = "",
    ) -> None:
        super().__init__(english, japanese, at=at, rule=rule, log=log)
        self.check = check
        """Which check of `security.md` 2.1 failed: `security` (header absent or malformed),
        `token`, `unsupported-token`, `algorithm`, `signature`, `authentication`, `expired`."""


class Inconsistent(Refusal):
    """The state of things does not allow it now (HTTP calls this a conflict)."""

    code = "inconsistent"


class NotFound(Refusal):
    """Not there, or not yours: the two look the same (`security.md` G8)."""

    code = "not-found"


class Gone(Refusal):
    """It was there, once, and is not shown again."""

    code = "gone"


class OverLimit(Refusal):
    """A limit of `security.md` section 3 was reached."""

    code = "over-limit"


class Busy(Refusal):
    """The gateway cannot take this work now; the same message may be sent again later."""

    code = "busy"


class UntrustedSignature(Refusal):
    """A signature or time-stamp that is due is missing or did not verify (SIG-05)."""

    code = "untrusted-signature"

    def __init__(
        self, english: str, japanese: str = "", *, at: str = "", report: object = None
    ) -> None:
        super().__init__(english, japanese, at=at, rule="SIG-05")
        self.report = report
        "The `SignatureReport` that says why, or None where there was nothing to verify."


def kinds() -> tuple[type[Refusal], ...]:
    """Every kind of refusal, so that a test can demand a line for each in every profile's table."""
    found: list[type[Refusal]] = []
    waiting: list[type[Refusal]] = [Refusal]
    while waiting:
        kind = waiting.pop()
        subclasses = kind.__subclasses__()
        waiting.extend(subclasses)
        if kind is not Refusal:
            found.append(kind)
    return tuple(sorted(found, key=lambda kind: kind.__name__))

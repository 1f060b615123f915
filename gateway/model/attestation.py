"""What is told of one signature on a document, wherever the document is told of (SIG-06).

The whole report is stored with the document; this is what of it leaves with the metadata: who
signed in which role, what verification said, by which policy, and since when that is proven.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.model.signature import Indication

_COMMON_NAME = re.compile(r"(?:^|[,+])CN=((?:\\.|[^,+\\])*)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """One signature and the verdict on it."""

    verdict: Indication
    level: str
    "`XAdES-T`, `PAdES-LTA` …"
    signer: str = ""
    "Subject of the certificate (RFC 4514)."
    issuer: str = ""
    "Who issued the certificate (RFC 4514)."
    serial: str = ""
    "Number of the certificate, unique with its issuer only."
    roles: tuple[str, ...] = ()
    "Roles as the certificate writes them: `Medical Doctor`."
    policy: str = ""
    "Certificate policy that was accepted, an OID."
    claimed: datetime | None = None
    "Signing time as the signer claims it."
    proven: datetime | None = None
    "Time that a trusted time-stamp proves."
    received: datetime | None = None
    checked: datetime
    "When it was verified."
    covers: str = ""
    "SHA-256 of the bytes that are signed."
    doubts: tuple[str, ...] = ()
    "Names of the checks that did not pass."
    inside: "tuple[Attestation, ...]" = ()
    "Signatures of documents inside of this one: not of this document's signers."
    countersigned: "tuple[Attestation, ...]" = ()
    "Signatures over this one's value."

    @property
    def name(self) -> str:
        """The signer's common name; the whole subject where it has none."""
        found = _COMMON_NAME.search(self.signer)
        return _ESCAPED.sub(r"\1", found[1]) if found else self.signer

    @property
    def holds(self) -> bool:
        """Whether it verified."""
        return self.verdict is Indication.VERIFIED

    @property
    def when(self) -> tuple[datetime, str]:
        """The best time there is, and what it is: `proven`, `claimed`, `received`, `checked`."""
        for moment, word in (
            (self.proven, "proven"), (self.claimed, "claimed"), (self.received, "received"),
        ):  # fmt: skip
            if moment is not None:
                return moment, word
        return self.checked, "checked"


def read(report: Mapping[str, Any] | None) -> tuple[Attestation, ...]:
    """The signatures of a stored report (`SignatureReport.as_json`); none where it has none."""
    if report is None or not report["signatures"]:
        return ()
    times = report["times"]
    checked, received = _moment(times["verified"]), _moment(times["received"])
    if checked is None:
        raise ValueError("a report without its time")
    return tuple(_read(one, checked, received) for one in report["signatures"])


def _read(told: Mapping[str, Any], checked: datetime, received: datetime | None) -> Attestation:
    signer, times = told["signer"], told["times"]
    roles = signer.get("roles") or [one for one in [signer["role"]] if one]
    return Attestation(
        verdict=Indication(told["verdict"]),
        level=told["format"],
        signer=signer["subject"],
        issuer=signer.get("issuer", ""),
        serial=signer["serial"],
        roles=tuple(roles),
        policy=told["policy"] or "",
        claimed=_moment(times["claimed"]),
        proven=_moment(times["proven"]),
        received=received,
        checked=checked,
        covers=told["covered"]["sha256"] or "",
        doubts=tuple(
            dict.fromkeys(one["name"] for one in told["checks"] if one["outcome"] != "passed")
        ),
        inside=tuple(_read(one, checked, received) for one in told.get("embedded", ())),
        countersigned=tuple(
            _read(one, checked, received) for one in told.get("countersignatures", ())
        ),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

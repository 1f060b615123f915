"""HL7 v2.5 acknowledgements: AA, AE and AR with an ERR segment (HL7 v2.5 2.9.2, 2.15.5).

`AR` is for what cannot be read as a message of ours, `AE` for its content; ERR-2 names the place,
ERR-3 the code of table 0357, ERR-8 a fixed text without patient data (`security.md` 2.2).
"""

import re
from datetime import datetime

from gateway import errors
from gateway.errors import Refusal
from gateway.wire import hl7v2

_ANSWERS: dict[type[Refusal], tuple[str, str]] = {
    # kind: (MSA-1, ERR-3), for a refusal that does not say it itself
    errors.Malformed: ("AE", "102"),
    errors.Invalid: ("AE", "103"),
    errors.Unsupported: ("AR", "200"),
    errors.UnknownPatient: ("AE", "204"),
    errors.UnknownDomain: ("AE", "204"),
    errors.UnknownDocument: ("AE", "204"),
    errors.UnknownRepository: ("AE", "204"),
    errors.UnknownCommunity: ("AE", "204"),
    errors.MissingCommunity: ("AE", "101"),
    errors.UnknownQuery: ("AE", "103"),
    errors.MissingParameter: ("AE", "101"),
    errors.ParameterCount: ("AE", "102"),
    errors.SeveralPatients: ("AE", "204"),
    errors.TooManyResults: ("AE", "103"),
    errors.NotPermitted: ("AE", "204"),
    errors.NotOwner: ("AE", "204"),
    errors.Unauthenticated: ("AR", "200"),
    errors.Inconsistent: ("AE", "205"),
    errors.NotFound: ("AE", "204"),
    errors.OverLimit: ("AR", "102"),
    errors.Busy: ("AR", "206"),
    errors.UntrustedSignature: ("AE", "103"),
}
_RULE = re.compile(r"HL7 (A[ER]) ([0-9]{3})")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([0-9]+)\])?(?:[-.]([0-9]+))?(?:\.([0-9]+))?")
_WORDS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
}
_SIMPLE = re.compile(rb"[\x20-\x7e]*")
_LONGEST_HEADER = 4096


def verdict(refusal: Refusal) -> tuple[str, str]:
    """The acknowledgement code and the error code (table 0357) of a refusal."""
    found = _RULE.fullmatch(refusal.rule)
    if found:
        return found[1], found[2]
    for kind in type(refusal).__mro__:
        if kind in _ANSWERS:
            return _ANSWERS[kind]
    return "AE", "102"


def acknowledge(
    content: bytes, *, control_id: str, at: datetime, refusal: Refusal | None = None
) -> bytes:
    """The acknowledgement of the message that `content` is or tries to be, without framing.

    `control_id` is ours and fresh. Only ASCII of the header is repeated, escaped anew.
    """
    fields = _header(content)
    event = fields[9].split("^")[1] if "^" in fields[9] else ""
    code, error = ("AA", "") if refusal is None else verdict(refusal)
    header = [
        "MSH",
        "^~\\&",
        *(_safe(fields[place]) for place in (5, 6, 3, 4)),
        f"{at:%Y%m%d%H%M%S%z}",
        "",
        f"ACK^{_safe(event)}^ACK" if event else "ACK",
        control_id,
        fields[11] if fields[11] in ("P", "T", "D") else "P",
        "2.5",
    ]
    segments = ["|".join(header), f"MSA|{code}|{_safe(fields[10])}"]
    if refusal is not None:
        segments.append(
            f"ERR||{_location(refusal.at)}|{error}^{_WORDS[error]}^HL70357|E|||"
            f"|{hl7v2.escape(refusal.english)}"
        )
    return "".join(segment + "\r" for segment in segments).encode("ascii", "backslashreplace")


def _header(content: bytes) -> list[str]:
    """Fields of MSH as far as they are plain; index is the field number."""
    line = re.split(rb"[\r\n]", content[:_LONGEST_HEADER].lstrip(b"\x0b"), maxsplit=1)[0]
    found = [""] * 13
    if line.startswith(b"MSH") and len(line) > 3:
        for number, field in enumerate(line.split(line[3:4])[1:12], start=2):
            if _SIMPLE.fullmatch(field):
                found[number] = field.decode("ascii")
    return found


def _safe(text: str) -> str:
    """A value of the other side's header that cannot change the shape of ours."""
    return re.sub(r"[|^~\\&]", "", text)[:227]


def _location(at: str) -> str:
    """ERR-2 (ERL): `PID[1].3` is `PID^1^3`."""
    found = _PLACE.fullmatch(at)
    if not found:
        return ""
    return "^".join([found[1], found[2] or "1", found[3] or "", found[4] or ""]).rstrip("^")

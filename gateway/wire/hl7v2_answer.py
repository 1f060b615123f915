"""HL7 v2.5 acknowledgements: AA, AE and AR with an ERR segment (HL7 v2.5 2.9.2, 2.15.5).

`AR` is for what cannot be read as a message of ours, `AE` for its content; ERR-2 names the place,
ERR-3 the code of table 0357, ERR-8 a fixed text without patient data (`security.md` 2.2).
"""

import re
from collections.abc import Callable
from datetime import datetime

from gateway import errors
from gateway.errors import Malformed, Refusal
from gateway.wire import hl7v2, hl7v2_field

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
    errors.Gone: ("AE", "204"),
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
    "207": "Application internal error",
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


def answers(
    content: bytes,
    *,
    new_id: Callable[[], str],
    at: datetime,
    refusal: Refusal | None = None,
    incident: str = "",
) -> tuple[bytes, ...]:
    """What goes back for a message: as MSH-15 and MSH-16 ask, else one application answer.

    HL7 v2.5 2.9.2, 2.9.3: where either is valued the enhanced mode holds. A commit answer is sent
    only if MSH-15 asks; the application answer follows it as a message of its own.
    """
    fields = _header(content)
    accept, application = (fields[15], fields[16]) if _is_usable(content) else ("", "")
    good = refusal is None and not incident
    wanted = [(True, _wanted(accept, good)), (False, _wanted(application, good))]
    if not accept and not application:
        wanted = [(False, True)]
    return tuple(
        acknowledge(
            content, control_id=new_id(), at=at, refusal=refusal, commit=commit, incident=incident
        )
        for commit, is_wanted in wanted if is_wanted
    )  # fmt: skip


def _is_usable(content: bytes) -> bool:
    """Whether the header's delimiters are such that its fields are where they seem to be."""
    try:
        return bool(hl7v2.delimiters_of(content[:_LONGEST_HEADER].lstrip(b"\x0b")))
    except Malformed:
        return False


def _wanted(condition: str, good: bool) -> bool:
    """Whether a condition of table 0155 holds: always, never, on error, on success."""
    return {"": False, "NE": False, "ER": not good, "SU": good}.get(condition, True)


def acknowledge(
    content: bytes,
    *,
    control_id: str,
    at: datetime,
    refusal: Refusal | None = None,
    commit: bool = False,
    incident: str = "",
) -> bytes:
    """The acknowledgement of the message that `content` is or tries to be, without framing.

    `control_id` is ours and fresh; `commit` makes it one of table 0008's CA, CE, CR. `incident` is
    the number of a fault of ours, and nothing else is told of it. Only ASCII of the header is
    repeated, escaped anew.
    """
    fields = _header(content)
    event = fields[9].split("^")[1] if "^" in fields[9] else ""
    code, error = ("AA", "") if refusal is None else verdict(refusal)
    text = "" if refusal is None else refusal.english
    if incident:
        code, error, text = "AE", "207", f"incident {incident}"
    code = f"C{code[1]}" if commit else code
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
    if error:
        place = _location(refusal.at) if refusal else ""
        segments.append(
            f"ERR||{place}|{error}^{_WORDS[error]}^HL70357|E||||{hl7v2_field.escape(text)}"
        )
    return "".join(segment + "\r" for segment in segments).encode("ascii", "backslashreplace")


def _header(content: bytes) -> list[str]:
    """Fields of MSH as far as they are plain; index is the field number."""
    line = re.split(rb"[\r\n]", content[:_LONGEST_HEADER].lstrip(b"\x0b"), maxsplit=1)[0]
    found = [""] * 17
    if line.startswith(b"MSH") and len(line) > 3:
        for number, field in enumerate(line.split(line[3:4])[1:16], start=2):
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

"""IN1 and ZI1 (insurance beside a patient, an order, a diagnosis) to JP_Coverage.

ZI1 of PPR^ZD1 has the fields of IN1. IN1-10 is the symbol (記号) and IN1-11 the number (番号); of a
public payment IN1-3 is the payer. What they say about another person, the insured (16, 18, 19),
is not taken over.
"""

from collections.abc import Iterable

from gateway.model.batch import Resource
from gateway.standardize import codes, coverage
from gateway.standardize.coverage import Holder, Insurance, PublicPayment
from gateway.standardize.message import MessageReading
from gateway.wire import fhir
from gateway.wire.hl7v2 import Segment

_FIELDS = frozenset({1, 2, 3, 4, 10, 11, 12, 13, 15, 17})
_JHSD0001 = "JHSD0001"
_PUBLIC = "8"
_RECIPIENT_DIGITS = 7
_SELF = "SEL"
_FAMILY = frozenset(
    # user-defined table 0063: the insured is somebody of the patient's family
    {
        "SPO", "DOM", "CHD", "GCH", "NCH", "SCH", "FCH", "DEP", "WRD", "PAR", "MTH", "FTH", "GRD",
        "GRP", "EXF", "SIB", "BRO", "SIS",
    }
)  # fmt: skip


def read(reading: MessageReading, segment: Segment, prefix: str) -> None:
    """Add one insurance of the patient's base data; it is nobody's where PID names another."""
    if reading.clash:
        reading.leave_all("pid-clash", [segment])
        return
    stated = _stated(reading, segment)
    # Numbers of people are in the key as a digest only: keys are in logs.
    key = reading.digest_key(
        f"{prefix}insurance", *(segment.raw(field) for field in (2, 3, 10, 11))
    )
    reading.take(segment, _taken(segment, stated), "item Coverage")
    coverage.add(reading, segment, key, stated)


def beside(
    reading: MessageReading, segments: Iterable[Segment], key: str
) -> tuple[list[dict[str, str]], tuple[Resource, ...]]:
    """Insurances as companions of the item of that key: references, and what they lead to."""
    references: list[dict[str, str]] = []
    found: list[Resource] = []
    for number, segment in enumerate(segments, start=1):
        if reading.clash:
            reading.leave_all("pid-clash", [segment])
            continue
        stated = _stated(reading, segment)
        reading.take(segment, _taken(segment, stated))
        made, payers = coverage.describe(reading, segment.at, f"{key}|insurance|{number}", stated)
        references.append(fhir.reference(made["id"]))
        found += [made, *payers]
    return references, tuple(found)


def _stated(reading: MessageReading, segment: Segment) -> Insurance | PublicPayment:
    """What one segment says."""
    code, text, table = (*segment.components(2), "", "", "")[:3]
    major = coverage.major_of_kind(code) if table in (_JHSD0001, "") else ""
    found = codes.coded(tuple(segment.components(2)), reading.domain)
    kinds = tuple(fhir.coding(one.code, one.system, one.display) for one in found)
    if found and not any(one.standard for one in found):
        reading.find("unmapped-code", f"{segment.at}.2")
    start, end = (reading.time(segment, field) if segment.raw(field) else "" for field in (12, 13))
    if major == _PUBLIC:
        return PublicPayment(
            payer=segment.value(3), recipient=_recipient(segment), name=segment.value(4),
            kinds=kinds, kind_text=text, start=start, end=end,
        )  # fmt: skip
    return Insurance(
        insurer=segment.value(3), name=segment.value(4), symbol=segment.value(10),
        number=segment.value(11), holder=_holder(reading, segment), major=major, kinds=kinds,
        kind_text=text, plan=segment.value(15), start=start, end=end,
    )  # fmt: skip


def _holder(reading: MessageReading, segment: Segment) -> Holder:
    """IN1-17: who the insured is to the patient."""
    relation = segment.value(17)
    if relation == _SELF:
        return "self"
    if relation in _FAMILY:
        return "family"
    if relation:
        reading.find("unmapped-code", f"{segment.at}.17")
    return ""


def _recipient(segment: Segment) -> str:
    """The recipient's number of a public payment.

    No published text says where it stands; the field is taken where it is a number of seven
    digits whose check digit is right, else it stays an unmapped field.
    """
    for field in (11, 10):
        plain = coverage.plain_of(segment.value(field))
        if len(plain) == _RECIPIENT_DIGITS and coverage.is_number(plain):
            return plain
    return ""


def _taken(segment: Segment, stated: Insurance | PublicPayment) -> frozenset[int]:
    """The fields that came of it."""
    if isinstance(stated, Insurance):
        return _FIELDS
    taken = {
        field
        for field in (10, 11)
        if stated.recipient and coverage.plain_of(segment.value(field)) == stated.recipient
    }
    return (_FIELDS - {10, 11, 15, 17}) | taken

"""JAMI usage codes (16 characters) and supplements (8) to what FHIR says: Timing and beside it.

The text always travels with the code and is always kept. The code is read only where a published
example shows what its characters say (`tables/usage_slots.csv`; `japan/pharmacy.md` section 6),
and only where its text does not contradict it: published lists print wrong texts beside right codes
and the reverse, and who is wrong is not for us to say. What is not read stays code and text.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from gateway.standardize import codes, tables
from gateway.wire import fhir, memo

E_PRESCRIPTION = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUsage_ePrescription"
"Usage list of the national e-prescription service, whose codes are built like JAMI's."
ADDITIONAL = "http://jami.jp/CodeSystem/MedicationUsageAdditional"
SITE = "http://jami.jp/CodeSystem/MedicationBodySiteExternal"
NOT_READ, CLASH = "usage-not-read", "usage-clash"

_MEALS, _CLOCK, _AS_NEEDED, _PARTS, _COUNT = "1", "3", "5", "6", "7"
"Character 3: by meals, by the clock, at an event, by parts of the day, times only."
_HOURS = "ABCDEFGHIJKLMNOPQRSTUVWX"
_DAYS = (("sun", "日"), ("mon", "月"), ("tue", "火"), ("wed", "水"), ("thu", "木"), ("fri", "金"),
         ("sat", "土"))  # fmt: skip
_MAIN = re.compile(r"[1-4][0-9A-Z][0-9][0-9A-Z]{13}")
_WEEK = re.compile(r"W([01]{7})")
_UNEQUAL = re.compile(r"V([1-9])([0-9]{1,6}(?:\.[0-9]{1,5})?|\.[0-9]{1,5})N*")
_EVERY_OTHER_DAY = "I1100000"
_NUMBERS = str.maketrans("一二三四五六七八九", "123456789")
_TIMES = re.compile(r"(?:1日|分)([1-9][0-9]?)(~|-|か|,|、|/)?")
_WORDS = re.compile(r"食直前|食直後|食後2時間|食事?中|食間|食前|食後")
_HOUR = re.compile(r"(?<![0-9])([0-9]{1,2})時(?!間)")
_LIMITED = re.compile(r"隔日|日おき|日毎|日ごと|週|曜|透析|奇数|偶数|月[0-9]回|漸減|漸増")
_WEEKDAYS = re.compile(r"[日月火水木金土](?=曜|・|,|、|$)")


class Supplement(NamedTuple):
    """A supplementary usage: its code of 8 characters, where it has one, and its text."""

    code: str
    text: str


class _Slot(NamedTuple):
    """One row of the table."""

    when: str
    offset: str
    slot: str
    word: str
    evidence: str


_TABLE = {
    (row["class"], row["place"], row["characters"]): _Slot(
        row["when"], row["offset"], row["slot"], row["word"], row["evidence"]
    )
    for row in tables.rows("usage_slots")
}


@dataclass(slots=True)
class _Said:
    """What a code or a text says; what it does not say is empty."""

    times: str = ""
    slots: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    hours: frozenset[str] = frozenset()
    repeat: dict[str, Any] = field(default_factory=dict)
    as_needed: bool = False
    limited: bool = False
    "Not every day."
    unsure: bool = False
    "Read by what one source alone says: counts only where the text has the same words."


def dosage(
    code: str,
    text: str,
    *,
    times: str = "",
    supplements: Sequence[Supplement] = (),
    system: str = codes.USAGE,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parts of a Dosage that a usage gives, and the findings it makes.

    `times` is the number of times a day where the source states it in a field of its own.
    """
    made: dict[str, Any] = {}
    if text:
        made["text"] = text
    said, problem = _read(code, text, times)
    problems = [problem]
    repeat = dict(said.repeat)
    extra = []
    for one in supplements:
        concept, problem = _supplement(one, repeat)
        extra.append(concept)
        problems.append(problem)
    if repeat.get("period", 0) == 1 and "dayOfWeek" not in repeat and _of_text(text).limited:
        problems.append(CLASH)  # not every day, says the text alone
    if any(problems):
        repeat = {}
    found = tuple(dict.fromkeys(one for one in problems if one))
    timing: dict[str, Any] = {"repeat": repeat} if repeat else {}
    if code or text:
        coding = [fhir.coding(code, system, text)] if code else []
        timing["code"] = fhir.concept(*coding, text=text)
    if timing:
        made["timing"] = timing
    if said.as_needed:
        made["asNeededBoolean"] = True
    method = codes.usage_method(code)
    if method:
        made["method"] = fhir.concept(*method)
    if extra:
        made["additionalInstruction"] = extra
    return made, found


def unequal(code: str) -> tuple[int, Decimal] | None:
    """Which time of the day, and how much: a supplement code of unequal doses, or None."""
    found = _UNEQUAL.fullmatch(code)
    if not found or len(code) != 8:
        return None
    try:
        return int(found[1]), Decimal(found[2])
    except InvalidOperation:
        return None


def site(code: str, text: str) -> dict[str, Any]:
    """Where it is applied: JAMI's code of 3 characters, or the text alone."""
    coding = [fhir.coding(code, SITE, text)] if re.fullmatch(r"[0-9A-Z]{3}", code) else []
    return fhir.concept(*coding, text=text or code)


def _read(code: str, text: str, times: str) -> tuple[_Said, str]:
    """What code, text and times say together, and the finding where they do not agree."""
    told = _of_text(text)
    count = times if re.fullmatch(r"[1-9][0-9]?", times) else ""
    if count and told.times and told.times != count:
        return _Said(), CLASH
    said = _of_code(code) if code else None
    if said is None:
        known = _Said(times=count, repeat=_per_day(count)) if count else _Said()
        return known, NOT_READ if code else ""
    pairs = (
        (said.times, told.times), (said.times, count), (said.slots, told.slots),
        (said.words, told.words), (said.hours, told.hours),
    )  # fmt: skip
    if any(one and other and one != other for one, other in pairs):
        return _Said(), CLASH
    if said.unsure and (said.words != told.words or said.slots != told.slots):
        return _Said(), NOT_READ
    return said, ""


def _per_day(times: str) -> dict[str, Any]:
    return {"frequency": int(times), "period": 1, "periodUnit": "d"}


@memo.by_text(4096)
def _of_code(code: str) -> _Said | None:
    """What the characters of a main code say; None where one of them is not known."""
    if not _MAIN.fullmatch(code):
        return None
    kind, count = code[2], code[3]
    if kind == _AS_NEEDED:
        return _event(code)
    if count not in "123456789":
        return None
    if kind == _COUNT:
        rest = set(code[4:])
        return _Said(times=count, repeat=_per_day(count)) if rest == {"0"} else None
    if kind == _CLOCK:
        return _clock(code, count)
    return _slots(code, kind, count) if kind in (_MEALS, _PARTS) else None


def _event(code: str) -> _Said | None:
    row = _TABLE.get((_AS_NEEDED, "5", code[4:6]))
    if row is None or code[3] != "0" or set(code[6:]) != {"0"}:
        return None
    if not row.when:
        return _Said(as_needed=True)
    return _Said(slots=frozenset((row.slot,)), repeat={"when": [row.when]})


def _clock(code: str, count: str) -> _Said | None:
    letters = code[4:].rstrip("0")
    if len(letters) != int(count) or not set(letters) <= set(_HOURS):
        return None
    hours = [_HOURS.index(letter) for letter in letters]
    if hours != sorted(set(hours)):
        return None
    repeat = _per_day(count) | {"timeOfDay": [f"{hour:02}:00:00" for hour in hours]}
    return _Said(times=count, hours=frozenset(map(str, hours)), repeat=repeat)


def _slots(code: str, kind: str, count: str) -> _Said | None:
    """By meals or parts of the day: as many characters as times, each known."""
    rows = []
    for place in (9, 8, 7, 6, 5):  # waking, morning, noon, evening, bedtime
        if code[place - 1] != "0":
            rows.append(_TABLE.get((kind, str(place), code[place - 1])))
    known = [row for row in rows if row is not None]
    offsets = {row.offset for row in known}
    if len(known) != len(rows) or len(rows) != int(count) or set(code[9:]) != {"0"}:
        return None
    if len(offsets) != 1:
        return None  # FHIR has one offset for all events
    repeat = _per_day(count) | {"when": [row.when for row in known]}
    offset = offsets.pop()
    if offset:
        repeat["offset"] = int(offset)
    return _Said(
        times=count,
        slots=frozenset(row.slot for row in known),
        words=frozenset(row.word for row in known if row.word),
        repeat=repeat,
        unsure=any(row.evidence == "text" for row in known),
    )


@memo.by_text(4096)
def _of_text(text: str) -> _Said:
    """What a text says of times a day, meals and hours, for comparing with the code."""
    folded = unicodedata.normalize("NFKC", text).replace("〜", "~").replace("一日", "1日")
    plain = re.sub(r"\s", "", folded).translate(_NUMBERS)
    found = _TIMES.search(plain)
    times = ""
    if found:
        times = "several" if found[2] else found[1]
    slots = {one for one in ("朝", "昼", "夕") if one in plain or "毎食" in plain}
    if re.search("就寝|就眠|眠前|寝る前", plain):
        slots.add("就寝")
    if "起床" in plain:
        slots.add("起床")
    words = {"食事中" if one == "食中" else one for one in _WORDS.findall(plain)}
    words = {"食後2時間" if one == "食間" else one for one in words}
    hours = {str(int(one)) for one in _HOUR.findall(plain)}
    limited = bool(_LIMITED.search(plain))
    return _Said(times, frozenset(slots), frozenset(words), frozenset(hours), limited=limited)


def _supplement(one: Supplement, repeat: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A supplement as an additional instruction; on which days goes into `repeat` too.

    One that is not understood may change the days or the amounts: then nothing is read.
    """
    if not one.code:
        repeat.clear()
        return fhir.concept(text=one.text), ""
    concept = fhir.concept(fhir.coding(one.code, ADDITIONAL, one.text), text=one.text or one.code)
    dose = unequal(one.code)
    if dose:
        # Published lists print the same words for every time of the day: said by the code.
        shown = f"不均等・{dose[0]}回目・{dose[1]}単位量"
        concept = fhir.concept(fhir.coding(one.code, ADDITIONAL, shown), text=one.text or shown)
        return concept, ""
    if one.code == _EVERY_OTHER_DAY:
        # With several times a day FHIR would read: so many times in two days.
        if repeat.get("frequency") == 1:
            repeat["period"] = 2
        else:
            repeat.clear()
        return concept, ""
    found = _WEEK.fullmatch(one.code)
    if not found or "1" not in found[1]:
        return concept, NOT_READ
    days = [day for day, bit in zip(_DAYS, found[1], strict=True) if bit == "1"]
    plain = unicodedata.normalize("NFKC", one.text)
    named = set(_WEEKDAYS.findall(plain.replace("曜日", "曜")))
    if named and named != {japanese for _, japanese in days}:
        return concept, CLASH
    repeat["dayOfWeek"] = [english for english, _ in days]
    return concept, ""

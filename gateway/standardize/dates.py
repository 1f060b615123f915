"""Dates as senders write them, to what FHIR says: Western, as precise as they came, zone +09:00.

Era dates (和暦) are converted here and never stored. A date that does not exist is no date: it is
never shifted to one that does (`japan/identity-and-matching.md` section 3).
"""

import re
import unicodedata
from datetime import date, datetime, timedelta
from functools import lru_cache

from gateway.wire import hl7v2, memo

ZONE = "+09:00"
"Japan has one zone and no summer time; senders leave it out."

_ERAS = {
    # letter, claims digit: (year before the first, first day, day after the last)
    "M": (1867, date(1868, 1, 25), date(1912, 7, 30)),
    "T": (1911, date(1912, 7, 30), date(1926, 12, 25)),
    "S": (1925, date(1926, 12, 25), date(1989, 1, 8)),
    "H": (1988, date(1989, 1, 8), date(2019, 5, 1)),
    "R": (2018, date(2019, 5, 1), date.max),
}
_LETTERS = {"1": "M", "2": "T", "3": "S", "4": "H", "5": "R"}
_ERA_NAMES = {"明治": "M", "大正": "T", "昭和": "S", "平成": "H", "令和": "R"}
_SHORT_NAMES = {"明": "M", "大": "T", "昭": "S", "平": "H", "令": "R"}
_ERA = re.compile(r"([MTSHR])([0-9]{2})([0-9]{2})([0-9]{2})")
_LOOSE = re.compile(r"([MTSHR])([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{1,2})")
_BIRTH = re.compile(r"[0-9]{8}(?:[0-9]{2,6})?")
_EARLIEST = 1850
_END_OF_DAY = re.compile(r"([0-9]{8})24(?:00(?:00(?:\.0+)?)?)?([+-][0-9]{4})?")


@memo.by_text(8192)
def fhir_time(text: str) -> str:
    """An HL7 time as a FHIR date or dateTime; empty where it is none.

    Precision stays; an hour without minutes is the full hour, because FHIR has no such precision.
    24:00, the end of a day (ISO 8601), is the beginning of the next, because FHIR ends at 23.
    """
    if not hl7v2.is_time(text):
        ends = _END_OF_DAY.fullmatch(text)
        last = birth(ends[1]) if ends else None
        if ends is None or last is None:
            return ""
        return fhir_time(f"{last + timedelta(1):%Y%m%d}0000{ends[2] or ''}")
    body, zone = re.fullmatch(r"([0-9.]+)([+-][0-9]{4})?", text).groups()  # type: ignore[union-attr]
    digits, _, fraction = body.partition(".")
    day = "-".join(part for part in (digits[:4], digits[4:6], digits[6:8]) if part)
    if len(digits) <= 8:
        return day
    clock = f"{digits[8:10]}:{digits[10:12] or '00'}:{digits[12:14] or '00'}"
    if fraction and len(digits) == 14:
        clock += f".{fraction}"
    return f"{day}T{clock}{f'{zone[:3]}:{zone[3:]}' if zone else ZONE}"


@memo.by_text(1024)
def order_of(text: str) -> str:
    """An HL7 time as 17 digits of Japanese time, for comparing versions as text; empty if none."""
    shown = fhir_time(text)
    if len(shown) < 10:
        return ""
    if "T" not in shown:
        return shown.replace("-", "").ljust(17, "0")
    moment = datetime.fromisoformat(_six_digits(shown))
    local = moment.astimezone(datetime.fromisoformat(f"2000-01-01T00:00:00{ZONE}").tzinfo)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}"


def _six_digits(shown: str) -> str:
    """A fraction of any length as six digits, which is what every Python reads."""
    return re.sub(r"\.([0-9]+)", lambda found: f".{found[1]:0<6}", shown)


def birth(text: str) -> date | None:
    """A date of birth; None where it is not a whole date that exists and can be a birth."""
    if not _BIRTH.fullmatch(text) or not hl7v2.is_time(text):
        return None
    year = int(text[:4])
    if not _EARLIEST <= year < 9999:
        return None
    return date(year, int(text[4:6]), int(text[6:8]))


@memo.by_text(4096)
def western(text: str) -> tuple[date | None, bool]:
    """A date written Western or by era, and whether its era had ended.

    `19580303`, `S330303`, `3330303`, `S33.03.03`, `昭和33年3月3日`. First year `元` is 1.
    """
    plain = unicodedata.normalize("NFKC", text).replace(" ", "").upper()
    for names in (_ERA_NAMES, _SHORT_NAMES):
        for name, letter in names.items():
            if plain.startswith(name):
                plain = letter + plain[len(name) :]
                break
    plain = plain.replace("元", "1").replace("年", ".").replace("月", ".").removesuffix("日")
    if re.fullmatch(r"[0-9]{7}", plain) and plain[0] in _LETTERS:
        plain = _LETTERS[plain[0]] + plain[1:]
    if re.fullmatch(r"[0-9]{8}", plain):
        return birth(plain), False
    if re.fullmatch(r"[0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}", plain):
        year, month, day = re.split(r"[./-]", plain)
        return birth(f"{year}{month:0>2}{day:0>2}"), False
    found = _ERA.fullmatch(plain) or _LOOSE.fullmatch(plain)
    if not found or found[2].strip("0") == "":
        return None, False
    before, first, end = _ERAS[found[1]]
    try:
        day_found = date(before + int(found[2]), int(found[3]), int(found[4]))
    except ValueError:
        return None, False
    if day_found < first:
        return None, False
    return day_found, day_found >= end


@memo.by_text(1024)
def month(text: str) -> tuple[str, bool]:
    """A month of a claim, `202110` or by era `50310`, as YYYY-MM, and whether its era had ended."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not re.fullmatch(r"[0-9]{5,6}", plain):
        return "", False
    for day in ("01", "31", "30", "28"):  # an era may begin within its first month
        found, overrun = western(plain + day)
        if found is not None:
            return f"{found:%Y-%m}", overrun
    return "", False


_PARTIAL = re.compile(r"(?:([0-9]{4})|([1-5])([0-9]{2}))([0-9]{2})?")


def partial(text: str) -> str:
    """A date without its day, or without its month, as FHIR says it; empty where it is none.

    Western with four digits of the year, or an era digit and two (`japan/pharmacy.md` section 3).
    """
    found = _PARTIAL.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not found or (found[4] and not "01" <= found[4] <= "12"):
        return ""
    if found[1]:
        year = int(found[1])
    else:
        before, first, end = _ERAS[_LETTERS[found[2]]]
        year = before + int(found[3])
        if not first.year <= year <= end.year:
            return ""
    if not _EARLIEST <= year < 9999:
        return ""
    return f"{year:04}-{found[4]}" if found[4] else f"{year:04}"


_WRITTEN = re.compile(
    r"([0-9]{4})([-/.]?)([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):?([0-9]{2})(?::?([0-9]{2}))?)?"
)
_SHORT = re.compile(r"[0-9]{5,7}")
_CLOCK = re.compile(r"([0-9]{1,2}):?([0-9]{2})(?::?([0-9]{2}))?")


@lru_cache(maxsize=4096)
def by_mapping(text: str, *, era: bool) -> tuple[date | None, bool, str]:
    """A date cell as a mapping declares it: day, whether its era had ended, clock time beside it.

    An era date is read only where the mapping says so, and a Western one too there. A number of
    days that a spreadsheet made of a date is none.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    found = _WRITTEN.fullmatch(plain)
    if found and (found[2] or len(found[3]) == len(found[4]) == 2):
        return (
            birth(f"{found[1]}{found[3]:0>2}{found[4]:0>2}"),
            False,
            clock(":".join(part for part in found.groups()[4:] if part)),
        )
    if not era or (_SHORT.fullmatch(plain) and len(plain) < 7):
        return None, False, ""
    day, overrun = western(plain)
    return day, overrun, ""


@memo.by_text(4096)
def clock(text: str) -> str:
    """A time of day as HH:MM:SS; empty where it is none."""
    found = _CLOCK.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        return ""
    return f"{found[1]:0>2}:{found[2]}:{found[3] or '00'}"

"""Laboratory values: what OBX-2, 5, 6, 7 and 8 mean as value[x], reference range, interpretation.

Nothing is computed or rounded: 7.10 stays 7.10, `<0.5` is a comparator and a number, `1+` is a
coded value, and what is none of these stays text (`japan/lab.md` section 5).
"""

import re
import unicodedata
from decimal import Decimal
from typing import Any

from gateway.standardize import codes
from gateway.wire import fhir, memo

Unit = tuple[tuple[str, str], ...]
"Unit, system and code of a Quantity, as the items of a dict."

# At most 18 digits, the precision that FHIR R4 asks of a decimal (datatypes, section 2.24.0.1).
_NUMBER = r"([+-]?(?=(?:[0-9]\.?|\.[0-9]){1,18}(?![0-9.]))(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
_DECIMAL = re.compile(_NUMBER)
_BEFORE = re.compile(rf"(<=|=<|≦|≤|< =|>=|=>|≧|≥|<|>|〈|〉|U|L) ?{_NUMBER}")
_AFTER = re.compile(rf"{_NUMBER} ?(以上|以下|イカ|未満|ミマン|超過?|~|<=|=<|≦|>=|=>|≧|<|>|〈|〉)")
_RANGE = re.compile(rf"{_NUMBER} ?(?:-|~|〜|–|−|ー) ?{_NUMBER}")
_SIGNS = {"<=": "<=", "=<": "<=", "≦": "<=", "≤": "<=", ">=": ">=", "=>": ">=", "≧": ">="}
_SIGNS |= {"≥": ">=", "<": "<", ">": ">", "〈": "<", "〉": ">"}
_SIGNS |= {"< =": "<=", "U": ">", "L": "<"}
_WORDS = {"以上": ">=", "以下": "<=", "未満": "<", "超": ">", "超過": ">"}
_WORDS |= {"イカ": "<=", "ミマン": "<", "~": ">="}
_TURNED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_NEGATIVE = re.compile(
    r"-|[(\[]-[)\]]|判定\(-\)|(陰性|インセイ)(\(-\))?|\(-\)(陰性|インセイ)|neg(ative)?|検出(せず|セズ)"
    r"|ケンシ[ユュ]ツセズ|(フ|ミ)ケンシ[ユュ]ツ",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"\+|[(\[]\+[)\]]|(陽性|ヨウセイ)(\(\+\))?|\(\+\)(陽性|ヨウセイ)|pos(itive)?|検出",
    re.IGNORECASE,
)
_DOUBTFUL = re.compile(r"\(?(±|\+/?-|-/?\+)\)?|疑陽性|判定保留")
_GRADE = re.compile(r"\(?[1-5]\+\)?|\(?\+{2,5}\)?")
_PENDING = re.compile(r"検査中|測定中|未着|後日報告|報告書参照")
_FAILED = re.compile(
    r"材料不良|測定不能|測定不可|検体不良|検体不足|量不足|溶血|凝固|中止|依頼漏れ|\*+"
)
_SEX = re.compile(r"(男性|女性|男|女|M|F)(?![A-Za-z])")
_SEXES = {"男性": "male", "男": "male", "M": "male"} | {
    "女性": "female",
    "女": "female",
    "F": "female",
}
_TITRE = re.compile(
    r"(?P<dilution>1 ?: ?(?P<part>[1-9][0-9]{0,6}))|[x×X✕] ?(?P<times>[1-9][0-9]{0,6})"
)
_FOLD = re.compile(r"(.*[0-9]) ?倍(.*)")
_TIMES = re.compile(r"(.*?)[x×X✕] ?([0-9].*)")
_CLOCK = range(10, 60)
"Second parts of `1:30` that may be seconds as well: a bleeding time is written so."
_ARROW = re.compile(rf"{_NUMBER} ?[↑↓]|[↑↓] ?{_NUMBER}")
_MARKED = re.compile(rf"{_NUMBER} ?(HH|LL|H|L)")
_TITER = "{titer}"
_TITRE_UNIT: Unit = (("unit", "倍"), ("system", codes.UCUM), ("code", _TITER))
"JP_Observation_LabResult has no Ratio: a titre is the number of the dilution."
_ORIGINAL = "http://hl7.org/fhir/StructureDefinition/originalText"
_GENDER = "http://hl7.org/fhir/administrative-gender"
_READINGS = {"NEG": "陰性", "POS": "陽性", "IND": "判定保留"}

_FLAGS = {
    "L": "L", "H": "H", "LL": "LL", "HH": "HH", "N": "N", "A": "A", "AA": "AA", "<": "<", ">": ">",
    "↑": "H", "↓": "L", "高": "H", "低": "L", "*": "A", "POS": "POS", "NEG": "NEG", "IND": "IND",
    "R": "R", "S": "S", "I": "I", "U": "U", "D": "D", "B": "B", "W": "W",
}  # fmt: skip


@memo.by_text(16384)
def decimal(text: str) -> Decimal | None:
    """A number as written, full-width digits included; None where it is none."""
    plain = _plain(text)
    return Decimal(plain) if _DECIMAL.fullmatch(plain) else None


@memo.by_text(1024)
def _plain(text: str) -> str:
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text.replace("－", "-").replace("−", "-")).strip()


def lines(text: str) -> str:
    r"""A text of several lines as people read it: `\.br\` ends one (HL7 v2.5 2.7.6)."""
    return text.replace("\\.br\\", "\n") if "\\.br\\" in text else text


@memo.by_text(8192)
def comparison(text: str) -> tuple[str, Decimal] | None:
    """Comparator and number of `<0.5`, `0.1以下`, `≧1000`, `U10`; None where it is neither.

    An arrow is a comparator to some senders and a flag to others, so it is neither here.
    """
    plain = _plain(text)
    found = _BEFORE.fullmatch(plain)
    if found:
        return _SIGNS[found[1]], Decimal(found[2])
    found = _AFTER.fullmatch(plain)
    if found:
        sign = _WORDS.get(found[2]) or _TURNED[_SIGNS[found[2]]]
        return sign, Decimal(found[1])
    return None


@memo.by_text(1024)
def qualitative(text: str) -> str | None:
    """`NEG`, `POS`, `IND`, empty for a grade such as 2+; None for what is no qualitative value."""
    plain = _plain(text).replace(" ", "")
    if _NEGATIVE.fullmatch(plain):
        return "NEG"
    if _POSITIVE.fullmatch(plain):
        return "POS"
    if _DOUBTFUL.fullmatch(plain):
        return "IND"
    return "" if _GRADE.fullmatch(plain) else None


def is_qualitative(text: str) -> bool:
    """Whether a text is a coded sign: negative, positive, doubtful, or a grade."""
    return qualitative(text) is not None


@memo.by_text(1024)
def titre(text: str) -> tuple[str, Decimal] | None:
    """Comparator and dilution of `1:320`, `×40`, `40倍`, `<40倍`; None where it is no titre.

    `1:30` may be a time as well, so it is none here.
    """
    plain = _plain(text)
    found = _TITRE.fullmatch(plain)
    if found:
        part = found["part"] or found["times"]
        is_clock = bool(found["dilution"]) and int(part) in _CLOCK
        return None if is_clock or part == "1" else ("", Decimal(part))
    for pattern in (_FOLD, _TIMES):
        around = pattern.fullmatch(plain)
        if around:
            rest = around[1] + around[2]
            number = decimal(rest)
            return ("", number) if number is not None and number >= 1 else comparison(rest)
    return None


@memo.by_text(1024)
def marked(text: str) -> tuple[Decimal, str] | None:
    """Number and flag of `5.0 H`; None where it is no number with a letter of a flag behind it."""
    found = _MARKED.fullmatch(_plain(text))
    return (Decimal(found[1]), found[2]) if found else None


@memo.by_text(1024)
def is_unclear(text: str) -> bool:
    """Whether two readings are in use: `8.5↑` is a flag or a limit, `1:30` a dilution or a time."""
    plain = _plain(text)
    dilution = _TITRE.fullmatch(plain)
    return bool(_ARROW.fullmatch(plain)) or bool(
        dilution and dilution["dilution"] and not titre(text)
    )


def original(value: dict[str, Any], text: str) -> dict[str, Any]:
    """A value with the text that it was read from, where nothing else of it says that."""
    return {"extension": [fhir.extension(_ORIGINAL, "String", text)], **value}


def text_value(text: str, unit: dict[str, str]) -> dict[str, Any]:
    """The value[x] of a text: comparator, qualitative, reason for absence, or text."""
    compared = comparison(text)
    if compared is not None:
        return {"valueQuantity": fhir.quantity(compared[1], comparator=compared[0], **unit)}
    diluted = titre(text)
    if diluted is not None and (not unit or unit.get("code") == _TITER):
        quantity = fhir.quantity(diluted[1], comparator=diluted[0], **(unit or dict(_TITRE_UNIT)))
        return {"valueQuantity": original(quantity, text)}
    reading = qualitative(text)
    if reading is not None:
        found = (
            [fhir.coding(reading, codes.V3_INTERPRETATION, _READINGS[reading])] if reading else []
        )
        return {"valueCodeableConcept": fhir.concept(*found, text=text)}
    if _PENDING.fullmatch(text):
        return {"dataAbsentReason": absent("temp-unknown", text)}
    if _FAILED.fullmatch(text):
        return {"dataAbsentReason": absent("error", text)}
    return {"valueString": text}


def number_value(value: Decimal, unit: dict[str, str], comparator: str = "") -> dict[str, Any]:
    """The value[x] of a number."""
    return {"valueQuantity": fhir.quantity(value, comparator=comparator, **unit)}


def absent(reason: str, text: str = "") -> dict[str, Any]:
    """Why there is no value (data-absent-reason)."""
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return fhir.concept(fhir.coding(reason, system), text=text)


def structured_numeric(parts: list[str]) -> tuple[str, Decimal] | None:
    """An SN of comparator and one number; None where it is a ratio, an interval, or nothing."""
    sign, number = [*parts, "", ""][:2]
    value = decimal(number)
    if value is None or any(parts[2:]) or sign not in {"", "=", *_SIGNS}:
        return None
    return _SIGNS.get(sign, ""), value


@memo.by_texts(4096)
def unit(code: str, text: str) -> Unit:
    """Unit, system and code of a Quantity as items of a dict; the sender's own text is kept."""
    shown = text or code
    found = codes.ucum(code) or codes.ucum(text)
    if found:
        return (("unit", shown), ("system", codes.UCUM), ("code", found))
    return (("unit", shown),) if shown else ()


@memo.by_text(4096)
def _limits(text: str) -> tuple[Decimal | None, Decimal | None]:
    plain = _plain(text)
    found = _RANGE.fullmatch(plain)
    if found:
        low, high = Decimal(found[1]), Decimal(found[2])
        return (low, high) if low <= high else (None, None)
    compared = comparison(text)
    if compared is None:
        return None, None
    # FHIR's low and high are inclusive; the sender's own text, which is kept, says how it is meant.
    return (None, compared[1]) if compared[0].startswith("<") else (compared[1], None)


@memo.by_text(4096)
def _of_sex(text: str) -> dict[str, str]:
    """The limits of `M:13-17 F:12-15` or `男13～17、女12～15` by sex; none where it is not both."""
    parts = [part for part in _SEX.split(_plain(text)) if part.strip(" ,、;/")]
    found = {
        _SEXES[word]: limits.strip(" ,、;/:")
        for word, limits in zip(parts[::2], parts[1::2], strict=False)
        if word in _SEXES
    }
    whole = len(parts) == 4 and len(found) == 2
    read = all(_limits(limits) != (None, None) for limits in found.values())
    return found if whole and read else {}


def reference_range(text: str, unit: dict[str, str], sex: str = "") -> dict[str, Any]:
    """A reference range: limits where the text has them, and the text always.

    Where it has them by sex, those of `sex`, the patient's administrative gender; for a patient
    whose sex is not known, none.
    """
    by_sex = _of_sex(text)
    low, high = _limits(by_sex.get(sex, "") if by_sex else text)
    made: dict[str, Any] = {}
    if by_sex and (low is not None or high is not None):
        made["appliesTo"] = [fhir.concept(fhir.coding(sex, _GENDER))]
    if low is not None:
        made["low"] = fhir.quantity(low, **unit)
    if high is not None:
        made["high"] = fhir.quantity(high, **unit)
    made["text"] = text
    return made


@memo.by_text(1024)
def interpretation(flag: str) -> tuple[dict[str, Any], bool]:
    """An abnormal flag as interpretation, and whether it is a known one."""
    code = _FLAGS.get(_plain(flag).upper())
    if code is None:
        return fhir.concept(text=flag), False
    return fhir.concept(fhir.coding(code, codes.V3_INTERPRETATION), text=flag), True

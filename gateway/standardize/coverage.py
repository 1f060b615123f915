"""JP_Coverage: one insurance or one public payment (公費) of a patient, however it was written.

HL7 messages (IN1, ZI1), claims (HO, KO) and prescriptions (21 to 31) say it in their own ways;
this is the one place that makes a Coverage of it. The numbers stay as they were written, in the
extensions of JP Core; the identifiers are their forms for comparing (JP Core 1.2.0 JP_Coverage,
`japan/codes-and-uris.md` section 2). A check digit is a warning, because real numbers fail it.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from gateway.model.batch import Resource
from gateway.model.category import Category
from gateway.standardize import codes, musthave, tables
from gateway.standardize.reading import Place, Reading
from gateway.wire import fhir

INSURER_NUMBER = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber"
PUBLIC_PAYER_NUMBER = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicPayerNumber"
RECIPIENT_NUMBER = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicInsuredPersonNumber"
MEMBER_ID = "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID"
CSV_ID = "http://jpfhir.jp/fhir/core/IdSystem/JP_Coverage_id"
MAJOR_CATEGORY = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuranceMajorCategory"
INSURED_CATEGORY = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuredPersonCategory"
"Systems of JP Core 1.2.0 and of the national sharing service (CLINS)."

_RELATIONSHIP = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
_ORGANIZATION_TYPE = "http://terminology.hl7.org/CodeSystem/organization-type"
_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
_COPAY_TYPE = "http://terminology.hl7.org/CodeSystem/coverage-copay-type"
_MAJOR = {"1": "医保", "2": "国保", "3": "労災", "4": "自賠責", "5": "公害", "6": "自費"}
_MAJOR |= {"7": "後期高齢者", "8": "公費"}
_INSURED = {"self": ("1", "被保険者"), "family": ("2", "被扶養者")}
_KINDS = {row["code"]: row["major"] for row in tables.rows("insurance_kinds")}
_LAWS = {
    row["code"]: row["major"]
    for row in tables.rows("insurance_kinds")
    if row["class"] == "MI" and row["code"].isdigit()
}
"The first two of eight digits (法別番号) are the code of the law in table JHSD0001."

_PUBLIC, _OWN_EXPENSE = "8", "6"
_NUMBER = re.compile(r"[0-9]{5,8}")
_MEMBER = re.compile(r"[0-9]{8}:[^:\s]*:[^:\s]+:(|[0-9]{2})")
_BLANKS = re.compile(r"\s+")
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

Holder = Literal["", "self", "family"]
"Whether the patient is the insured person (本人) or a dependant (家族)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Insurance:
    """What a source says about one insurance, as it is written there; empty is not stated."""

    insurer: str = ""
    "保険者番号: eight digits, six of a national health insurance, with or without padding."
    name: str = ""
    "Name of the insurer."
    symbol: str = ""
    "記号."
    number: str = ""
    "番号."
    branch: str = ""
    "枝番, two digits."
    holder: Holder = ""
    major: str = ""
    "InsuranceMajorCategory 1 to 8; where it is empty, the insurer's number may say it."
    kinds: tuple[dict[str, Any], ...] = ()
    "Codings of the kind in the source's own tables."
    kind_text: str = ""
    plan: str = ""
    "Code of a plan within the kind (table JHSD0002: on duty, continued, prefecture)."
    share: Decimal | None = None
    "What the patient pays, in percent."
    start: str = ""
    end: str = ""
    "Days as FHIR says them."


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPayment:
    """What a source says about one public payment (公費)."""

    payer: str = ""
    "公費負担者番号, eight digits."
    recipient: str = ""
    "受給者番号, seven digits."
    name: str = ""
    kinds: tuple[dict[str, Any], ...] = ()
    kind_text: str = ""
    order: int = 0
    "First, second … public payment."
    share: Decimal | None = None
    start: str = ""
    end: str = ""


def add(
    reading: Reading,
    place: Place,
    key: str,
    stated: Insurance | PublicPayment,
    *,
    cancelled: bool = False,
    version: str = "",
) -> Resource:
    """Add a coverage that belongs to no other item: it is part of the patient's base data.

    Networks that share no base data keep it in staging (`requirements.md` 5.3: Coverage follows
    the item it belongs to, and here it belongs to none).
    """
    made, payers = describe(reading, place.at, key, stated, cancelled=cancelled)
    reading.add(
        Category.DEMOGRAPHICS, made, key, place, companions=payers, cancelled=cancelled,
        version=version,
    )  # fmt: skip
    return made


def describe(
    reading: Reading,
    at: str,
    key: str,
    stated: Insurance | PublicPayment,
    *,
    cancelled: bool = False,
) -> tuple[Resource, tuple[Resource, ...]]:
    """A JP_Coverage and its payer, complete as companions of another item; findings at `at`."""
    made = fhir.resource("Coverage", "JP_Coverage", reading.identity("Coverage", key))
    wrong = cancelled or reading.cancelled
    if isinstance(stated, Insurance):
        payer = _payer(reading, at, stated.insurer, stated.name, INSURER_NUMBER)
        _insurance(reading, made, stated, payer, wrong=wrong)
    else:
        payer = _payer(reading, at, stated.payer, stated.name, PUBLIC_PAYER_NUMBER)
        _public_payment(reading, made, stated, wrong=wrong)
    if payer:
        made["payor"] = [fhir.reference(payer["id"], payer.get("name", ""))]
    if stated.share is not None:
        percent = fhir.quantity(stated.share, "%", codes.UCUM, "%")
        kind = fhir.concept(fhir.coding("copaypct", _COPAY_TYPE, "負担率"))
        made["costToBeneficiary"] = [{"type": kind, "valueQuantity": percent}]
    for path in musthave.complete(made):
        reading.find("value-absent", f"{at} Coverage.{path}")
    return made, (payer,) if payer else ()


def is_number(text: str) -> bool:
    """Whether a number of an insurer, payer or recipient has the right check digit.

    Modulus 10, weights 2 and 1 from the right, digits of products added
    (`japan/identity-and-matching.md` section 1).
    """
    if not text.isascii() or not text.isdigit() or len(text) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(text[:-1])):
        product = int(digit) * (2 - place % 2)
        total += product // 10 + product % 10
    return (10 - total % 10) % 10 == int(text[-1])


def insurer_number(text: str) -> str:
    """An insurer's or payer's number as eight digits; as it is written where it is no number."""
    plain = plain_of(text)
    return plain.zfill(8) if _NUMBER.fullmatch(plain) else plain


def major_of_kind(code: str) -> str:
    """The major category of a kind of table JHSD0001, or empty."""
    return _KINDS.get(code, "")


def major_of_insurer(number: str) -> str:
    """The major category that an insurer's number begins with, or empty.

    A national health insurance has six digits and no law in front of them.
    """
    if not re.fullmatch(r"[0-9]{8}", number):
        return ""
    return "2" if number.startswith("00") else _LAWS.get(number[:2], "")


def plain_of(text: str) -> str:
    """A number or symbol for comparing: no blanks, compatibility forms folded."""
    return _BLANKS.sub("", unicodedata.normalize("NFKC", text))


def _payer(reading: Reading, at: str, text: str, name: str, system: str) -> Resource | None:
    """Who pays, as an Organization known by its national number."""
    number = insurer_number(text)
    if not number and not name:
        return None
    if number and not (re.fullmatch(r"[0-9]{8}", number) and is_number(number)):
        reading.find("payer-number", at)
    identity = fhir.resource_id("Organization", reading.domain, system, number or name)
    made = fhir.organization(identity, name)
    if not name:
        del made["name"]
    if number:
        made["identifier"] = [fhir.identifier(system, number)]
    made["type"] = [fhir.concept(fhir.coding("pay", _ORGANIZATION_TYPE, "Payer"))]
    return made


def _insurance(
    reading: Reading, made: Resource, stated: Insurance, payer: Resource | None, *, wrong: bool
) -> None:
    """An insurance: symbol, number and branch as written, and the two forms for comparing."""
    insurer = insurer_number(stated.insurer)
    branch = _branch(stated.branch)
    parts = (("Symbol", stated.symbol), ("Number", stated.number), ("SubNumber", branch))
    extensions = [
        fhir.extension(f"{fhir.EXTENSIONS}JP_Coverage_InsuredPerson{name}", "String", text)
        for name, text in parts
        if text
    ]
    if extensions:
        made["extension"] = extensions
    identifiers = _identifiers(insurer, stated.symbol, stated.number, branch)
    if identifiers:
        made["identifier"] = identifiers
    made["status"] = "entered-in-error" if wrong else "active"
    major = stated.major or major_of_insurer(insurer)
    _put_type(made, major, stated.kinds, stated.kind_text)
    subscriber = ":".join(text for text in (stated.symbol, stated.number) if text)
    if stated.number:
        made["subscriberId"] = subscriber
    made["beneficiary"] = reading.subject
    if branch:
        made["dependent"] = branch
    if stated.holder:
        code, display = _INSURED[stated.holder]
        found = [fhir.coding(code, INSURED_CATEGORY, display)]
        if stated.holder == "self":
            found.append(fhir.coding("self", _RELATIONSHIP, "Self"))
        made["relationship"] = fhir.concept(*found)
    _put_period(made, stated.start, stated.end)
    if stated.plan:
        kind = fhir.concept(fhir.coding("plan", _CLASS, "Plan"))
        made["class"] = [{"type": kind, "value": stated.plan}]
    if payer is None and major == _OWN_EXPENSE:
        made["payor"] = [reading.subject]


def _public_payment(
    reading: Reading, made: Resource, stated: PublicPayment, *, wrong: bool
) -> None:
    """A public payment: the recipient is known to the payer by a number of seven digits."""
    recipient = plain_of(stated.recipient)
    if recipient:
        made["identifier"] = [fhir.identifier(RECIPIENT_NUMBER, recipient)]
    made["status"] = "entered-in-error" if wrong else "active"
    _put_type(made, _PUBLIC, stated.kinds, stated.kind_text)
    if recipient:
        made["subscriberId"] = recipient
    made["beneficiary"] = reading.subject
    _put_period(made, stated.start, stated.end)
    if stated.order > 0:
        made["order"] = stated.order


def _branch(text: str) -> str:
    """Two digits; senders leave the zero out."""
    plain = plain_of(text)
    return plain.zfill(2) if re.fullmatch("[0-9]{1,2}", plain) else plain


def _identifiers(insurer: str, symbol: str, number: str, branch: str) -> list[dict[str, Any]]:
    """Slices insuranceIdentifier and insuranceCsvIdentifier, where all that they need is there."""
    symbol, number = (_BLANKS.sub("", text) for text in (symbol, number))
    member = f"{insurer}:{symbol}:{number}:{branch}"
    if not _MEMBER.fullmatch(member):
        return []
    wide = [plain_of(text).translate(_WIDE) for text in (symbol, number)]
    cells = ",".join(f'"{text}"' for text in (insurer, *wide, branch))
    return [fhir.identifier(MEMBER_ID, member), fhir.identifier(CSV_ID, cells)]


def _put_type(made: Resource, major: str, kinds: tuple[dict[str, Any], ...], text: str) -> None:
    found = [fhir.coding(major, MAJOR_CATEGORY, _MAJOR[major])] if major in _MAJOR else []
    kind = fhir.concept(*found, *kinds, text=text)
    if kind:
        made["type"] = kind


def _put_period(made: Resource, start: str, end: str) -> None:
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    if period:
        made["period"] = period

"""Whose receipt it is and who sent it: RE, HO, KO, SN and the header.

RE names a person in one string, with the chart id where the sender's system has one (pharmacies
have none: their 調剤録番号 is the number of a dispensing book, not of a person).
"""

import re

from gateway.errors import Malformed, OverLimit
from gateway.model.batch import Resource
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.standardize import coverage, dates, persons
from gateway.standardize.coverage import Insurance, PublicPayment
from gateway.standardize.csv_mapped.rows import number
from gateway.standardize.described import patient_of, person_name
from gateway.standardize.findings import CODES
from gateway.standardize.format import Upload
from gateway.standardize.reading import stated_domain
from gateway.standardize.rows import Row
from gateway.standardize.uke import layout
from gateway.standardize.uke.reading import PREFIX, UkeReading, digest, month_of
from gateway.standardize.uke.receipt import Receipt
from gateway.wire import fhir

_CHART = "カルテ番号等"
_GENDERS = {"1": Gender.MALE, "2": Gender.FEMALE}
_NATIONAL_DOMAIN = re.compile(r"1\.2\.392\.100495\.20\.3\.51\.1([0-9]{10})")
_KNOWN_SN = ("1", "01")
"負担者種別 and 確認区分 of the samples; what others mean is not public."


def begin(upload: Upload, receipt: Receipt, row: Row) -> UkeReading:
    """Start reading a receipt: whose, of which month, claimed when."""
    care = "調剤年月" if receipt.kind == layout.PHARMACY else "診療年月"
    month = month_of(row, care)
    claimed = month_of(receipt.header, "請求年月")
    reading = UkeReading(
        upload, receipt, _patient(upload, row), month=month, claimed=claimed.replace("-", "")
    )
    reading.prefix = f"{PREFIX}{month}|{row.get('レセプト種別')}|{_payers(receipt)}|"
    reading.scope = reading.prefix
    if not row.get(_CHART):
        reading.find("patient-without-number", reading.at(row, _CHART))
    if month > claimed:
        reading.find("month-order", reading.at(row, care))
    for cell, column in ((row, care), (receipt.header, "請求年月")):
        if dates.month(cell.get(column))[1]:
            reading.find("era-overrun", reading.at(cell, column))
    _institution(reading, receipt.header)
    _describe(reading, row, care)
    return reading


def _patient(upload: Upload, row: Row) -> PatientId:
    """The chart id, or a number made of the description.

    A number that is stated beside the file is not taken: the file is about many people.
    """
    chart = row.get(_CHART)
    if not chart:
        birth = dates.western(row.get("生年月日"))[0]
        said = [birth.isoformat() if birth else row.get("生年月日")]
        said += [row.get(column) for column in ("氏名", "男女区分", "カタカナ")]
        return patient_of(stated_domain(upload), "uke", said)
    value, problem = number(chart, 0, True)
    if problem:
        _, english, text = CODES[problem]
        raise Malformed(english, text, at=f"{row.at} {_CHART}", rule="E-06")
    return PatientId(stated_domain(upload), value)


def _payers(receipt: Receipt) -> str:
    """Who pays: tells apart two receipts of one patient, month and kind."""
    found = sorted(
        coverage.insurer_number(row.get("保険者番号") or row.get("公費負担者番号"))
        for row in receipt.rows
        if row.record in ("HO", "KO")
    )
    return digest(*found)


def organization(
    reading: UkeReading,
    *,
    prefecture: str,
    fee_table: str,
    code: str,
    name: str,
    address: str = "",
    phone: str = "",
) -> Resource:
    """An institution by its code of ten digits, as three cells say it."""
    prefecture = prefecture.zfill(2) if prefecture else ""
    code = code.zfill(7) if code else ""
    identity = fhir.resource_id(
        "Organization", "" if code else reading.domain, prefecture, fee_table, code or name
    )
    made = fhir.organization(
        identity, name, prefecture=prefecture, fee_table=fee_table, number=code,
        addresses=[Address(text=address)] if address else [],
        telecoms=[Telecom(phone)] if phone else [],
    )  # fmt: skip
    if not name:
        del made["name"]
    return made


def _institution(reading: UkeReading, row: Row) -> None:
    """The header: which institution claims. Another one than the sender's is found."""
    pharmacy = row.record == "YK"
    code = row.get("薬局コード" if pharmacy else "医療機関コード")
    prefecture, fee_table = row.get("都道府県"), row.get("点数表")
    name = row.get("薬局連絡先名称" if pharmacy else "医療機関名称")
    if code:
        reading.institution = organization(
            reading, prefecture=prefecture, fee_table=fee_table, code=code, name=name,
            phone=row.get("電話番号"),
        )  # fmt: skip
    national = _NATIONAL_DOMAIN.fullmatch(reading.domain)
    if national and code and national[1] != f"{prefecture:0>2}{fee_table}{code:0>7}":
        reading.find("institution-differs", reading.at(row, "医療機関コード"))
    reading.take(
        row, "都道府県", "点数表", "医療機関コード", "薬局コード", "請求年月",
        "医療機関名称", "薬局連絡先名称", *(["電話番号"] if code else []),
    )  # fmt: skip


def _describe(reading: UkeReading, row: Row, care: str) -> None:
    """RE as demographics and JP_Patient."""
    names: list[PersonName] = []
    for column, script in (("氏名", Script.KANJI), ("カタカナ", Script.KANA)):
        text = row.get(column)
        if text:
            try:
                shown = persons.visible(reading, reading.at(row, column), text)
                names.append(person_name(shown, script))
            except OverLimit:
                reading.find("unmapped-field", reading.at(row, column))
    gender = _GENDERS.get(row.get("男女区分"))
    if row.get("男女区分") and gender is None:
        reading.find("field-table", reading.at(row, "男女区分"))
    born = reading.day(row, "生年月日")
    reading.demographics = Demographics(
        names=tuple(names),
        birth=dates.western(row.get("生年月日"))[0] if born else None,
        gender=gender,
    )
    reading.patient_resource = fhir.patient_resource(reading.demographics, [reading.patient])
    reading.take(
        row, "レセプト種別", care, "氏名", "男女区分", "生年月日", "カタカナ",
        _CHART, *_USED_ELSEWHERE,
    )  # fmt: skip


_USED_ELSEWHERE = (
    "入院年月日", "医療機関都道府県", "医療機関点数表", "医療機関コード", "医療機関名称",
    "医療機関所在地", *(f"医師氏名{n}" for n in range(1, 21)),
)  # fmt: skip
"Columns of RE that the stay and the dispenses take."


def insurances(reading: UkeReading) -> None:
    """HO and KO as coverages; an SN about the insurance says its branch number (枝番)."""
    rows = reading.receipt.rows
    checks = [row for row in rows if row.record == "SN"]
    order = 0
    for row in rows:
        if row.record == "HO":
            _insurance(reading, row, checks)
        elif row.record == "KO":
            order += 1
            _public(reading, row, order)
    for row in checks:
        if not reading.has(row):
            reading.leave(row, "layout-unknown")


def _insurance(reading: UkeReading, row: Row, checks: list[Row]) -> None:
    branch = ""
    for check in checks:
        said = check.get("負担者種別"), check.get("確認区分")
        if said == _KNOWN_SN and not reading.has(check):
            branch = check.get("枝番")
            reading.take(check, "負担者種別", "確認区分", "枝番")
            break
    stated = Insurance(
        insurer=row.get("保険者番号"), symbol=row.get("記号"), number=row.get("番号"),
        branch=branch,
    )  # fmt: skip
    if not (stated.insurer or stated.number):
        reading.leave(row, "field-missing")
        return
    key = reading.digest_key(
        f"{PREFIX}insurance", coverage.insurer_number(stated.insurer),
        coverage.plain_of(stated.symbol), coverage.plain_of(stated.number),
    )  # fmt: skip
    reading.take(row, "保険者番号", "記号", "番号", became="item Coverage")
    coverage.add(reading, row, key, stated, version=reading.order)


def _public(reading: UkeReading, row: Row, order: int) -> None:
    stated = PublicPayment(
        payer=row.get("公費負担者番号"), recipient=row.get("公費受給者番号"), order=order
    )
    if not stated.payer:
        reading.leave(row, "field-missing")
        return
    key = reading.digest_key(
        f"{PREFIX}public", coverage.insurer_number(stated.payer),
        coverage.plain_of(stated.recipient),
    )  # fmt: skip
    reading.take(row, "公費負担者番号", "公費受給者番号", became="item Coverage")
    coverage.add(reading, row, key, stated, version=reading.order)

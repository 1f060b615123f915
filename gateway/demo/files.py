"""What the demo's facilities push: made up, in the formats that they really use."""

import io
import zipfile
from dataclasses import dataclass

from conformance.messages import Person


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The journey's patient, and the chart ids at the three facilities."""

    person: Person
    hospital: str
    clinic: str
    pharmacy: str


def _header(kind: str, control: str, day: str, sender: str = "HOSPITAL-A") -> str:
    return (
        f"MSH|^~\\&|EMR|{sender}|GW|GW|{day}101500||{kind}|{control}|P|2.5"
        "||||||~ISO IR87||ISO 2022-1994|SS-MIX2_1.20^SS-MIX2^1.2.392.200250.2.1.100.1.2.120^ISO"
    )


def _patient(chart: str, person: Person) -> str:
    return (
        f"PID|0001||{chart}^^^^PI||{person.family}^{person.given}^^^^^L^I~"
        f"{person.family_kana}^{person.given_kana}^^^^^L^P||{person.birth}|{person.gender}"
        f"|||^^^^^^H^{person.address}||^PRN^PH^^^^^^^^^{person.phone}"
    )


def _message(lines: list[str]) -> bytes:
    return ("\r".join(lines) + "\r").encode("iso2022_jp")


def storage(newcomer: Newcomer, day: str, sender: str = "HOSPITAL-A") -> bytes:
    """A ZIP of an SS-MIX2 tree: basic data, diagnoses, a prescription, laboratory results."""
    chart, person = newcomer.hospital, newcomer.person
    visit = "PV1|0001|O|01^^^^^C"
    prescribed, examined = f"{day}0000003", f"{day}0000004"
    basic = [
        _header("ADT^A08^ADT_A01", f"{day}000001", day, sender),
        f"EVN||{day}101500|||D100^見本医師",
        _patient(chart, person),
        "PV1|0001|N",
        "DB1|1|PT||N",
        "AL1|1|DA^薬剤アレルギー^HL70127|1^ペニシリン^99XYZ|SV^重度^HL70128|発疹|20200401",
    ]
    diagnoses = [
        _header("PPR^ZD1^PPR_ZD1", f"{day}000002", day, sender),
        _patient(chart, person),
        f"PRB|AD|{day}|20061217^高血圧症^MDCDX2^I10^本態性高血圧^I10|0001||"
        "|20200401|||||||||20200401",
    ]
    prescription = [
        _header("RDE^O11^RDE_O11", f"{day}000003", day, sender),
        _patient(chart, person),
        visit,
        f"ORC|NW|{prescribed}||{prescribed}_01_001|||||{day}101500|||D100^見本^医師^^^^^^^L^^^^^I",
        "RXE||103835401^アムロジピン錠５ｍｇ^HOT|1||TAB^錠^MR9P|TAB^錠^MR9P|01^１回目から服用^JHSP0007"
        "|||14|TAB^錠^MR9P||||||||1^TAB&錠&MR9P||OHP^外来処方^MR9P~OHO^院外処方^MR9P||||||21^内服^JHSP0003",
        f"TQ1|||1011000400000000&内服・経口・１日１回朝食後&JAMISDP01|||14^D&日数&ISO+|{day}|",
        "RXR|PO^口^HL70162",
    ]
    results = [
        _header("OUL^R22^OUL_R22", f"{day}000004", day, sender),
        _patient(chart, person),
        visit,
        f"SPM|1|{day}0001||023^血清^JC10|||||||||||||{day}090000|{day}093000",
        f"OBR|1|{examined}|{day}0001|E001^検体検査^99LAB|||{day}090000",
        f"ORC|SC|{examined}||||||||||D100^見本^医師^^^^^^^L^^^^^I",
        f"OBX|1|NM|3B035000002327201^ＡＳＴ^JC10||28|U/L^U/L^99UNIT|13-30|N|||F|||{day}",
        f"OBX|2|NM|3C015000002327101^尿酸^JC10||7.10|mg/dL^mg/dL^99UNIT|3.7-7.8|N|||F|||{day}",
    ]
    entries = (
        ("-", "ADT-00", "999999999999999", basic),
        ("-", "PPR-01", "999999999999999", diagnoses),
        (day, "OMP-01", prescribed, prescription),
        (day, "OML-11", examined, results),
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for care, kind, order, lines in entries:
            name = f"{chart}_{care}_{kind}_{order}_{day}101500000_01_1"
            archive.writestr(
                f"{chart[:3]}/{chart[3:6]}/{chart}/{care}/{kind}/{name}", _message(lines)
            )
    return buffer.getvalue()


def notebook(newcomer: Newcomer, day: str, place: str = "見本薬局,21,4,9999999") -> bytes:
    """A medication notebook file (JAHISTC) in Shift_JIS, of one place that dispenses."""
    person = newcomer.person
    lines = [
        "JAHISTC08,1",
        f"1,{person.family} {person.given},{'2' if person.gender == 'F' else '1'},{person.birth}"
        f",500-0000,{person.address},{person.phone},,,,,{person.family_kana} {person.given_kana}",
        f"5,{day},1",
        f"11,{place},500-0000,岐阜県岐阜市見本町1,058-000-0001,1",
        "15,見本 薬子,058-000-0001,1",
        "51,見本病院,21,1,9999998,1",
        "55,見本 医師,内科,1",
        "201,1,アムロジピン錠５ｍｇ,1,錠,4,2171022F1029,1",
        "301,1,１日１回朝食後,14,日分,1,1,,1",
    ]
    return ("\r\n".join(lines) + "\r\n").encode("cp932")


def laboratory(newcomer: Newcomer, day: str) -> bytes:
    """A result message of the laboratory company, delivered for the hospital."""
    return _message(
        [
            _header("OUL^R22^OUL_R22", f"{day}000009", day),
            _patient(newcomer.hospital, newcomer.person),
            "PV1|0001|O",
            f"SPM|1|{day}0009||019^全血^JC10|||||||||||||{day}090000|{day}093000",
            f"OBR|1|{day}0009|{day}0009|E001^検体検査^99LAB|||{day}090000",
            f"ORC|SC|{day}0009",
            f"OBX|1|NM|3D046000001920402^ＨｂＡ１ｃ^JC10||6.2|%^%^99UNIT|4.9-6.0|H|||F|||{day}",
        ]
    )

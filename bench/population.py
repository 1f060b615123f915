"""Synthetic Japanese patients by seed: any number, as feeds and as SS-MIX2 trees.

Names are drawn from common family and given names combined at random; nobody real is meant.
`python -m bench.population --seed 1 --count 10 --tree DIR` writes an SS-MIX2 tree.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from conformance.messages import Person, feed

_FAMILIES = (
    ("佐藤", "サトウ"), ("鈴木", "スズキ"), ("高橋", "タカハシ"), ("田中", "タナカ"),
    ("伊藤", "イトウ"), ("渡辺", "ワタナベ"), ("渡邊", "ワタナベ"), ("山本", "ヤマモト"),
    ("中村", "ナカムラ"), ("小林", "コバヤシ"), ("加藤", "カトウ"), ("吉田", "ヨシダ"),
    ("山田", "ヤマダ"), ("斎藤", "サイトウ"), ("齋藤", "サイトウ"), ("髙木", "タカギ"),
    ("山﨑", "ヤマザキ"), ("森", "モリ"), ("池田", "イケダ"), ("橋本", "ハシモト"),
    ("阿部", "アベ"), ("石川", "イシカワ"), ("前田", "マエダ"), ("藤田", "フジタ"),
    ("後藤", "ゴトウ"), ("岡田", "オカダ"), ("長谷川", "ハセガワ"), ("村上", "ムラカミ"),
    ("近藤", "コンドウ"), ("坂本", "サカモト"), ("遠藤", "エンドウ"), ("青木", "アオキ"),
)  # fmt: skip
_GIVEN = {
    "F": (
        ("花子", "ハナコ"), ("陽子", "ヨウコ"), ("久美子", "クミコ"), ("恵子", "ケイコ"),
        ("真由美", "マユミ"), ("美咲", "ミサキ"), ("さくら", "サクラ"), ("結衣", "ユイ"),
        ("千代", "チヨ"), ("和子", "カズコ"), ("幸子", "サチコ"), ("葵", "アオイ"),
    ),
    "M": (
        ("太郎", "タロウ"), ("一郎", "イチロウ"), ("健一", "ケンイチ"), ("誠", "マコト"),
        ("浩", "ヒロシ"), ("翔太", "ショウタ"), ("大輔", "ダイスケ"), ("清", "キヨシ"),
        ("正", "タダシ"), ("勇", "イサム"), ("蓮", "レン"), ("悠真", "ユウマ"),
    ),
}  # fmt: skip
_TOWNS = ("岐阜県岐阜市見本町", "岐阜県大垣市例示", "岐阜県各務原市見本台", "岐阜県羽島市例町")
_ERAS = (
    (date(2019, 5, 1), "R", 2018), (date(1989, 1, 8), "H", 1988),
    (date(1926, 12, 25), "S", 1925), (date(1912, 7, 30), "T", 1911),
)  # fmt: skip
_WITHIN_JIS = str.maketrans("\ufa11髙", "崎高")
"Forms outside JIS X 0208 that ISO-2022-JP cannot write, to those that a laboratory writes instead."
_FIRST, _LAST = date(1921, 1, 1), date(2025, 12, 31)


@dataclass(frozen=True, slots=True)
class Patient:
    """One made-up patient."""

    number: int
    person: Person
    charts: tuple[tuple[str, str], ...]
    "Domain and chart id at each facility that knows the patient."
    shared: str
    "A 16-digit number for those who take part."

    @property
    def era_birth(self) -> str:
        """Birth date as Japanese systems write it: era letter, year, month, day."""
        born = date.fromisoformat(
            f"{self.person.birth[:4]}-{self.person.birth[4:6]}-{self.person.birth[6:]}"
        )
        letter, before = next((era, offset) for since, era, offset in _ERAS if born >= since)
        return f"{letter}{born.year - before:02d}{born:%m%d}"


def population(
    seed: int,
    count: int,
    *,
    domains: tuple[str, ...] = ("2.999.30.1", "2.999.30.2", "2.999.30.3"),
    first: int = 0,
) -> Iterator[Patient]:
    """Patients up to the number `count`; the same seed gives the same ones, whatever the count."""
    for number in range(first, count):
        draw = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable, not secret
        gender = draw.choice("FM")
        family, family_kana = draw.choice(_FAMILIES)
        given, given_kana = draw.choice(_GIVEN[gender])
        born = _FIRST + timedelta(days=draw.randrange((_LAST - _FIRST).days))
        person = Person(
            family=family, given=given, family_kana=family_kana, given_kana=given_kana,
            birth=f"{born:%Y%m%d}", gender=gender,
            address=f"{draw.choice(_TOWNS)}{draw.randrange(1, 9)}-{draw.randrange(1, 99)}",
            phone=f"058{draw.randrange(10**7):07d}",
        )  # fmt: skip
        charts = tuple((domain, f"{number:010d}") for domain in domains)
        yield Patient(number, person, charts, f"{number:016d}")


def feeds(patients: Iterator[Patient]) -> Iterator[tuple[str, str]]:
    """Each patient's ITI-44 payloads: domain and message."""
    for patient in patients:
        for domain, value in patient.charts:
            yield domain, feed(domain, value, patient.person)


_DOCTOR = "D100^見本^医師^^^^^^^L^^^^^I"
_CLERK = "C200^見本^入力者^^^^^^^L^^^^^I"


def _header(sender: str, kind: str, patient: Patient, day: str) -> str:
    return (
        f"MSH|^~\\&|{sender}|HOSP|GW|GW|{day}101500||{kind}|{patient.number:012d}|P|2.5"
        "||||||~ISO IR87||ISO 2022-1994|SS-MIX2_1.20^SS-MIX2^1.2.392.200250.2.1.100.1.2.120^ISO"
    )


def _identification(patient: Patient) -> str:
    """PID with names, birth, sex, address and telephone."""
    person = patient.person
    family = person.family.translate(_WITHIN_JIS)
    return (
        f"PID|0001||{patient.charts[0][1]}^^^^PI||{family}^{person.given}^^^^^L^I~"
        f"{person.family_kana}^{person.given_kana}^^^^^L^P||{person.birth}|{person.gender}|||"
        f"^^^^500-0001^JPN^H^{person.address}||^PRN^PH^^^^^^^^^{person.phone}"
    )


def laboratory_message(patient: Patient, results: int = 30, *, day: str = "20261120") -> bytes:
    """An OUL^R22 with `results` OBX, in ISO-2022-JP as SS-MIX2 wants it.

    Its segments carry the fields that hospitals fill; with 30 results it is of some 4 KB.
    """
    draw = random.Random(f"lab/{patient.number}")  # noqa: S311 - repeatable, not secret
    order, sample = f"{patient.number:015d}", f"{patient.number:010d}"
    lines = [
        _header("LAB", "OUL^R22^OUL_R22", patient, day),
        _identification(patient),
        "PV1|0001|O|01^^^^^C",
        f"SPM|1|{sample}||023^血清^JC10|||||||||||||{day}090000|{day}093000",
        f"OBR|1|{order}|{sample}|E001^検体検査^99LAB|||{day}090000|||||||||{_DOCTOR}||||||{day}1030",
        f"ORC|SC|{order}|{sample}||CM||||{day}1030|||{_DOCTOR}|01^^^^^C||||01^内科^99DEP||||"
        "見本病院||||||||O^外来患者オーダ^HL70482",
    ]
    for index in range(results):
        value = draw.randrange(10, 2000) / 10
        lines.append(
            f"OBX|{index + 1}|NM|3B0{index % 10}5000002327{index % 10}01^検査項目{index + 1}^JC10"
            f"||{value:.1f}|U/L^U/L^99UNIT|10.0-40.0|{'H' if value > 40 else 'N'}|||F|||{day}"
        )
    return ("\r".join(lines) + "\r").encode("iso2022_jp")


def prescription_message(patient: Patient, *, day: str = "20261120") -> bytes:
    """An RDE^O11 with one drug, as SS-MIX2 stores it under OMP-01; of some 1.5 KB."""
    order = f"{patient.number:015d}"
    lines = [
        _header("EMR", "RDE^O11^RDE_O11", patient, day),
        _identification(patient),
        f"PV1|0001|O|01^^^^^C||||{_DOCTOR}|||01",
        f"ORC|NW|{order}_01_001||{order}|||||{day}101500|{_CLERK}||{_DOCTOR}|01^^^^^C||||"
        "01^内科^99DEP|GW01^^99DEV|||見本病院|^^^^500-0001^JPN^^岐阜県岐阜市見本町1-1|"
        "^^^^^^^^^^^058-000-0000||||||O^外来患者オーダ^HL70482",
        "RXE||103835401^アムロジピン錠５ｍｇ^HOT|1||TAB^錠^MR9P|TAB^錠^MR9P|01^１回目から服用^JHSP0007"
        "|||14|TAB^錠^MR9P||||||||1^TAB&錠&MR9P||OHP^外来処方^MR9P~OHO^院外処方^MR9P||||||"
        "21^内服^JHSP0003",
        f"TQ1|||1011000400000000&内服・経口・１日１回朝食後&JAMISDP01|||14^D&日数&ISO+|{day}|",
        "RXR|PO^口^HL70162",
    ]
    return ("\r".join(lines) + "\r").encode("iso2022_jp")


def stored_path(chart: str, kind: str, order: str, day: str) -> str:
    """Where SS-MIX2 standardized storage keeps one message of a patient."""
    name = f"{chart}_{day}_{kind}_{order}_{day}101500000_01_1"
    return f"{chart[:3]}/{chart[3:6]}/{chart}/{day}/{kind}/{name}"


def tree(patients: Iterator[Patient], folder: Path, *, day: str = "20261120") -> int:
    """Write an SS-MIX2 standardized storage with one OML-11 per patient; says how many files."""
    count = 0
    for patient in patients:
        chart = patient.charts[0][1]
        place = folder / stored_path(chart, "OML-11", f"{patient.number:015d}", day)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(laboratory_message(patient, 5, day=day))
        count += 1
    return count


def main() -> None:
    """Write a tree from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--tree", type=Path, required=True)
    arguments = parser.parse_args()
    count = tree(population(arguments.seed, arguments.count), arguments.tree)
    print(f"{count} files under {arguments.tree}")


if __name__ == "__main__":
    main()

"""The demo's people: made up, with the identifiers that `INTERFACES.md` section 5 names."""

from dataclasses import dataclass, field
from datetime import date

from gateway.model.identifiers import Oid
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom

SHARED = Oid("2.999.20.1")
NEIGHBOUR = Oid("2.999.10.2")
CHARTS = {
    "hospital-a": Oid("2.999.30.1"),
    "clinic-b": Oid("2.999.30.2"),
    "pharmacy-c": Oid("2.999.30.3"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPatient:
    """One made-up patient and what happened to them before the demo begins."""

    label: str
    family: str
    given: str
    family_kana: str
    given_kana: str
    birth: date
    gender: Gender
    charts: dict[str, str] = field(default_factory=dict)
    "Facility to chart id."
    consent: str = "none"
    "`active`, `none` or `withdrawn`."

    @property
    def demographics(self) -> Demographics:
        """As a feed states it."""
        return Demographics(
            names=(
                PersonName(self.family, self.given),
                PersonName(self.family_kana, self.given_kana, Script.KANA),
            ),
            birth=self.birth,
            gender=self.gender,
            addresses=(Address(postal_code="500-0000", text="岐阜県岐阜市見本町1-2-3"),),
            telecoms=(Telecom("tel:058-000-0000"),),
        )


PATIENTS = (
    DemoPatient(
        label="A", family="見本", given="花子", family_kana="ミホン", given_kana="ハナコ",
        birth=date(1950, 1, 2), gender=Gender.FEMALE, consent="active",
        charts={"hospital-a": "0000100001", "clinic-b": "B-1001", "pharmacy-c": "C-1001"},
    ),
    DemoPatient(
        label="B", family="例示", given="太郎", family_kana="レイジ", given_kana="タロウ",
        birth=date(1962, 3, 4), gender=Gender.MALE,
        charts={"hospital-a": "0000100002", "clinic-b": "B-1002"},
    ),
    DemoPatient(
        label="C", family="見本", given="次郎", family_kana="ミホン", given_kana="ジロウ",
        birth=date(1975, 5, 6), gender=Gender.MALE, consent="active",
        charts={"hospital-a": "0000100003", "clinic-b": "B-1003"},
    ),
    DemoPatient(
        label="D", family="例示", given="桜", family_kana="レイジ", given_kana="サクラ",
        birth=date(1988, 7, 8), gender=Gender.FEMALE, consent="withdrawn",
        charts={"hospital-a": "0000100004"},
    ),
)  # fmt: skip

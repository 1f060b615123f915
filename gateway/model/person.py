"""Demographics: what a feed, an upload or a query says about a person.

Kanji, kana and Roman forms are distinct forms of one name (HL7v3 EN ``use`` IDE, SYL, ABC;
HL7v2 XPN.8 I, P, A); nothing here folds or normalises: matching does that, storage never
(`security.md` F-08).
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from gateway.errors import OverLimit
from gateway.model.identifiers import PatientId

_LONGEST_NAME = 200
_LONGEST_TEXT = 4000


class Script(Enum):
    """In which script a name is written."""

    KANJI = "IDE"
    KANA = "SYL"
    ROMAN = "ABC"


class Gender(Enum):
    """Administrative gender, by its HL7v3 code; FHIR's words are in `fhir`."""

    MALE = "M"
    FEMALE = "F"
    OTHER = "UN"
    UNKNOWN = "U"

    @property
    def fhir(self) -> str:
        """The FHIR administrative-gender code."""
        return _FHIR[self]


_FHIR = {
    Gender.MALE: "male",
    Gender.FEMALE: "female",
    Gender.OTHER: "other",
    Gender.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class PersonName:
    """One name in one script. `text` is used where the parts are not known apart."""

    family: str
    given: str
    script: Script = Script.KANJI
    text: str = ""

    def __post_init__(self) -> None:
        """Keep names within the limits of `security.md` section 3."""
        if max(len(self.family), len(self.given), len(self.text)) > _LONGEST_NAME:
            raise OverLimit("name too long", "氏名が長すぎます", rule="A-09")

    @property
    def full(self) -> str:
        """Family and given name with one space between, or the free text."""
        if self.family and self.given:
            return f"{self.family} {self.given}"
        return self.family or self.given or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One postal address; `text` holds it where it came in one piece."""

    text: str = ""
    postal_code: str = ""
    state: str = ""
    city: str = ""
    line: str = ""
    country: str = ""
    use: str = ""
    "HL7v3 use code: H home, WP work place."

    def __post_init__(self) -> None:
        """Keep address text within the limits of `security.md` section 3."""
        if max(len(self.text), len(self.line), len(self.city)) > _LONGEST_TEXT:
            raise OverLimit("address too long", "住所が長すぎます", rule="A-09")


@dataclass(frozen=True, slots=True)
class Telecom:
    """One telephone number or e-mail address, as a URI where the sender wrote one."""

    value: str
    use: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """What one source says about one person; empty where it says nothing."""

    names: tuple[PersonName, ...] = ()
    birth: date | None = None
    gender: Gender | None = None
    addresses: tuple[Address, ...] = ()
    telecoms: tuple[Telecom, ...] = ()
    other_ids: tuple[PatientId, ...] = ()
    "Identifiers of other domains that the source states; attributes, never links (FN-205)."
    insured_number: str = ""
    "Insured-person number, as evidence for matching; never a person key."
    deceased: bool = False

    def name(self, script: Script) -> PersonName | None:
        """The first name in `script`, if there is one."""
        return next((name for name in self.names if name.script is script), None)

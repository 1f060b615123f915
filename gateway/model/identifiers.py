"""Identifiers: OIDs, patient identifiers in their domains, persons, communities.

ITI TF-2 Appendix E.1; OID rules of ISO/IEC 8824; `field-notes.md` FN-101 to FN-109.
"""

import re
from dataclasses import dataclass
from typing import NewType, Self

from gateway.errors import Malformed

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,38}))+")
_LONGEST_OID = 64
_LONGEST_VALUE = 64
_URN_OID = "urn:oid:"
_ISOLATED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)

PersonId = NewType("PersonId", str)
"One person as this gateway knows them: a cluster of linked identifiers. Ours, never disclosed."


class Oid(str):
    """An ISO object identifier in dotted form, at most 64 characters (FN-109)."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Refuse anything that is not dotted numbers without leading zeros."""
        if len(text) > _LONGEST_OID or not _OID.fullmatch(text):
            raise Malformed("not an OID", "OID の形式ではありません")
        return super().__new__(cls, text)

    @property
    def urn(self) -> str:
        """The form `urn:oid:…` that ebXML and XUA use (FN-101)."""
        return _URN_OID + self

    @classmethod
    def from_urn(cls, text: str) -> Self:
        """Read `urn:oid:…`; the bare form is refused where the profile asks for the URN."""
        if not text.startswith(_URN_OID):
            raise Malformed("not a urn:oid", "urn:oid の形式ではありません")
        return cls(text[len(_URN_OID) :])


class HomeCommunityId(Oid):
    """The OID by which neighbouring communities know one another; stored bare (FN-101)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PatientId:
    """A patient identifier within its domain.

    HL7v3 calls the pair ``II/@root`` and ``II/@extension``; HL7v2 calls it CX.4 and CX.1; FHIR
    calls it ``Identifier.system`` and ``.value``.
    """

    domain: Oid
    "Patient identifier domain (assigning authority)."

    value: str
    "Identifier, unique within `domain`; compared exactly, never folded (F-07, FN-207)."

    def __post_init__(self) -> None:
        """Refuse empty, over-long and invisible values (`security.md` F-06 and section 3)."""
        value = self.value
        if not value or len(value) > _LONGEST_VALUE or value != value.strip():
            raise Malformed("not a patient identifier", "患者IDの形式ではありません")
        if not value.isascii() and _ISOLATED.search(value):
            raise Malformed("invisible character in an identifier", "IDに不可視文字があります")
        if value.isascii() and not value.isprintable():
            raise Malformed("control character in an identifier", "IDに制御文字があります")

    @property
    def cx(self) -> str:
        """The form ``id^^^&oid&ISO`` of XDS metadata (ITI TF-3: 4.2.3.1.7, FN-201)."""
        return f"{self.value}^^^&{self.domain}&ISO"

"""Local code to standard code; an unmapped code is kept and reported, never dropped.

A code that only its facility understands gets a system of that facility's own, because the same
letters mean different tables elsewhere: facility, system and code together are the code
(`japan/ssmix2.md` section 8).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from gateway.model.codebook import SYSTEMS
from gateway.standardize import tables
from gateway.wire import fhir, hl7v2_field, memo

_SYSTEMS = {row["name"]: row["system"] for row in tables.rows("systems")}
_UNITS = {row["unit"]: row["ucum"] for row in tables.rows("units")}
_DOSE_UNITS = {row["code"]: row["name"] for row in tables.rows("dose_units")}
_DEPARTMENTS = {row["code"]: row["name"] for row in tables.rows("departments")}
_ALLERGENS = {row["code"]: row["name"] for row in tables.rows("allergens")}
_ALLERGEN_SYSTEMS = {
    "J9F": "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyFoodAllergen_CS",
    "J9N": "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyNonFoodNonMedicationAllergen_CS",
    "D9F": "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagySpecialCode_CS",
    "D9N": "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagySpecialCode_CS",
    "D9M": "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagySpecialCode_CS",
}
_MATERIALS = {row["code"]: row["name"] for row in tables.rows("lab_materials")}
_HL7_TABLE = re.compile(r"HL7([0-9]{4})")
_JAHIS_TABLE = re.compile(r"J(?:HS[DI]|SHR)[0-9]{0,4}")
_ALLERGEN = re.compile(r"(?<![0-9A-Z])[JD]9[FNM][0-9A-Z]{9}(?![0-9A-Z])")
_JLAC10 = re.compile(r"[0-9][0-9A-Z]{16}")
_CHART_ARC = re.compile(r"1\.2\.392\.100495\.20\.3\.51\.1([0-9]{10})")
_DENTAL = "3"
"Fee table (点数表) of dental institutions: third digit of an institution's number."
_HOT_LENGTHS = {7: "HOT7", 9: "HOT9", 13: "HOT13"}

JLAC10: str = _SYSTEMS["JC10"]
UCUM: str = _SYSTEMS["UCUM"]
MERIT9: str = _SYSTEMS["MR9P"]
RECEIPT_DRUG: str = SYSTEMS["receipt-drug"]
USAGE: str = _SYSTEMS["JAMISDP01"]
MATERIAL = "urn:x-regional-gateway:code:jlac10-material"
DEPARTMENT = "http://jami.jp/SS-MIX2/CodeSystem/ClinicalDepartment"
MERIT9_CATEGORY = "http://jpfhir.jp/fhir/core/CodeSystem/JP_MedicationCategoryMERIT9_CS"
METHOD_BASIC = "http://jami.jp/CodeSystem/MedicationMethodBasicUsage"
METHOD_DETAIL = "http://jami.jp/CodeSystem/MedicationMethodDetailUsage"
V3_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
"Systems that mappings name directly."


class Coded(NamedTuple):
    """One code of a CWE as FHIR would say it."""

    code: str
    system: str
    display: str
    standard: bool
    "Whether the system is more than the facility's own."


def local_system(domain: str, name: str) -> str:
    """The system of a code that only one facility understands."""
    return f"urn:x-regional-gateway:code:{domain}:{quote(name, safe='')}"


def local_identifiers(domain: str, kind: str) -> str:
    """The system of a number that one facility gives out (`order`, `staff`, `specimen`)."""
    return f"urn:x-regional-gateway:id:{domain}:{kind}"


def doctor_identifiers(domain: str) -> str:
    """The national system of the numbers that an institution gives its doctors, or empty.

    `...20.3.41.1` and the institution's own number of ten digits, `.42.1` of a dental one (JP Core
    1.2.0, `japan/codes-and-uris.md` section 2); that number is known where it ends the arc of the
    chart ids, else this is empty.
    """
    found = _CHART_ARC.fullmatch(domain)
    if not found:
        return ""
    kind = "42" if found[1][2] == _DENTAL else "41"
    return f"urn:oid:1.2.392.100495.20.3.{kind}.1{found[1]}"


def coded(components: tuple[str, ...], domain: str) -> tuple[Coded, ...]:
    """The codes of a CWE: up to two triplets code, text, system (HL7 v2.5 2.A.13)."""
    found = []
    for place in (0, 3):
        triplet = components[place : place + 3]
        code, text, name = (*triplet, "", "", "")[:3]
        if code:
            if name == "JC10":
                code = code.replace("-", "").upper()
            system = standard_system(name, code)
            text = text or allergen(code)
            found.append(
                Coded(code, system or local_system(domain, name or "unnamed"), text, bool(system))
            )
    return tuple(found)


def standard_system(name: str, code: str) -> str:
    """The FHIR system of an HL7 coding system name, or empty where it is a local one."""
    if name == "HOT":
        name = _HOT_LENGTHS.get(len(code), "")
    elif name == "JC10" and not _JLAC10.fullmatch(code):
        # A shortened code means several items; it is kept as the facility's own (lab.md 4).
        return MATERIAL if code in _MATERIALS else ""
    if name == "HL70069":
        # Each country defines table 0069 itself; Japan's is that of SS-MIX2, not HL7's example.
        return DEPARTMENT if code in _DEPARTMENTS else ""
    if name in _SYSTEMS:
        return _SYSTEMS[name]
    found = _HL7_TABLE.fullmatch(name)
    if found:
        return f"http://terminology.hl7.org/CodeSystem/v2-{found[1]}"
    if code in _ALLERGENS:
        return _ALLERGEN_SYSTEMS[code[:3]]  # whatever a sender calls the table: the code is its own
    return f"urn:x-regional-gateway:code:jahis:{name}" if _JAHIS_TABLE.fullmatch(name) else ""


def text_of(components: Sequence[str]) -> str:
    """What people read of a CWE: its original text, else its first text, else its code."""
    for place in (8, 1, 4, 0):
        if place < len(components) and components[place]:
            return components[place]
    return ""


def of_field(field: str, delimiters: str, domain: str) -> tuple[dict[str, Any], bool]:
    """A coded field as it was sent: see :func:`concept`.

    The same codes come again in every message, so a facility's are remembered, and one concept is
    in all resources that have it: nobody changes the inside of it.
    """
    if len(field) > memo.LONGEST:
        return concept(hl7v2_field.components(field, delimiters), domain)
    return _of_field(field, delimiters, domain)


@lru_cache(maxsize=16384)
def _of_field(field: str, delimiters: str, domain: str) -> tuple[dict[str, Any], bool]:
    return concept(hl7v2_field.components(field, delimiters) if field else (), domain)


def concept(components: Sequence[str], domain: str) -> tuple[dict[str, Any], bool]:
    """A CWE as CodeableConcept, and whether one of its codes is a standard one."""
    found = coded(tuple(components), domain)
    made = fhir.concept(
        *(fhir.coding(one.code, one.system, one.display) for one in found),
        text=text_of(components),
    )
    return made, any(one.standard for one in found)


@memo.by_text(4096)
def ucum(text: str) -> str:
    """The UCUM code of a unit as laboratories write it, or empty."""
    folded = unicodedata.normalize("NFKC", text).replace("μ", "u").replace("×", "x")
    folded = folded.replace("^", "*").replace("**", "*").replace(" ", "").casefold()
    return _UNITS.get(folded) or _UNITS.get(folded.replace("x10*", "10*"), "")


def allergen(code: str) -> str:
    """The name of a J-FAGY allergen, or empty."""
    return _ALLERGENS.get(code, "")


def allergen_system(code: str) -> str:
    """The system of a J-FAGY code by its first three characters, or empty."""
    return _ALLERGEN_SYSTEMS.get(code[:3], "")


def allergens_in(text: str) -> tuple[dict[str, Any], ...]:
    """The J-FAGY code that a text carries, where it carries one; names alone are not read."""
    found = {code for code in _ALLERGEN.findall(text) if code in _ALLERGENS}
    if len(found) != 1:
        return ()
    code = found.pop()
    return (fhir.coding(code, _ALLERGEN_SYSTEMS[code[:3]], _ALLERGENS[code]),)


def dose_unit(code: str) -> str:
    """The name of a MERIT-9 dose unit, or empty."""
    return _DOSE_UNITS.get(code, "")


@memo.by_text(1024)
def dose_unit_code(name: str) -> str:
    """The MERIT-9 code of a dose unit by its name, or empty."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    return _DOSE_UNIT_NAMES.get(folded, "")


_DOSE_UNIT_NAMES = {
    unicodedata.normalize("NFKC", name).casefold(): code
    for code, name in reversed(_DOSE_UNITS.items())
} | {"c": "CAP", "cap": "CAP", "ミリグラム": "MG", "ミリリットル": "ML", "グラム": "G", "t": "TAB"}


def material(code: str) -> str:
    """The name of a JLAC10 material, or empty."""
    return _MATERIALS.get(code, "")


def department(code: str, domain: str) -> dict[str, Any]:
    """A department by the table of SS-MIX2 (user-defined table 0069), else the facility's own."""
    name = _DEPARTMENTS.get(code, "")
    return fhir.coding(code, DEPARTMENT if name else local_system(domain, "HL70069"), name)


def usage_method(usage: str) -> tuple[dict[str, Any], ...]:
    """Basic and detailed method that a JAMI usage code of 16 characters begins with."""
    if len(usage) != 16 or usage[0] not in "1234":
        return ()
    return (fhir.coding(usage[0], METHOD_BASIC), fhir.coding(usage[:2], METHOD_DETAIL))

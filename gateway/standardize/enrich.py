"""What loaded masters and a facility's map add to the codes of a resource, never replacing one.

A code keeps its place; standard codes, related codes and LOINC come after it. A name is added only
where the source gives none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from gateway.model.batch import Resource
from gateway.model.codebook import JLAC10, SYSTEMS, CodeBook, Entry
from gateway.wire import fhir

LOCAL = "urn:x-regional-gateway:code:"
_CONCEPTS = ("code", "medicationCodeableConcept", "valueCodeableConcept", "vaccineCode")
_DATES = ("effectiveDateTime", "authoredOn", "whenHandedOver", "performedDateTime",
          "occurrenceDateTime", "onsetDateTime", "recordedDate")  # fmt: skip
_CUT_SHORT = 15
"Digits of a JLAC10 that lacks its last two, the kind of result."


@dataclass(slots=True)
class Added:
    """What was used and seen while codes were added."""

    masters: set[str] = field(default_factory=set)
    fewer: bool = False
    "A code was found with fewer digits only."
    ended: bool = False
    "The master ended a code before the date of the item."


def enrich(resource: Resource, book: CodeBook, day: str, added: Added) -> None:
    """Add to the concepts of a resource; its parts may be shared, so none is changed inside."""
    for name in _CONCEPTS:
        found = resource.get(name)
        if found and ("coding" in found or "extension" in found):
            resource[name] = concept(found, book, day, added)
    for name, inside in (("ingredient", "itemCodeableConcept"), ("reaction", "substance")):
        if name in resource:
            resource[name] = [
                {**one, inside: concept(one[inside], book, day, added)} if inside in one else one
                for one in resource[name]
            ]
    supplied = resource.get("suppliedItem", {})
    if "itemCodeableConcept" in supplied:
        made = concept(supplied["itemCodeableConcept"], book, day, added)
        resource["suppliedItem"] = {**supplied, "itemCodeableConcept": made}


def day_of(resource: Resource) -> str:
    """The day that an item is about as YYYYMMDD, or empty."""
    text = next((str(resource[name]) for name in _DATES if name in resource), "")
    return text[:10].replace("-", "")


def concept(found: dict[str, Any], book: CodeBook, day: str, added: Added) -> dict[str, Any]:
    """A concept with what the book adds; the same one where it adds nothing."""
    codings: list[dict[str, Any]] = found.get("coding", [])
    made = _codings(codings, book, day, added) if codings else codings
    changed: dict[str, Any] = {}
    if made != codings:
        changed["coding"] = made
    if "text" not in found and "_text" not in found:
        text = next((one["display"] for one in made if "display" in one), "")
        if text and changed:
            changed["text"] = text
    if "extension" in found:
        changed["extension"] = [
            {**one, "valueCodeableConcept": concept(inner, book, day, added)}
            if isinstance(inner := one.get("valueCodeableConcept"), dict)
            else one
            for one in found["extension"]
        ]
    return {**found, **changed} if changed else found


def is_mapped(found: Resource, book: CodeBook) -> bool:
    """Whether the facility's map has a standard code for a concept that has none."""
    return any(_standard_of(one, book) is not None for one in found.get("coding", ()))


def _codings(
    codings: list[dict[str, Any]], book: CodeBook, day: str, added: Added
) -> list[dict[str, Any]]:
    made = [one if "display" in one else _named(one, book) for one in codings]
    systems = {one.get("system") for one in codings}
    waiting = list(codings)
    while waiting:
        one = waiting.pop(0)
        for entry in _entries(one, book):
            added.masters.add(entry.master)
            added.fewer = added.fewer or bool(entry.digits)
            added.ended = added.ended or bool(day and entry.end and entry.end < day)
            for other in entry.related:
                if other.system not in systems:
                    systems.add(other.system)
                    display = other.display or book.display(other.system, other.code)
                    coding = fhir.coding(other.code, other.system, display)
                    made.append(coding)
                    waiting.append(coding)
    return made


def _named(coding: dict[str, Any], book: CodeBook) -> dict[str, Any]:
    """A coding with the name that a master gives it."""
    name = next((one.name for one in _entries(coding, book, mapped=False) if one.name), "")
    return {**coding, "display": name} if name else coding


def _entries(coding: dict[str, Any], book: CodeBook, *, mapped: bool = True) -> Iterable[Entry]:
    """What the map and the masters say about one coding."""
    system, code = coding.get("system", ""), coding.get("code", "")
    if not code or not system:
        return ()
    if not system.startswith(LOCAL):
        return book.entries(system, code)
    found = [*book.entries(system, code)]  # systems of our own that are not a facility's
    if local_name(system) == "JC11":
        found += book.entries(SYSTEMS["jlac11"], code)
    if mapped:
        entry = _standard_of(coding, book)
        if entry is not None and entry not in found:
            found.append(entry)
    return found


def local_name(system: str) -> str:
    """What a facility's own system is called: the last part of `urn:…:code:DOMAIN:NAME`."""
    return unquote(system.rpartition(":")[2])


def _standard_of(coding: dict[str, Any], book: CodeBook) -> Entry | None:
    """The standard code of a facility's own: by its map, or a JLAC10 cut short, or a JLAC11."""
    system, code = coding.get("system", ""), coding.get("code", "")
    if not system.startswith(LOCAL) or not code:
        return None
    name = local_name(system)
    found = book.mapped(name, code)
    if found is not None:
        return found
    if name == "JC10" and len(code) == _CUT_SHORT:
        several = (one for one in book.entries(JLAC10, code) if one.whole)
        return next((one._replace(related=(*one.whole, *one.related)) for one in several), None)
    if name == "JC11":
        # JLAC10 follows from JLAC11, not the other way round (lab.md 4).
        return next((one for one in book.entries(SYSTEMS["jlac11"], code) if one.related), None)
    # A newer table of allergens than the one that is shipped.
    return next((one for one in book.entries("allergen", code) if one.related), None)

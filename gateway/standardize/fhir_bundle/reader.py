"""FHIR R4 from outside becomes items about one patient; a document Bundle is filed as it came too.

Every entry becomes an item, stands beside one, is read for the patient or the document, or is left
with a finding. Ids and references are ours, systems those of JP Core 1.2.0, everything else is as
it was sent: extensions, precision, narrative. A document, a transaction and a Bundle of the
national sharing service are whole or refused; of the others a faulty resource is left out alone.
"""

import re
from dataclasses import replace
from typing import Any

from gateway.errors import Invalid, Malformed
from gateway.model.batch import Batch, Resource
from gateway.model.category import Category
from gateway.model.document import Paper
from gateway.model.identifiers import PatientId
from gateway.standardize import papers
from gateway.standardize.fhir_bundle import (
    attachments,
    clins,
    keys,
    kinds,
    normal,
    patients,
    profiles,
    shape,
)
from gateway.standardize.fhir_bundle.references import References
from gateway.standardize.fhir_bundle.source import Entry, Source, parse, recognise
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Upload
from gateway.standardize.reading import Reading

NAME = "fhir"
_ACTS = re.compile(
    r"<\s*(script|iframe|object|embed|form|link|base|style)\b|\bon[a-z]+\s*=|javascript:|<!",
    re.IGNORECASE,
)
_NOT_FOLLOWED = frozenset({"DELETE", "PATCH", "GET", "HEAD"})


class BundleReading(Reading):
    """What is known and found while the resources of one file become a batch."""

    __slots__ = ()

    def complete(self, resource: Resource) -> tuple[str, ...]:
        """What the profiles demand that were claimed."""
        return profiles.complete(resource)


def read(upload: Upload) -> Batch:
    """Read one file; raises a Refusal where it is refused as a whole."""
    source = parse(upload.content)
    shared = clins.is_clins(source.bundle) if _is_sound(source) else False
    name = f"{NAME}/{'clins' if shared else source.kind}"
    whole = shared or source.kind in ("document", "transaction")
    faults = _faults(source, whole=whole)
    sound = [entry for entry in source.entries if entry.at not in faults]
    patient = patients.the_patient([entry.resource for entry in sound])
    if patient is None and (shared or source.kind == "document"):
        raise Invalid("no Patient in it", "Patient がありません", at="Patient", rule="E-09")
    references = References(sound)
    whose = _whose(upload, sound, patient, references)
    if whose is None:
        return _of_nobody(upload, source, name)
    # A document that is taken back takes its statements back with it.
    withdrawn = source.kind == "document" and keys.is_wrong(sound[0].resource)
    version = keys.moment(source.bundle.get("timestamp"))
    reading = BundleReading(upload, whose, version=version, cancelled=withdrawn)
    for entry in source.entries:
        if entry.at in faults:
            reading.leave(entry, "not-fhir")
            for path in faults[entry.at]:
                reading.find("not-fhir", f"{entry.at} {path}")
    for entry in source.lost:
        reading.leave(entry, "request-not-followed" if entry.request else "not-yet-mapped")
    if shared:
        for path in clins.bundle_problems(source.bundle, [one.resource for one in sound]):
            reading.find("clins-missing", path)
    for at in attachments.signatures(source.bundle, [*source.entries, *source.lost]):
        reading.find(attachments.SIGNED, at)
    made = _made(reading, sound, references, source.bundle, shared=shared)
    _place(reading, sound, made, source)
    found = attachments.papers_of(reading, sound)
    if withdrawn:
        reading.find("deleted", "Composition.status")
    elif source.kind == "document":
        found = (_document(source, sound, references), *found)
    occurred = str(source.bundle.get("timestamp", ""))
    return replace(reading.batch(name, occurred), papers=found)


def _is_sound(source: Source) -> bool:
    """The Bundle without its entries is FHIR; else the file is refused."""
    if source.bundle:
        for path in shape.problems(source.bundle):
            raise Malformed("not FHIR R4", "FHIR R4 の形式ではありません", at=path, rule="E-13")
    return bool(source.bundle)


def _faults(source: Source, *, whole: bool) -> dict[str, tuple[str, ...]]:
    """Entry to what in it is not FHIR R4; raises where the file must be whole."""
    found = {}
    if source.kind == "document" and (
        not source.entries or source.entries[0].resource["resourceType"] != "Composition"
    ):
        raise Malformed("a document begins with its Composition",
                        "文書の先頭は Composition でなければなりません", at="entry[0]",
                        rule="E-09")  # fmt: skip
    for entry in source.entries:
        faults = shape.problems(entry.resource)
        if source.kind == "transaction" and not entry.request.get("method"):
            faults = (*faults, "Bundle.entry.request")
        if not faults and _has_modifier(entry.resource):
            faults = ("modifierExtension",)
        if faults and whole:
            raise Malformed("not FHIR R4: the file is taken whole or not at all",
                            "FHIR R4 の形式ではありません。修正して全体を送り直してください",
                            at=f"{entry.at} {faults[0]}", rule="E-09")  # fmt: skip
        if faults:
            found[entry.at] = faults
    return found


def _has_modifier(value: Any) -> bool:
    """Whether something changes the meaning that nobody here understands (R4 2.4.1)."""
    if isinstance(value, dict):
        return any(
            name in ("modifierExtension", "implicitRules") or _has_modifier(part)
            for name, part in value.items()
        )
    return isinstance(value, list) and any(map(_has_modifier, value))


def _whose(
    upload: Upload, sound: list[Entry], patient: Resource | None, references: References
) -> PatientId | None:
    """The one patient; every statement must be about them."""
    stated: set[str] = set()
    identifiers: list[Any] = list(patient.get("identifier", [])) if patient else []
    for entry in sound:
        to = patients.about(entry.resource)
        if not to or kinds.category(entry.resource) is None:
            continue
        inner = patients.within(entry.resource)
        if inner is not None:
            told = {(one.get("system"), one.get("value")) for one in inner.get("identifier", [])}
            if patient is None:
                stated.add(str(sorted(map(str, told))))
                identifiers += inner.get("identifier", [])
            elif not told & {(one.get("system"), one.get("value")) for one in identifiers}:
                stated.add("another contained")
            continue
        literal = to.get("reference", "")
        target = references.target(literal)
        known = [(one.get("system"), one.get("value")) for one in identifiers]
        logical = to.get("identifier", {})
        if target is not None and target.resource is patient:
            continue
        if patient is None:
            stated.add(literal or f"{logical.get('system')} {logical.get('value')}")
        elif literal or (logical.get("system"), logical.get("value")) not in known:
            stated.add(f"another {literal}")
        if patient is None and logical:
            identifiers.append(logical)
    if len(stated) > (1 if patient is None else 0):
        raise Invalid(
            "statements about several patients: send one file for each patient",
            "複数の患者の情報が含まれています。患者ごとに分けて送ってください",
            at="subject", rule="E-09",
        )  # fmt: skip
    return patients.chart(upload, identifiers)


def _of_nobody(upload: Upload, source: Source, name: str) -> Batch:
    """Set aside until somebody says whose it is; what states nothing of anybody is left."""
    places = [*source.entries, *source.lost]
    # By its type alone: the rest of it may not be FHIR.
    bare = [{"resourceType": one.resource["resourceType"]} for one in source.entries]
    states = any(kinds.category(one) or kinds.alone(one) for one in bare)
    code = papers.NOT_STATED if states else "support-alone"
    return Batch(
        path=upload.path, format=name, patient=None,
        findings=(finding(code, "Patient" if states else ""),),
        account={entry.at: code for entry in places},
    )  # fmt: skip


def _made(
    reading: BundleReading,
    sound: list[Entry],
    references: References,
    bundle: Resource,
    *,
    shared: bool,
) -> dict[str, tuple[Resource, str]]:
    """Entry to its resource as it is here, and its key."""
    named: list[tuple[Entry, str]] = []
    first: dict[str, tuple[Entry, Resource]] = {}
    for entry in sound:
        kind = entry.resource["resourceType"]
        if kind == "Patient":
            references.name(entry, reading.subject["reference"].removeprefix("urn:uuid:"))
            continue
        plain, _ = normal.normalised(entry.resource, lambda to: to)
        stated = keys.key(entry, plain)
        before = first.setdefault(stated, (entry, plain))
        if before[0] is not entry and before[1] == plain:
            references.name(entry, references.identity(before[0]))
            reading.leave(entry, "entry-repeated")
            continue
        if before[0] is not entry:
            reading.find("number-repeated", entry.at)
        key = reading.key(stated)
        references.name(entry, reading.identity(kind, key))
        named.append((entry, key))
    made = {}
    for entry, key in named:
        resource, renamed = normal.normalised(entry.resource, references.resolver(reading, entry))
        if renamed:
            reading.find("system-renamed", entry.at)
        resource["id"] = references.identity(entry)
        resource = patients.outside(resource, reading.subject)
        wrong = profiles.foreign(resource)
        if wrong:
            kept = [one for one in resource["meta"]["profile"] if one not in wrong]
            meta = {name: part for name, part in resource["meta"].items() if name != "profile"}
            resource["meta"] = meta | ({"profile": kept} if kept else {})
            reading.find("profile-wrong", entry.at)
        narrative = resource.get("text", {}).get("div", "")
        if _ACTS.search(narrative):
            del resource["text"]
            reading.find("narrative-left-out", entry.at)
        if clins.is_uninformed(resource):
            reading.find("patient-uninformed", entry.at)
        if shared:
            for path in clins.problems(resource):
                reading.find("clins-missing", f"{entry.at} {path}")
        made[entry.at] = (resource, key)
    if patients.the_patient([entry.resource for entry in sound]) is None:
        for entry, _ in named[:1]:
            inner = patients.within(entry.resource)
            if inner is not None:
                _tell(reading, normal.normalised(inner, lambda to: to)[0], entry.at)
    for entry in sound:
        if entry.resource["resourceType"] == "Patient":
            _describe(reading, entry, references)
            if shared:
                for path in clins.problems(entry.resource):
                    reading.find("clins-missing", f"{entry.at} {path}")
    return made


def _describe(reading: BundleReading, entry: Entry, references: References) -> None:
    plain, _ = normal.normalised(entry.resource, references.resolver(reading, entry))
    _tell(reading, plain, entry.at)
    reading.account(entry, "used")


def _tell(reading: BundleReading, patient: Resource, at: str) -> None:
    """What a Patient says of the person, wherever it stands."""
    reading.demographics = patients.demographics(patient)
    reading.patient_resource = patients.resource(patient, reading.patient)
    for path in reading.complete(reading.patient_resource):
        reading.find("value-absent", f"{at} Patient.{path}")


def _place(
    reading: BundleReading,
    sound: list[Entry],
    made: dict[str, tuple[Resource, str]],
    source: Source,
) -> None:
    """Statements become items with what stands beside them; the rest is left with its finding."""
    support = {
        made[entry.at][0]["id"]: (entry, made[entry.at][0])
        for entry in sound
        if entry.resource["resourceType"] in kinds.SUPPORT and entry.at in made
    }
    used: set[str] = set()
    waiting = [entry for entry in sound if entry.resource["resourceType"] not in kinds.SUPPORT]
    waiting += [entry for entry, _ in support.values() if kinds.alone(entry.resource)]
    for entry in waiting:
        if reading.has(entry):
            continue
        resource, key = made[entry.at]
        kind = resource["resourceType"]
        if kind in kinds.SUPPORT and resource["id"] in used:
            continue
        category = kinds.category(resource) or kinds.alone(resource)
        if entry.request.get("method") in _NOT_FOLLOWED:
            reading.leave(entry, "request-not-followed")
        elif kind == "Composition" and source.kind == "document":
            reading.account(entry, "used")
        elif category is None or attachments.is_document(entry.resource):
            if category is None:
                reading.leave(entry, _left(source, "not-yet-mapped"))
        elif not patients.about(resource) and kind != "Specimen":
            reading.leave(entry, _left(source, "no-subject"))
        else:
            beside = _beside(resource, support)
            used |= beside.keys()
            _add(reading, category, resource, key, entry, source, tuple(beside.values()))
    for identity, (entry, _) in support.items():
        if identity in used:
            reading.account(entry, "used")
        elif not reading.has(entry):
            reading.leave(entry, _left(source, "support-alone"))


def _left(source: Source, code: str) -> str:
    """Why an entry is not taken by itself; in a document it stays part of that all the same."""
    return "in-document-only" if source.kind == "document" else code


def _add(
    reading: BundleReading,
    category: Category,
    resource: Resource,
    key: str,
    entry: Entry,
    source: Source,
    companions: tuple[Resource, ...],
) -> None:
    version = keys.version(resource, source.bundle)
    reading.account(entry, f"item {resource['resourceType']}")
    reading.add(
        category, resource, key, entry, companions=companions, cancelled=keys.is_wrong(resource)
    )
    reading.items[-1] = reading.items[-1]._replace(version=version)


def _beside(resource: Resource, support: dict[str, tuple[Entry, Resource]]) -> dict[str, Resource]:
    """What a resource refers to, and what that refers to."""
    found: dict[str, Resource] = {}
    waiting: list[Any] = [resource]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            to = one.get("reference")
            identity = to.removeprefix("urn:uuid:") if isinstance(to, str) else ""
            if identity in support and identity not in found:
                found[identity] = support[identity][1]
                waiting.append(support[identity][1])
            waiting += one.values()
    found.pop(resource["id"], None)
    return found


def _document(source: Source, sound: list[Entry], references: References) -> Paper:
    """A document Bundle as it came: what its Composition says of it."""
    composition = sound[0].resource
    codings = composition.get("type", {}).get("coding", [])
    code = next((one["code"] for one in codings if one.get("code")), "")
    authors = [references.target(one.get("reference", "")) for one in composition["author"]]
    names = [attachments.author_of(one.resource) for one in authors if one is not None]
    return replace(
        papers.of_kind(code, composition.get("title", ""), attachments.FHIR),
        created=attachments.moment(composition.get("date")),
        author=next((name for kind, name in names if kind != "Organization" and name), ""),
        author_institution=next((name for kind, name in names if kind == "Organization"), ""),
        unique_id=attachments.unique_id(source.bundle.get("identifier", {})),
    )


FORMAT: Format = Format(name=NAME, recognise=recognise, read=read)

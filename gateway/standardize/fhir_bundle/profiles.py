"""What a resource claims to be, against what JP Core 1.2.0 demands of that (top level, minimum 1).

A demanded element that is not there is marked as absent, with a finding; profiles of other guides
stay as claimed and are judged only where they are those of the national sharing service (`clins`).
"""

from collections import defaultdict

from gateway.model.batch import Resource
from gateway.standardize import musthave, tables
from gateway.wire import fhir

_REQUIRED: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
for _row in tables.rows("jp_core_required"):
    _REQUIRED[_row["profile"]].append((_row["element"], _row["written"], _row["shape"]))
_NARROW = musthave.PROFILES
_GUIDES = "http://jpfhir.jp/fhir/"
_CHOICES = ("medication", "effective", "occurrence")
_TYPES = {name.split("_")[1] for name in _REQUIRED}
"Types of resources that the guide has profiles of: the second part of their names."


def foreign(resource: Resource) -> list[str]:
    """The claimed profiles of Japanese guides that are of another type of resource."""
    claimed = resource.get("meta", {}).get("profile", [])
    parts = ((one, one.partition("|")[0].rpartition("/")[2].split("_")) for one in claimed if one)
    return [
        one
        for one, name in parts
        if one.startswith(_GUIDES) and len(name) > 1 and name[0] == "JP"
        and name[1] in _TYPES and name[1] != resource["resourceType"]
    ]  # fmt: skip


def complete(resource: Resource) -> tuple[str, ...]:
    """Mark as absent what the claimed profiles of JP Core demand; the paths of those.

    A claim of a release (`|1.1.2`) becomes one of the guide: what is written here is 1.2.0.
    """
    meta = resource.get("meta", {})
    claimed = [one.partition("|")[0] for one in meta.get("profile", []) if one]
    if not claimed:
        return ()
    meta["profile"] = claimed
    missing: list[str] = []
    for canonical in claimed:
        if not canonical.startswith(fhir.PROFILES):
            continue
        name = canonical.removeprefix(fhir.PROFILES)
        if name in _NARROW:
            missing += _narrow(resource, canonical)
        for element, written, shape in _REQUIRED.get(name, ()):
            if _has(resource, element):
                continue
            missing.append(written)
            if shape == "primitive":
                resource[f"_{written}"] = fhir.absent()
            else:
                resource[written] = [fhir.absent()] if shape == "list" else fhir.absent()
    return tuple(missing)


def _narrow(resource: Resource, canonical: str) -> list[str]:
    """What the mappers' own check demands of a profile, as far as no other type of it stands."""
    meta, before = resource["meta"], set(resource)
    resource["meta"] = {"profile": [canonical]}
    missing = list(musthave.complete(resource))
    resource["meta"] = meta
    for added in set(resource) - before:
        base = next((one for one in _CHOICES if added.removeprefix("_").startswith(one)), "")
        if base and any(one.removeprefix("_").startswith(base) for one in before):
            del resource[added]
            missing = [one for one in missing if one != added.removeprefix("_")]
    return missing


def _has(resource: Resource, element: str) -> bool:
    if not element.endswith("[x]"):
        return element in resource or f"_{element}" in resource
    start = element.removesuffix("[x]")
    return any(name.removeprefix("_").startswith(start) for name in resource)

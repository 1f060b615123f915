"""What older releases write differently, made that of JP Core 1.2.0; everything else stays.

Systems by OID become URLs (`tables/oid_urls.csv`), extensions renamed since 1.1.x get their new
names, references follow the ids that resources have here. The original stays in the file, at the
item's range of bytes.
"""

from collections.abc import Callable
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize import tables
from gateway.wire import fhir

_URLS = {row["oid"]: row["url"] for row in tables.rows("oid_urls")}
_OLD = "JP_MedicationRequest_DosageInstruction_"
_RENAMED = {
    f"{fhir.EXTENSIONS}{_OLD}{name}": f"{fhir.EXTENSIONS}JP_MedicationDosage_{name}"
    for name in ("UsageDuration", "PeriodOfUse")
}
"Extensions of JP Core 1.1.x by the name they have in 1.2.0 (codes-and-uris.md section 5)."

Resolve = Callable[[dict[str, Any]], dict[str, Any]]
"A Reference as it is here: to an id of ours, or as a logical one."


def normalised(resource: Resource, resolve: Resolve) -> tuple[Resource, bool]:
    """The same resource in today's names, and whether any system or extension was renamed."""
    renamed: list[str] = []
    made = _walk(resource, resolve, renamed)
    assert isinstance(made, dict)  # noqa: S101
    return made, bool(renamed)


def _walk(value: Any, resolve: Resolve, renamed: list[str]) -> Any:
    if isinstance(value, list):
        return [_walk(part, resolve, renamed) for part in value]
    if not isinstance(value, dict):
        return value
    made = {name: _walk(part, resolve, renamed) for name, part in value.items()}
    for name, table in (("system", _URLS), ("url", _RENAMED)):
        word = made.get(name)
        if isinstance(word, str) and word in table:
            made[name] = table[word]
            renamed.append(word)
    if isinstance(made.get("reference"), str):
        return resolve(made)
    return made

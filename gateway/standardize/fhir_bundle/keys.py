"""What a resource from outside is known by: its stable key, its version, whether it is cancelled.

The key is its instance number (resourceInstance-identifier, JP-CLINS), else its business
identifiers, else the address it has in its Bundle, else what it says. Numbers that count inside a
prescription (RP, order in RP) are no identifiers by themselves.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from gateway.model.batch import Resource
from gateway.standardize.fhir_bundle.source import Entry
from gateway.standardize.musthave import ORDER_IN_RP, RP_NUMBER
from gateway.wire import fhir

INSTANCE = "resourceInstance-identifier"
"Last part of the system, which the guides put under different bases."
_COUNTED = frozenset({RP_NUMBER, ORDER_IN_RP})
_WRONG = "entered-in-error"


def key(entry: Entry, resource: Resource) -> str:
    """A key that another delivery of the same statement has too; `resource` in today's names."""
    kind = resource["resourceType"]
    given = _identifiers(resource)
    numbers = [value for system, value in given if system.rpartition("/")[2] == INSTANCE]
    if numbers:  # of a prescription, its lines are told apart by RP and order
        line = "|".join(value for system, value in given if system in _COUNTED)
        return f"fhir|{kind}|instance|{numbers[0]}|{line}".rstrip("|")
    if any(system not in _COUNTED for system, _ in given):
        told = "|".join(f"{system} {value}" for system, value in sorted(given))
        return (
            f"fhir|{kind}|{told}|{_code(resource)}"
            if kind == "Observation"
            else (f"fhir|{kind}|{told}")
        )
    if entry.full_url:
        return f"fhir|{kind}|{entry.full_url}"
    content = {name: part for name, part in resource.items() if name not in ("meta", "text")}
    digest = hashlib.sha256(fhir.dumps(content)).hexdigest()[:32]
    return f"fhir|{kind}|{resource.get('id', '')}|{digest}"


def _identifiers(resource: Resource) -> list[tuple[str, str]]:
    found = resource.get("identifier", [])
    several = found if isinstance(found, list) else [found]
    return [
        (one["system"], one["value"]) for one in several if one.get("system") and one.get("value")
    ]


def _code(resource: Resource) -> str:
    """Results under one order number are told apart by their code."""
    code = resource.get("code", {})
    for one in code.get("coding", []):
        if one.get("code"):
            return f"{one.get('system', '')} {one['code']}"
    return str(code.get("text", ""))


def version(resource: Resource, bundle: Resource) -> str:
    """When it was last changed, else when the Bundle was made, as text that orders by time."""
    return moment(resource.get("meta", {}).get("lastUpdated")) or moment(bundle.get("timestamp"))


def moment(text: Any) -> str:
    """An instant as 17 digits in UTC; empty where it is none."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return ""
        found = found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return ""
    return f"{found:%Y%m%d%H%M%S}{found.microsecond // 1000:03d}"


def is_wrong(resource: Resource) -> bool:
    """Whether the source takes it back (status entered-in-error)."""
    codes = [resource.get("status")]
    for one in resource.get("verificationStatus", {}).get("coding", []):
        codes.append(one.get("code"))
    return _WRONG in codes

"""A second opinion on a file: hl7apy on the message, fhir.resources on what we made of it.

For `--diagnose`, tests and quarantine only: both are some hundred times slower than reading. They
are extras; where one is not installed, the opinion says so.
"""

import importlib
from typing import Any

from gateway.errors import Refusal
from gateway.model.batch import Batch, Resource
from gateway.wire import fhir, hl7v2

_MISSING = "{} is not installed (pip install 'regional-gateway[test]')"


def opinion(batch: Batch, content: bytes) -> list[str]:
    """What the two libraries say, one line each; empty where they find nothing."""
    lines = []
    if content.lstrip(b"\x0b\xef\xbb\xbf").startswith(b"MSH"):
        lines.extend(_message(content))
    resources = [item.resource for item in batch.items]
    resources += [one for item in batch.items for one in item.companions]
    if batch.patient_resource:
        resources.append(batch.patient_resource)
    unique = {one["id"]: one for one in resources}
    return [*lines, *_resources(list(unique.values()))]


def _message(content: bytes) -> list[str]:
    """hl7apy in strict mode; it knows the standard's structures, not those of Z segments."""
    try:
        parser: Any = importlib.import_module("hl7apy.parser")
        problems: Any = importlib.import_module("hl7apy.exceptions")
        consts: Any = importlib.import_module("hl7apy.consts")
    except ImportError:
        return [_MISSING.format("hl7apy")]
    try:
        message = hl7v2.parse(content)
    except Refusal as refusal:
        return [f"our own parser: {refusal.english}"]
    text = "\r".join(segment.text for segment in message.segments)
    try:
        parser.parse_message(text, validation_level=consts.VALIDATION_LEVEL.STRICT)
    except (problems.HL7apyException, ValueError, KeyError, AttributeError) as error:
        return [f"hl7apy: {type(error).__name__}: {error}"]
    return []


def _resources(resources: list[Resource]) -> list[str]:
    """fhir.resources (R4B) on each resource."""
    try:
        library: Any = importlib.import_module("fhir.resources.R4B")
        pydantic: Any = importlib.import_module("pydantic")
    except ImportError:
        return [_MISSING.format("fhir.resources")]
    lines = []
    for resource in resources:
        kind = resource["resourceType"]
        model = library.get_fhir_model_class(kind)
        try:
            model.model_validate_json(fhir.dumps(resource))
        except pydantic.ValidationError as error:
            for one in error.errors():
                place = ".".join(str(part) for part in one["loc"])
                lines.append(f"fhir.resources: {kind}.{place}: {one['msg']}")
    return lines

"""Exports in, FHIR batches out; pure."""

from gateway.standardize.format import UNSTATED, Format, Upload
from gateway.standardize.registry import (
    FORMATS,
    attempt,
    batches,
    format_named,
    is_harmful,
    read,
    recognise,
    refuse_harmful,
)
from gateway.standardize.symbols import symbol_of

__all__ = [
    "FORMATS",
    "UNSTATED",
    "Format",
    "Upload",
    "attempt",
    "batches",
    "format_named",
    "is_harmful",
    "read",
    "recognise",
    "refuse_harmful",
    "symbol_of",
]

"""FHIR R4 from outside: Bundles (JP Core, JP-CLINS, e-prescription), one resource, NDJSON."""

from gateway.standardize.fhir_bundle.reader import FORMAT

__all__ = ["FORMAT"]

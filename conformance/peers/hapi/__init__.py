"""HAPI FHIR with HL7's validation engine (Java) as a judge of the resources that we make."""

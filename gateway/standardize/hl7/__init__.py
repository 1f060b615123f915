"""HL7 v2.5 messages that no storage wrote: one message a file, a batch, or several in a row."""

from gateway.standardize.hl7.messages import FORMAT, TYPES

__all__ = ["FORMAT", "TYPES"]

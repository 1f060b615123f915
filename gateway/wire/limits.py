"""Limits on what one message may hold (`security.md` section 3)."""

from dataclasses import dataclass
from typing import Self

from gateway.settings import LimitSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one message may hold; each limit is reached with a defined refusal (G9)."""

    xml_bytes: int = 20 * 1024 * 1024
    "A SOAP message, or the root part of an MTOM message."
    depth: int = 100
    elements: int = 500_000
    attributes: int = 256
    "On one element."
    namespaces: int = 64
    "Declared on one element."
    name: int = 1024
    "Characters in one element or attribute name."
    header_blocks: int = 100
    reference_bytes: int = 4096
    "A reply address with its reference parameters (D-08)."
    parts: int = 100
    part_headers: int = 20
    part_header_bytes: int = 8 * 1024
    part_bytes: int = 1024**3
    message_bytes: int = 2 * 1024**3
    around_bytes: int = 8 * 1024
    "Before the first and after the last part."

    @classmethod
    def of(cls, settings: LimitSettings) -> Self:
        """The limits as the operator set them."""
        return cls(
            xml_bytes=settings.soap_bytes,
            depth=settings.xml_depth,
            elements=settings.xml_elements,
            attributes=settings.xml_attributes,
            parts=settings.mtom_parts,
            part_bytes=settings.mtom_part_bytes,
            message_bytes=settings.mtom_message_bytes,
        )


DEFAULT = Limits()
"The limits where nobody set any."

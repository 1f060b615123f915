"""The health-care role in the certificate: ISO 17090 hcRole, as the HPKI profile writes it.

Attribute type, coding scheme and text must match exactly. Nothing is taken from the subject's
name or from a role that the signer claims.
"""

from functools import lru_cache
from typing import ClassVar

from asn1crypto import core, x509

from gateway.errors import Malformed
from gateway.hpki.libraries import RAISED
from gateway.model.signature import HcRole

SCHEME = "1.2.392.100495.1.6.1.1"
"Coding scheme of the Japanese role texts (jhpki, national licences and offices)."
ACTOR = "1.0.17090.0.1"
"ISO 17090 healthcare actor: the attribute type."

_SECTION = "ISO 17090 hcRole"


class _CodedData(core.Sequence):  # type: ignore[misc]
    """CodedData is a SET; its field order is its DER order, and a Sequence can be encoded again."""

    tag = 17
    _fields: ClassVar = [
        ("scheme", core.ObjectIdentifier, {"explicit": 0}),
        ("value", core.NumericString, {"explicit": 1, "optional": True}),
        ("text", x509.DirectoryString, {"explicit": 2, "optional": True}),
    ]


class _RegionalData(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class _HCActor(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [
        ("coded", _CodedData, {"explicit": 0, "optional": True}),
        ("regional", _RegionalData, {"explicit": 1, "optional": True}),
    ]


class _HCActorData(core.SetOf):  # type: ignore[misc]
    _child_spec = _HCActor


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = _HCActorData


class _Attribute(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("type", core.ObjectIdentifier), ("values", core.Any)]


class _Attributes(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Attribute


def read_roles(certificate: x509.Certificate) -> tuple[HcRole, ...]:
    """The roles in a certificate; none at all, or not readable to the last byte, is `Malformed`."""
    for extension in certificate["tbs_certificate"]["extensions"]:
        if extension["extn_id"].dotted == "2.5.29.9":
            return parse_roles(extension["extn_value"].contents)
    raise _malformed("the certificate states no health-care role", "証明書に資格がありません")


@lru_cache(maxsize=64)
def parse_roles(value: bytes) -> tuple[HcRole, ...]:
    """Roles in the value of a SubjectDirectoryAttributes extension."""
    try:
        roles = _parse(value)
    except RAISED as error:
        raise _malformed(
            "the health-care role cannot be read to the last byte", "資格を正しく読み取れません"
        ) from error
    if roles is None:
        raise _malformed(
            "the health-care role is not written as the HPKI profile says",
            "資格の記載が HPKI の規定どおりではありません",
        )
    if not roles:
        raise _malformed("the certificate states no health-care role", "証明書に資格がありません")
    return roles


def _parse(value: bytes) -> tuple[HcRole, ...] | None:
    """The roles; None where the structure is readable and not what the profile says."""
    attributes = _Attributes.load(value, strict=True)
    actors = [entry for entry in attributes if entry["type"].dotted == ACTOR]
    if len(actors) > 1:
        return None
    roles: list[HcRole] = []
    for entry in actors:
        written = entry["values"].dump()
        values = _Values.load(written, strict=True)
        for actor in (actor for group in values for actor in group):
            coded = actor["coded"]
            if isinstance(coded, core.Void) or coded["scheme"].dotted != SCHEME:
                return None
            _ = coded["value"].native, actor["regional"].native
            text = coded["text"].native
            if not isinstance(text, str) or not text:
                return None
            roles.append(HcRole(text, SCHEME))
        if values.dump(force=True) != written:
            return None
    return tuple(roles)


def _malformed(english: str, japanese: str) -> Malformed:
    return Malformed(english, japanese, at=_SECTION, rule="SIG-02")

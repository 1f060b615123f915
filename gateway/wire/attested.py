"""The verdict on signatures as FHIR Provenance (R4 Provenance.signature, Signature).

Provenance.signature holds verified signatures only: whoever does not know our extension takes what
stands there for proof. One that is invalid or cannot be verified stands under `entity`, with the
same extension. What is signed are the bytes of the document, which its digest names; the value of
the signature is inside of these bytes, so that `data` is absent by a reason and not doubled here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.model.attestation import Attestation
from gateway.model.batch import Resource
from gateway.wire import fhir
from gateway.wire.provenance import DIGEST, PARTICIPANT, SUBSETTED

VERDICT = "urn:x-regional-gateway:signature-verdict"
"""Extension of a signature, or of the entity of one that did not verify; defined in
`docs/fhir/StructureDefinition-signature-verdict.json`."""
_DEEPEST = 2
"Levels of signatures inside and about that are told; the stored report has all."
CERTIFICATE = "urn:x-regional-gateway:certificate"
"System of a signer's identifier: number of the certificate, and who issued it."
_PURPOSES = "urn:iso-astm:E1762-95:2013"
_AUTHOR = fhir.coding("1.2.840.10065.1.12.1.1", _PURPOSES, "Author's Signature")
_COAUTHOR = fhir.coding("1.2.840.10065.1.12.1.2", _PURPOSES, "Coauthor's Signature")
_FORMATS = {
    "XAdES": "application/signature+xml", "CAdES": "application/pkcs7-signature",
    "PAdES": "application/pdf",
}  # fmt: skip
_SIGNED = {"XAdES": "application/xml", "PAdES": "application/pdf"}
"What a signature of a form is on, where nobody says it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What signatures are on."""

    sha256: str
    "Of the bytes with their signatures, as they were received or filed."
    signatures: tuple[Attestation, ...]
    mime_type: str = ""
    "Of the document that is signed; empty where the form of its signature says it."


def provenance(
    signed: Signed, targets: Iterable[str], *, identity: str, recorded: datetime, whole: bool
) -> Resource:
    """The Provenance of one signed document; `targets` are ids of what it is and what it became.

    `whole`: nothing that was made of it is left out; where something may be, that is always said.
    """
    made = fhir.resource("Provenance", "", identity)
    if not whole:
        made["meta"] = {"tag": [fhir.coding(SUBSETTED[1], SUBSETTED[0])]}
    holding = [one for one in signed.signatures if one.holds]
    if holding:
        made["contained"] = [_practitioner(one, _place(n)) for n, one in enumerate(holding)]
    made["target"] = [fhir.reference(one) for one in targets]
    if holding:
        made["occurredDateTime"] = _instant(holding[0].when[0])
    made["recorded"] = _instant(recorded)
    made["agent"] = [
        *(_agent("legal", "Legal Authenticator", _who(one, n)) for n, one in enumerate(holding)),
        _agent("verifier", "Verifier", {"display": "regional-gateway"}),
    ]
    made["entity"] = [
        {
            "role": "source",
            "what": {
                "identifier": fhir.identifier(DIGEST, signed.sha256),
                "display": "the signed bytes",
            },
        },
        *(_doubtful(one, signed) for one in signed.signatures if not one.holds),
    ]
    if holding:
        made["signature"] = [_signature(one, n, signed) for n, one in enumerate(holding)]
    return made


def _place(number: int) -> str:
    return f"signer-{number + 1}"


def _who(one: Attestation, number: int) -> Resource:
    return {"reference": f"#{_place(number)}", "display": one.name}


def _practitioner(one: Attestation, identity: str) -> Resource:
    """The signer, as the certificate says: name, number, and the role that it attests."""
    made: Resource = {"resourceType": "Practitioner", "id": identity}
    if one.serial:
        made["identifier"] = [fhir.identifier(CERTIFICATE, f"{one.serial} {one.issuer}".strip())]
    made["name"] = [{"text": one.name or "?"}]
    if one.roles:
        made["qualification"] = [{"code": fhir.concept(text=role)} for role in one.roles]
    return made


def _signature(one: Attestation, number: int, signed: Signed) -> Resource:
    made: Resource = {
        "extension": [_verdict(one)],
        "type": [_COAUTHOR if number else _AUTHOR],
        "when": _instant(one.when[0]),
        "who": _who(one, number),
    }
    form = one.level.partition("-")[0]
    for name, media in (
        ("targetFormat", signed.mime_type or _SIGNED.get(form)), ("sigFormat", _FORMATS.get(form)),
    ):  # fmt: skip
        if media:
            made[name] = media
    made["_data"] = fhir.absent("not-applicable")
    return made


def _doubtful(one: Attestation, signed: Signed) -> Resource:
    """A signature that is no proof of anything."""
    return {
        "extension": [_verdict(one)],
        "role": "source",
        "what": {
            "identifier": fhir.identifier(DIGEST, one.covers or signed.sha256),
            "display": f"{one.verdict.value} signature",
        },
    }


def _verdict(one: Attestation) -> Resource:
    """The verdict with what it rests on; signatures inside and about are told within."""
    return {"url": VERDICT, "extension": list(_parts(one, 0))}


def _parts(one: Attestation, level: int) -> Iterable[Resource]:
    yield fhir.extension("verdict", "Code", one.verdict.value)
    yield fhir.extension("level", "String", one.level)
    if one.policy:
        yield fhir.extension("policy", "Oid", f"urn:oid:{one.policy}")
    for name, moment in (
        ("proven", one.proven), ("claimed", one.claimed), ("received", one.received),
        ("checked", one.checked),
    ):  # fmt: skip
        if moment is not None:
            yield fhir.extension(name, "Instant", _instant(moment))
    yield fhir.extension("when", "Code", one.when[1])
    if one.covers:
        yield fhir.extension("covers", "String", one.covers)
    for doubt in one.doubts:
        yield fhir.extension("doubt", "Code", doubt)
    if level < _DEEPEST:
        yield from _others("inside", one.inside, level + 1)
        yield from _others("countersigned", one.countersigned, level + 1)


def _others(name: str, several: Sequence[Attestation], level: int) -> Iterable[Resource]:
    """Signatures that are not of this document's signers."""
    for one in several:
        about = [fhir.extension("signer", "String", one.name)] if one.name else []
        about += [fhir.extension("role", "String", role) for role in one.roles]
        yield {"url": name, "extension": [*about, *_parts(one, level)]}


def _agent(code: str, name: str, who: Resource) -> Resource:
    return {"type": fhir.concept(fhir.coding(code, PARTICIPANT, name)), "who": who}


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")

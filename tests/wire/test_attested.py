"""Signatures in FHIR: what is proof stands under `signature`, what is none never does."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.provenance import Provenance

from gateway.model.attestation import Attestation
from gateway.model.document import Availability
from gateway.model.signature import Indication
from gateway.wire import attested, fhir, fhir_reference
from gateway.wire.attested import VERDICT, Signed
from tests.xca.test_metadata import ENTRY, OPEN, SIGNED

MOMENT = datetime(2026, 11, 25, 1, tzinfo=UTC)
TARGETS = ("0d7a1f6e-6b53-4a52-8d5a-000000000001", "0d7a1f6e-6b53-4a52-8d5a-000000000002")


def made(*signatures: Attestation, whole: bool = True, mime: str = "text/xml") -> dict[str, Any]:
    signed = Signed(sha256="ab" * 32, mime_type=mime, signatures=signatures)
    found = attested.provenance(signed, TARGETS, identity=TARGETS[0], recorded=MOMENT, whole=whole)
    read = fhir.loads(fhir.dumps(found))
    Provenance.model_validate(read)
    return read


def told(extension: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts of the verdict by their names."""
    (verdict,) = extension
    assert verdict["url"] == VERDICT
    return {
        part["url"]: next(value for name, value in part.items() if name != "url")
        for part in verdict["extension"]
    }


def test_a_verified_signature() -> None:
    found = made(replace(SIGNED, covers="cd" * 32))
    assert [one["reference"] for one in found["target"]] == [f"urn:uuid:{one}" for one in TARGETS]
    (signature,) = found["signature"]
    assert signature["type"] == [
        {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1",
         "display": "Author's Signature"}
    ]  # fmt: skip
    assert signature["when"] == "2026-11-24T00:31:00.000+00:00"
    assert signature["sigFormat"] == "application/signature+xml"
    assert signature["targetFormat"] == "text/xml"
    assert "data" not in signature
    assert signature["_data"]["extension"][0]["valueCode"] == "not-applicable"
    (signer,) = found["contained"]
    assert signature["who"]["reference"] == f"#{signer['id']}"
    assert signer["name"] == [{"text": "Taro, Yamada^x"}]
    assert signer["qualification"][0]["code"]["text"] == "Medical Doctor"
    parts = told(signature["extension"])
    assert parts == {
        "verdict": "verified", "level": "XAdES-T", "policy": f"urn:oid:{SIGNED.policy}",
        "proven": "2026-11-24T00:31:00.000+00:00", "checked": "2026-11-25T00:00:00.000+00:00",
        "when": "proven", "covers": "cd" * 32,
    }  # fmt: skip
    assert [one["type"]["coding"][0]["code"] for one in found["agent"]] == ["legal", "verifier"]
    assert "meta" not in found


@pytest.mark.parametrize("verdict", [Indication.INVALID, Indication.UNVERIFIABLE])
def test_what_did_not_verify_is_no_signature(verdict: Indication) -> None:
    found = made(replace(SIGNED, verdict=verdict, doubts=("revocation",)))
    assert not {"signature", "contained", "occurredDateTime"} & found.keys()
    assert [one["type"]["coding"][0]["code"] for one in found["agent"]] == ["verifier"]
    parts = told(found["entity"][1]["extension"])
    assert (parts["verdict"], parts["doubt"]) == (verdict.value, "revocation")


def test_several_signatures_each_with_its_signer() -> None:
    second = replace(SIGNED, signer="CN=Hanako", roles=("Dentist",), proven=None,
                     claimed=datetime(2026, 11, 24, tzinfo=UTC), level="CAdES-B")  # fmt: skip
    found = made(SIGNED, OPEN, second, whole=False)
    assert [one["who"]["display"] for one in found["signature"]] == ["Taro, Yamada^x", "Hanako"]
    assert [one["type"][0]["code"][-2:] for one in found["signature"]] == [".1", ".2"]
    assert told(found["signature"][1]["extension"])["when"] == "claimed"
    assert found["signature"][1]["when"] == "2026-11-24T00:00:00.000+00:00"
    assert [one["id"] for one in found["contained"]] == ["signer-1", "signer-2"]
    assert told(found["entity"][1]["extension"])["verdict"] == "unverifiable"
    assert found["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_signatures_inside_and_about_are_not_the_documents_signers() -> None:
    outer = replace(SIGNED, signer="CN=Pharmacist", inside=(SIGNED,), countersigned=(OPEN,))
    found = made(outer)
    assert len(found["signature"]) == len(found["contained"]) == 1
    (verdict,) = found["signature"][0]["extension"]
    others = {one["url"]: one["extension"] for one in verdict["extension"] if "extension" in one}
    assert [one["valueString"] for one in others["inside"][:2]] == [
        "Taro, Yamada^x", "Medical Doctor",
    ]  # fmt: skip
    assert others["countersigned"][2] == {"url": "verdict", "valueCode": "unverifiable"}


def test_the_document_reference_of_an_entry() -> None:
    entry = replace(
        ENTRY, signatures=(OPEN, SIGNED), posted=MOMENT, sha256="ab" * 32, author="1^山田^太郎"
    )
    found = fhir.loads(fhir.dumps(fhir_reference.document_reference(entry)))
    DocumentReference.model_validate(found)
    assert found["masterIdentifier"]["value"] == f"urn:oid:{ENTRY.unique_id}"
    assert found["authenticator"]["display"] == "Taro, Yamada^x"
    assert found["meta"]["security"][0]["code"] == "DIGSIG"
    assert found["author"][0]["display"] == "山田 太郎"
    assert found["content"][0]["attachment"]["hash"] == "2jmj7l5rSw0yVb/vlWAYkK/YBwk="
    assert found["content"][0]["attachment"]["language"] == "ja"
    assert found["type"]["coding"][0]["system"] == "http://loinc.org"
    unsigned = replace(entry, signatures=(OPEN,), status=Availability.DEPRECATED)
    found = fhir_reference.document_reference(unsigned)
    assert found["status"] == "superseded"
    assert "authenticator" not in found
    assert "meta" not in found

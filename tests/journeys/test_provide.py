"""A document source of its own hands in documents by ITI-41, over TLS; a neighbour fetches them."""

import base64
import hashlib
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from conformance import messages
from conformance.client import Answer, included
from conformance.submissions import LOINC, Given, include, new_oid, provided
from gateway.demo.page import one_page
from gateway.demo.sign import sign_pdf
from tests.journeys.visible import HOME, REPOSITORY, Neighbourhood
from tests.served import CHARTS, SHARED_DOMAIN, Templates, serve
from tests.shared import SHARED

REFERRAL = {"type": (("57133-1", LOINC, "診療情報提供書"),)}
DIAGNOSIS = {"urn:x-regional-gateway:category": ("diagnosis",)}
_ERROR = "//rs:RegistryError"


@pytest.fixture(scope="module")
def region(
    templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbourhood]:
    """On PostgreSQL: `tests/xca/test_iti41.py` is on SQLite."""
    folder = tmp_path_factory.mktemp("provide") / "installation"
    installation = templates.copy("postgresql", folder)
    if SHARED is not None:
        installation.add(f'[ihe]\nschemas = "{SHARED / "ihe" / "schema"}"\n')
    with serve(installation) as served:
        yield Neighbourhood(served)


def referral(region: Neighbourhood) -> bytes:
    page = one_page(["診療情報提供書", "見本花子 様"])
    return sign_pdf(page, region.served.installation.folder, datetime.now(UTC))


def chart(region: Neighbourhood) -> str:
    (found,) = [
        one for one in region.served.installation.patient("A")["identifiers"]
        if one["domain"] == CHARTS["hospital-a"]
    ]  # fmt: skip
    return f"{found['value']}^^^&{found['domain']}&ISO"


def given(region: Neighbourhood, **changes: Any) -> Given:
    values = {
        "patient": chart(region), "unique_id": new_oid(), "mime_type": "application/pdf",
        "title": "診療情報提供書", "codes": REFERRAL, "slots": DIAGNOSIS, "content": include("a@b"),
    }  # fmt: skip
    return Given(**{**values, **changes})


def post(region: Neighbourhood, kind: str, body: bytes, *, chunked: bool = False) -> Answer:
    sent: Any = io.BytesIO(body) if chunked else body
    client = region.clients["hospital-a"]
    return client.request("POST", "/repository", sent, {"Content-Type": kind})


def hand_in(region: Neighbourhood, one: Given, content: bytes, **options: Any) -> Answer:
    kind, body = provided([one], {"a@b": (one.mime_type, content)})
    return post(region, kind, body, **options)


def outcome(answer: Answer) -> tuple[str, list[str]]:
    assert answer.status == 200, (answer.status, answer.fault)
    (status,) = answer.values("//rs:RegistryResponse/@status")
    return status.rpartition(":")[2], answer.values(f"{_ERROR}/@errorCode")


def found(region: Neighbourhood, unique_id: str) -> bool:
    answer = region.clients["neighbour-n"].soap(
        "/xca/query", messages.GATEWAY_QUERY,
        messages.find_documents(SHARED_DOMAIN, region.shared, home=HOME),
        assertion=region.assertion(),
    )  # fmt: skip
    assert answer.status == 200
    return unique_id in answer.values("//rim:ExternalIdentifier/@value")


def test_a_sealed_referral_is_verified_and_fetched(region: Neighbourhood) -> None:
    content = referral(region)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    one = given(region, slots={**DIAGNOSIS, "hash": (digest,), "size": (str(len(content)),)})
    answer = hand_in(region, one, content)
    assert outcome(answer) == ("Success", [])
    assert answer.headers["content-type"].startswith("multipart/related")
    assert outcome(hand_in(region, one, content)) == ("Success", [])  # sent again is one document
    assert found(region, one.unique_id)
    fetched = region.clients["neighbour-n"].soap(
        "/xca/retrieve", messages.GATEWAY_RETRIEVE,
        messages.retrieve([(REPOSITORY, one.unique_id)], home=HOME), assertion=region.assertion(),
    )  # fmt: skip
    (document,) = fetched.xml().iter("{urn:ihe:iti:xds-b:2007}Document")
    assert included(document, fetched) == content
    events = map(json.dumps, region.served.installation.command("audit", "export")["events"])
    mine = [event for event in events if "ITI-41" in event and one.unique_id in event]
    assert len(mine) == 2  # one for each message


def test_without_its_seal_it_is_refused_and_not_there(region: Neighbourhood) -> None:
    content = referral(region)
    for bad in (content.replace(b"%PDF-1.", b"%PDF-2.", 1), one_page(["診療情報提供書"])):
        one = given(region)
        answer = hand_in(region, one, bad)
        assert outcome(answer) == ("Failure", ["InvalidDocumentContent"])
        assert answer.values(f"{_ERROR}/@location") == [one.unique_id]
        assert "time-stamp" in answer.values(f"{_ERROR}/@codeContext")[0]
        assert not found(region, one.unique_id)


def test_base64_inside_and_pieces_are_taken_too(region: Neighbourhood) -> None:
    content = referral(region)
    inline = given(region, content=base64.b64encode(content).decode())
    kind, body = provided([inline])
    assert outcome(post(region, kind, body)) == ("Success", [])
    assert found(region, inline.unique_id)
    pieces = given(region)
    assert outcome(hand_in(region, pieces, content, chunked=True)) == ("Success", [])
    assert found(region, pieces.unique_id)


def test_a_replacement_takes_the_place_of_what_it_replaces(region: Neighbourhood) -> None:
    old = given(region, id=f"urn:uuid:{uuid.uuid4()}")
    new = given(region, replaces=(old.id,))
    assert outcome(hand_in(region, old, referral(region))) == ("Success", [])
    assert outcome(hand_in(region, new, referral(region))) == ("Success", [])
    assert (found(region, old.unique_id), found(region, new.unique_id)) == (False, True)
    again = given(region, replaces=(old.id,))
    refused = outcome(hand_in(region, again, referral(region)))
    assert refused == ("Failure", ["XDSRegistryDeprecatedDocumentError"])


def test_the_door_describes_it(region: Neighbourhood) -> None:
    answer = region.clients["hospital-a"].request("GET", "/repository?wsdl")
    assert b"ProvideAndRegisterDocumentSet-b" in answer.body

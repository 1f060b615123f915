"""`demo.json` is true: what it tells is there, and nothing else is (INTERFACES section 5)."""

import hashlib
import json
import subprocess
import sys

from conformance import messages
from conformance.client import NAMESPACES, included
from tests.journeys.visible import REPOSITORY, Neighbourhood
from tests.served import CHARTS, Installation, Served

KEYS = {"unique_id", "hash", "size", "type", "category", "title", "repository_id"}


def test_the_people_are_as_promised(installation: Installation) -> None:
    known = installation.known
    assert [one["name"] for one in known["facilities"]] == [
        "hospital-a", "clinic-b", "pharmacy-c", "lab-d"
    ]  # fmt: skip
    told = {one["label"]: one for one in known["patients"]}
    assert {label: one["consent"] for label, one in told.items()} == {
        "A": "active", "B": "none", "C": "active", "D": "withdrawn"
    }  # fmt: skip
    assert {one["domain"] for one in told["A"]["identifiers"]} == {"2.999.20.1", *CHARTS.values()}
    assert {one["domain"] for one in told["B"]["identifiers"]} == {"2.999.30.1", "2.999.30.2"}
    assert len(told["A"]["documents"]) >= 2
    assert {one["category"] for one in told["A"]["documents"]} == {
        "allergy", "diagnosis", "dispensing", "lab_result", "prescription"
    }  # fmt: skip
    assert told["B"]["documents"] == told["D"]["documents"] == []
    assert all(set(one) == KEYS for one in told["A"]["documents"])


def test_every_document_that_is_told_can_be_retrieved(served: Served) -> None:
    told = {one["unique_id"]: one for one in served.installation.patient("A")["documents"]}
    near = Neighbourhood(served)
    assert set(near.know_documents()) == set(told)
    payload = messages.retrieve([(REPOSITORY, unique) for unique in told], home="2.999.10.1")
    answer = near.clients["neighbour-n"].soap(
        "/xca/retrieve", messages.GATEWAY_RETRIEVE, payload, assertion=near.assertion(), mtom=True
    )
    kinds = set()
    for response in answer.xml().iterfind(".//xds:DocumentResponse", NAMESPACES):
        unique = response.findtext("xds:DocumentUniqueId", "", NAMESPACES)
        document = response.find("xds:Document", NAMESPACES)
        assert document is not None
        content = included(document, answer)
        assert content is not None
        assert len(content) == told[unique]["size"]
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        assert digest == told[unique]["hash"]
        kinds.add(response.findtext("xds:mimeType", "", NAMESPACES))
    assert kinds == {"application/fhir+json", "application/pdf", "text/xml"}


def test_the_signed_document_verifies_with_the_demo_trust_alone(served: Served) -> None:
    installation = served.installation
    told = next(d for d in installation.patient("A")["documents"] if d["type"] == "57133-1")
    near = Neighbourhood(served)
    answer = near.clients["neighbour-n"].soap(
        "/xca/retrieve", messages.GATEWAY_RETRIEVE,
        messages.retrieve([(REPOSITORY, told["unique_id"])], home="2.999.10.1"),
        assertion=near.assertion(), mtom=True,
    )  # fmt: skip
    document = answer.xml().find(".//xds:Document", NAMESPACES)
    assert document is not None
    file = installation.folder / "referral.pdf"
    file.write_bytes(included(document, answer) or b"")
    verify = [sys.executable, "-m", "gateway", "verify", str(file), "--json"]
    trust = ["--trust", str(installation.pki / "hpki" / "trust.toml"), "--allow-test-cards"]
    good = subprocess.run([*verify, *trust], capture_output=True, check=False, timeout=60)
    assert good.returncode == 0, good.stdout
    report = json.loads(good.stdout)
    assert report["verdict"] == "verified"
    assert report["signatures"][0]["signer"]["role"] == "Medical Doctor"
    bad = subprocess.run(verify, capture_output=True, check=False, timeout=60)
    assert bad.returncode == 1  # the demo's authorities are nobody's but the demo's

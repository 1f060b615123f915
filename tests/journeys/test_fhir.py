"""FHIR Bundles and PDFs through the upload door: items staged and promoted, documents filed."""

import json
from pathlib import Path

from tests.journeys.senders import enrol_and_link, receipt, taken, upload
from tests.served import Served

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "standardize"


def test_a_bundle_a_document_and_a_scan(served: Served) -> None:
    client = served.client("hospital-a")
    bundle = (SAMPLES / "fhir" / "jp-core-collection.json").read_bytes()
    found = taken(client, "bundle.json", bundle, source="emr")
    (file,) = found["files"]
    assert (file["state"], file["format"]) == ("standardized", "fhir/collection")
    assert file["items"] == {"staged": 4, "promoted": 0}
    again = taken(client, "bundle.json", bundle, source="emr")
    assert again["files"][0]["state"] == "duplicate"
    other = taken(client, "renamed.json", bundle, source="emr")
    assert other["files"][0]["items"]["staged"] == 0

    summary = (SAMPLES / "fhir" / "document-discharge.json").read_bytes()
    (file,) = taken(client, "signed.json", summary, source="emr")["files"]
    assert (file["state"], file["format"]) == ("set-aside", "fhir/document")
    assert "bundle-signature" in {one["code"] for one in file["findings"]}
    unsigned = json.loads(summary)
    del unsigned["signature"]
    summary = json.dumps(unsigned).encode()
    (file,) = taken(client, "summary.json", summary, source="emr")["files"]
    assert (file["state"], file["format"]) == ("standardized", "fhir/document")
    assert "unsigned-document" in {one["code"] for one in file["findings"]}

    scan = next((SAMPLES / "document").glob("*.pdf")).read_bytes()
    (file,) = taken(client, "看護サマリ.pdf", scan, source="emr")["files"]
    assert file["state"] == "set-aside"
    (file,) = taken(client, "看護サマリ.pdf", scan, source="emr", patient="00000123")["files"]
    assert file["state"] == "standardized"

    assert enrol_and_link(served, "hospital-a", "00000123") >= 4
    (file,) = receipt(client, found["receipt"])["files"]
    assert file["items"]["promoted"] == 4


def test_what_is_refused_at_the_door(served: Served) -> None:
    client = served.client("hospital-a")
    answer = upload(client, "x.xml", b'<Bundle xmlns="http://hl7.org/fhir"/>', source="emr")
    assert answer.status == 422
    assert "JSON" in json.dumps(json.loads(answer.body))
    twice = b'{"resourceType": "Patient", "resourceType": "Patient"}'
    (file,) = taken(client, "x.json", twice, source="emr")["files"]
    assert file["state"] == "refused"
    assert [one["code"] for one in file["findings"]] == ["malformed"]

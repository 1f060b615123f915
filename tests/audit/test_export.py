"""`gateway audit export`: every event as an ATNA message and as a FHIR AuditEvent."""

import json
from base64 import b64decode

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from lxml import etree

from gateway.audit.export import _DICOM, _EVENTS
from gateway.model.audit import EventKind
from tests import forked
from tests.served import Installation
from tests.shared import needs_shared, shared


def test_every_kind_of_event_has_its_code() -> None:
    assert set(_EVENTS) == set(EventKind)
    assert {code for code, _ in _EVENTS.values()} <= set(_DICOM)


@needs_shared
def test_every_event_is_a_message_of_the_published_schema(installation: Installation) -> None:
    schema = etree.XMLSchema(etree.parse(shared("ihe", "schema", "ATNA", "dicom2017c.xsd")))
    patient = installation.patient("A")["identifiers"][0]["value"]
    installation.command("patient", "show", patient, "--as", "doctor-a")
    found = installation.command("audit", "export")["events"]
    kinds = set()
    for text in found:
        root = etree.fromstring(text)
        assert schema.validate(root), (text, schema.error_log)
        kinds.add(root.find("EventIdentification/EventTypeCode").get("csd-code"))
    assert {"110129", "upload", "enrol", "consent-withdraw", "view"} <= kinds


def test_every_event_is_an_audit_event(installation: Installation) -> None:
    bundle = installation.command("audit", "export", "--format", "fhir")
    assert bundle["resourceType"] == "Bundle"
    assert len(bundle["entry"]) > 40
    for entry in bundle["entry"]:
        AuditEvent.model_validate(entry["resource"])
    told = [entry["resource"].get("purposeOfEvent", [{"coding": []}]) for entry in bundle["entry"]]
    purposes = [[coding["code"] for coding in one[0]["coding"]] for one in told]
    assert ["TREAT", "TREATMENT"] in purposes
    assert all(one in ([], ["TREAT", "TREATMENT"], ["HOPERAT", "OPERATIONS"]) for one in purposes)


def test_a_refusal_carries_patient_rule_and_code(installation: Installation) -> None:
    patient = installation.patient("A")["identifiers"][0]["value"]
    installation.command("user", "suspend", "doctor-a", "--reason", "leave")
    installation.command("patient", "show", patient, "--as", "doctor-a", exit_code=1)
    root = etree.fromstring(installation.command("audit", "export")["events"][-1])
    # The newest event is the refused view: the export's own event comes after its bound.
    head = root.find("EventIdentification")
    assert head.get("EventOutcomeIndicator") == "8"
    assert [one.get("csd-code") for one in head.findall("EventTypeCode")] == [
        "110129", "AUTHZ-DENY",
    ]  # fmt: skip
    assert head.findtext("EventOutcomeDescription") == "rule ACC-03"
    bundle = installation.command("audit", "export", "--format", "fhir")
    told = [one["resource"] for one in bundle["entry"] if one["resource"]["outcome"] == "8"]
    assert told[-1]["outcomeDesc"] == "rule ACC-03"


def test_an_export_is_of_days_and_is_recorded_before_it_is_told(
    installation: Installation,
) -> None:
    whole = installation.command("audit", "export")["events"]
    again = installation.command("audit", "export")["events"]
    assert len(again) == len(whole) + 1
    detail = {
        one.get("type"): b64decode(one.get("value")).decode()
        for one in etree.fromstring(again[-1]).iter("ParticipantObjectDetail")
    }
    assert etree.fromstring(again[-1]).find("EventIdentification/EventID").get("csd-code") == (
        "110101"
    )
    assert detail == {"exported": str(len(whole)), "format": "atna"}
    assert installation.command("audit", "export", "--until", "2020-01-01")["events"] == []
    assert installation.command("audit", "export", "--since", "2999-01-01")["events"] == []
    installation.command("audit", "export", "--since", "yesterday", exit_code=1)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
@pytest.mark.parametrize("form", ["atna", "fhir"])
def test_the_plain_form_is_one_event_a_line(installation: Installation, form: str) -> None:
    done = forked.run("audit", "export", "--format", form, "--config", str(installation.config))
    done.check_returncode()
    lines = done.stdout.splitlines()
    read = etree.fromstring if form == "atna" else json.loads
    assert len([read(line) for line in lines]) > 40

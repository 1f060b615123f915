"""Reports from the audit trail; reading it is itself recorded (L-06)."""

from typing import Any

import orjson

from gateway.model.audit import Outcome
from gateway.model.identifiers import PatientId
from gateway.store import audit as rows
from gateway.store.audit import StoredEvent
from gateway.store.work import Work


def who_saw(work: Work, patient: PatientId) -> list[dict[str, Any]]:
    """Everybody who asked about or changed something of this patient, oldest first."""
    work.trail.patients.add(patient)
    found = [told(event) for event in rows.select_events(work.db, [patient])]
    work.trail.detail["events"] = len(found)
    return found


def told(event: StoredEvent) -> dict[str, Any]:
    """One stored event as people and tools read it."""
    content = orjson.loads(event.content)
    actor = content["actor"]
    return {
        "id": event.id,
        "at": event.at,
        "event": event.kind,
        "outcome": Outcome(event.outcome).name.lower(),
        "facility": actor["facility"],
        "subject": actor["subject"],
        "role": actor["role"],
        "purpose": content["purpose"],
        "rule": content["rule"],
        "code": content["code"],
        "objects": content["objects"],
        "request": event.request,
    }

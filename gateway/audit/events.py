"""Events as rows: the canonical JSON that is stored, hashed and shown.

`security.md` L, last paragraph: sequence, time, event code, outcome, actor, patient, objects,
purpose, request id, deciding rule; never clinical content (WDR-08, G12).
"""

import orjson

from gateway.model.audit import Event
from gateway.store.audit import EventRow
from gateway.store.metadata import time_ordered, write_moment

_LONGEST_DETAIL = 16_384


def row_of(event: Event, id: str) -> EventRow:
    """The event as the row that is inserted; `id`, a random UUID, makes its key unique."""
    caller = event.caller
    content = {
        "actor": {
            "network": caller.network,
            "kind": caller.kind._value_,
            "facility": caller.facility,
            "facility_type": caller.facility_type._value_,
            "subject": caller.subject,
            "role": caller.role,
            "assurance": caller.assurance._value_,
            "tls_subject": caller.tls_subject,
            "certificate": caller.certificate,
            "address": caller.address,
            "home": caller.home,
            "assertion": caller.assertion,
        },
        "purpose": caller.purpose,
        "patients": [{"domain": p.domain, "value": p.value} for p in event.patients],
        "objects": list(event.objects),
        "rule": event.rule,
        "code": event.code,
        "detail": event.detail,
        "incident": event.incident,
    }
    text = orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS).decode()
    if len(text) > _LONGEST_DETAIL:
        content["detail"] = {"cut": len(text)}
        text = orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS).decode()
    return EventRow(
        key=time_ordered(event.at, id),
        at=write_moment(event.at),
        kind=event.kind._value_,
        outcome=event.outcome._value_,
        request=caller.request,
        facility=caller.facility,
        content=text,
        patients=event.patients,
    )

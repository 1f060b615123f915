"""Events as rows: the canonical JSON that is stored, hashed and shown.

`security.md` L, last paragraph: sequence, time, event code, outcome, actor, patient, objects,
purpose, request id, deciding rule; never clinical content (WDR-08, G12).
"""

from typing import ClassVar

import orjson

from gateway.model.audit import Event
from gateway.model.caller import Caller
from gateway.store.audit import EventRow
from gateway.store.metadata import time_ordered, write_moment

_LONGEST_DETAIL = 16_384


class _Last:
    """The caller of the last event as JSON: a turn of the queue has one for all of its events."""

    said: ClassVar[tuple[Caller, orjson.Fragment] | None] = None


def row_of(event: Event, id: str) -> EventRow:
    """The event as the row that is inserted; `id`, a random UUID, makes its key unique."""
    caller = event.caller
    content = {
        "actor": _actor(caller),
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


def _actor(caller: Caller) -> orjson.Fragment:
    last = _Last.said
    if last is not None and last[0] is caller:
        return last[1]
    actor = {
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
    }
    made = orjson.Fragment(orjson.dumps(actor, option=orjson.OPT_SORT_KEYS))
    _Last.said = caller, made
    return made

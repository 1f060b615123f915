"""A command's Work: the installation opened, the secretariat as caller, values as plain JSON."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from gateway import app, settings
from gateway.app import Gateway
from gateway.audit.door import tried
from gateway.errors import Invalid, Malformed
from gateway.intake.registering import sealed
from gateway.model.audit import EventKind
from gateway.model.identifiers import Oid, PatientId
from gateway.model.periods import ZONES
from gateway.model.signature import Sealed
from gateway.store.metadata import write_moment
from gateway.store.work import Work

_Word = TypeVar("_Word", bound=Enum)


@contextmanager
def registering(
    config: Path, kind: EventKind, document: Path | None
) -> Iterator[tuple[Work, Sealed | None]]:
    """One Work that enters something of a person, with the signed document that was handed in.

    It is verified before the Work, which nothing waits for; what was wrong is raised inside of it,
    so that the trail has it.
    """
    with app.open_gateway(settings.load(config)) as gateway:
        found = None if document is None else tried(lambda: _verified(gateway, document))
        with gateway.door.work(kind, gateway.operator()) as opened:
            if isinstance(found, Exception):
                raise found
            yield opened, found
        if kind is EventKind.CONSENT_WITHDRAW:
            gateway.keep_erasures()


def _verified(gateway: Gateway, document: Path) -> Sealed:
    with closing(app.open_sandbox(gateway)) as sandbox:
        return sealed(document, sandbox.verify, app.now)


@contextmanager
def work(config: Path, kind: EventKind, *, reading: bool = False) -> Iterator[tuple[Gateway, Work]]:
    """One Work of the secretariat; a reading one is recorded before the command says anything."""
    with app.open_gateway(settings.load(config)) as gateway:
        with gateway.door.work(kind, gateway.operator(), reading=reading) as opened:
            yield gateway, opened
        if opened.recorded is not None:
            opened.recorded.result()
        if kind is EventKind.ERASE:
            gateway.keep_erasures()


def shared_id(opened: Work, value: str) -> PatientId:
    """A shared patient id as it is typed: its digits alone."""
    return PatientId(opened.policy.shared_id.domain, value)


def patient_id(text: str) -> PatientId:
    """`DOMAIN/VALUE` as it is typed."""
    domain, slash, value = text.partition("/")
    if not slash:
        raise Malformed("write DOMAIN/VALUE", "ドメイン/ID の形で指定してください", at="patient")
    return PatientId(Oid(domain), value)


def oid(text: str) -> Oid:
    """An OID as it is typed."""
    return Oid(text)


def word(kind: type[_Word], value: str, at: str) -> _Word:
    """The member that a typed word names."""
    for member in kind:
        if member.value == value:
            return member
    known = ", ".join(str(member.value) for member in kind)
    raise Invalid(f"unknown word; possible are {known}", f"使える値: {known}", at=at)


def day(text: str, at: str) -> date:
    """A day as YYYY-MM-DD or YYYYMMDD."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Malformed("write a day as YYYY-MM-DD", "日付は YYYY-MM-DD です", at=at) from error


def moments(gateway: Gateway, since: str, until: str) -> tuple[str, str]:
    """The first moment of one day and the first after another, where the network is, as stored."""
    zone = ZONES[gateway.policy.timezone]
    start = day(since, "since") if since else None
    end = day(until, "until") + timedelta(days=1) if until else None
    first, last = (
        "" if one is None else write_moment(datetime.combine(one, time(), zone))
        for one in (start, end)
    )
    return first, last


def plain(value: Any) -> Any:
    """A value as plain JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(plain(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return value

"""Identifier domains: declared, owned, with a pattern; an undeclared one is refused (DOM-03)."""

import re
from functools import lru_cache

from sqlalchemy import Connection

from gateway.errors import Inconsistent, Malformed, UnknownDomain
from gateway.model.identifiers import Oid, PatientId
from gateway.store import identity as rows
from gateway.store.identity import DomainRow
from gateway.store.work import Work

SHARED, CHART, NEIGHBOUR = "shared", "chart", "neighbour"


def declare(work: Work, oid: Oid, *, kind: str, facility: str = "", pattern: str = "") -> None:
    """Declare a domain; a facility owns its chart id domain (DOM-02, G-01)."""
    if kind not in (SHARED, CHART, NEIGHBOUR):
        raise Malformed("unknown kind of domain", "ドメインの種類が不明です", at="kind")
    if (kind == CHART) != bool(facility):
        raise Malformed("a chart id domain has a facility", "施設名が必要です", at="facility")
    try:
        re.compile(pattern)
    except re.error as error:
        raise Malformed("not a pattern", "正規表現ではありません", at="pattern") from error
    if rows.select_domain(work.db, oid) is not None:
        raise Inconsistent("the domain is declared already", "そのドメインは登録済みです", at="oid")
    rows.insert_domain(work.db, DomainRow(oid, kind, facility, pattern))
    work.memory.pop(every, None)
    work.trail.detail["domain"] = oid


def every(db: Connection) -> dict[Oid, DomainRow]:
    """All declared domains; read through the audit door's snapshot."""
    return {row.oid: row for row in rows.select_domains(db)}


def authorities(db: Connection) -> dict[Oid, str]:
    """What each domain is called on the wire: its facility, or what kind of number it holds."""
    return {row.oid: row.facility or row.kind for row in rows.select_domains(db)}


def require(work: Work, patient: PatientId) -> DomainRow:
    """The domain of an identifier, which must have its form (DOM-01)."""
    known: dict[Oid, DomainRow] | None = work.memory.get(every)
    row = (
        rows.select_domain(work.db, patient.domain) if known is None else known.get(patient.domain)
    )
    if row is None:
        raise UnknownDomain("the domain is not declared", "未登録のIDドメインです", positions=(1,))
    if row.pattern and not matches(row.pattern, patient.value):
        raise Malformed(
            "the identifier has not the form of its domain",
            "IDがドメインの形式に合いません",
            rule="DOM-01",
        )
    return row


def chart_domain(work: Work, facility: str) -> Oid | None:
    """The one chart id domain of a facility, by which a file's bare patient numbers are meant."""
    return _owned(work.once(every), facility)


def chart_domain_in(db: Connection, facility: str) -> Oid | None:
    """The same, for the audit door's snapshot."""
    return _owned(every(db), facility)


def _owned(known: dict[Oid, DomainRow], facility: str) -> Oid | None:
    owned = [row.oid for row in known.values() if row.kind == CHART and row.facility == facility]
    return owned[0] if len(owned) == 1 else None


def undeclared(work: Work, asked: tuple[Oid, ...]) -> tuple[int, ...]:
    """Positions, from 1, of the domains among those asked that are not declared (DOM-03)."""
    return tuple(
        position for position, oid in enumerate(asked, 1) if not rows.is_declared(work.db, oid)
    )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` has the domain's form; half-width characters only."""
    return value.isascii() and _compiled(pattern).fullmatch(value) is not None

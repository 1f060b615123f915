"""Revocation lists that came: kept for good at reception, each once, with the moment.

HPKI lists drop entries of ended certificates, so an old list is the only proof about an old
signature (`hpki/README.md` 5). The verdict uses the newest list of each series, those that say what
the newest one does not say any more, and where these are too late for a signature, the lists of
its time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.store.record import lists as rows
from gateway.store.record.lists import ListRow, SourceRow
from gateway.store.work import Work

__all__ = [
    "ListRow",
    "SourceRow",
    "alarm",
    "archive",
    "around",
    "calm",
    "claim",
    "contents",
    "count",
    "every",
    "in_use",
    "known",
    "known_at",
    "newest",
    "note",
    "register",
    "sources",
]


def archive(work: Work, row: ListRow, content: bytes) -> bool:
    """Keep a list; False where it is here already."""
    if not rows.insert_list(work.db, row, content):
        return False
    work.trail.objects.append(f"crl:{row.sha256}")
    work.trail.detail.update(
        source=row.source, number=row.number, since=row.since.isoformat(),
        until=row.until.isoformat(), entries=row.entries,
        anomalies=[one["code"] for one in row.anomalies],
    )  # fmt: skip
    return True


def known(db: Connection, sha256: str) -> ListRow | None:
    """One list by its digest."""
    return rows.select_list(db, sha256)


def every(db: Connection) -> list[ListRow]:
    """The whole archive, as it came."""
    return rows.select_lists(db)


def count(db: Connection) -> int:
    """How many lists there are: changes with every list that comes."""
    return rows.count_lists(db)


def newest(db: Connection, series: str) -> ListRow | None:
    """The list of a series that was made last."""
    return rows.select_newest(db, series)


def in_use(db: Connection, series: str = "", *, until: datetime | None = None) -> list[ListRow]:
    """The newest list of each series, and those whose entries were dropped since.

    As of `until`, it is what could have been in use then: what had been made by that moment.
    """
    found = [row for row in rows.select_lists(db, series) if until is None or row.since <= until]
    last: dict[str, ListRow] = {}
    for row in found:
        held = last.get(row.series)
        if held is None or (row.since, row.id) > (held.since, held.id):
            last[row.series] = row
    wanted = {row.sha256 for row in last.values()} | {row.keeps for row in found}
    return [row for row in found if row.sha256 in wanted]


def contents(db: Connection, digests: Sequence[str]) -> list[bytes]:
    """The bytes of some lists."""
    return rows.select_contents(db, digests)


def around(db: Connection, moments: Iterable[datetime]) -> list[bytes]:
    """The lists of some moments: the one in force, and the next one, of each series."""
    return rows.select_contents(db, rows.select_around(db, list(moments)))


def known_at(db: Connection, until: datetime, moments: Iterable[datetime]) -> list[bytes]:
    """What is to be asked as of `until` about signatures of some moments."""
    wanted = {row.sha256 for row in in_use(db, until=until)}
    for digest in rows.select_around(db, list(moments)):
        row = rows.select_list(db, digest)
        if row is not None and row.since <= until:
            wanted.add(digest)
    return rows.select_contents(db, sorted(wanted))


def sources(db: Connection) -> dict[str, SourceRow]:
    """How the sources are, by name; those that are configured no more too."""
    return rows.select_sources(db)


def register(db: Connection, name: str, now: datetime) -> None:
    """Know a source; it is due at once."""
    rows.insert_source(db, SourceRow(name=name, due=now))


def claim(db: Connection, name: str, now: datetime, until: datetime) -> bool:
    """Whether this process is the one that asks a source now."""
    return rows.update_claimed(db, name, now, until)


def note(db: Connection, row: SourceRow) -> None:
    """How a source is now."""
    rows.update_source(db, row)


def alarm(db: Connection, name: str, now: datetime, since: datetime) -> bool:
    """Whether the alarm about a source is to be given now: not twice after `since`."""
    return rows.update_alarmed(db, name, now, since)


def calm(db: Connection, name: str) -> None:
    """There is nothing to alarm about."""
    rows.update_alarmed(db, name, None, None)

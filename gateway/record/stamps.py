"""Archive time-stamps of our own: what of a document is stamped, and where the stamps are kept.

What is stamped is a text that names by digest the bytes that were verified and all that the verdict
rests on; a renewal names the stamp before it as well. The bytes themselves are not touched.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from gateway.model.evidence import named
from gateway.record import evidence
from gateway.store.record import stamps as rows
from gateway.store.record.stamps import StampRow
from gateway.store.work import Work

__all__ = ["Due", "StampRow", "any_kept", "due", "is_about", "keep", "kept", "owners"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One document that is to be stamped."""

    owner: str
    number: int
    "Of the stamp that it gets."
    stamped: bytes
    "What is stamped: canonical JSON."


def owners(db: Connection, before: datetime, after: str, limit: int) -> Sequence[str]:
    """Entry ids of documents with no stamp that lasts until `before`, those after `after`."""
    return rows.select_due(db, before, after, limit)


def due(work: Work, owner: str) -> Due | None:
    """What is stamped of a document; None where its verdict is not `verified`.

    Raises `NotFound` where it is gone.
    """
    found = evidence.find(work, owner)
    if found.report["verdict"] != "verified":
        return None
    before = rows.select_stamps(work.db, owner)
    last = before[-1] if before else None
    stamped = _canonical(_told(found.report, last))
    return Due(owner=owner, number=last.number + 1 if last else 1, stamped=stamped)


def keep(work: Work, one: Due, *, token: bytes, at: datetime, ends: datetime) -> None:
    """Keep a stamp; one that another process made meanwhile stays the only one of its number."""
    if any(row.number >= one.number for row in rows.select_stamps(work.db, one.owner)):
        return
    rows.insert_stamp(
        work.db,
        StampRow(
            owner=one.owner, number=one.number, at=at, ends=ends, stamped=one.stamped.decode(),
            token=token,
        ),
    )  # fmt: skip
    work.trail.objects.append(f"{one.owner} time-stamp {one.number}")


def kept(db: Connection, owner: str) -> list[StampRow]:
    """The stamps of a document, oldest first."""
    return rows.select_stamps(db, owner)


def any_kept(db: Connection) -> bool:
    """Whether any document was ever stamped."""
    return rows.any_stamp(db)


def is_about(row: StampRow, report: dict[str, Any], before: StampRow | None) -> bool:
    """Whether what a stamp is over is this report, its document, and the stamp before it."""
    try:
        told = orjson.loads(row.stamped)
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict) and told == _told(report, before)


def _told(report: dict[str, Any], before: StampRow | None) -> dict[str, Any]:
    return {
        "file": report["file_sha256"],
        "verified": report["times"]["verified"],
        "report": hashlib.sha256(_canonical(report)).hexdigest(),
        "evidence": sorted(named(report)),
        "before": hashlib.sha256(before.token).hexdigest() if before else "",
    }


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

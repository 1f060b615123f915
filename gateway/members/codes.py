"""Code masters and facilities' code maps: loaded, listed, ended, and handed out as a book.

A version holds from its first day on. Of one name the version in force is looked up first and the
one before it after that, so that a code which a newer version dropped still has its name. A version
that was ended is not looked up; it stays, so that what was decided by it can be told.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection

from gateway.audit.door import Door
from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted
from gateway.members import facilities
from gateway.model.caller import CallerKind
from gateway.model.codebook import MAP, NO_CODES, CodeBook, Entry, Master
from gateway.store import codes as rows
from gateway.store.codes import MasterRow
from gateway.store.work import Work

__all__ = ["Loaded", "MasterRow", "Shelf", "end", "load", "masters", "show"]

logger = logging.getLogger(__name__)
_AGE = 2.0
_PAGE = 64 * 1024
_KEPT = 2
"Versions of one name that are looked up: the one in force and the one before."
_LONGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did."""

    id: int
    kind: str
    name: str
    version: str
    facility: str
    starts: str
    rows: int
    digest: str
    was_there: bool
    "The same content under the same version was loaded before; nothing was added."


def load(
    work: Work, *, kind: str, name: str, version: str, text: bytes, count: int, starts: date,
    facility: str = "",
) -> Loaded:  # fmt: skip
    """Keep a version whole or not at all; the same content again adds nothing."""
    _require_operator(work)
    for at, word in (("name", name), ("version", version)):
        if not word or len(word) > _LONGEST or not word.isprintable() or ":" in word:
            raise Invalid(
                "one to 64 characters without a colon", "64文字以内(コロン不可)です", at=at
            )
    if (kind == MAP) != bool(facility):
        raise Invalid("a map is of one facility, a master of none", "施設の指定が違います",
                      at="facility")  # fmt: skip
    if facility:
        facilities.find(work, facility)
    master = Master(kind=kind, name=name, version=version, text=text, facility=facility)
    made = Loaded(
        id=0, kind=kind, name=name, version=version, facility=facility, rows=count,
        starts=starts.isoformat(), digest=master.digest, was_there=False,
    )  # fmt: skip
    for row in rows.select_masters(work.db):
        if (row.kind, row.name, row.version, row.facility) == (kind, name, version, facility):
            if row.digest == master.digest and not row.ends:
                return replace(made, id=row.id, starts=row.starts, was_there=True)
            raise Inconsistent(
                "this version is loaded with other content, or ended: name another --version",
                "同じ版が別の内容で登録済みか終了しています。版名を変えてください", at="version",
            )  # fmt: skip
    row = MasterRow(
        kind=kind, name=name, version=version, facility=facility, starts=made.starts, ends="",
        digest=master.digest, entries=count, loaded=work.now,
        loaded_by=f"{work.caller.facility}/{work.caller.subject}",
    )  # fmt: skip
    identity = rows.insert_master(work.db, row, _pages(text))
    work.trail.objects.append(master.label)
    work.trail.detail.update(codes="load", kind=kind, rows=count, facility=facility)
    return replace(made, id=identity)


def end(work: Work, identity: int, last: date) -> MasterRow:
    """Let a version be looked up until a day, that day included."""
    _require_operator(work)
    row = next((one for one in rows.select_masters(work.db) if one.id == identity), None)
    if row is None:
        raise NotFound("no such version", "その版はありません", at="id")
    if row.ends:
        raise Inconsistent("this version is ended", "その版は終了しています", at="id")
    rows.update_end(work.db, identity, last.isoformat())
    work.trail.objects.append(f"{row.name}:{row.version}:{row.digest[:12]}")
    work.trail.detail.update(codes="end", kind=row.kind, facility=row.facility)
    return replace(row, ends=last.isoformat())


def masters(work: Work) -> list[MasterRow]:
    """Every version that was ever loaded."""
    _require_operator(work)
    return rows.select_masters(work.db)


def show(work: Work, code: str) -> list[tuple[MasterRow, Entry]]:
    """What every loaded version says about a code, under whatever of its keys."""
    _require_operator(work)
    found = []
    for row in rows.select_masters(work.db):
        master = _master(work.db, row)
        keys = {code, *(f"{prefix}{code}" for prefix in master.prefixes)}
        entries = {one for key in keys if (one := master.find(key)) is not None}
        if row.kind == MAP:
            entries |= {one for one in master.starting("") if one.code.endswith(f"\x1f{code}")}
        found += [(row, entry) for entry in sorted(entries)]
    return found


def _pages(text: bytes) -> Iterator[str]:
    """The text in whole lines, some at a time."""
    start = 0
    while start < len(text):
        end = len(text) if start + _PAGE >= len(text) else text.index(b"\n", start + _PAGE) + 1
        yield text[start:end].decode()
        start = end


def _master(db: Connection, row: MasterRow) -> Master:
    text = rows.select_text(db, row.id).encode()
    return Master(
        kind=row.kind, name=row.name, version=row.version, text=text, facility=row.facility
    )


def _in_force(versions: list[MasterRow], today: str) -> Iterator[MasterRow]:
    """Of each name the version in force and the one before, newest first."""
    known = [one for one in versions if one.starts <= today and not (one.ends and one.ends < today)]
    counts: dict[tuple[str, str, str], int] = {}
    for one in sorted(known, key=lambda row: (row.starts, row.id), reverse=True):
        name = (one.kind, one.name, one.facility)
        counts[name] = counts.get(name, 0) + 1
        if counts[name] <= _KEPT or one.kind == MAP:
            yield one


@dataclass(frozen=True, slots=True)
class _State:
    """The masters of one moment, and the books that were made of them."""

    seen: tuple[Any, ...]
    chosen: tuple[tuple[MasterRow, Master], ...]
    books: dict[str, CodeBook]


class Shelf:
    """The books of an installation: made once for each state of the masters and each facility.

    Whether anything was loaded is asked every two seconds at most.
    """

    def __init__(self, door: Door, today: Callable[[], date]) -> None:
        self._door = door
        self._today = today
        self._state = _State((), (), {})

    def of(self, facility: str) -> CodeBook:
        """The book that a facility's files are read with."""
        today = self._today().isoformat()
        seen = (self._door.snapshot(rows.select_state, max_age=_AGE), today)
        state = self._state
        if seen != state.seen:
            self._state = state = self._read(seen, today)
        found = state.books.get(facility)
        if found is None:
            own = [master for row, master in state.chosen if row.facility in ("", facility)]
            found = state.books[facility] = CodeBook(own) if own else NO_CODES
        return found

    def _read(self, seen: tuple[Any, ...], today: str) -> _State:
        held = {row.id: master for row, master in self._state.chosen}

        def chosen(db: Connection) -> list[tuple[MasterRow, Master]]:
            found = _in_force(rows.select_masters(db), today)
            return [(row, held.get(row.id) or _master(db, row)) for row in found]

        kept = []
        for row, master in self._door.snapshot(chosen, max_age=0.0):
            if master.digest == row.digest:
                kept.append((row, master))
            else:  # wrong names are worse than none
                logger.error("code master %s is altered in the database: not used", row.id)
        return _State(seen, tuple(kept), {})


def _require_operator(work: Work) -> None:
    """Masters are the operator's (G-12)."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("for the operator", "運営者のみ実行できます", rule="ACC-02",
                           log="AUTHZ-DENY")  # fmt: skip

"""The queue of received files: whose turn it is, and what waits (`ARCHITECTURE.md` section 7).

The rows of the files are the queue: a file waits from the commit of its receipt on, and what became
of it is written by the transaction that ends its turn. A turn is some files of one facility. Only
one worker has a facility's lane at a time, so its files are worked on in the order in which they
came (R-21); the lane that was served longest ago is next, so nobody waits for a flood (R-09).

A worker that dies leaves its lane to run out. Whoever takes it then works on the next files one by
one and counts each attempt first, so that a file that kills workers is found (O-05).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.identity import crossref
from gateway.model.identifiers import PatientId
from gateway.store.record import queue as rows
from gateway.store.record import uploads
from gateway.store.record.queue import LaneRow
from gateway.store.record.uploads import FileRow

MOST = 256
"Files of one turn."
LEASE = timedelta(seconds=30)
"How long a lane is kept without a sign of life."
_LATELY = 60.0
"Seconds after which what was done weighs a third in how fast files go."
ATTEMPTS = 5
"After so many failures a file is set aside with its reason (O-05)."


class Overtaken(Exception):
    """The lane was taken over meanwhile: what this turn was about to write is somebody else's."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The next files of one facility, in the order in which they came."""

    lane: LaneRow
    files: tuple[FileRow, ...]
    careful: int
    "How many files still are to be worked on one by one, this turn's included."


def is_waiting(db: Connection, facility: str = "") -> bool:
    """Whether there is anything to do; for the audit door's snapshot."""
    return rows.is_waiting(db, facility)


def take(
    db: Connection, *, token: str, now: datetime, facility: str = "", dropped: Iterable[str] = ()
) -> Turn | None:
    """The next turn, of one facility or of whose turn it is; None where nothing can be done now.

    `dropped` are tokens of turns that this worker gave up in order.
    """
    names = [facility] if facility else rows.select_facilities(db)
    lane = rows.take_lane(db, names, token=token, now=now, until=now + LEASE, dropped=dropped)
    if lane is None:
        return None
    careful = MOST if lane.left else lane.careful
    files = rows.select_next(db, lane.facility, 1 if careful else MOST)
    if not files:
        rows.leave_lane(db, lane, careful)
        return None
    if careful:
        (file,) = files
        files = [file._replace(attempts=rows.count_attempt(db, file.id))]
    return Turn(lane, tuple(files), careful)


def hold(db: Connection, turn: Turn, patients: Iterable[PatientId]) -> None:
    """Begin to write what a turn made of its files; raises `Overtaken`.

    Everybody it is about is locked first: persons before files, in one order for everybody.
    """
    if not rows.holds_lane(db, turn.lane):
        raise Overtaken(turn.lane.facility)
    crossref.lock_all(db, patients)


def drop(db: Connection, turn: Turn) -> None:
    """The turn is given up: its lane is free, its files wait as before."""
    rows.leave_lane(db, turn.lane, turn.careful)


def end(db: Connection, turn: Turn, *, done: int, now: datetime) -> None:
    """The turn is over, and so many of its files were worked on: its lane is free."""
    rows.end_lane(
        db, turn.lane, max(turn.careful - len(turn.files), 0), done=done, ended=now,
        pace=_pace(turn, done, now),
    )  # fmt: skip


def _pace(turn: Turn, done: int, now: datetime) -> float:
    """Files a second lately: the older, the less it weighs; the time when none waited is left out.

    A turn without files, which cut one, says nothing about it.
    """
    since = max(turn.lane.ended, turn.files[0].queued)
    seconds = (now - since).total_seconds()
    if not done or seconds <= 0:
        return turn.lane.pace
    weight = math.exp(-seconds / _LATELY) if turn.lane.pace else 0.0
    return weight * turn.lane.pace + (1 - weight) * done / seconds


def keep(db: Connection, turn: Turn, now: datetime) -> bool:
    """Keep the lane while a turn lasts; False where it was taken over."""
    return rows.keep_lane(db, turn.lane, now + LEASE)


def free(db: Connection, owner: str) -> int:
    """Let the lanes of a worker that died be taken at once, by the one that takes its place."""
    return rows.free_lanes(db, owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an upload is, in files; of a file about several people, in parts."""

    files: int
    done: int
    started: bool
    cut: float | None = None
    "How much is cut of files that are being cut now: until then nobody knows how many parts."
    left: float | None = None
    "Seconds until its last file is worked on, with what is ahead of it; None where unknown."

    @property
    def waiting(self) -> int:
        """How many files and parts still wait."""
        return self.files - self.done


def progress(db: Connection, receipt: str) -> Progress:
    """How far an upload is, by the states of its files and the pace of its facility."""
    states = rows.select_states(db, receipt)
    split = states.pop(uploads.SPLIT, 0)
    total = sum(states.values())
    waiting = states.get(uploads.RECEIVED, 0) + states.get(uploads.PENDING, 0)
    found = Progress(
        files=total or split, done=total - waiting or (split if not total else 0),
        started=bool(split or set(states) - {uploads.RECEIVED}),
    )  # fmt: skip
    upload = uploads.select_upload(db, receipt) if waiting else None
    if upload is None:
        return replace(found, left=0.0)
    if states.get(uploads.PENDING):
        cut, size = rows.select_cut(db, receipt)
        if size:
            return replace(found, cut=cut / size)
    pace = rows.select_pace(db, upload.facility)
    ahead = rows.count_ahead(db, upload.facility, upload.received)
    return replace(found, left=(ahead + waiting) / pace if pace else None)


def backlog(db: Connection) -> list[dict[str, Any]]:
    """What waits of each facility: how many files, since when, how fast they go, and how long."""
    return [
        {
            "facility": one.facility, "files": one.files, "oldest": one.oldest, "rate": one.pace,
            "left": one.files / one.pace if one.pace else None,
        }
        for one in rows.select_backlog(db)
    ]  # fmt: skip


def worked(db: Connection) -> dict[str, int]:
    """How many files and parts of each facility were worked on, ever."""
    return rows.select_worked(db)


def set_aside(db: Connection) -> dict[str, int]:
    """How many files and parts of each facility are set aside: somebody must look at them."""
    return rows.select_set_aside(db)

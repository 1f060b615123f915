"""Statements on the queue: files that wait, and whose turn it is.

Each facility has a lane, and a lane is one worker's at a time: so what one facility sends is
worked on in the order in which it came (R-21); the lane served longest ago comes first (R-09).
Every look at the queue is by the index of files that wait, however many there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store import raw
from gateway.store.metadata import read_moment, write_moment
from gateway.store.record import FILE, LANE, uploads
from gateway.store.record.uploads import FileRow

_FACILITIES = """
WITH RECURSIVE waiting(name) AS (
  SELECT min(facility) FROM upload_file WHERE state = 'received'
  UNION ALL
  SELECT (SELECT min(facility) FROM upload_file
          WHERE state = 'received' AND facility > waiting.name)
  FROM waiting WHERE waiting.name IS NOT NULL
) SELECT name FROM waiting WHERE name IS NOT NULL
"""
"One look into the index for each facility, not for each file."
_NEXT = (
    f"SELECT {uploads.NAMES} FROM upload_file WHERE state = 'received' AND facility = ? "  # noqa: S608
    "ORDER BY queued, receipt, number, part LIMIT ?"
)
_TAKE = "UPDATE intake_lane SET token = ?, until = ?, served = ? WHERE facility = ?"
_HOLDER = "SELECT token FROM intake_lane WHERE facility = ?"
_EPOCH = "1970-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A facility's lane while somebody works on it."""

    facility: str
    token: str
    "Drawn anew for each turn; empty while nobody works."
    left: bool
    "Whether the turn before this one never ended: its worker died."
    careful: int
    "How many of the next files are worked on one by one, because one of them may kill a worker."
    ended: datetime
    "When the turn before this one ended."
    pace: float
    "Files a second that were worked on lately while some waited."


def select_facilities(db: Connection) -> list[str]:
    """The facilities that have files waiting."""
    return [row[0] for row in raw.rows(db, _FACILITIES)]


def take_lane(
    db: Connection,
    names: Sequence[str],
    *,
    token: str,
    now: datetime,
    until: datetime,
    dropped: Iterable[str] = (),
) -> LaneRow | None:
    """Take the free lane among these that was served longest ago; None where all are taken.

    A lane whose worker let its time run out is free, and says so; so is one whose turn is known to
    have been `dropped`.
    """
    if not names:
        return None
    _add_lanes(db, names)
    ended = ["", *dropped]
    statement = (
        f"SELECT facility, token, careful, ended, pace FROM intake_lane "  # noqa: S608
        f"WHERE facility IN ({raw.some(len(names))}) "
        f"AND (token IN ({raw.some(len(ended))}) OR until < ?) "
        f"ORDER BY served, facility LIMIT 1{raw.skipping(db)}"
    )
    moment = write_moment(now)
    found = raw.rows(db, statement, (*names, *ended, moment))
    if not found:
        return None
    name, before, careful, last, pace = found[0]
    raw.run(db, _TAKE, (token, write_moment(until), moment, name))
    return LaneRow(
        name, token, before not in ended, careful, read_moment(last), float(pace)
    )  # fmt: skip


def _add_lanes(db: Connection, names: Sequence[str]) -> None:
    statement = f"SELECT facility FROM intake_lane WHERE facility IN ({raw.some(len(names))})"  # noqa: S608
    missing = set(names).difference(row[0] for row in raw.rows(db, statement, names))
    if missing:
        dialect = sqlite if db.dialect.name == "sqlite" else postgresql
        db.execute(
            dialect.insert(LANE).on_conflict_do_nothing(),
            [
                {"facility": name, "token": "", "until": read_moment(_EPOCH),
                 "served": read_moment(_EPOCH), "careful": 0}
                for name in sorted(missing)
            ],
        )  # fmt: skip


def holds_lane(db: Connection, lane: LaneRow) -> bool:
    """Whether the lane is still this turn's; it stays so until the transaction ends."""
    statement = _HOLDER + raw.locking(db)
    found = raw.rows(db, statement, (lane.facility,))
    return bool(found) and found[0][0] == lane.token


def keep_lane(db: Connection, lane: LaneRow, until: datetime) -> bool:
    """Have the lane longer; False where it is somebody else's by now."""
    done = db.execute(
        update(LANE)
        .where(LANE.c.facility == lane.facility, LANE.c.token == lane.token)
        .values(until=until)
    )
    return bool(done.rowcount)


def leave_lane(db: Connection, lane: LaneRow, careful: int) -> None:
    """Give the lane back, as if it had not been had."""
    raw.run(
        db,
        "UPDATE intake_lane SET token = '', careful = ? WHERE facility = ? AND token = ?",
        (careful, lane.facility, lane.token),
    )


def end_lane(
    db: Connection, lane: LaneRow, careful: int, *, done: int, ended: datetime, pace: float
) -> None:
    """Give the lane back after so many files were worked on."""
    raw.run(
        db,
        "UPDATE intake_lane SET token = '', careful = ?, done = done + ?, ended = ?, pace = ? "
        "WHERE facility = ? AND token = ?",
        (careful, done, write_moment(ended), pace, lane.facility, lane.token),
    )


def free_lanes(db: Connection, owner: str) -> int:
    """Let the lanes of a worker that is no more be taken at once; tokens begin with their owner."""
    done = db.execute(
        update(LANE)
        .where(func.substr(LANE.c.token, 1, len(owner) + 1) == owner + "/")
        .values(until=read_moment(_EPOCH))
    )
    return int(done.rowcount)


def is_waiting(db: Connection, facility: str = "") -> bool:
    """Whether any file waits."""
    if facility:
        statement = "SELECT 1 FROM upload_file WHERE state = 'received' AND facility = ? LIMIT 1"
        return bool(raw.rows(db, statement, (facility,)))
    return bool(raw.rows(db, "SELECT 1 FROM upload_file WHERE state = 'received' LIMIT 1"))


def select_next(db: Connection, facility: str, limit: int) -> list[FileRow]:
    """The next files of a facility, in the order in which they came."""
    return [uploads.read_row(row) for row in raw.rows(db, _NEXT, (facility, limit))]


def count_attempt(db: Connection, file: str) -> int:
    """One attempt more at a file that may have killed a worker; how many there were."""
    raw.run(db, "UPDATE upload_file SET attempts = attempts + 1 WHERE id = ?", (file,))
    found = raw.rows(db, "SELECT attempts FROM upload_file WHERE id = ?", (file,))
    return int(found[0][0]) if found else 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of one facility."""

    facility: str
    files: int
    oldest: datetime
    pace: float
    "Files a second lately; 0 where nothing was worked on yet."


def select_backlog(db: Connection) -> list[Backlog]:
    """How many files wait of each facility, and since when the oldest does."""
    rows = raw.rows(
        db,
        "SELECT w.facility, w.files, w.oldest, coalesce(l.pace, 0) FROM "
        "(SELECT facility, count(*) AS files, min(queued) AS oldest FROM upload_file "
        "WHERE state = 'received' GROUP BY facility) w "
        "LEFT JOIN intake_lane l ON l.facility = w.facility ORDER BY w.facility",
    )
    return [Backlog(row[0], int(row[1]), read_moment(row[2]), float(row[3])) for row in rows]


def select_worked(db: Connection) -> dict[str, int]:
    """How many files were worked on of each facility, ever."""
    return {row[0]: int(row[1]) for row in raw.rows(db, "SELECT facility, done FROM intake_lane")}


def select_set_aside(db: Connection) -> dict[str, int]:
    """How many files are set aside of each facility."""
    statement = (
        "SELECT facility, count(*) FROM upload_file WHERE state = 'set-aside' GROUP BY facility"
    )
    return {row[0]: int(row[1]) for row in raw.rows(db, statement)}


def select_states(db: Connection, receipt: str) -> dict[str, int]:
    """State to number of the files and parts of an upload that are in it, by the index alone."""
    statement = "SELECT state, count(*) FROM upload_file WHERE receipt = ? GROUP BY state"
    return {row[0]: int(row[1]) for row in raw.rows(db, statement, (receipt,))}


def count_ahead(db: Connection, facility: str, before: datetime) -> int:
    """How many files of a facility wait that came before a moment."""
    statement = (
        "SELECT count(*) FROM upload_file WHERE state = 'received' AND facility = ? AND queued < ?"
    )
    return int(raw.rows(db, statement, (facility, write_moment(before)))[0][0])


def select_pace(db: Connection, facility: str) -> float:
    """Files a second of a facility that were worked on lately; 0 where none was yet."""
    found = raw.rows(db, "SELECT pace FROM intake_lane WHERE facility = ?", (facility,))
    return float(found[0][0]) if found else 0.0


def select_cut(db: Connection, receipt: str) -> tuple[int, int]:
    """Bytes that were cut, of how many, of the files of an upload that are being cut now."""
    files = raw.rows(
        db,
        "SELECT id, size FROM upload_file WHERE receipt = ? AND state = 'received' "
        "AND parent = '' AND EXISTS (SELECT 1 FROM upload_file p WHERE p.parent = upload_file.id)",
        (receipt,),
    )
    cut = 0
    for identity, _ in files:
        last = db.execute(
            select(FILE.c.spans).where(FILE.c.parent == identity)
            .order_by(FILE.c.part.desc()).limit(1)
        ).scalar_one()  # fmt: skip
        cut += max((end for _, _, end in last["own"]), default=0) if last else 0
    return cut, sum(int(size) for _, size in files)

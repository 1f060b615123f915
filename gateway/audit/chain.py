"""The hash chain over the audit trail: seal, verify, checkpoint.

Writers never wait for the chain. A sealer folds events into it in the order in which it finds them
committed, in batches; an event that another transaction commits late is folded later, never
skipped. Each link's hash covers the link before it, its own number, and every column of its event.
A checkpoint keeps the head and the count, signed, outside the database (`security.md` L-01, L-02).
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson
from sqlalchemy import Connection

from gateway.errors import Malformed
from gateway.store import audit as rows
from gateway.store.audit import Seal, StoredEvent
from gateway.store.database import sole_sealer
from gateway.store.metadata import write_moment

GENESIS = "0" * 64
_BATCH = 2000
_FILE = "checkpoints.jsonl"
_KEY = "checkpoint.key"
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying the chain found."""

    sealed: int
    unsealed: int
    "Committed events that wait for the sealer."
    bad: int = 0
    "Sequence number of the first bad record, 0 where all are good."
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether every record is as it was sealed."""
        return not self.reason


def link(previous: str, sequence: int, event: StoredEvent) -> str:
    """The hash of one link."""
    columns = (
        sequence, event.id, event.key, event.at, event.kind, event.outcome, event.request,
        event.facility, event.content,
    )  # fmt: skip
    return hashlib.sha256(previous.encode() + orjson.dumps(columns)).hexdigest()


def seal(db: Connection) -> int:
    """Fold a batch of committed events into the chain and say how many; 0 when there are none.

    Runs in a writing transaction of its own. When another process seals, this one does nothing.
    """
    if not sole_sealer(db):
        return 0
    waiting = rows.select_unsealed(db, _BATCH)
    if not waiting:
        return 0
    head = rows.select_head(db)
    sequence, previous = (head.sequence, head.hash) if head else (0, GENESIS)
    seals: list[Seal] = []
    for event in waiting:
        sequence += 1
        previous = link(previous, sequence, event)
        seals.append(Seal(sequence, event.id, previous))
    rows.insert_seals(db, seals)
    return len(seals)


def unsealed(db: Connection) -> int:
    """Committed events that are not in the chain yet."""
    return rows.count_events(db) - rows.count_seals(db)


def verify(
    db: Connection, folder: Path | None = None, *, tick: Callable[[int], None] | None = None
) -> Verification:
    """Check every link, then the checkpoints in `folder`; names the first bad record."""
    previous, sequence = GENESIS, 0
    for found, event in rows.select_chain(db):
        sequence += 1
        reason = ""
        if found.sequence != sequence:
            reason = "a link is missing"
        elif event is None:
            reason = "the event is gone"
        elif link(previous, sequence, event) != found.hash:
            reason = "the event or the link was changed"
        if reason:
            return Verification(
                sealed=sequence - 1, unsealed=unsealed(db), bad=sequence, reason=reason
            )
        previous = found.hash
        if tick is not None and sequence % 1000 == 0:
            tick(sequence)
    result = Verification(sealed=sequence, unsealed=unsealed(db))
    if folder is None:
        return result
    return _verify_checkpoints(db, folder, result)


def checkpoint(db: Connection, folder: Path, at: datetime) -> Seal | None:
    """Sign the head and the count, and keep them durable in `folder`, outside the database."""
    head = rows.select_head(db)
    if head is None:
        return None
    body = {"sequence": head.sequence, "hash": head.hash, "at": write_moment(at)}
    line = {**body, "mac": _mac(_key(folder), body)}
    path = folder / _FILE
    with path.open("a+b") as stream:
        _cut_torn(stream)
        stream.write(json.dumps(line).encode("ascii") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return head


def _cut_torn(stream: BinaryIO) -> None:
    """Drop a last line that was not written to its end: the disk was full, or the power went."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _LONGEST_LINE))
    torn = stream.read().rpartition(b"\n")[2]
    if torn:
        stream.truncate(size - len(torn))


def make_key(folder: Path) -> None:
    """Make the folder and its key (0600), once, when an installation is made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / _KEY
    if path.exists():
        return
    draft = folder / f"{_KEY}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):  # of two that make it at once, the first one's stands
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _key(folder: Path) -> bytes:
    """The installation's checkpoint key."""
    try:
        return bytes.fromhex((folder / _KEY).read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise Malformed(
            "the checkpoint key cannot be read: restore it from its safe copy",
            "チェックポイント鍵を読めません。控えから復元してください。",
        ) from error


def _mac(key: bytes, body: dict[str, object]) -> str:
    return hmac.new(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), "sha256").hexdigest()


def _verify_checkpoints(db: Connection, folder: Path, result: Verification) -> Verification:
    """Every checkpoint must stand in the chain: finds a cut tail and a replaced table (L-02)."""
    path = folder / _FILE
    if not path.exists():
        return result
    key = _key(folder)
    # What stands behind the last line end was not written to its end: no checkpoint yet.
    for line in path.read_text("ascii", "replace").rpartition("\n")[0].splitlines():
        try:
            body = json.loads(line)
            mac = str(body.pop("mac"))
            sequence, digest = int(body["sequence"]), str(body["hash"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return _bad(result, 0, "a checkpoint cannot be read")
        if not hmac.compare_digest(mac, _mac(key, body)):
            return _bad(result, sequence, "a checkpoint is forged")
        found = rows.select_seal(db, sequence)
        if found is None:
            return _bad(result, result.sealed + 1, "the chain's tail is cut off")
        if found.hash != digest:
            return _bad(result, sequence, "the chain is another one than the checkpoint's")
    return result


def _bad(result: Verification, sequence: int, reason: str) -> Verification:
    return Verification(
        sealed=result.sealed, unsealed=result.unsealed, bad=max(sequence, 1), reason=reason
    )

"""The hash chain over the audit trail: seal, verify, checkpoint.

Writers never wait for the chain. A sealer folds events into it in the order in which it finds them
committed, in batches; an event that another transaction commits late is folded later, never
skipped. Each link's hash covers the link before it, its own number, and every column of its event.
A checkpoint keeps the head and the count, signed, outside the database (`security.md` L-01, L-02).
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson
from sqlalchemy import Connection

from gateway.errors import Inconsistent, Malformed
from gateway.store import audit as rows
from gateway.store.audit import Seal, StoredEvent
from gateway.store.database import sole_sealer
from gateway.store.metadata import write_moment

GENESIS = "0" * 64
_BATCH = 2000
_FILE = "checkpoints.jsonl"
_KEY = "checkpoint.key"
_LONGEST_LINE = 1024 * 1024


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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed head of the chain, as it is kept outside the database."""

    sequence: int
    hash: str
    at: str


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
    last = rows.select_head(db)
    sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
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


def head(db: Connection) -> Seal | None:
    """The last link of the chain."""
    return rows.select_head(db)


def checkpoint(db: Connection, folder: Path, at: datetime) -> Seal | None:
    """Sign the head and the count, and keep them durable in `folder`, outside the database."""
    last = rows.select_head(db)
    if last is None:
        return None
    body = {"sequence": last.sequence, "hash": last.hash, "at": write_moment(at)}
    line = {**body, "mac": _mac(_key(folder), body)}
    append(folder / _FILE, [line])
    return last


def append(path: Path, lines: Sequence[object]) -> None:
    """Append JSON lines durably to a private file; processes that append at once take turns."""
    if not lines:
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # goes with the file's closing
        _cut_torn(stream)
        stream.write(b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))
        stream.flush()
        os.fsync(stream.fileno())


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


def sign(folder: Path, body: Mapping[str, object]) -> str:
    """The authentication code of a small body, with the installation's checkpoint key."""
    return _mac(_key(folder), body)


def is_signed(folder: Path, body: Mapping[str, object], mac: str) -> bool:
    """Whether this installation signed the body."""
    return hmac.compare_digest(mac, sign(folder, body))


def take_over(source: Path | None, target: Path, head: int, at: datetime) -> "Checkpoint | None":
    """Let a restored installation go on with the checkpoints it had; the newest one beyond `head`.

    The key and the checkpoints up to `head` come from `source`. Those beyond it speak of records
    that the backup does not hold: they are kept in a file beside, as evidence of what is lost.
    """
    if source is None:
        return None
    key = _key(source)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept: list[tuple[str, Checkpoint]] = []
    beyond: list[tuple[str, Checkpoint]] = []
    for line in _lines(source / _FILE):
        found = _read_checkpoint(line, key)
        if isinstance(found, str):
            raise Inconsistent(f"checkpoints: {found}", "チェックポイントが改変されています",
                               at=_FILE, rule="L-02")  # fmt: skip
        (kept if found.sequence <= head else beyond).append((line, found))
    if source.resolve() != target.resolve():
        _replace(target / _KEY, key.hex() + "\n")
    if beyond:
        name = f"checkpoints-beyond-restore-{at:%Y%m%dT%H%M%SZ}.jsonl"
        _replace(target / name, "".join(f"{line}\n" for line, _ in beyond))
    _replace(target / _FILE, "".join(f"{line}\n" for line, _ in kept))
    return beyond[-1][1] if beyond else None


def _replace(path: Path, text: str) -> None:
    """Write a small private file as one durable step."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _key(folder: Path) -> bytes:
    """The installation's checkpoint key."""
    try:
        return bytes.fromhex((folder / _KEY).read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise Malformed(
            "the checkpoint key cannot be read: restore it from its safe copy",
            "チェックポイント鍵を読めません。控えから復元してください。",
        ) from error


def _mac(key: bytes, body: Mapping[str, object]) -> str:
    return hmac.new(
        key, orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS), "sha256"
    ).hexdigest()


def _verify_checkpoints(db: Connection, folder: Path, result: Verification) -> Verification:
    """Every checkpoint must stand in the chain: finds a cut tail and a replaced table (L-02)."""
    lines = _lines(folder / _FILE)
    key = _key(folder) if lines else b""
    for line in lines:
        kept = _read_checkpoint(line, key)
        if isinstance(kept, str):
            return _bad(result, 0, kept)
        found = rows.select_seal(db, kept.sequence)
        if found is None:
            return _bad(result, result.sealed + 1, "the chain's tail is cut off")
        if found.hash != kept.hash:
            return _bad(result, kept.sequence, "the chain is another one than the checkpoint's")
    return result


def _lines(path: Path) -> list[str]:
    """The checkpoints as written; what stands behind the last line end is none yet."""
    if not path.exists():
        return []
    return path.read_text("ascii", "replace").rpartition("\n")[0].splitlines()


def _read_checkpoint(line: str, key: bytes) -> "Checkpoint | str":
    """One checkpoint, or what is wrong with it."""
    try:
        body = json.loads(line)
        mac = str(body.pop("mac"))
        kept = Checkpoint(int(body["sequence"]), str(body["hash"]), str(body["at"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "a checkpoint cannot be read"
    if not hmac.compare_digest(mac, _mac(key, body)):
        return "a checkpoint is forged"
    return kept


def _bad(result: Verification, sequence: int, reason: str) -> Verification:
    return Verification(
        sealed=result.sealed, unsealed=result.unsealed, bad=max(sequence, 1), reason=reason
    )

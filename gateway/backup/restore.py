"""Restoring a backup into an empty installation, proven before and after (R-19, M-09).

`check` reads the whole file and proves it without touching anything. `restore` then loads it in one
transaction: rows, documents, counts, the audit chain, and the erasures that are newer than the
backup. Either all of it is there at the end, or nothing is.
"""

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pyrage import x25519
from sqlalchemy import Connection

from gateway.audit import chain
from gateway.backup import archive
from gateway.backup.archive import Member, altered
from gateway.backup.take import FOLDERS
from gateway.errors import Inconsistent, Malformed
from gateway.record import consistency, erasures
from gateway.store import copy
from gateway.store.blobs import Blobs
from gateway.store.metadata import read_moment
from gateway.store.work import Work

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")
_SETTINGS = "gateway.toml"
_LARGEST_PART = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A backup that is whole, and whose it is."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    "Files of settings by their name beside the settings file."
    proven: bool
    "Whether the audit folder's key signed it."

    @property
    def at(self) -> datetime:
        """Its end point."""
        return read_moment(self.manifest["at"])


@dataclass(slots=True, kw_only=True)
class Restored:
    """What a restore brought back, and what it could not."""

    at: datetime
    "The backup's end point."
    rows: int = 0
    documents: int = 0
    sealed: int = 0
    "Audit records whose chain was verified."
    lost_records: int = 0
    "Audit records after the end point that a checkpoint proves there were (L-02)."
    lost_until: str = ""
    "When the last of them was sealed."
    erased_again: list[str] = field(default_factory=list)
    "Erasures newer than the backup, applied again (M-09)."
    missing: list[str] = field(default_factory=list)
    "Documents that were damaged when the backup was taken."
    unconsented: int = 0
    "Persons with shared data and no consent: a defect (AUD-05)."
    proven: bool = True


def check(file: Path, keys: Sequence[x25519.Identity], audit: Path | None) -> Checked:
    """Read the whole file; raises `Inconsistent` or `Invalid`.

    Without an audit folder nobody says whose it is.
    """
    files: dict[str, bytes] = {}

    def take(member: Member) -> None:
        kind, _, name = member.name.partition("/")
        if kind == "files" and _is_safe(name):
            files[name] = member.read()
        elif kind not in ("rows", "documents"):
            raise altered("it holds something that no backup holds")

    manifest = archive.members(file, keys, take)
    mac = str(manifest.pop("mac", ""))
    if audit is not None and not chain.is_signed(audit, manifest, mac):
        raise Inconsistent(
            "the audit folder is not that of the backup's installation: name the copy that was "
            "kept, with checkpoint.key, checkpoints.jsonl and erasures.jsonl (--audit-folder)",
            "監査フォルダーが一致しません。控えを --audit-folder で指定してください",
            rule="L-02",
        )
    return Checked(manifest=manifest, files=files, proven=audit is not None)


def require_match(checked: Checked, *, home: str, network: str, schema: str) -> None:
    """Refuse a backup of another community, network or schema."""
    found = checked.manifest
    if (found["home"], found["network"]) != (home, network):
        raise Inconsistent(
            f"this is a backup of {found['network']} {found['home']}, the settings are for "
            f"{network} {home}",
            "別のネットワークのバックアップです",
            at="[community]",
        )
    if found["schema"] != schema:
        raise Inconsistent(
            f"the backup has schema {found['schema']}, this program {schema}: restore it with "
            f"version {found['product']}, then migrate",
            f"スキーマが異なります。バージョン {found['product']} で復元してください",
            rule="R-20",
        )


def write_files(checked: Checked, folder: Path) -> list[str]:
    """Bring policy, neighbours and mappings back, and public keys where none are; what was written.

    The settings file itself names hosts and folders of the machine it was on: it comes back as
    `gateway.toml.restored`, to be compared by a person.
    """
    written = []
    for name, content in checked.files.items():
        target = folder / (f"{_SETTINGS}.restored" if name == _SETTINGS else name)
        if name.startswith("pki/") and target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        written.append(target.relative_to(folder).as_posix())
    return written


def restore(
    work: Work,
    blobs: Blobs,
    file: Path,
    keys: Sequence[x25519.Identity],
    checked: Checked,
    *,
    old: Path | None,
    audit: Path,
    tell: Callable[[int], Callable[[], None]],
) -> Restored:
    """Load the backup in this Work; `old` is the audit folder that was kept, `audit` ours now."""
    refuse_occupied(work.db)
    manifest = checked.manifest
    restored = Restored(at=checked.at, proven=checked.proven)
    tables = {str(table.name): table for table in copy.tables()}
    if {name: one["columns"] for name, one in manifest["tables"].items()} != {
        name: copy.columns(table) for name, table in tables.items()
    }:
        raise altered("its tables are not those of its schema")
    step = tell(int(manifest["documents"]) + len(tables))
    counted = dict.fromkeys(tables, 0)
    damaged = set(manifest["damaged"])

    def take(member: Member) -> None:
        kind, _, name = member.name.partition("/")
        if kind == "rows":
            table = name.partition("/")[0]
            if table not in tables:
                raise altered("it holds rows of an unknown table")
            if not counted[table]:
                step()
            counted[table] += _rows(work, tables[table], member)
        elif kind == "documents" and name not in damaged:
            _document(blobs, name, member)
            restored.documents += 1
            step()

    again = archive.members(file, keys, take)
    if again.pop("mac", None) is None or again != manifest:
        raise altered("it was changed while it was read")
    if counted != {name: one["rows"] for name, one in manifest["tables"].items()}:
        raise altered("rows are missing")
    if restored.documents != manifest["documents"]:
        raise altered("documents are missing")
    copy.finish(work.db)
    restored.rows = sum(counted.values())
    restored.missing = sorted(damaged)
    beyond = chain.take_over(old, audit, int(manifest["chain"]["sequence"]), work.now)
    _verify_chain(work, audit, manifest, restored)
    if beyond is not None:
        restored.lost_records = beyond.sequence - restored.sealed
        restored.lost_until = beyond.at
    if old is not None:
        restored.erased_again = erasures.apply(work, erasures.read(old))
    restored.unconsented = len(consistency.check(work))
    work.trail.objects.append(f"backup:{manifest['sha256']}")
    work.trail.detail.update(
        end_point=manifest["at"], rows=restored.rows, documents=restored.documents,
        lost_records=restored.lost_records, erased_again=len(restored.erased_again),
        proven=restored.proven,
    )  # fmt: skip
    return restored


def refuse_occupied(db: Connection) -> None:
    """Refuse to restore over anything; for the audit door's snapshot before, and once more."""
    table = copy.occupied(db)
    if table:
        raise Inconsistent(
            "the installation is not empty: make a new one with `gateway init`",
            "復元先が空ではありません。gateway init で新しく作成してください",
            at=table,
        )


def _rows(work: Work, table: Any, member: Member) -> int:
    """Load one part of a table; how many rows it had."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(member.read(), _LARGEST_PART)
        if inflater.unconsumed_tail:
            raise altered(f"{member.name} is too large")
        rows = orjson.loads(plain)
        copy.load(work.db, table, rows)
    except (zlib.error, orjson.JSONDecodeError, copy.Uncopied, TypeError) as error:
        raise altered(f"{member.name} cannot be read") from error
    return len(rows)


def _document(blobs: Blobs, name: str, member: Member) -> None:
    """Put one document back, under the hash it has."""
    if not _SHA256.fullmatch(name):
        raise altered("it holds something that no backup holds")
    with blobs.writer() as writer:
        for chunk in member.chunks():
            writer.write(chunk)
        placed = writer.commit()
    if placed.sha256 != name:
        raise altered("a document is not what its hash says")


def _verify_chain(work: Work, audit: Path, manifest: dict[str, Any], restored: Restored) -> None:
    """The audit chain as it came back, with the checkpoints that were kept."""
    try:
        found = chain.verify(work.db, audit)
    except Malformed as error:
        raise altered("the checkpoint key cannot be read") from error
    head = chain.head(work.db)
    expected = manifest["chain"]
    if (
        not found.good
        or (head.sequence if head else 0) != expected["sequence"]
        or (head.hash if head else "") != expected["hash"]
    ):
        raise Inconsistent(
            f"the audit chain of the backup does not verify: {found.reason or 'another head'}",
            "監査証跡の連鎖を検証できません",
            rule="L-01",
            log="AUDIT-BAD",
        )
    restored.sealed = found.sealed


def _is_safe(name: str) -> bool:
    """Whether a file's name stays in the folder of settings (G7)."""
    parts = PurePosixPath(name).parts
    named = bool(_NAME.fullmatch(name)) and not {".", ".."} & set(parts)
    return named and (name == _SETTINGS or parts[0] in FOLDERS)

"""Document bytes by content hash, durable before they are acknowledged (`security.md` G4, M-02).

A blob lies under its SHA-256 and is never changed. Bytes are spooled into a temporary file of the
same folder (0600, M-04), hashed on the way, fsynced, renamed into place, and the folder is fsynced:
only then has `put` returned. `Blobs` is the port; `Folder` keeps them on a local disk.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import unquote, urlsplit

from gateway.errors import Busy
from gateway.settings import SettingsError
from gateway.store.files import durable, fsync_folder, is_alive, whole

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1024 * 1024
_TEMPORARY = "temporary"
_TIDIED = "tidied"
RESERVE = 64 * 1024 * 1024
"""Room that documents leave on their disk. What else lies there, above all the database with the
audit trail, can go on for a while, so that a full disk refuses uploads and not questions (R-06)."""


class Damaged(Exception):
    """Stored bytes are missing or are not what their hash says (R-22): never served."""

    def __init__(self, sha256: str, reason: str) -> None:
        super().__init__(f"blob {sha256[:12]}…: {reason}")
        self.sha256 = sha256
        "Which blob; a digest, so it may stand in a log."
        self.reason = reason
        "`missing` or `altered`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What was stored: both digests in hexadecimal, and the size in bytes."""

    sha256: str
    sha1: str
    "The digest XDS metadata carries (FN-801)."
    size: int


class BlobWriter(Protocol):
    """Push interface for a streaming upload; as a context it aborts unless committed."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes."""

    def reader(self) -> BinaryIO:
        """The bytes so far, to be looked at before they are committed or forgotten."""

    def commit(self) -> Blob:
        """Make the bytes durable under their hash and say what they are."""

    def abort(self) -> None:
        """Forget the bytes; harmless after `commit`."""

    def __enter__(self) -> Self:
        """The writer itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abort what was not committed."""


class Blobs(Protocol):
    """The port to document bytes; every method raises `Busy` where the store cannot be written."""

    def put(self, chunks: Iterable[bytes]) -> Blob:
        """Store the joined chunks; the same bytes twice are one blob."""

    def put_bytes(self, content: bytes) -> Blob:
        """Store bytes that are already in memory."""

    def adopt(self, file: Path) -> Blob:
        """Take over a file of this file system: it is moved away from where it lay."""

    def writer(self) -> BlobWriter:
        """Start a streaming upload."""

    def path(self, sha256: str) -> Path:
        """A local file with these bytes, unverified; raises `Damaged` where it is missing."""

    def open(self, sha256: str) -> BinaryIO:
        """The bytes as an open file, unverified; raises `Damaged` where they are missing."""

    def read(self, sha256: str) -> bytes:
        """The bytes, verified; raises `Damaged` (M-02)."""

    def verify(self, sha256: str) -> bool:
        """Whether the stored bytes are there and have their hash; constant memory."""

    def delete(self, sha256: str, *, before: datetime | None = None) -> bool:
        """Remove the bytes for good; False where there were none, or none placed before that."""

    def each(self) -> Iterator[str]:
        """The hash of every blob, for the daily scrub."""

    def sweep_temp(self, before: datetime | None = None) -> int:
        """Remove temporary files last written before that moment or of a dead process, or all."""

    def untidied(self, before: datetime) -> Iterator[str]:
        """The hash of every blob placed before that moment and after the last `tidied`."""

    def tidied(self, before: datetime) -> None:
        """Remember that every blob placed before that moment was looked at."""

    def has_room(self) -> bool:
        """Whether documents can be taken."""


def blobs_from_url(url: str) -> "Folder":
    """The store that `[blobs] url` names: `file:///…`."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise SettingsError(f"[blobs] url must be file:///…, not {parts.scheme or 'a bare path'}")
    return Folder(Path(unquote(parts.path)))


class Folder(Blobs):
    """Blobs in a local folder: `ab/cd/abcd…`, temporary files in `temporary/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temporary = root / _TEMPORARY
        with durable("documents"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._temporary.mkdir(mode=0o700, exist_ok=True)

    def put(self, chunks: Iterable[bytes]) -> Blob:
        """Store the joined chunks."""
        with self.writer() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.commit()

    def put_bytes(self, content: bytes) -> Blob:
        """Store bytes that are already in memory."""
        return self.put((content,))

    def adopt(self, file: Path) -> Blob:
        """Hash a file that was spooled elsewhere on this file system, and move it in."""
        with durable("a document"), file.open("r+b") as stream:
            blob = _measure(stream)
            os.fchmod(stream.fileno(), 0o600)
            os.fsync(stream.fileno())
            self._place((file, blob.sha256))
        return blob

    def writer(self) -> "FolderWriter":
        """Start a streaming upload."""
        return FolderWriter(self)

    def path(self, sha256: str) -> Path:
        """The file of a blob; raises `Damaged` where it is missing."""
        file = Path(self._found(sha256))
        if not file.is_file():
            raise Damaged(sha256, "missing")
        return file

    def open(self, sha256: str) -> BinaryIO:
        """The blob as an open file; raises `Damaged` where it is missing."""
        try:
            return open(self._found(sha256), "rb")  # noqa: PTH123
        except FileNotFoundError as error:
            raise Damaged(sha256, "missing") from error

    def read(self, sha256: str) -> bytes:
        """The bytes of a blob, verified."""
        try:
            content = whole(self._found(sha256))
        except FileNotFoundError as error:
            raise Damaged(sha256, "missing") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Damaged(sha256, "altered")
        return content

    def verify(self, sha256: str) -> bool:
        """Whether the stored bytes are there, readable, and have their hash."""
        try:
            with self.open(sha256) as stream:
                digest = hashlib.sha256()
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                return digest.hexdigest() == sha256
        except (Damaged, OSError):
            return False

    def delete(self, sha256: str, *, before: datetime | None = None) -> bool:
        """Remove the bytes for good, and make that durable."""
        file = Path(self._name(sha256))
        with durable("a deletion"):
            try:
                if before is not None and file.stat().st_ctime >= before.timestamp():
                    return False
                file.unlink()
            except FileNotFoundError:
                return False
            fsync_folder(file.parent)
        return True

    def each(self) -> Iterator[str]:
        """The hash of every blob, in order."""
        for first in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for second in sorted(first.glob("[0-9a-f][0-9a-f]")):
                yield from sorted(file.name for file in second.iterdir())

    def sweep_temp(self, before: datetime | None = None) -> int:
        """Remove temporary files last written before that moment, and those of dead processes."""
        swept = 0
        limit = None if before is None else before.timestamp()
        for file in self._temporary.iterdir():
            with suppress(FileNotFoundError):
                if limit is None or not is_alive(file) or file.stat().st_mtime < limit:
                    file.unlink()
                    swept += 1
        return swept

    def untidied(self, before: datetime) -> Iterator[str]:
        """The hash of every blob placed in that time; a file's ctime is when it was placed."""
        try:
            after = (self.root / _TIDIED).stat().st_mtime
        except FileNotFoundError:
            after = 0.0
        for sha256 in self.each():
            with suppress(FileNotFoundError):
                if after <= Path(self._name(sha256)).stat().st_ctime < before.timestamp():
                    yield sha256

    def tidied(self, before: datetime) -> None:
        """Remember that every blob placed before that moment was looked at."""
        with durable("a mark"):
            mark = self.root / _TIDIED
            mark.touch(mode=0o600)
            os.utime(mark, (before.timestamp(), before.timestamp()))

    def has_room(self) -> bool:
        """Whether there is more than the reserve."""
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize > RESERVE

    def _name(self, sha256: str) -> str:
        """Where a blob lies; a name that is no digest never touches the disk (G7)."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256 digest")
        return f"{self.root}/{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def _found(self, sha256: str) -> str:
        """Where a blob lies that is looked for."""
        return self._name(sha256)

    def _spool(self) -> tuple[Path, BinaryIO]:
        """A fresh temporary file that nobody else can read."""
        self._require_room()
        file = self._temporary / f"{os.getpid()}-{secrets.token_hex(16)}"
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return file, os.fdopen(handle, "wb")

    def _require_room(self) -> None:
        """Refuse what would eat into the reserve."""
        if not self.has_room():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _place(self, *several: tuple[Path, str]) -> None:
        """Rename fsynced files into place; also over an older copy, which heals it."""
        touched: dict[Path, None] = {}
        for file, sha256 in several:
            target = Path(self._name(sha256))
            second, first = target.parent, target.parent.parent
            if not second.is_dir():
                first.mkdir(mode=0o700, exist_ok=True)
                second.mkdir(mode=0o700, exist_ok=True)
                touched |= {self.root: None, first: None}
            file.replace(target)
            touched[second] = None
        for folder in touched:
            fsync_folder(folder)


class FolderWriter(BlobWriter):
    """One streaming upload into a `Folder`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._size = 0
        with durable("a document"):
            self._path, self._stream = folder._spool()
        self._open = True

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._sha256.update(chunk)
        self._sha1.update(chunk)
        self._size += len(chunk)
        try:
            with durable("a document"):
                if self._size // _CHUNK != (self._size - len(chunk)) // _CHUNK:
                    self._folder._require_room()
                self._stream.write(chunk)
        except Busy:
            self.abort()
            raise

    def reader(self) -> BinaryIO:
        """The bytes so far, as a file of its own position."""
        with durable("a document"):
            self._stream.flush()
        return self._path.open("rb")

    def commit(self) -> Blob:
        """Make the bytes durable under their hash and say what they are."""
        digest = self._sha256.hexdigest()
        try:
            with durable("a document"):
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._stream.close()
                self._folder._place((self._path, digest))
        except Busy:
            self.abort()
            raise
        self._open = False
        return Blob(sha256=digest, sha1=self._sha1.hexdigest(), size=self._size)

    def abort(self) -> None:
        """Forget the bytes."""
        if not self._open:
            return
        self._open = False
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abort what was not committed."""
        self.abort()


def _measure(stream: BinaryIO) -> Blob:
    """Both digests and the size of an open file."""
    sha256, sha1, size = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    while chunk := stream.read(_CHUNK):
        sha256.update(chunk)
        sha1.update(chunk)
        size += len(chunk)
    return Blob(sha256=sha256.hexdigest(), sha1=sha1.hexdigest(), size=size)

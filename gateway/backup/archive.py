"""The file of a backup: members in a tar, the tar in age, nothing unencrypted on any disk.

Every member's name, size and bytes go into one digest, which the manifest, the last member, carries
with the counts. age authenticates each part of its stream, so that a changed or cut file is found;
who wrote it is proven by the manifest's own signature.
"""

import hashlib
import io
import os
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson
import pyrage

from gateway.errors import Busy, Inconsistent, Invalid
from gateway.settings import SettingsError

MANIFEST = "manifest.json"
FORMAT = 1
_CHUNK = 1024 * 1024
_LARGEST = 256 * 1024 * 1024
"Bytes of a member that is read at once: rows, a file of settings, the manifest."


def altered(what: str) -> Inconsistent:
    """The refusal of a file that is no backup, or not as it was written, or without its end."""
    return Inconsistent(
        f"the backup cannot be used: {what}",
        "バックアップが破損しているか、改変されています",
        rule="R-19",
    )


# --- keys -----------------------------------------------------------------------------------------


def recipients(texts: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    """The public keys that settings or an operator name; raises `SettingsError`."""
    if not texts:
        raise SettingsError(
            "[backup] recipients is empty: make a key with `gateway backup --make-key FILE` "
            "and name its public part there"
        )
    try:
        return [pyrage.x25519.Recipient.from_str(text.strip()) for text in texts]
    except pyrage.RecipientError as error:
        raise SettingsError("[backup] recipients: a public key begins with age1") from error


def make_key(path: Path) -> str:
    """Write a new secret key (0600) and give its public part."""
    identity = pyrage.x25519.Identity.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Invalid("the key file exists or cannot be made", "鍵ファイルを作成できません",
                      at=path.name) from error  # fmt: skip
    public = str(identity.to_public())
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(f"# public key: {public}\n{identity}\n")
        stream.flush()
        os.fsync(stream.fileno())
    return public


def read_key(path: Path) -> list[pyrage.x25519.Identity]:
    """The secret keys in a file, as `age-keygen` writes it too; raises `Invalid`."""
    try:
        lines = path.read_text("ascii").splitlines()
        texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        found = [pyrage.x25519.Identity.from_str(text) for text in texts]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise Invalid(
            "the secret key cannot be read", "秘密鍵を読めません", at=path.name
        ) from error
    if not found:
        raise Invalid("the file holds no secret key", "秘密鍵がありません", at=path.name)
    return found


# --- the encrypted stream -------------------------------------------------------------------------


class _Pump(threading.Thread):
    """Moves a stream through age on a thread of its own; keeps what went wrong."""

    def __init__(self, run: Callable[[], object]) -> None:
        super().__init__(name="backup-age", daemon=True)
        self._move = run
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._move()
        except (pyrage.EncryptError, pyrage.DecryptError, OSError, ValueError) as error:
            self.error = error


@contextmanager
def _sealed(draft: Path, to: Sequence[pyrage.x25519.Recipient]) -> Iterator[BinaryIO]:
    """A stream whose bytes become an age file, durable at the end."""
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    source, sink = os.pipe()

    def encrypt() -> None:
        with os.fdopen(source, "rb") as plain, os.fdopen(handle, "wb") as target:
            pyrage.encrypt_io(plain, target, list(to))
            target.flush()
            os.fsync(target.fileno())

    pump = _Pump(encrypt)
    pump.start()
    try:
        with os.fdopen(sink, "wb") as stream:
            yield stream
    finally:
        pump.join()
    if pump.error is not None:
        raise pump.error


@contextmanager
def _opened(file: Path, keys: Sequence[pyrage.x25519.Identity]) -> Iterator[BinaryIO]:
    """The plain bytes of an age file; ends well only where the whole file was read and proven."""
    try:
        encrypted = file.open("rb")
    except OSError as error:
        raise Invalid(
            "the backup cannot be read", "バックアップを読めません", at=file.name
        ) from error
    source, sink = os.pipe()

    def decrypt() -> None:
        with encrypted, os.fdopen(sink, "wb") as target:
            pyrage.decrypt_io(encrypted, target, list(keys))

    pump = _Pump(decrypt)
    pump.start()
    failed: Exception | None = None
    with os.fdopen(source, "rb") as stream:
        try:
            yield stream
            while stream.read(_CHUNK):
                pass  # what follows the tar's end is proven too
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            failed = error
    pump.join()
    if isinstance(pump.error, pyrage.DecryptError):
        raise Invalid(
            "the key does not open this backup, or the file is none",
            "この鍵では復号できないか、バックアップファイルではありません",
            at="key",
            rule="R-19",
        ) from pump.error
    if failed is not None or pump.error is not None:
        raise altered("it was changed or its end is missing") from (pump.error or failed)


# --- members --------------------------------------------------------------------------------------


class Digest:
    """One digest over the names, sizes and bytes of members, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def begin(self, name: str, size: int) -> None:
        """The next member."""
        self._hash.update(f"{name}\n{size}\n".encode())

    def update(self, chunk: bytes) -> None:
        """Bytes of the member that began last."""
        self._hash.update(chunk)

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


class _Counted(io.RawIOBase):
    """A stream whose bytes go into the digest as they are read."""

    def __init__(self, stream: IO[bytes], digest: Digest) -> None:
        self._stream = stream
        self._digest = digest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._digest.update(chunk)
        return chunk


class Writer:
    """Members on their way into a backup."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._digest = Digest()

    def add(self, name: str, content: bytes) -> None:
        """A member that is in memory."""
        self.add_stream(name, len(content), io.BytesIO(content))

    def add_stream(self, name: str, size: int, stream: IO[bytes]) -> None:
        """A member that is read as it is written."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._digest.begin(name, size)
        self._tar.addfile(info, _Counted(stream, self._digest))

    def end(self, manifest: dict[str, Any], sign: Callable[[dict[str, Any]], str]) -> str:
        """The manifest, with the digest of all members, signed; the digest."""
        body = {**manifest, "sha256": self._digest.hexdigest()}
        content = orjson.dumps({**body, "mac": sign(body)}, option=orjson.OPT_INDENT_2)
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(content), 0o600
        self._tar.addfile(info, io.BytesIO(content))
        return self._digest.hexdigest()


@contextmanager
def written(target: Path, to: Sequence[pyrage.x25519.Recipient]) -> Iterator[tuple[Writer, Path]]:
    """A writer and the draft it writes; the draft is gone unless the body ends well."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with (
            _sealed(draft, to) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            yield Writer(tar), draft
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Busy(
            f"the backup cannot be written: {error.strerror or 'see the disk'}",
            "バックアップを書き込めません。空き容量を確認してください",
            at=target.name,
        ) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class Member:
    """One member on its way out of a backup."""

    def __init__(self, name: str, size: int, stream: IO[bytes], digest: Digest) -> None:
        self.name = name
        self.size = size
        self._stream = stream
        self._digest = digest

    def read(self) -> bytes:
        """All of it; raises `Inconsistent` where it is larger than any that is read at once."""
        if self.size > _LARGEST:
            raise altered(f"{self.name} is too large")
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, in constant memory."""
        while chunk := self._stream.read(_CHUNK):
            self._digest.update(chunk)
            yield chunk


def members(
    file: Path, keys: Sequence[pyrage.x25519.Identity], take: Callable[[Member], None]
) -> dict[str, Any]:
    """Hand every member to `take`, then give the manifest; raises where not all of it is whole.

    The manifest's signature is the caller's to check. `take` reads its member or leaves it.
    """
    digest = Digest()
    manifest: dict[str, Any] | None = None
    with _opened(file, keys) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for info in tar:
            content = tar.extractfile(info) if info.isreg() else None
            if content is None or manifest is not None:
                raise altered("it holds something that no backup holds")
            if info.name == MANIFEST:
                manifest = _manifest(content.read(_LARGEST))
                continue
            digest.begin(info.name, info.size)
            member = Member(info.name, info.size, content, digest)
            take(member)
            for _ in member.chunks():
                pass  # what `take` left
    if manifest is None:
        raise altered("its end is missing")
    if manifest.get("sha256") != digest.hexdigest():
        raise altered("its members are not those of its manifest")
    return manifest


def _manifest(content: bytes) -> dict[str, Any]:
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(content)
        if isinstance(found, dict) and found.get("format") == FORMAT:
            return found
    raise altered("its manifest is none of this version")

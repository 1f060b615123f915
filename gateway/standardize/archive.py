"""Archives and folders as uploads: ZIP, tar, a folder, a file (`security.md` E-06, E-07, E-14).

Nothing is ever extracted by name: entries are read into memory one after another, within limits.
What is wrong with one entry refuses that entry, with a finding; what is wrong with the archive as
a whole raises a Refusal, also in the middle, so a caller that must be all or nothing goes through
it once before it uses anything.
"""

import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from gateway.errors import Invalid, Malformed, OverLimit, Refusal
from gateway.model.batch import Finding
from gateway.settings import LimitSettings
from gateway.standardize import folders
from gateway.standardize.findings import finding
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_path
from gateway.standardize.registry import refuse_harmful

_CHUNK = 1024 * 1024
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_LOCAL = struct.Struct("<4s5H3L2H")
_END = b"PK\x05\x06"
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_ENTRY_OVERHEAD = 1024
_ENCRYPTED, _STREAMED, _UTF_8 = 0x1, 0x8, 0x800
_TAR_MAGIC = (257, b"ustar")


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that was not read, and why."""

    path: str
    "As far as it can be shown; data, never a path of ours."
    finding: Finding


@dataclass(slots=True)
class _Budget:
    """What an archive may still inflate to."""

    limits: LimitSettings
    inflated: int = 0
    entries: int = 0
    names: set[str] = field(default_factory=set)

    def count(self) -> None:
        """One entry more."""
        self.entries += 1
        if self.entries > self.limits.archive_entries:
            raise _over("too many entries", "書庫の項目が多すぎます")

    def inflate(self, size: int, compressed: int) -> None:
        """So many bytes more, out of so many compressed ones of the same entry so far."""
        self.inflated += size
        if self.inflated > self.limits.archive_bytes:
            raise _over("archive inflates too far", "展開後の大きさが上限を超えます")
        large = self.inflated >= self.limits.archive_ratio_from
        if large and self.inflated > self.limits.archive_ratio * max(compressed, 1):
            raise _over("compression ratio too high", "圧縮率が異常です")

    def name(self, path: str) -> None:
        """One name more; two that differ only by case, or a file that is also a folder, refuse."""
        folded = path.casefold()
        if folded in self.names:
            raise _broken("a name stands twice", "同じ名前の項目があります")
        self.names.add(folded)


def _over(english: str, text: str) -> Refusal:
    return OverLimit(english, text, at="archive", rule="E-07")


def _broken(english: str, text: str = "書庫が壊れているか、不正です") -> Refusal:
    return Malformed(english, text, at="archive", rule="E-07")


def is_archive(head: bytes) -> bool:
    """Whether the first 512 bytes are those of a ZIP or tar file."""
    place, magic = _TAR_MAGIC
    return head.startswith((b"PK\x03\x04", _END)) or head[place:].startswith(magic)


def entries(content: BinaryIO, limits: LimitSettings) -> Iterator[Upload | RefusedEntry]:
    """The files of a ZIP or tar archive, one after another."""
    head = content.read(512)
    content.seek(0)
    if head.startswith((b"PK\x03\x04", _END)):
        yield from _zip_entries(content, limits)
    elif is_archive(head):
        yield from _tar_entries(content, limits)
    else:
        raise _broken("not an archive of a known kind")


def at_path(path: Path, limits: LimitSettings) -> Iterator[Upload | RefusedEntry]:
    """The uploads that a folder, an archive or a single file on disk gives."""
    if path.is_dir():
        yield from folder(path, limits)
        return
    with path.open("rb") as content:
        if is_archive(content.read(512)):
            content.seek(0)
            yield from entries(content, limits)
            return
    if path.stat().st_size > limits.file_bytes:
        yield RefusedEntry(path.name, finding("too-large"))
    else:
        yield Upload(path=path.name, content=path.read_bytes())


def folder(root: Path, limits: LimitSettings) -> Iterator[Upload | RefusedEntry]:
    """The files of a folder in order of their names; links are never followed."""
    folders.require_few(root, limits)
    for one in folders.walk(root):
        found = one.judge(limits)
        if found is None:
            yield Upload(path=one.path, content=one.file.read_bytes(), in_tree=True)
        else:
            yield RefusedEntry(one.shown, found)


def _shown(name: str) -> str:
    """A name that may be shown: nothing in it acts, and it is short."""
    return "".join(c if c.isprintable() else "?" for c in name)[:80]


# --- ZIP ------------------------------------------------------------------------------------------


def _zip_entries(content: BinaryIO, limits: LimitSettings) -> Iterator[Upload | RefusedEntry]:
    _check_end(content, limits)
    try:
        with zipfile.ZipFile(content) as archive:
            infos = archive.infolist()
            if len(infos) > limits.archive_entries:
                raise _over("too many entries", "書庫の項目が多すぎます")
            budget = _Budget(limits)
            names = [_zip_name(info) for info in infos]
            _check_names(names, budget)
            _check_places(content, infos)
            for info, name in zip(infos, names, strict=True):
                if not name.endswith("/"):
                    yield _zip_entry(archive, info, name, budget)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as error:
        raise _broken("not a sound ZIP file") from error


def _check_end(content: BinaryIO, limits: LimitSettings) -> None:
    """The end record stands at the very end, and the directory is not larger than it may be.

    Looked at before the directory is read, so that a forged count costs no memory.
    """
    content.seek(0, 2)
    size = content.tell()
    tail = min(size, 65_557)
    content.seek(size - tail)
    bytes_at_end = content.read(tail)
    content.seek(0)
    place = bytes_at_end.rfind(_END)
    if place < 0 or len(bytes_at_end) - place < 22:
        raise _broken("no end of central directory")
    count, directory, _, comment = struct.unpack_from("<HLLH", bytes_at_end, place + 10)
    if place + 22 + comment != len(bytes_at_end):
        raise _broken("data after the end of the archive")
    if count > limits.archive_entries and count != 0xFFFF:
        raise _over("too many entries", "書庫の項目が多すぎます")
    if directory != 0xFFFFFFFF and directory > limits.archive_entries * _ENTRY_OVERHEAD:
        raise _over("directory too large", "書庫の項目が多すぎます")


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as its sender wrote it: UTF-8 where marked so, else Shift_JIS of Windows."""
    name = info.orig_filename
    if not info.flag_bits & _UTF_8 and not name.isascii():
        raw = name.encode("cp437", "replace")
        try:
            return raw.decode("cp932")
        except UnicodeDecodeError:
            return name
    return name


def _check_names(names: list[str], budget: _Budget) -> None:
    """Doubled names, names that differ by case only, a file where others have a folder."""
    folders: set[str] = set()
    for name in names:
        budget.name(name.rstrip("/") or name)
        parts = name.rstrip("/").casefold().split("/")[:-1]
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    if any(not name.endswith("/") and name.casefold() in folders for name in names):
        raise _broken("a file is also a folder", "同じ名前のファイルとフォルダがあります")


def _check_places(content: BinaryIO, infos: list[zipfile.ZipInfo]) -> None:
    """Local and central record agree, and no two entries share bytes."""
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise _broken("entries overlap")
        content.seek(info.header_offset)
        head = content.read(_LOCAL.size)
        if len(head) < _LOCAL.size:
            raise _broken("local record cut off")
        (magic, _, flags, method, _, _, crc, packed, size, name_length, extra) = _LOCAL.unpack(head)
        name = content.read(name_length)
        central = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8 else "cp437")
        streamed = flags & _STREAMED
        wide = 0xFFFFFFFF in (packed, size)
        same = (crc, packed, size) == (info.CRC, info.compress_size, info.file_size)
        if (
            magic != b"PK\x03\x04"
            or name != central
            or method != info.compress_type
            or (flags ^ info.flag_bits) & (_ENCRYPTED | _STREAMED)
            or not (streamed or wide or same)
        ):
            raise _broken("local and central record differ")
        end = info.header_offset + _LOCAL.size + name_length + extra + info.compress_size


def _zip_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget
) -> Upload | RefusedEntry:
    """One entry read within its declared size."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        return RefusedEntry(_shown(name), finding("encrypted"))
    if info.compress_type not in _METHODS:
        return RefusedEntry(_shown(name), finding("compression-unknown"))
    if kind not in (0, stat.S_IFREG):
        return RefusedEntry(_shown(name), finding("link-or-device"))
    try:
        safe_path(name)
    except Malformed:
        return RefusedEntry(_shown(name), finding("unsafe-name"))
    if info.file_size > budget.limits.file_bytes:
        return RefusedEntry(name, finding("too-large"))
    parts = []
    with archive.open(info) as stream:
        while chunk := stream.read(_CHUNK):
            budget.inflate(len(chunk), info.compress_size)
            parts.append(chunk)
    if sum(map(len, parts)) != info.file_size:
        raise _broken("an entry is not as long as declared")
    return _entry(name, b"".join(parts))


def _entry(name: str, content: bytes) -> Upload | RefusedEntry:
    """What came out, unless it is an archive again or harmful."""
    refuse_harmful(content)
    if content.startswith(_ARCHIVES):
        return RefusedEntry(name, finding("nested-archive"))
    return Upload(path=name, content=content, in_tree=True)


# --- tar ------------------------------------------------------------------------------------------


def _tar_entries(content: BinaryIO, limits: LimitSettings) -> Iterator[Upload | RefusedEntry]:
    """Regular files of a plain tar; anything else is refused and nothing is opened."""
    budget = _Budget(limits)
    try:
        with tarfile.open(fileobj=content, mode="r:", errors="strict") as archive:
            for member in archive:
                budget.count()
                name = member.name.removeprefix("./")
                if member.isdir():
                    continue
                budget.name(name)
                yield _tar_entry(archive, member, name, budget)
    except (tarfile.TarError, UnicodeDecodeError, EOFError, ValueError) as error:
        raise _broken("not a sound tar file") from error


def _tar_entry(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, budget: _Budget
) -> Upload | RefusedEntry:
    stream = archive.extractfile(member) if member.isreg() and not member.issparse() else None
    if stream is None:
        return RefusedEntry(_shown(name), finding("link-or-device"))
    try:
        safe_path(name)
    except Malformed:
        return RefusedEntry(_shown(name), finding("unsafe-name"))
    if member.size > budget.limits.file_bytes:
        return RefusedEntry(name, finding("too-large"))
    budget.inflate(member.size, member.size)
    found = stream.read()
    if len(found) != member.size:
        raise Invalid("tar file cut off", "tar が途中で切れています", at="archive", rule="E-07")
    return _entry(name, found)

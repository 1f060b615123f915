"""Folders on a disk of ours: their files in order, links never followed (`security.md` E-06, E-14).

How many files a folder has is the operator's business: it has a limit of its own, far above that of
archives from outside. Nothing here holds more than the names of one folder.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Malformed, OverLimit
from gateway.model.batch import Finding
from gateway.settings import LimitSettings
from gateway.standardize.findings import finding
from gateway.standardize.names import safe_path


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """One file of a folder as it was when it was looked at."""

    file: Path
    path: str
    "Its path below the folder, as data."
    size: int
    modified: int
    "Nanoseconds, as the file system tells."
    regular: bool = True
    "Neither a link nor a device."

    @property
    def key(self) -> str:
        """The path as it is noted; a name that is no text is noted escaped."""
        return self.path.encode("utf-8", "backslashreplace").decode()

    @property
    def shown(self) -> str:
        """The path as it may be shown: nothing in it acts, and it is short."""
        return "".join(c if c.isprintable() else "?" for c in self.path)[:80]

    def judge(self, limits: LimitSettings) -> Finding | None:
        """Why it is not read; None where it is."""
        if not self.regular:
            return finding("link-or-device")
        try:
            safe_path(self.path)
        except Malformed:
            return finding("unsafe-name")
        return finding("too-large") if self.size > limits.file_bytes else None


def walk(
    root: Path, place: Path | None = None, *, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[FolderFile]:
    """Every file below a folder in the order of the names; one that vanishes is not there.

    What is not `wanted` by its name is passed over, a folder with all that is in it.
    """
    place = place or root
    try:
        names = sorted(os.listdir(place))  # noqa: PTH208 - names alone: a folder may have many
    except FileNotFoundError:
        if place == root:
            raise
        return
    for name in names:
        if not wanted(name):
            continue
        file = place / name
        try:
            state = file.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(state.st_mode):
            yield from walk(root, file, wanted=wanted)
            continue
        yield FolderFile(
            file=file, path=file.relative_to(root).as_posix(), size=state.st_size,
            modified=state.st_mtime_ns, regular=stat.S_ISREG(state.st_mode),
        )  # fmt: skip


def count(root: Path) -> int:
    """How many files there are below a folder, by their names alone."""
    found = 0
    places: list[str | Path] = [root]
    while places:
        with os.scandir(places.pop()) as entries:
            for one in entries:
                if one.is_dir(follow_symlinks=False):
                    places.append(one.path)
                else:
                    found += 1
    return found


def require_few(root: Path, limits: LimitSettings) -> int:
    """How many files there are; raises `OverLimit` where they are too many."""
    found = count(root)
    if found > limits.folder_entries:
        raise OverLimit(
            "too many files in the folder: see [limits] folder_entries",
            "フォルダのファイルが多すぎます。[limits] folder_entries を確認してください",
            at="folder",
        )  # fmt: skip
    return found

"""A drop folder: what lands in it is taken in once it is complete, and only once.

The folder is a source: nothing in it is written, moved or removed (STG-08), unless the operator
names a folder that taken files are moved to. A file is complete once its size and time of change
have stood still for a while; one that is renamed into place is complete at once when it is old
enough. Names that begin with a dot or end like unfinished ones are left alone, links are never
followed. What was taken is noted in the transaction of its receipt (`record/watched.py`).
"""

import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.audit.door import Door
from gateway.errors import Busy, Malformed, NotPermitted, Refusal
from gateway.intake.dropped import Dropped
from gateway.intake.uploads import Intake
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.record import watched
from gateway.record.watched import WatchedRow, WatchRow
from gateway.standardize import folders
from gateway.standardize.folders import FolderFile
from gateway.standardize.names import safe_path
from gateway.store.work import Work

logger = logging.getLogger(__name__)
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", "~")
_TELLING = 15.0
"Seconds between two notes that a folder was looked at, where nothing came."
_AT_ONCE = 500
_FILES, _BYTES = 100, 16 * 1024 * 1024
"Of one receipt."


@dataclass(slots=True)
class Round:
    """What one look at the folder came to."""

    seen: int = 0
    taken: int = 0
    refused: int = 0
    unfinished: int = 0
    "Not complete yet, or to be tried again."


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Looks at one folder, again and again."""

    root: Path
    facility: str
    source: Source
    door: Door
    intake: Intake
    caller: Callable[[], Caller]
    settle: float = 5.0
    "Seconds that a file has to stand still."
    moved_to: Path | None = None
    told: Callable[[str, str], None] = lambda path, what: None
    "Hears of each file that was refused, and why."
    progress: Callable[[int, int], None] = lambda seen, total: None
    "Hears of a long look how many files it has seen, of how many there are about."
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _told: float = -math.inf
    _young: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    "Files that changed lately: size, time of change, since when they stand still."

    def look(self, stopping: Callable[[], bool] = lambda: False) -> Round:
        """Take what is complete and not known; raises `NotPermitted` where nothing may be taken."""
        found = Round()
        young: dict[str, tuple[int, int, float]] = {}
        several: list[FolderFile] = []
        size = total = 0
        for landed in self._unknown(found, young):
            if stopping():
                break
            several.append(landed)
            size += landed.size
            if len(several) >= _FILES or size >= _BYTES:
                total = total or folders.count(self.root)
                self._take(several, found)
                self.progress(found.seen, total)
                several, size = [], 0
        if several and not stopping():
            self._take(several, found)
        self._young = young
        self._tell(found)
        return found

    def _tell(self, found: Round) -> None:
        """Let the operator's door know; a look that found nothing new is told now and then."""
        now = self.steady()
        if not (found.taken or found.refused) and now - self._told < _TELLING:
            return
        self._told = now
        row = WatchRow(
            folder=str(self.root), facility=self.facility, looked=self.door.clock(),
            seen=found.seen, taken=found.taken, refused=found.refused, unfinished=found.unfinished,
        )  # fmt: skip
        self.door.keep(lambda db: watched.looked(db, row))

    def _unknown(
        self, found: Round, young: dict[str, tuple[int, int, float]]
    ) -> Iterator[FolderFile]:
        """Complete files that were not dealt with, in the order of their paths."""
        some: list[FolderFile] = []
        for landed in folders.walk(self.root, wanted=_is_wanted):
            if not landed.regular:
                continue
            found.seen += 1
            some.append(landed)
            if len(some) >= _AT_ONCE:
                yield from self._fresh(some, found, young)
                some = []
        yield from self._fresh(some, found, young)

    def _fresh(
        self, some: list[FolderFile], found: Round, young: dict[str, tuple[int, int, float]]
    ) -> Iterator[FolderFile]:
        if not some:
            return
        paths = [one.key for one in some]
        folder = str(self.root)
        known = self.door.snapshot(lambda db: watched.known(db, folder, paths), max_age=0.0)
        for one in some:
            before = known.get(one.key)
            if before is not None and (before.size, before.modified) == (one.size, one.modified):
                if before.receipt:
                    self._move(one)
                continue
            if self._is_complete(one, young):
                yield one
            else:
                found.unfinished += 1

    def _is_complete(self, one: FolderFile, young: dict[str, tuple[int, int, float]]) -> bool:
        """Whether a file has stood still for long enough, by its own time or by ours."""
        if 0 <= self.settle <= self.wall() - one.modified / 1e9:
            return True
        size, modified, since = self._young.get(one.path, (-1, -1, 0.0))
        now = self.steady()
        if (size, modified) != (one.size, one.modified):
            since = now
        young[one.path] = (one.size, one.modified, since)
        return now - since >= self.settle

    def _take(self, several: list[FolderFile], found: Round) -> None:
        """One receipt for several files, or one for each where one of them is refused."""
        sound = []
        for one in several:
            try:
                safe_path(one.path)
            except Malformed as refusal:
                self._refuse(one, refusal, found)
            else:
                sound.append(one)
        if not sound:
            return
        try:
            self._receive(sound)
        except NotPermitted:
            raise
        except Refusal as refusal:
            if len(sound) > 1:
                for one in sound:
                    self._take([one], found)
            elif isinstance(refusal, Busy):
                found.unfinished += 1
            else:
                self._refuse(sound[0], refusal, found)
        else:
            found.taken += len(sound)
            for one in sound:
                self._move(one)

    def _receive(self, several: list[FolderFile]) -> None:
        def note(work: Work, receipt: str) -> None:
            rows = [
                WatchedRow(path=one.key, size=one.size, modified=one.modified, receipt=receipt)
                for one in several
            ]
            watched.note(work, str(self.root), rows)

        self.intake.receive(
            self.caller(), [Dropped(one, self.intake.blobs) for one in several],
            facility=self.facility, source=self.source, note=note,
        )  # fmt: skip

    def _refuse(self, one: FolderFile, refusal: Refusal, found: Round) -> None:
        """Note a file that is not taken as it is, so that it is told once."""
        found.refused += 1
        row = WatchedRow(path=one.key, size=one.size, modified=one.modified, refused=refusal.code)
        with self.door.work(EventKind.UPLOAD, self.caller()) as work:
            work.trail.detail.update(refused=refusal.code, facility=self.facility)
            watched.note(work, str(self.root), [row])
        self.told(one.key, refusal.english)

    def _move(self, one: FolderFile) -> None:
        """Out of the way, where the operator wants that; never over another file."""
        if self.moved_to is None:
            return
        target = self.moved_to / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        number = 0
        while target.exists():
            number += 1
            target = target.with_name(f"{one.file.name}.{number}")
        try:
            shutil.move(one.file, target)
        except OSError as error:
            logger.warning("a taken file could not be moved: %s", error.strerror)


def _is_wanted(name: str) -> bool:
    """Whether a name is neither hidden nor that of something unfinished."""
    return not name.startswith(".") and not name.lower().endswith(_UNFINISHED)

"""A folder on a disk of ours, of any size, under one receipt that grows (STG-04).

Files are kept and added to the receipt some at a time, in the order of their names, and noted in
the same transaction: the memory is that of one such portion, and after a kill the same command goes
on where it was. Links, devices and unsafe names are told under the receipt and never read.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.errors import Invalid
from gateway.intake import keeping
from gateway.intake.dropped import Dropped
from gateway.intake.uploads import Intake, received
from gateway.model.audit import EventKind
from gateway.model.batch import Finding
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.record import deliveries, senders
from gateway.record.deliveries import Delivery
from gateway.record.staging import ReceivedFile
from gateway.record.watched import WatchedRow
from gateway.standardize import folders
from gateway.standardize.folders import FolderFile
from gateway.store.work import Work

_FILES, _BYTES = 200, 16 * 1024 * 1024
"Of one portion."


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderIntake:
    """Takes one folder in."""

    intake: Intake
    caller: Callable[[], Caller]
    root: Path
    facility: str
    source: Source
    patient: str = ""
    "Chart id that the sender states beside all of the files."

    @property
    def key(self) -> str:
        """By what the same delivery is found again."""
        place = str(self.root).encode("utf-8", "backslashreplace").decode()
        return f"{self.facility}|{self.source.value}|{self.patient}|{place}"

    def receive(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Delivery:
        """Keep every file, or those that a delivery that was cut off lacks yet.

        Raises a Refusal where nothing may be delivered, the folder has too many files or none, or a
        file changes meanwhile: what is kept by then stays, and the same call goes on.
        """
        total = folders.require_few(self.root, self.intake.limits)
        if not total:
            raise Invalid("there is no file in it", "ファイルがありません", at="folder")
        patient = self._judge(total)
        delivery, done = self._begun(), 0
        if delivery is not None and delivery.state == deliveries.CLOSING:
            return delivery  # all of it was worked through, and nobody was told
        for several in _portions(folders.walk(self.root)):
            fresh = self._fresh(delivery, several)
            if fresh:
                delivery = self._add(delivery, fresh, patient)
            done += len(several)
            progress(done, total)
        if delivery is None:
            raise Invalid("there is no file in it", "ファイルがありません", at="folder")
        return self._change(delivery, deliveries.RECEIVED)

    def close(self, delivery: Delivery) -> None:
        """All of it was worked through: the same folder again is another delivery."""
        changed = self._change(delivery, deliveries.CLOSING)
        left = True
        while left:  # some notes at a time, so that nobody waits for it
            left = self.intake.door.keep(lambda db: deliveries.forget(db, changed))

    def _judge(self, total: int) -> str:
        """Whether the facility may deliver this; the chart id as it is kept."""
        door = self.intake.door
        with door.work(EventKind.UPLOAD, self.caller(), reading=True) as work:
            work.trail.detail.update(judged=total, facility=self.facility)
            senders.require(work, self.facility, self.source)
            if not self.patient:
                return ""
            return senders.read_stated(work, self.facility, self.patient)

    def _begun(self) -> Delivery | None:
        """The delivery to go on with."""
        door = self.intake.door
        return door.snapshot(lambda db: deliveries.begun(db, self.key), max_age=0.0)

    def _fresh(self, delivery: Delivery | None, several: list[FolderFile]) -> list[FolderFile]:
        """Those that the delivery does not have as they are now."""
        if delivery is None:
            return several
        paths = [one.key for one in several]
        known = self.intake.door.snapshot(
            lambda db: deliveries.known(db, delivery, paths), max_age=0.0
        )
        return [
            one for one in several
            if (has := known.get(one.key)) is None
            or (has.size, has.modified) != (one.size, one.modified)
        ]  # fmt: skip

    def _add(self, delivery: Delivery | None, fresh: list[FolderFile], patient: str) -> Delivery:
        """Keep these files and add them to the receipt."""
        kept = list(keeping.keep((0, partial(self._keep, one)) for one in fresh))
        unread = {number: found for number, (_, found) in enumerate(kept) if found is not None}
        changed: list[Delivery] = []

        def note(work: Work, receipt: str) -> None:
            rows = [
                WatchedRow(path=one.key, size=one.size, modified=one.modified, receipt=receipt)
                for one in fresh
            ]
            current = delivery or Delivery(key=self.key, receipt=receipt)
            changed.append(deliveries.note(work, current, rows))

        self.intake.keep(
            self.caller(), [file for file, _ in kept], facility=self.facility, source=self.source,
            patient=patient, unread=unread, note=note,
            receipt=delivery.receipt if delivery else "", first=delivery.files if delivery else 0,
        )  # fmt: skip
        return changed[0]

    def _keep(self, one: FolderFile) -> tuple[ReceivedFile, Finding | None]:
        blobs = self.intake.blobs
        found = one.judge(self.intake.limits)
        if found is None:
            return received(one.path, Dropped(one, blobs).commit()), None
        # Its bytes are not read; the receipt names it, with the finding that says why.
        return received(one.shown, blobs.put_bytes(b"")), found

    def _change(self, delivery: Delivery, state: str) -> Delivery:
        with self.intake.door.work(EventKind.UPLOAD, self.caller()) as work:
            work.trail.objects.append(delivery.receipt)
            work.trail.detail.update(delivery=state, files=delivery.files)
            return deliveries.change(work, delivery, state)


def _portions(files: Iterable[FolderFile]) -> Iterator[list[FolderFile]]:
    """Some files at a time, of so many bytes."""
    several: list[FolderFile] = []
    size = 0
    for one in files:
        several.append(one)
        size += one.size
        if len(several) >= _FILES or size >= _BYTES:
            yield several
            several, size = [], 0
    if several:
        yield several

"""One upload in, one receipt out; no sockets.

`receive` judges what came, makes its bytes durable and keeps its receipt (G4); what is received
waits in the queue for its turn (`turns.py`; `ARCHITECTURE.md` section 3). The upload doors, the
command line and the drop folder all come through here (STG-04).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from gateway import standardize
from gateway.audit.door import Door
from gateway.errors import Invalid, Refusal
from gateway.intake import cutting, envelopes, keeping
from gateway.intake.signed import Signatures
from gateway.intake.turns import Reader, Turns
from gateway.model.audit import EventKind
from gateway.model.batch import Finding
from gateway.model.caller import Caller
from gateway.model.category import Source
from gateway.model.codebook import NO_CODES, CodeBook
from gateway.model.csv_mapping import CsvMapping
from gateway.record import receipts, reexamine, senders, staging
from gateway.record.staging import ReceivedFile
from gateway.settings import LimitSettings
from gateway.standardize import archive
from gateway.standardize.archive import RefusedEntry
from gateway.standardize.format import Upload
from gateway.standardize.names import safe_path
from gateway.store.blobs import Blob, Blobs
from gateway.store.work import Work

_HEAD = 512
_LOOK = 1024 * 1024
Keeper = Callable[[], tuple[ReceivedFile, Finding | None]]


class Arrival(Protocol):
    """One file as it came through a door, spooled and not yet kept."""

    @property
    def path(self) -> str:
        """Its name or path as the sender wrote it: data."""

    @property
    def in_tree(self) -> bool:
        """Whether `path` is a path inside a delivered tree."""

    def reader(self) -> BinaryIO:
        """Its bytes, to look at."""

    def commit(self) -> Blob:
        """Make its bytes durable."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file or an archive on a disk of ours, for the command line (STG-04)."""

    file: Path
    blobs: Blobs
    in_tree: bool = False

    @property
    def path(self) -> str:
        """The file's own name."""
        return self.file.name

    def reader(self) -> BinaryIO:
        """Its bytes, to look at."""
        return self.file.open("rb")

    def commit(self) -> Blob:
        """Copy its bytes into the store."""
        with self.reader() as stream:
            return self.blobs.put(iter(lambda: stream.read(_LOOK), b""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes uploads in and works them through."""

    door: Door
    blobs: Blobs
    limits: LimitSettings
    new_id: Callable[[], str]
    mappings: Callable[[str], tuple[CsvMapping, ...]] = lambda facility: ()
    "The CSV mappings of a facility, by its name."
    codes: Callable[[str], CodeBook] = lambda facility: NO_CODES
    "The code masters and the map that a facility's files are read with."
    signatures: Signatures | None = None
    "Establishes the signatures that files carry; without it such a file waits."
    owner: str = ""
    "Name of the worker that works the queue through, the same when it is started anew."
    stuck: Callable[[], None] | None = None
    "Called where one file takes far too long."
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        """Have what works the queue through."""
        reader = Reader(self.blobs, self.mappings, self.codes, self.signatures)
        turns = Turns(self.door, reader, self.new_id, owner=self.owner, stuck=self.stuck)
        object.__setattr__(self, "turns", turns)

    def receive(
        self,
        caller: Caller,
        arrivals: Sequence[Arrival],
        *,
        facility: str,
        source: Source,
        patient: str = "",
        note: Callable[[Work, str], None] = lambda work, receipt: None,
    ) -> dict[str, Any]:
        """Keep an upload whole or not at all; the JSON of the 202 (`INTERFACES.md` section 7).

        `patient` is the chart id that the sender states beside the files, for formats without one;
        `note` is called in the transaction of the receipt, for what must be known with it.

        Raises a Refusal where the sender may not deliver, a name or an archive is refused, a file
        is harmful, or none of our formats knows it.
        """
        with self.door.work(EventKind.UPLOAD, caller, reading=True) as work:
            # Before any byte is kept: what is refused here leaves nothing behind.
            work.trail.detail.update(judged=len(arrivals), facility=facility)
            senders.require(work, facility, source)
            if patient:
                patient = senders.read_stated(work, facility, patient)
            for arrival in arrivals:
                self._judge(arrival, self.mappings(facility))
        kept: list[ReceivedFile] = []
        unread: dict[int, Finding] = {}
        for file, finding in keeping.keep(self._keepers(arrivals)):
            if finding is not None:
                unread[len(kept)] = finding
            kept.append(file)
        receipt = self.keep(
            caller, kept, facility=facility, source=source, patient=patient, unread=unread,
            note=note,
        )  # fmt: skip
        return {
            "receipt": receipt.id,
            "files": [
                {"path": file.path, "sha256": file.sha256, "size": file.size}
                for _, file in receipt.files
            ],
        }

    def keep(
        self,
        caller: Caller,
        kept: Sequence[ReceivedFile],
        *,
        facility: str,
        source: Source,
        patient: str = "",
        unread: Mapping[int, Finding] | None = None,
        note: Callable[[Work, str], None] = lambda work, receipt: None,
        receipt: str = "",
        first: int = 0,
    ) -> staging.Receipt:
        """The receipt of files whose bytes are durable already; those go again if it is refused.

        `unread` are the findings of files that are not read; `note` is done in the same Work. With
        a `receipt` the files are added to it, from the number `first`.
        """
        try:
            with self.door.work(EventKind.UPLOAD, caller) as work:
                found = staging.receive(
                    work, facility=facility, source=source, files=kept, patient=patient,
                    receipt=receipt, first=first,
                )  # fmt: skip
                for number, finding in (unread or {}).items():
                    staging.refuse_file(work, found.files[number][0], (finding,))
                note(work, found.id)
        except Refusal:
            with suppress(Refusal), self.door.work(EventKind.UPLOAD, caller) as work:
                reexamine.let_go(work, {file.sha256 for file in kept})
            raise
        return found

    def _judge(self, arrival: Arrival, mappings: tuple[CsvMapping, ...]) -> None:
        """Refuse a name, a harmful or unknown file, or an unsound archive, before it is kept."""
        if self._is_several(arrival):
            if not sum(1 for _ in self._entries(arrival)):
                raise Invalid("there is no file in it", "ファイルがありません", at="archive")
            return
        safe_path(arrival.path)
        with arrival.reader() as stream:
            for piece in overlapping(stream):
                standardize.refuse_harmful(piece)
            stream.seek(0)
            upload = Upload(
                path=arrival.path, content=stream.read(cutting.LARGE), in_tree=arrival.in_tree,
                mappings=mappings,
            )  # fmt: skip
            if len(upload.content) == cutting.LARGE:
                if cutting.cutter(upload) is not None:
                    return
                rest = stream.read(cutting.WHOLE - cutting.LARGE)
                upload = replace(upload, content=upload.content + rest)
        if not envelopes.is_envelope(upload.content):
            standardize.recognise(upload)

    def _keepers(self, arrivals: Iterable[Arrival]) -> Iterator[tuple[int, Keeper]]:
        """What puts each file into the blob store, and gives the finding of one that is not read.

        With each, the bytes of it that are in memory.
        """
        for arrival in arrivals:
            if self._is_several(arrival):
                for entry in self._entries(arrival):
                    size = len(entry.content) if isinstance(entry, Upload) else 0
                    yield size, partial(self._keep_entry, entry)
            else:
                yield 0, partial(_keep, arrival)

    def _is_several(self, arrival: Arrival) -> bool:
        """Whether an arrival is an archive."""
        with arrival.reader() as stream:
            return archive.is_archive(stream.read(_HEAD))

    def _entries(self, arrival: Arrival) -> Iterator[Upload | RefusedEntry]:
        with arrival.reader() as stream:
            yield from archive.entries(stream, self.limits)

    def _keep_entry(self, entry: Upload | RefusedEntry) -> tuple[ReceivedFile, Finding | None]:
        if isinstance(entry, Upload):
            return received(entry.path, self.blobs.put_bytes(entry.content)), None
        # Its bytes are not read; the receipt names it, with the finding that says why.
        return received(entry.path, self.blobs.put_bytes(b"")), entry.finding

    def process_waiting(
        self, caller: Callable[[], Caller], stopping: Callable[[], bool], facility: str = ""
    ) -> int:
        """Work through the next files that wait, of one facility or of whose turn it is.

        Says how many there were; 0 where nothing waits, or all that waits is being worked on.
        """
        return self.turns.take(caller, stopping, facility)

    def receipt(
        self, caller: Caller, receipt: str, *, first: int = 0, most: int | None = None
    ) -> dict[str, Any]:
        """State of an upload, `most` of its files from the `first`; `NotFound` for others' (G8)."""
        with self.door.work(EventKind.RECEIPT_READ, caller, reading=True) as work:
            found = receipts.receipt(work, receipt, first=first, most=most)
        if work.recorded is not None:
            work.recorded.result()
        return found


def _keep(arrival: Arrival) -> tuple[ReceivedFile, None]:
    return received(arrival.path, arrival.commit()), None


def received(path: str, blob: Blob) -> ReceivedFile:
    """A file as it is named in a receipt."""
    return ReceivedFile(path=path, sha256=blob.sha256, size=blob.size)


def overlapping(stream: BinaryIO) -> Iterator[bytes]:
    """The whole stream in pieces that overlap, so that nothing hides at a cut."""
    tail = b""
    while piece := stream.read(_LOOK):
        yield tail + piece
        tail = piece[-128:]

"""Staged originals read again with today's mapping, tables and masters; the difference, applied.

Chart by chart, and of a chart file by file, the oldest statement first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gateway import standardize
from gateway.audit.door import Door
from gateway.errors import Refusal
from gateway.hpki.cades import content_inside
from gateway.intake import envelopes
from gateway.model.audit import EventKind
from gateway.model.batch import Batch
from gateway.model.caller import Caller
from gateway.model.codebook import NO_CODES, CodeBook
from gateway.model.csv_mapping import CsvMapping
from gateway.model.identifiers import Oid
from gateway.record import parts, replay
from gateway.record.replay import Chart, FileRow, Outcome, Overlay
from gateway.standardize.format import Run, Upload
from gateway.store.blobs import Blobs, Damaged

GONE, REFUSED, CUT = "bytes-gone", "refused-today", "cut-today"
"Why an original is not read: its bytes are gone; it is refused; it would be cut into parts."


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One original and what replaying it found."""

    file: FileRow
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Replays what an installation keeps."""

    door: Door
    blobs: Blobs
    caller: Callable[[], Caller]
    mappings: Callable[[str], tuple[CsvMapping, ...]] = lambda facility: ()
    codes: Callable[[str], CodeBook] = lambda facility: NO_CODES

    def charts(self, facility: str = "") -> list[Chart]:
        """What there is to replay, of one facility or of all."""
        return self.door.snapshot(lambda db: replay.charts(db, facility), max_age=0.0)

    def preview(self, chart: Chart) -> Iterator[Replayed]:
        """How the originals of a chart differ; nothing changes."""
        overlay = Overlay()
        for file in self._files(chart):
            read = self._read(file)
            if isinstance(read, str):
                yield Replayed(file=file, outcome=Outcome(skipped=read))
                continue
            with self.door.work(EventKind.VIEW, self.caller(), reading=True) as work:
                work.trail.detail["replay"] = "preview"
                outcome = replay.preview(work, file, read, overlay)
            if work.recorded is not None:
                work.recorded.result()  # nothing is shown before it is on record (G5)
            yield Replayed(file=file, outcome=outcome)

    def apply(self, chart: Chart) -> Iterator[Replayed]:
        """Apply what differs, one Work a file; an interrupted one is done again from its start."""
        for file in self._files(chart):
            read = self._read(file)
            if isinstance(read, str):
                yield Replayed(file=file, outcome=Outcome(skipped=read))
                continue
            with self.door.work(EventKind.INTAKE, self.caller()) as work:
                outcome = replay.apply(work, file.id, read, file.sha256)
            yield Replayed(file=file, outcome=outcome)

    def _files(self, chart: Chart) -> list[FileRow]:
        return self.door.snapshot(lambda db: replay.files(db, chart), max_age=0.0)

    def _read(self, file: FileRow) -> Batch | str:
        """What an original becomes today, or why it is not read."""
        whole = Upload(
            path=file.path, content=b"", in_tree="/" in file.path, domain=Oid(file.domain),
            patient=file.stated, mappings=self.mappings(file.facility),
            codes=self.codes(file.facility),
        )  # fmt: skip
        try:
            if file.parent:
                return self._read_part(whole, file)
            upload = replace(whole, content=self.blobs.read(file.sha256))
            if file.format.startswith(envelopes.PREFIX):
                return envelopes.read(upload, content_inside(upload.content))
            chosen = standardize.recognise(upload)
            return CUT if chosen.split is not None else standardize.read(upload, format=None)
        except Damaged:
            return GONE
        except Refusal:
            return REFUSED

    def _read_part(self, whole: Upload, file: FileRow) -> Batch | str:
        cut = self.door.snapshot(lambda db: replay.parent(db, file), max_age=0.0)
        if cut is None:
            return GONE
        with self.blobs.open(file.sha256) as stream:
            runs = tuple(Run(*one) for one in parts.read(stream, file))
        upload = replace(whole, content=b"".join(run.content for run in runs), runs=runs)
        return standardize.read(upload, format=standardize.format_named(cut.format))

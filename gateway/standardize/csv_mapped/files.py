"""CSV by a facility's mapping file (`INTERFACES.md` section 5): one format for every layout.

The delivering facility's mappings come with the upload (`Upload.mappings`); the file is read by the
one that fits its header or columns. A file is about many people: it is cut into parts by patient
within windows of some MiB, so that a file of any size takes the same memory.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import BinaryIO

from gateway.errors import Invalid, Malformed, OverLimit, Refusal, Unsupported
from gateway.model.batch import Batch
from gateway.model.category import Category
from gateway.model.csv_mapping import CsvMapping
from gateway.model.identifiers import PatientId
from gateway.standardize.csv_mapped import clinical as csv_clinical
from gateway.standardize.csv_mapped import medication as csv_medication
from gateway.standardize.csv_mapped import results as csv_results
from gateway.standardize.csv_mapped import rows as csv_rows
from gateway.standardize.csv_mapped import text as csv_text
from gateway.standardize.csv_mapped.reading import CsvReading
from gateway.standardize.csv_mapped.rows import CsvRow, Layout
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Part, Span, Upload
from gateway.standardize.reading import stated_domain

WINDOW = 4 * 1024 * 1024
"Bytes after which rows are no longer grouped with those before."

_HEAD = 64 * 1024
_MAPPERS: Mapping[Category, Callable[[CsvReading, list[CsvRow]], None]] = {
    Category.LAB_RESULT: csv_results.laboratory,
    Category.BIOMETRIC: csv_results.measured,
    Category.DAILY_LIVING: csv_results.measured,
    Category.WATCH_OVER: csv_results.measured,
    Category.DIAGNOSIS: csv_clinical.diagnoses,
    Category.ALLERGY: csv_clinical.allergies_of,
    Category.PRESCRIPTION: csv_medication.read,
    Category.DISPENSING: csv_medication.read,
}


def recognise(upload: Upload) -> bool:
    """Whether exactly one mapping fits; where none does, the one whose header it nearly has."""
    return _mapping(upload) is not None


def bind(upload: Upload) -> Format:
    """The format as this upload is read by it: with its mapping."""
    mapping = _mapping(upload)
    if mapping is None:
        raise Unsupported("no mapping fits this file", "該当する対応表がありません", at="mapping")
    return replace(FORMAT, read=partial(_read, mapping), split=partial(_split, mapping), bind=None)


def read(upload: Upload) -> Batch:
    """Read one file or part about one person by the mapping that fits."""
    return bind(upload).read(upload)


def _mapping(upload: Upload) -> CsvMapping | None:
    """The mapping that a file is read by; several that fit are a refusal."""
    if not upload.mappings:
        return None
    fits, near = [], []
    for one in upload.mappings:
        share = _fit(one, upload.content[:_HEAD])
        if share == 1:
            fits.append(one)
        elif share > 0.5:
            near.append(one)
    found = fits or near
    if len(found) > 1 and fits:
        raise Invalid(
            "more than one mapping fits this file", "複数の対応表に該当します", at="mapping"
        )
    return found[0] if len(found) == 1 else None


def _fit(mapping: CsvMapping, head: bytes) -> float:
    """How much of a mapping the first rows have: of its header, or of what columns must be."""
    layout = Layout(mapping)
    found = csv_text.lines(BytesIO(head), mapping.encoding, set())
    try:
        for record in csv_text.records(found, mapping.separator):
            if record.problem:
                return 0
            row = csv_rows.as_head(record, mapping)
            if row is not None:
                return _share(layout, row)
    except Refusal:
        pass
    return 0


def _share(layout: Layout, cells: tuple[str, ...]) -> float:
    columns = layout.mapping.columns
    if layout.mapping.header:
        return 1 - len(layout.missing(cells)) / len(columns)
    places = [int(one.source) - 1 for one in columns]
    if len(cells) <= max(places):
        return 0
    return float(
        all(csv_rows.could_be(one, cells[at]) for one, at in zip(columns, places, strict=True))
    )


def _read(mapping: CsvMapping, upload: Upload) -> Batch:
    """What rows about one person say; rows that name nobody are accounted for without items."""
    notes: set[str] = set()
    rows = list(csv_rows.of_upload(mapping, upload, notes))
    found = dict.fromkeys(row.patient for row in rows if row.kind == "data")
    if len(found) > 1:
        raise Malformed(
            "several patients: the file is read in parts", "複数の患者が含まれています", at="row 1"
        )
    name = f"csv/{mapping.name or mapping.row.category.value}"
    if not found:
        return _nobody(upload, rows, name)
    patient = PatientId(stated_domain(upload), next(iter(found)))
    reading = CsvReading(upload, patient, mapping, notes)
    reading.describe(rows)
    own = [row for row in rows if row.kind == "data" and not reading.has(row)]
    _MAPPERS[mapping.row.category](reading, own)
    return reading.batch(name)


def _nobody(upload: Upload, rows: list[CsvRow], name: str) -> Batch:
    """Rows that are refused or empty, and the header: nobody's."""
    account: dict[str, str] = {}
    for row in rows:
        became = row.problem or ("used" if row.kind == "header" else "empty-row")
        account.update({f"row {number}": became for number in row.lines})
    findings = [
        finding(row.problem, f"{row.at} {row.column}".strip()) for row in rows if row.problem
    ]
    findings += [finding("empty-row", row.at) for row in rows if row.kind == "blank" and row.lines]
    return Batch(
        path=upload.path, format=name, patient=None, findings=tuple(findings), account=account
    )


def _split(mapping: CsvMapping, stream: BinaryIO) -> Iterator[Part]:
    """Parts by patient within windows; where a row out of shape refuses the file, before any part.

    That takes a first pass over the file. A stream that cannot go back is refused where the row is.
    """
    if mapping.on_error == "file" and stream.seekable():
        for _ in csv_rows.of_stream(mapping, stream, set()):
            pass
        stream.seek(0)
    window = _Window(mapping)
    for row in csv_rows.of_stream(mapping, stream, set()):
        if window.is_full_before(row):
            yield from window.parts()
        window.add(row)
    yield from window.parts()
    yield from window.head_alone()


class _Window:
    """The rows since the last cut, as runs by patient."""

    __slots__ = ("_begun", "_current", "_ditto", "_groups", "_head", "_open")

    def __init__(self, mapping: CsvMapping) -> None:
        self._ditto = any(column.ditto for column in mapping.columns)
        self._head: Span | None = None
        self._open = True
        "Whether only what stands before the rows was seen."
        self._groups: dict[str, list[Span]] = {}
        self._current = ""
        self._begun = -1

    def is_full_before(self, row: CsvRow) -> bool:
        """Whether to cut here: a long window ends with a patient, a very long one anywhere."""
        size = row.start - self._begun if self._begun >= 0 else 0
        if size < WINDOW or row.kind != "data":
            return False
        if row.patient != self._current or (size > 4 * WINDOW and not self._ditto):
            return True
        if size > 16 * WINDOW:
            raise OverLimit(
                "too many rows that repeat the row above", "同上の行が続きすぎています",
                at=row.at, rule="E-09",
            )  # fmt: skip
        return False

    def add(self, row: CsvRow) -> None:
        """Put a row into its patient's run; blank rows and repeated headers go with the row above.

        A row that is refused goes with nobody.
        """
        if self._open and row.kind in ("header", "blank"):
            start = self._head.start if self._head else row.start
            self._head = Span(self._head.row if self._head else row.number, start, row.end)
            return
        self._open = False
        if self._begun < 0:
            self._begun = row.start
        if row.kind in ("data", "bad"):
            self._current = row.patient
        runs = self._groups.setdefault(self._current, [])
        if runs and runs[-1].end == row.start:
            runs[-1] = Span(runs[-1].row, runs[-1].start, row.end)
        else:
            runs.append(Span(row.number, row.start, row.end))

    def parts(self) -> Iterator[Part]:
        """What was gathered, one part a patient; begins anew."""
        shared = (self._head,) if self._head else ()
        for runs in self._groups.values():
            yield Part(own=tuple(runs), shared=shared)
        self._groups = {}
        self._begun = -1

    def head_alone(self) -> Iterator[Part]:
        """Of a file without rows, what stands before them."""
        if self._open and self._head:
            yield Part(own=(self._head,))


def _unbound(stream: BinaryIO) -> Iterator[Part]:
    raise Unsupported("a mapping is needed", "対応表が必要です", at="mapping")


FORMAT: Format = Format(name="csv", recognise=recognise, read=read, split=_unbound, bind=bind)

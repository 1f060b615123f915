"""What an upload format is: one row that recognises and reads one kind of file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from gateway.model.batch import Batch
from gateway.model.codebook import NO_CODES, CodeBook
from gateway.model.csv_mapping import CsvMapping
from gateway.model.identifiers import Oid

UNSTATED = Oid("2.999.0")
"Domain of chart ids where nobody says whose they are (the pure command line)."


@dataclass(frozen=True, slots=True)
class Span:
    """A run of whole lines of a file."""

    row: int
    "Number of its first line in the file, from 1."
    start: int
    "First byte in the file."
    end: int
    "First byte after it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a file about several people says about one of them."""

    own: tuple[Span, ...]
    "Lines about this person alone: what an erasure blanks."
    shared: tuple[Span, ...] = ()
    "Lines that hold for every part, such as a header that names institution and month."


@dataclass(frozen=True, slots=True)
class Run:
    """Lines of a file, and where they begin in it."""

    row: int
    start: int
    content: bytes
    within: str = ""
    "What they stand in, where that is not the file itself: one part of several."


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file as it came: its own path (data, never a path of ours) and its bytes."""

    path: str
    content: bytes
    "The whole file, or of a part its runs one after another."
    runs: tuple[Run, ...] = ()
    "Of a part: where its lines stand in the file; empty where `content` is the whole file."
    in_tree: bool = False
    "Whether `path` is a path inside a delivered tree or archive, so that folders mean something."
    domain: Oid | None = None
    "Chart id domain of the facility it is delivered for; None only on the pure command line."
    institution: str = ""
    "Ten digits of the facility it is delivered for; empty where nobody said them."
    patient: str = ""
    "Chart id the sender states beside a file whose format carries none (medication notebook)."
    mappings: tuple[CsvMapping, ...] = ()
    "CSV layouts of the facility it is delivered for."
    codes: CodeBook = NO_CODES
    "Code masters that the operator loaded, and the map of the facility's own codes."

    def holding(self, path: str, content: bytes, *, in_tree: bool, patient: str) -> "Upload":
        """A file of the same facility: what `replace` gives, for less."""
        return Upload(
            path=path, content=content, in_tree=in_tree, patient=patient, domain=self.domain,
            institution=self.institution, mappings=self.mappings, codes=self.codes,
        )  # fmt: skip

    @property
    def lines(self) -> tuple[Run, ...]:
        """The runs of lines to read."""
        return self.runs or (Run(1, 0, self.content),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One upload format; exactly one must recognise an upload."""

    name: str
    recognise: Callable[[Upload], bool]
    "Cheap look at path and first bytes."
    read: Callable[[Upload], Batch]
    """Reads what is about one person: the whole file, or one part of it. Raises a Refusal where
    that as a whole is refused."""
    split: Callable[[BinaryIO], Iterator[Part]] | None = None
    """Of a format whose files are about several people: cuts a file into parts about one each,
    reading it from front to back in bounded memory. Every line of the file is in one part's
    `own` or in `shared`. Raises a Refusal where the file is refused as a whole."""
    signed: Callable[[Upload], bytes] | None = None
    """Of a format whose files carry a signature: the bytes of a file that items are made of, which
    the signature has to cover. Intake verifies it (SIG-05, J-06); empty: nothing is made of it."""
    bind: Callable[[Upload], "Format"] | None = None
    """Of a format that needs what came with an upload (its mappings): the format that reads this
    upload and cuts it into parts."""
    placed: bool = False
    """Its place or its name says what it is, whatever its content is like: asked before all that
    look at the content."""


def part_of(upload: Upload, part: Part) -> Upload:
    """One part of a whole file as an upload of its own."""
    runs = tuple(
        Run(span.row, span.start, upload.content[span.start : span.end])
        for span in (*part.shared, *part.own)
    )
    return replace(upload, content=b"".join(run.content for run in runs), runs=runs)

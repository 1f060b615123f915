"""What an upload format is: one row that recognises and reads one kind of file."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.batch import Batch
from gateway.model.identifiers import Oid

UNSTATED = Oid("2.999.0")
"Domain of chart ids where nobody says whose they are (the pure command line)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file as it came: its own path (data, never a path of ours) and its bytes."""

    path: str
    content: bytes
    in_tree: bool = False
    "Whether `path` is a path inside a delivered tree or archive, so that folders mean something."
    domain: Oid | None = None
    "Chart id domain of the facility it is delivered for; None only on the pure command line."
    patient: str = ""
    "Chart id the sender states beside a file whose format carries none (medication notebook)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One upload format; exactly one must recognise an upload."""

    name: str
    recognise: Callable[[Upload], bool]
    "Cheap look at path and first bytes."
    read: Callable[[Upload], Batch]
    "Reads the whole; raises a Refusal where the file as a whole is refused."

"""Files that are signed CMS data with their content inside (CAdES, `.p7m`).

What is read is what the signature covers and nothing else (J-06); the file itself, signature and
all, stays the upload's. A file of this kind has no place where anything could stand beside it.
"""

from dataclasses import replace

from gateway import standardize
from gateway.errors import Invalid, Unsupported
from gateway.hpki.wrapping import recognised
from gateway.model.batch import Batch, Item
from gateway.model.signature import SignatureReport
from gateway.standardize.format import Upload

PREFIX = "cms/"
"Before the name of the format of what is inside."
_SUFFIXES = (".p7m", ".p7s", ".p7")
_CONTENT = "content"
"Name of the check that the signed content is there."


def is_envelope(content: bytes) -> bool:
    """Whether bytes begin as signed CMS data."""
    return recognised(content)


def refuse_detached(report: SignatureReport) -> None:
    """Refuse a signature whose content is elsewhere: it would wait for ever.

    Raises `Invalid`.
    """
    checks = (check for one in report.signatures for check in one.checks)
    if any(check.name == _CONTENT for check in checks):
        raise Invalid(
            "a signature beside its content: send it with its content inside (.p7m)",
            "署名対象を含まない署名です。署名対象を含む形式(.p7m)で送ってください",
            at="content", rule="J-06", log="DOCSIG",
        )  # fmt: skip


def inside(upload: Upload, content: bytes) -> Upload:
    """What is inside, as a file of its own; raises where it is harmful (E-14)."""
    standardize.refuse_harmful(content)
    path = upload.path
    suffix = next((one for one in _SUFFIXES if path.lower().endswith(one)), "")
    return replace(upload, content=content, path=path[: len(path) - len(suffix)] or path)


def read(upload: Upload, content: bytes) -> Batch:
    """Read what is inside of an envelope; places are those in the envelope, as far as they are.

    Raises a Refusal where that is refused, `Unsupported` where it is about several people: what is
    kept of one of them must be able to go without the others' (WDR-01), and a signature cannot.
    """
    inner = inside(upload, content)
    chosen = standardize.recognise(inner)
    if chosen.split is not None:
        raise Unsupported(
            "a file about several people is not taken inside of a signature: sign each one's file,"
            " or send it by itself over the facility's own connection",
            "複数の患者を含むファイルは署名に包んだ形では受け付けません。患者ごとに署名するか、"
            "署名に包まずに送ってください",
            at="content",
        )  # fmt: skip
    return placed(upload, content, standardize.read(inner, format=chosen))


def placed(upload: Upload, content: bytes, batch: Batch) -> Batch:
    """What was read of the content of an envelope, as of the envelope."""
    start = upload.content.find(content)
    items = tuple(_placed(item, upload, start) for item in batch.items)
    papers = tuple(
        paper if paper.content is not None else replace(paper, content=content)
        for paper in batch.papers
    )
    return replace(
        batch, path=upload.path, format=PREFIX + batch.format, items=items, papers=papers
    )


def _placed(item: Item, upload: Upload, start: int) -> Item:
    """Where an item stands in the envelope: all of it, where the content is packed or in pieces."""
    place = item.source
    moved = place._replace(file=upload.path, start=0, end=len(upload.content))
    if start >= 0:
        moved = moved._replace(start=place.start + start, end=place.end + start)
    return item._replace(source=moved)

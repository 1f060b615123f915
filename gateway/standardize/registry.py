"""Which formats there are, and which one an upload is: exactly one, or a clear refusal."""

import io
from collections.abc import Iterator
from dataclasses import replace

from gateway.errors import Invalid, Refusal, Unsupported
from gateway.model.batch import Batch
from gateway.standardize import (
    csv_mapped,
    fhir_bundle,
    hl7,
    lab_fixed,
    notebook,
    papers,
    ssmix2,
    uke,
)
from gateway.standardize.findings import refused
from gateway.standardize.format import Format, Upload, part_of
from gateway.standardize.prescription import container, jahis
from gateway.standardize.version import mapping_version

FORMATS: tuple[Format, ...] = (
    ssmix2.FORMAT,
    ssmix2.TRANSACTIONS,
    ssmix2.EXTENDED,
    ssmix2.INDEX,
    hl7.FORMAT,
    notebook.FORMAT,
    jahis.FORMAT,
    container.FORMAT,
    lab_fixed.FORMAT,
    uke.FORMAT,
    csv_mapped.FORMAT,
    fhir_bundle.FORMAT,
    papers.PDF_FORMAT,
    papers.XML_FORMAT,
)
"Every upload format."

_HARMFUL = b"".join((b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"))
"The standard antivirus test string, of halves, so that no scanner takes this file for it."


def is_harmful(content: bytes) -> bool:
    """Whether the content carries the standard antivirus test string (STG-09, E-14)."""
    return content.find(_HARMFUL) >= 0


def refuse_harmful(content: bytes) -> None:
    """Refuse harmful content."""
    if is_harmful(content):
        raise Invalid("harmful file", "有害なファイルです", at="content", rule="STG-09")


def format_named(name: str) -> Format:
    """The format of that name."""
    for one in FORMATS:
        if one.name == name:
            return one
    raise Unsupported("no format of that name", "その名前の様式はありません", at="format")


def recognise(upload: Upload) -> Format:
    """The one format that an upload is; none or several is a refusal, not a race."""
    found = [one for one in FORMATS if one.placed and one.recognise(upload)]
    found = found or [one for one in FORMATS if not one.placed and one.recognise(upload)]
    if len(found) == 1:
        return bound(found[0], upload)
    if found:
        raise Invalid(
            "more than one format recognises this file", "複数の様式に該当します", at="content"
        )
    raise Unsupported("unknown kind of file", "未知の種類のファイルです", at="content")


def bound(format: Format, upload: Upload) -> Format:
    """A format as it reads one upload: with the mapping that came with it, where it needs one."""
    return format.bind(upload) if format.bind else format


def read(upload: Upload, *, format: Format | None = None) -> Batch:
    """Read an upload by its format; raises a Refusal where the file as a whole is refused."""
    refuse_harmful(upload.content)
    ssmix2.check_place(upload)
    chosen = bound(format, upload) if format else recognise(upload)
    batch = chosen.read(upload)
    return batch if batch.mapping else replace(batch, mapping=mapping_version(upload.codes.version))


def attempt(upload: Upload, *, format: Format | None = None) -> Batch:
    """Read an upload about one person; a refusal of the whole is a batch with that one finding."""
    try:
        return read(upload, format=format)
    except Refusal as refusal:
        return Batch(path=upload.path, format="", patient=None, findings=(refused(refusal),))


def batches(upload: Upload, *, format: Format | None = None) -> Iterator[Batch]:
    """What a whole file becomes: one batch, or one for each person that it is about.

    A part that is refused is a batch with that one finding, and the others are read.
    """
    try:
        refuse_harmful(upload.content)
        found = bound(format, upload) if format else recognise(upload)
        if found.split is None:
            yield read(upload, format=found)
            return
        for part in found.split(io.BytesIO(upload.content)):
            yield attempt(part_of(upload, part), format=found)
    except Refusal as refusal:
        yield Batch(path=upload.path, format="", patient=None, findings=(refused(refusal),))

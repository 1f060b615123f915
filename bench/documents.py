"""Documents of an installation's first person, filed through the record room."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.installation import chart
from gateway import app, settings
from gateway.cli.demo_people import CHARTS
from gateway.model.audit import EventKind
from gateway.model.category import Category, FacilityType
from gateway.model.document import Code, DocumentEntry
from gateway.model.identifiers import Oid, PatientId
from gateway.model.signature import Indication, SignatureReport
from gateway.record import documents
from gateway.record.entries import FACILITY_CODES, GENERAL, NORMAL

CHUNK = 1024 * 1024
_TYPE = Code("11502-2", "2.16.840.1.113883.6.1", "検査報告書")
_FORMAT = Code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "")


def unique_id(number: int) -> str:
    """The unique id of one document."""
    return f"2.999.77.{number}"


def content(size: int, seed: int) -> Iterator[bytes]:
    """So many bytes, by seed."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    while size > 0:
        yield draw.randbytes(min(CHUNK, size))
        size -= CHUNK


def file(place: Path, sizes: Iterable[int]) -> list[str]:
    """File a document of each size, once; their SHA-256."""
    found = []
    with app.open_gateway(settings.load(place / "gateway.toml")) as gateway:
        for number, size in enumerate(sizes, 1):
            blob = gateway.blobs.put(content(size, number))
            found.append(blob.sha256)
            with gateway.door.work(EventKind.DOCUMENT_FILED, gateway.operator()) as work:
                entry = DocumentEntry(
                    entry_uuid=f"urn:uuid:{work.new_id()}", unique_id=unique_id(number),
                    repository=gateway.community.repository, home=gateway.community.home,
                    patient=_patient(), source_patient=_patient(), title=f"検査報告書 {number}",
                    category=Category.LAB_RESULT, class_code=_TYPE, type_code=_TYPE,
                    format_code=_FORMAT, facility_type=FACILITY_CODES[FacilityType.HOSPITAL],
                    practice_setting=GENERAL, confidentiality=NORMAL, mime_type="application/pdf",
                    language="ja", created=datetime(2026, 11, number, tzinfo=UTC),
                    author="見本医師", author_institution="見本病院", facility="hospital-a",
                    source_system="other",
                )  # fmt: skip
                report = SignatureReport(
                    file_sha256=blob.sha256, indication=Indication.UNVERIFIABLE, signatures=(),
                    verified_at=work.now,
                )  # fmt: skip
                documents.file_blob(work, entry, blob, report)
    return found


def _patient() -> PatientId:
    return PatientId(Oid(CHARTS["hospital-a"]), chart(0))

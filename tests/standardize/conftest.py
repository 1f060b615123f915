"""Golden files: `GOLDEN=1 pytest` writes them anew for review."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.members.mappings import load_mapping
from gateway.model.batch import Batch
from gateway.model.identifiers import Oid
from gateway.standardize import Upload, batches
from gateway.wire import fhir

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SAMPLES = REPOSITORY / "samples" / "standardize"
MAPPINGS = tuple(load_mapping(path) for path in sorted((SAMPLES.parent / "mappings").iterdir()))
"Every sample of a CSV mapping; each fits one of the sample files."
FILES = {
    path.relative_to(SAMPLES).as_posix(): path
    for path in sorted(SAMPLES.rglob("*"))
    if path.is_file()
}
GOLDEN = REPOSITORY / "tests" / "golden" / "standardize"


def readable(batch: Batch) -> str:
    """A batch as JSON that can be read in review; decimals as they leave the gateway."""
    document: dict[str, Any] = {
        "format": batch.format,
        "patient": f"{batch.patient.domain} {batch.patient.value}" if batch.patient else None,
        "occurred": batch.occurred,
        "version": batch.version,
        "scope": batch.scope,
        "patient_resource": batch.patient_resource,
        "items": [
            {
                "category": item.category.value,
                "key": item.key,
                "version": item.version,
                "cancelled": item.cancelled,
                "source": f"{item.source.at} bytes {item.source.start}-{item.source.end}",
                "resource": item.resource,
                "companions": [one["id"] for one in item.companions],
            }
            for item in batch.items
        ],
        "companions": {one["id"]: one for item in batch.items for one in item.companions},
        "findings": [f"{one.severity.value} {one.code} {one.at}" for one in batch.findings],
        "account": batch.account,
    }
    if batch.papers:
        document["papers"] = [
            {
                "at": paper.at,
                "title": paper.title,
                "category": paper.category.value,
                "class": f"{paper.class_code.code} {paper.class_code.display}",
                "type": f"{paper.type_code.code} {paper.type_code.display}",
                "mime_type": paper.mime_type,
                "created": paper.created.isoformat() if paper.created else "",
                "author": f"{paper.author} {paper.author_institution}".strip(),
                "bytes": "the file" if paper.content is None else len(paper.content),
            }
            for paper in batch.papers
        ]
    written = json.loads(fhir.dumps(document), parse_float=str, parse_int=str)
    return json.dumps(written, ensure_ascii=False, indent=1) + "\n"


def sample(name: str, domain: str = "2.999.30.1") -> Upload:
    """A sample as it would be uploaded."""
    return Upload(
        path=name,
        content=FILES[name].read_bytes(),
        in_tree=name.startswith("ssmix2/"),
        domain=Oid(domain),
        mappings=MAPPINGS,
        patient="00000123" if name.startswith("document/") else "",
    )


def sample_batches(name: str) -> list[Batch]:
    """What a sample becomes, one batch a person."""
    return list(batches(sample(name)))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with the golden file of that name, or write it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"no golden file {name}: make golden"
        assert text == path.read_text(encoding="utf-8")

    return compare

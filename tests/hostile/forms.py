"""Uploads over the wire: forms with any bytes in them, receipts, entries of documents."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from conformance.client import Answer, Client
from conformance.messages import Person
from gateway.demo import files
from gateway.demo.files import Newcomer
from tests.hostile.site import Site
from tests.shared import SHARED

BOUNDARY = "hostile-boundary-7f3a"
PUBLISHED = (SHARED or Path()) / "security" / "payloads"
SOMEBODY = Person(
    family="例示", given="花", family_kana="レイジ", given_kana="ハナ", birth="19600101",
    gender="F", address="岐阜県岐阜市見本町1", phone="0580000000",
)  # fmt: skip
DAY = f"{datetime.now(UTC):%Y%m%d}"


def published(*patterns: str) -> list[str]:
    """The payload files of these patterns, by their place; none where nothing is published."""
    if SHARED is None:
        return []
    found = {
        path.relative_to(PUBLISHED).as_posix()
        for pattern in patterns for path in PUBLISHED.glob(pattern) if path.is_file()
    }  # fmt: skip
    return sorted(found)


def rows(table: str) -> list[dict[str, Any]]:
    """The rows of one table under `gateway/`."""
    if SHARED is None:
        return []
    lines = (PUBLISHED / "gateway" / table).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def laboratory(chart: str = "L-1") -> bytes:
    """A result message that the hospital may deliver."""
    return files.laboratory(Newcomer(SOMEBODY, chart, "B-x", "C-x"), DAY)


def part(name: str, content: bytes, filename: bytes | None = None) -> bytes:
    """One part of a form."""
    file = b"" if filename is None else b'; filename="%s"' % filename
    head = b'Content-Disposition: form-data; name="%s"%s\r\n' % (name.encode(), file)
    return b"--%s\r\n%s\r\n%s\r\n" % (BOUNDARY.encode(), head, content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()


def post(client: Client, path: str, body: bytes, boundary: str = BOUNDARY) -> Answer:
    """Send a form."""
    kind = f'multipart/form-data; boundary="{boundary}"'
    return client.request("POST", path, body, {"Content-Type": kind})


def upload(
    site: Site, content: bytes, name: bytes = b"result.hl7", *, source: str = "emr",
    who: str = "hospital-a",
) -> Answer:  # fmt: skip
    """One file through `POST /uploads`."""
    body = form(part("source", source.encode()), part("file", content, name))
    return post(site.client(who), "/uploads", body)


def put(site: Site, name: bytes, content: bytes, *, raw: bool = False) -> Answer:
    """One file of a tree at its own path; `raw` keeps percent signs as they are."""
    safe = "/%" if raw else "/"
    target = "/uploads/files/" + quote_from_bytes(name, safe=safe + "!$&'()*+,;=:@")
    kind = {"Content-Type": "application/octet-stream"}
    return site.client("hospital-a").request("PUT", target, content, kind)


def done(site: Site, answer: Answer, who: str = "hospital-a") -> list[dict[str, Any]]:
    """What became of each file of an accepted upload."""
    assert answer.status == 202
    receipt = json.loads(answer.body)["receipt"]
    until = time.monotonic() + 15
    while True:
        found = site.client(who).request("GET", f"/uploads/{receipt}")
        assert found.status == 200
        told = json.loads(found.body)
        if told["state"] == "done":
            became: list[dict[str, Any]] = told["files"]
            codes = [one["code"] for file in became for one in file["findings"]]
            assert "internal-error" not in codes
            return became
        assert time.monotonic() < until
        time.sleep(0.01)


def entry(site: Site, mime: str = "application/pdf") -> dict[str, Any]:
    """The description of a document of patient A."""
    chart = site.known["patients"][0]["identifiers"][1]
    loinc = "2.16.840.1.113883.6.1"
    return {
        "patient": chart, "title": "見本文書", "category": "lab_result", "mime_type": mime,
        "language": "ja", "facility": "hospital-a", "created": datetime.now(UTC).isoformat(),
        "class": {"code": "30954-2", "system": loinc, "display": "検査"},
        "type": {"code": "30954-2", "system": loinc, "display": "検査"},
        "format": {
            "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
            "system": "1.3.6.1.4.1.19376.1.2.3", "display": "mimeTypeSufficient",
        },
        "confidentiality": {"code": "N", "system": "2.16.840.1.113883.5.25", "display": "N"},
        "author": {"name": "見本医師"},
    }  # fmt: skip


def document(
    site: Site, content: bytes, described: bytes | None = None, *, mime: str = "application/pdf",
    name: bytes = b"document.pdf", who: str = "hospital-a",
) -> Answer:  # fmt: skip
    """One document through `POST /documents`."""
    if described is None:
        described = json.dumps(entry(site, mime)).encode()
    body = form(part("entry", described), part("content", content, name))
    return post(site.client(who), "/documents", body)

"""Evidence as one file that another program can read: a ZIP of what a verdict rests on (SIG-06).

`report.json`, `policy.json`, and by their digests `certificates/….der`, `crls/….crl`,
`time-stamps/….tst`; the document itself is not in it. What is read is held against its digest: a
changed file is none.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gateway.errors import Malformed
from gateway.model.evidence import Evidence, EvidenceKind, named

_REPORT, _POLICY = "report.json", "policy.json"
_PLACES: Mapping[EvidenceKind, tuple[str, str]] = {
    EvidenceKind.CERTIFICATE: ("certificates", ".der"),
    EvidenceKind.LIST: ("crls", ".crl"),
    EvidenceKind.TOKEN: ("time-stamps", ".tst"),
}
_KINDS = {place: kind for kind, place in _PLACES.items()}
_MEMBERS, _BYTES = 2000, 128 * 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(report: dict[str, Any], evidence: Iterable[Evidence]) -> bytes:
    """One file; the same report and evidence give the same bytes."""
    members = {_REPORT: json.dumps(report, ensure_ascii=False, indent=2).encode()}
    for one in evidence:
        if one.kind is EvidenceKind.POLICY:
            members[_POLICY] = one.content
        else:
            folder, suffix = _PLACES[one.kind]
            members[f"{folder}/{one.sha256}{suffix}"] = one.content
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def unpack(content: bytes) -> tuple[dict[str, Any], tuple[Evidence, ...]]:
    """The report in such a file, and its evidence; raises `Malformed`.

    Whoever made the file chose whom it trusts: it is worth what its maker is worth.
    """
    try:
        members = _members(content)
        report = json.loads(members.pop(_REPORT))
        policy = members.pop(_POLICY)
        wanted = named(report)
        _ = str(report["verdict"]), datetime.fromisoformat(report["times"]["verified"])
        if report["times"]["received"] is not None:
            _ = datetime.fromisoformat(report["times"]["received"])
    except (
        zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError, EOFError, AttributeError,
        NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise _none() from error
    evidence = [_piece(EvidenceKind.POLICY, policy)]
    for name, held in members.items():
        folder, _, file = name.partition("/")
        digest, dot, suffix = file.partition(".")
        kind = _KINDS.get((folder, dot + suffix))
        if kind is None or hashlib.sha256(held).hexdigest() != digest:
            raise _none()
        evidence.append(_piece(kind, held))
    if not {one.sha256 for one in evidence} <= wanted:
        raise _none()
    return report, tuple(evidence)


def _members(content: bytes) -> dict[str, bytes]:
    """What is in the ZIP, within limits."""
    found: dict[str, bytes] = {}
    left = _BYTES
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = archive.infolist()
        if len(rows) > _MEMBERS or len({row.filename for row in rows}) != len(rows):
            raise _none()
        for row in rows:
            with archive.open(row) as stream:
                held = stream.read(left + 1)
            left -= len(held)
            if left < 0:
                raise _none()
            found[row.filename] = held
    return found


def _piece(kind: EvidenceKind, content: bytes) -> Evidence:
    return Evidence(kind=kind, sha256=hashlib.sha256(content).hexdigest(), content=content)


def _none() -> Malformed:
    return Malformed(
        "this is no file of evidence, or not as it was written",
        "証拠ファイルではないか、改変されています",
        at="evidence", rule="SIG-06",
    )  # fmt: skip

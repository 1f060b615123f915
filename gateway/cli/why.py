"""`gateway standardize why RESOURCE`: the source lines of one resource."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.common import configured, emit, speaking

_FRAMES = {0x0B, 0x1A, 0x1C}


@click.command("why")
@click.argument("resource", metavar="RESOURCE")
@configured
def why(*, resource: str, config: Path, as_json: bool) -> None:
    """原本の行を示します。Show the source lines of RESOURCE.

    RESOURCE is Observation/ID, urn:uuid:ID or ID. For each version: the file as it was received,
    the place in it, the mapping that made it. 版ごとに受信ファイル、位置、変換の版を示します。
    """
    from gateway.cli import opened
    from gateway.model.audit import EventKind
    from gateway.record import trace

    with speaking(), opened.work(config, EventKind.VIEW, reading=True) as (_, work):
        traced = trace.trace(work, resource)
    value = opened.plain(
        {name: getattr(traced, name) for name in traced.__slots__ if name != "versions"}
    )
    value["versions"] = [
        opened.plain(
            {name: getattr(one, name) for name in one.__slots__ if name != "lines"}
            | {"lines": _text(one.lines, one.format)}
        )
        for one in traced.versions
    ]
    emit(value, as_json=as_json, text=lambda: _lines(traced))


def _lines(traced: "Traced") -> Iterator[str]:
    beside = f" (beside {traced.beside} に付随)" if traced.beside else ""
    yield f"{traced.kind}/{traced.id}{beside}"
    yield f"  {traced.category}, {traced.facility} ({traced.source}), key {traced.key}"
    yield f"  patient 患者 {traced.patient.domain}/{traced.patient.value}"
    for one in traced.versions:
        state = "shared 共有" if one.shared else "staged 仮保管"
        cancelled = ", cancelled 取消" if one.cancelled else ""
        yield f"version 版 {one.version or '-'}: {state}{cancelled}, {one.format}, {one.mapping}"
        for table in one.tables:
            yield f"  code table コード表 {table}"
        yield f"  receipt 受付 {one.receipt}, posted 受信 {one.posted.isoformat()}"
        yield f"  {one.path}, sha256 {one.sha256}"
        yield f"  {one.at}, bytes {one.start}-{one.end}:"
        lines = _text(one.lines, one.format)
        for line in lines or ["(the bytes are gone 原本はありません)"]:
            yield f"    {line}"


def _text(content: bytes, format: str) -> list[str]:
    """Source bytes as lines one can read; control characters are shown, not obeyed."""
    import base64
    import binascii

    from gateway.errors import Malformed
    from gateway.wire import japanese

    found = []
    if format.startswith("e-prescription/"):
        # Whole groups of base64 around the row: the row is the longest line in them.
        with suppress(binascii.Error):
            content = max(base64.b64decode(content).splitlines(), key=len, default=b"")
    for line in content.replace(b"\r", b"\n").split(b"\n"):
        kept = bytes(byte for byte in line if byte not in _FRAMES)
        if not kept.strip():
            continue
        try:
            text = japanese.decode(kept, japanese.detect(kept), set())
        except Malformed:
            text = kept.decode("ascii", "backslashreplace")
        found.append("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text))
    return found


if TYPE_CHECKING:
    from gateway.record.trace import Traced

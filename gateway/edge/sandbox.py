"""Verification in a process of its own, with limits: what reads hostile files never serves (E-11).

One child is kept warm and forks for each document. A document that takes too long or too much
memory ends its fork; the answer is then "not readable", never a waiting caller.
"""

import base64
import contextlib
import json
import logging
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.edge.trusted import Archive
from gateway.errors import Busy, Invalid
from gateway.hpki.revocation import SECTION
from gateway.model.evidence import Evidence, EvidenceKind
from gateway.model.signature import (
    Basis,
    Check,
    CheckOutcome,
    HcRole,
    Indication,
    Revocation,
    Signature,
    SignatureReport,
    SignedFile,
)
from gateway.settings import HpkiSettings

logger = logging.getLogger(__name__)
_DEADLINE = 15.0
_START = 30.0


class Sandbox:
    """Hands documents to the child, one at a time; safe to share between threads."""

    def __init__(
        self, settings: HpkiSettings, *, grace_hours: int = 0, archive: Archive | None = None
    ) -> None:
        self._settings = settings
        self._grace_hours = grace_hours
        self._archive = archive
        self._told = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._rest = b""

    def verify(
        self, file: Path, *, at: datetime, received: datetime
    ) -> tuple[SignatureReport, tuple[str, ...]]:
        """The report on a file's bytes, and words for what in a PDF would act.

        Raises `Invalid` where the file cannot be read within the limits. The report names the hash
        of the bytes it is about: the caller compares it with what it keeps (G2).
        """
        job: dict[str, Any] = {
            "file": str(file), "at": at.isoformat(), "received": received.isoformat(),
        }  # fmt: skip
        told = self._ask(job)
        late = _late(told.get("report", {}).get("signatures", ()), received)
        if late and self._archive is not None:
            more = self._archive.around(late)  # the lists of the signature's own time
            if more:
                told = self._ask({**job, "more": _written(more)})
        if "ended" in told:
            raise _unreadable("not readable within its limits")
        pdf = told.get("pdf", {})
        if not pdf.get("readable", True):
            raise _unreadable("not a readable PDF, or too many pages")
        return _report(told, file), tuple(pdf.get("active", ()))

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        version, contents = (0, ()) if self._archive is None else self._archive.current()
        with self._lock:
            try:
                process = self._running()
                assert process.stdin is not None  # noqa: S101
                if version > self._told:  # the child has not heard of the lists in use
                    job = {**job, "lists": _written(contents)}
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
                told = self._answer(process, _DEADLINE)
                self._told = max(version, self._told)
            except (OSError, TimeoutError, EOFError) as error:
                logger.warning("the verifier was ended: %s", type(error).__name__)
                self._end()
                raise Busy(
                    "the verifier is not ready", "検証処理の準備中です", rule="E-11"
                ) from error
        return told

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.edge.sandbox_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101
        trust = self._settings.trust
        first = {
            "trust": str(trust) if trust else None,
            "accept_test": self._settings.insecure_test_cards,
            "grace_hours": self._grace_hours,
        }
        self._process.stdin.write(json.dumps(first).encode() + b"\n")
        self._process.stdin.flush()
        self._answer(self._process, _START)
        return self._process

    def _answer(self, process: "subprocess.Popen[bytes]", seconds: float) -> dict[str, Any]:
        """One line, or `TimeoutError`."""
        assert process.stdout is not None  # noqa: S101
        handle = process.stdout.fileno()
        until = time.monotonic() + seconds
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            left = until - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise TimeoutError
            chunk = process.stdout.read1(1024 * 1024)  # type: ignore[attr-defined]
            if not chunk:
                raise EOFError
            parts.append(chunk)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def _end(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        self._told = 0
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


def _written(contents: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(one).decode("ascii") for one in contents]


def _late(signatures: Iterable[dict[str, Any]], received: datetime) -> set[datetime]:
    """The moments of signatures for which no list that was asked could answer."""
    found = set()
    for one in signatures:
        if any(
            check["outcome"] == CheckOutcome.UNKNOWN.value and check["section"] == SECTION
            for check in one["checks"]
        ):
            found.add(_moment(one["times"]["proven"]) or received)
        for key in ("embedded", "countersignatures"):
            found |= _late(one.get(key, ()), received)
    return found


def _unreadable(reason: str) -> Invalid:
    return Invalid(reason, "文書を読み取れません", at="content", rule="E-11", log="PDF")


def _report(told: dict[str, Any], file: Path) -> SignatureReport:
    """The child's JSON as the value that filing demands."""
    found = told["report"]
    signatures = tuple(
        _signature(one, covered, roles, file)
        for one, covered, roles in zip(
            found["signatures"], told["covered"], told["roles"], strict=True
        )
    )
    return SignatureReport(
        file_sha256=found["file_sha256"],
        indication=Indication(found["verdict"]),
        signatures=signatures,
        verified_at=datetime.fromisoformat(found["times"]["verified"]),
        received=_moment(found["times"]["received"]),
        evidence=tuple(
            Evidence(
                kind=EvidenceKind(one["kind"]), sha256=one["sha256"],
                content=base64.b64decode(content),
            )
            for one, content in zip(found["evidence"], told["evidence"], strict=True)
        ),
    )  # fmt: skip


def _signature(
    found: dict[str, Any], covered: dict[str, Any], roles: list[str], file: Path
) -> Signature:
    if "first" in covered:
        with file.open("rb") as stream:
            content = stream.read(covered["first"])
    else:
        content = base64.b64decode(covered["bytes"])
    return Signature(
        format=found["format"],
        indication=Indication(found["verdict"]),
        checks=tuple(_check(check) for check in found["checks"]),
        subject=found["signer"]["subject"],
        serial=found["signer"]["serial"],
        issuer=found["signer"]["issuer"],
        role=HcRole(found["signer"]["role"]) if found["signer"]["role"] else None,
        roles=tuple(HcRole(role) for role in roles),
        policy=found["policy"] or "",
        claimed=_moment(found["times"]["claimed"]),
        proven=_moment(found["times"]["proven"]),
        not_before=_moment(found["times"].get("not_before")),
        covered_sha256=found["covered"]["sha256"] or "",
        octets=content,
        whole_document=found["covered"]["whole_document"],
        files=tuple(SignedFile(**one) for one in found["covered"].get("files", ())),
        embedded=tuple(_inner(one) for one in found.get("embedded", ())),
        countersignatures=tuple(_inner(one) for one in found.get("countersignatures", ())),
        evidence=tuple(found["evidence"]),
        revocation=_revocation(found.get("revocation")),
    )


def _inner(found: dict[str, Any]) -> Signature:
    """A signature inside of another one or about it, without the bytes that it covers."""
    return _signature(found, {"bytes": ""}, found["signer"]["roles"], Path())


def _check(found: dict[str, Any]) -> Check:
    return Check(
        name=found["name"],
        outcome=CheckOutcome(found["outcome"]),
        reason=found["reason"],
        japanese=found["reason_ja"],
        section=found.get("section", ""),
    )


def _revocation(found: dict[str, Any] | None) -> Revocation | None:
    if found is None:
        return None
    return Revocation(
        authority=found["authority"],
        since=_moment(found["since"]),
        stated=datetime.fromisoformat(found["revocation_date"]),
        invalid_since=_moment(found["invalidity_date"]),
        reason=found["reason"],
        made=datetime.fromisoformat(found["list"]["made"]),
        list_sha256=found["list"]["sha256"],
        moment=datetime.fromisoformat(found["moment"]),
        basis=Basis(found["basis"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

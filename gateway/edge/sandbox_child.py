"""The process in which documents are verified: `python -m gateway.edge.sandbox_child`.

It loads the verifier once, then forks for every job; the fork has limits on time and memory and
writes one line (`security.md` E-11). Lines of JSON in, lines of JSON out; nothing else is shared.
"""

import base64
import importlib
import json
import os
import resource
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.edge.trusted import read_policy
from gateway.hpki.evidence import remember
from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.revocation import read_list
from gateway.hpki.verify import verify
from gateway.hpki.wrapping import recognised
from gateway.model.signature import Signature
from gateway.settings import HpkiSettings

SECONDS = 10
MEMORY = 512 * 1024 * 1024
PAGES = 5_000
_PDF = b"%PDF-"


def main() -> None:
    """Jobs from stdin until it ends; the first line says whom to trust.

    A job may bring the revocation lists that are in use from then on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline())
    policy = read_policy(
        HpkiSettings(
            trust=Path(settings["trust"]) if settings["trust"] else None,
            insecure_test_cards=settings["accept_test"],
        ),
        settings["grace_hours"],
    )
    current = policy
    _warm()
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        job = json.loads(line)
        if "lists" in job:
            current = _with(policy, job["lists"])
        remember(current)  # once here, and not in every fork
        child = os.fork()
        if child == 0:
            _work(job, current)
        _, status = os.waitpid(child, 0)
        if status:
            sys.stdout.write(json.dumps({"ended": status}) + "\n")
            sys.stdout.flush()


def _with(policy: SignaturePolicy, lists: list[str]) -> SignaturePolicy:
    """The policy with more lists; they were judged before they were archived."""
    if not lists:
        return policy
    crls = tuple(read_list(base64.b64decode(one)) for one in lists)
    return replace(policy, trust=policy.trust | Trust(crls=crls))


def _warm() -> None:
    """Load every reader once, so that no fork spends half a second on loading them again."""
    for name in ("pdf", "xades.reader", "cades", "times"):
        importlib.import_module(f"gateway.hpki.{name}")


def _work(job: dict[str, Any], policy: SignaturePolicy) -> None:
    """One job inside the limits; leaves the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    code = 1
    try:
        content = Path(job["file"]).read_bytes()
        report = verify(
            content, _with(policy, job.get("more", [])), at=datetime.fromisoformat(job["at"]),
            received=datetime.fromisoformat(job["received"]),
        )  # fmt: skip
        told: dict[str, Any] = {
            "report": report.as_json(),
            "covered": [_covered(content, signature) for signature in report.signatures],
            "evidence": [base64.b64encode(one.content).decode("ascii") for one in report.evidence],
            "roles": [[role.text for role in one.roles] for one in report.signatures],
        }
        shown = content
        if recognised(content):
            shown = report.signatures[-1].covered if report.signatures else b""
        if shown[:1024].find(_PDF) >= 0:
            told["pdf"] = look(shown)
        os.write(1, (json.dumps(told) + "\n").encode())
        code = 0
    finally:
        os._exit(code)


def _covered(content: bytes, signature: Signature) -> dict[str, Any]:
    """The covered bytes: how much of the file's start they are, or themselves."""
    octets = signature.octets
    if isinstance(octets, memoryview) or content.startswith(octets):
        return {"first": len(octets)}
    return {"bytes": base64.b64encode(octets).decode("ascii")}


def look(content: bytes) -> dict[str, Any]:
    """Whether a PDF can be read, how many pages it has, and what in it would act."""
    from io import BytesIO

    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    from gateway.hpki.libraries import RAISED

    if not content.startswith(_PDF):
        return {"readable": False, "pages": 0, "active": []}
    try:
        reader = PdfFileReader(BytesIO(content))
        if reader.encrypted:
            return {"readable": False, "pages": 0, "active": []}
        pages = _count_pages(reader.root["/Pages"], set())
    except (*RAISED, PdfError, RecursionError):
        return {"readable": False, "pages": 0, "active": []}
    active = [word for word in _ACTIVE if word.encode("ascii") in content]
    return {"readable": 0 < pages <= PAGES, "pages": pages, "active": active}


_ACTIVE = ("/JavaScript", "/JS", "/Launch", "/URI", "/EmbeddedFile", "/XFA", "/OpenAction",
           "/AA", "/SubmitForm", "/ImportData", "/RichMedia")  # fmt: skip


def _count_pages(node: Any, seen: set[int]) -> int:
    """Pages of a page tree; a loop or a crowd ends the count."""
    waiting, pages = [node], 0
    while waiting and pages <= PAGES and len(seen) <= 4 * PAGES:
        found = waiting.pop().get_object()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if found.get("/Type") == "/Page":
            pages += 1
        else:
            waiting.extend(found["/Kids"])
    return pages


if __name__ == "__main__":
    main()

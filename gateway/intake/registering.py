"""The signed document of a registration: verified before anything is entered (SIG-05)."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gateway import standardize
from gateway.errors import Invalid, OverLimit
from gateway.intake.envelopes import is_envelope, refuse_detached
from gateway.intake.signed import Verifier
from gateway.model.signature import Sealed

_MOST = 32 * 1024 * 1024
"Bytes of a document: a few signed pages, with room for a scan."


def sealed(file: Path, verify: Verifier, clock: Callable[[], datetime]) -> Sealed:
    """Read a document and establish who signed it; whether that is enough is judged elsewhere.

    Raises `OverLimit`, `Invalid` where it is harmful (E-14), changes meanwhile, or is a signature
    beside its content, and what `verify` raises.
    """
    with file.open("rb") as stream:
        content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise OverLimit(
            "the document is larger than 32 MiB", "文書が32MiBを超えています", at="document"
        )
    standardize.refuse_harmful(content)
    now = clock()
    report, _ = verify(file, at=now, received=now)
    if report.file_sha256 != hashlib.sha256(content).hexdigest():
        raise Invalid("the bytes changed", "内容が変わりました", at="document", rule="J-06")
    if is_envelope(content):
        refuse_detached(report)
    return Sealed(content=content, report=report)

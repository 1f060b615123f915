"""Reports about signatures, kept with the file that carries them and shown with it (SIG-06).

Whatever verification said is kept, verified or not: of a file that waits or was refused too, whose
bytes stay under its receipt. A document has the report that it was filed with beside this.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from gateway.errors import UntrustedSignature
from gateway.model import attestation
from gateway.model.attestation import Attestation
from gateway.model.signature import SignatureReport
from gateway.record import evidence
from gateway.store.record import reports as rows
from gateway.store.work import Work

WHOLE = ""
"Place of a report about the file itself, and not about a document in it."
_WHOLE_WORDS = ("", "document", "content", "signature")


def keep(work: Work, file_id: str, report: SignatureReport | None, at: str = WHOLE) -> None:
    """Keep what verification said; an unsigned document leaves nothing here."""
    if report is not None and report.signed:
        place = WHOLE if at in _WHOLE_WORDS else at
        rows.insert_report(work.db, file_id, place, report.as_json())
        evidence.keep(work, file_id, report, place)


def keep_refused(work: Work, file_id: str, refusal: Exception) -> None:
    """Keep the report for which a file was refused, where it was."""
    if isinstance(refusal, UntrustedSignature) and isinstance(refusal.report, SignatureReport):
        keep(work, file_id, refusal.report, refusal.at)


def of_file(db: Connection, file_id: str) -> dict[str, Any] | None:
    """The report about a file itself, as it is stored."""
    return rows.select_reports(db, file_id).get(WHOLE)


def attested(db: Connection, files: Iterable[str]) -> dict[str, tuple[Attestation, ...]]:
    """File to the signatures that are on all of it."""
    found = rows.select_reports_of_files(db, files)
    return {
        file: attestation.read(places[WHOLE]) for file, places in found.items() if WHOLE in places
    }


def told(at: str, report: dict[str, Any]) -> dict[str, Any]:
    """A report as a receipt tells it: the checks that did not pass, and no digests of evidence."""
    return {
        "at": at,
        **{key: value for key, value in report.items() if key not in ("signatures", "evidence")},
        "signatures": [_shortened(one) for one in report["signatures"]],
    }


def _shortened(signature: dict[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in signature.items() if key != "evidence"}
    made["checks"] = [one for one in signature["checks"] if one["outcome"] != "passed"]
    for key in ("embedded", "countersignatures"):
        if key in made:
            made[key] = [_shortened(one) for one in made[key]]
    return made

"""Refusals as HTTP answers of the upload doors: one table from kind to status (section 2.3)."""

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.errors import Refusal

STATUS: Mapping[type[Refusal], int] = {
    errors.Busy: 503,
    errors.Gone: 410,
    errors.Inconsistent: 409,
    errors.Invalid: 422,
    errors.Malformed: 422,
    errors.MissingCommunity: 422,
    errors.MissingParameter: 422,
    errors.NotFound: 404,
    errors.NotOwner: 403,
    errors.NotPermitted: 403,
    errors.OverLimit: 422,
    errors.ParameterCount: 422,
    errors.SeveralPatients: 422,
    errors.TooManyResults: 422,
    errors.Unauthenticated: 403,
    errors.UnknownCommunity: 422,
    errors.UnknownDocument: 404,
    errors.UnknownDomain: 422,
    errors.UnknownPatient: 422,
    errors.UnknownQuery: 422,
    errors.UnknownRepository: 422,
    errors.Unsupported: 422,
    errors.UntrustedSignature: 422,
}
"Every kind of refusal; a body over its limit is 413 before any of these is raised."

_RETRY = (("Retry-After", "5"),)


def headers_of(status: int) -> tuple[tuple[str, str], ...]:
    """What stands beside a status."""
    return _RETRY if status == 503 else ()


def told(refusal: Refusal, *, file: str = "") -> list[dict[str, Any]]:
    """The JSON list of section 2.3: file, row, field, code; texts without values."""
    return [
        {
            "file": file,
            "row": None,
            "field": refusal.at,
            "code": refusal.code,
            "rule": refusal.rule,
            "text": refusal.english,
            "japanese": refusal.japanese,
        }
    ]

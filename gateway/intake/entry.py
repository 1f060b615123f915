"""Part `entry` of `POST /documents`: JSON to a DocumentEntry (`INTERFACES.md` section 7, E-13)."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.errors import Invalid, Malformed
from gateway.members.facilities import Facility
from gateway.model.category import Category
from gateway.model.document import BARE_CONTROL, Code, DocumentEntry, derived_unique_id
from gateway.model.identifiers import Oid, PatientId
from gateway.record.entries import FACILITY_CODES, GENERAL, NORMAL
from gateway.store.work import Work

_LONGEST_TEXT = 200
_DEEPEST = 8
_KEYS = frozenset({"patient", "title", "category", "class", "type", "format", "mime_type",
                   "language", "created", "author", "facility", "confidentiality", "unique_id",
                   "service_start", "service_stop"})  # fmt: skip
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


def parse(content: bytes) -> dict[str, Any]:
    """A JSON object: UTF-8, no key twice, no NaN, not deep; `Malformed` else (400)."""
    try:
        found = json.loads(
            content.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_constant,
            parse_int=_number, parse_float=_number,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise Malformed("entry is not a JSON object", "entry が JSON ではありません", at="entry",
                        rule="E-13") from error  # fmt: skip
    if not isinstance(found, dict) or _depth(found) > _DEEPEST:
        raise Malformed("entry is not a JSON object", "entry が JSON ではありません", at="entry",
                        rule="E-13")  # fmt: skip
    return found


def _pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError("a key stands twice")
        found[key] = value
    return found


def _constant(word: str) -> Any:
    raise ValueError("not a JSON number")


def _number(text: str) -> float:
    """No member of an entry is a number; a giant one is not even computed."""
    if len(text) > 20:
        raise ValueError("number too long")
    return float(text)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def facility_of(found: dict[str, Any], caller: str) -> str:
    """The facility the document is filed for; the caller's own where it names none."""
    facility = found.get("facility", caller)
    if not isinstance(facility, str):
        raise _wrong("facility")
    return facility


def chart_of(found: dict[str, Any]) -> PatientId:
    """The chart id the document is about."""
    patient = found.get("patient")
    if not isinstance(patient, dict) or patient.keys() != {"domain", "value"}:
        raise _wrong("patient")
    domain, value = patient["domain"], patient["value"]
    if not isinstance(domain, str) or not isinstance(value, str):
        raise _wrong("patient")
    try:
        return PatientId(Oid(domain), value)
    except Malformed as error:
        raise _wrong("patient") from error


def read(work: Work, found: dict[str, Any], facility: Facility, sha256: str = "") -> DocumentEntry:
    """The entry that the JSON describes; raises `Invalid` naming the field, never a value.

    `sha256` is of the bytes that are filed, where they are known already.
    """
    for key in sorted(found.keys() - _KEYS):
        raise Invalid("unknown field", "不明な項目です", at=_text_or(key), rule="G-11")
    chart = chart_of(found)
    author = found.get("author", {})
    if not isinstance(author, dict) or not author.keys() <= {"name", "institution"}:
        raise _wrong("author")
    return DocumentEntry(
        entry_uuid=f"urn:uuid:{work.new_id()}",
        unique_id=_unique_id(found, chart, sha256),
        repository=work.community.repository,
        home=work.community.home,
        patient=chart,
        source_patient=chart,
        title=_text(found, "title", needed=True),
        category=_category(found),
        class_code=_code(found, "class"),
        type_code=_code(found, "type"),
        format_code=_code(found, "format"),
        facility_type=FACILITY_CODES[facility.type],
        practice_setting=GENERAL,
        confidentiality=_code(found, "confidentiality", NORMAL),
        mime_type=_text(found, "mime_type", needed=True).lower(),
        language=_language(found),
        created=_moment(found, "created", needed=True) or work.now,
        service_start=_moment(found, "service_start"),
        service_stop=_moment(found, "service_stop"),
        author=_text(author, "name"),
        author_institution=_text(author, "institution") or facility.title,
        facility=facility.name,
        source_system="other",
    )


def _unique_id(found: dict[str, Any], chart: PatientId, sha256: str) -> str:
    text = _text(found, "unique_id")
    if not text:
        told = json.dumps(found, sort_keys=True)
        return derived_unique_id(chart.domain, chart.value, told, sha256)
    try:
        return Oid(text)
    except Malformed as error:
        raise _wrong("unique_id") from error


def _category(found: dict[str, Any]) -> Category:
    word = found.get("category")
    for category in Category:
        if category.value == word:
            return category
    raise _wrong("category")


def _code(found: dict[str, Any], key: str, default: Code | None = None) -> Code:
    value = found.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, dict) or not value.keys() <= {"code", "system", "display"}:
        raise _wrong(key)
    return Code(
        _text(value, "code", needed=True, at=key),
        _text(value, "system", needed=True, at=key),
        _text(value, "display", at=key),
    )


def _language(found: dict[str, Any]) -> str:
    text = _text(found, "language") or "ja"
    if not _LANGUAGE.fullmatch(text):
        raise _wrong("language")
    return text


def _moment(found: dict[str, Any], key: str, *, needed: bool = False) -> datetime | None:
    """RFC 3339 with zone."""
    text = _text(found, key, needed=needed)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(key) from error
    if moment.tzinfo is None:
        raise _wrong(key)
    return moment


def _text(found: dict[str, Any], key: str, *, needed: bool = False, at: str = "") -> str:
    value = found.get(key, "")
    if (
        not isinstance(value, str)
        or len(value) > _LONGEST_TEXT
        or BARE_CONTROL.search(value)
        or (needed and not value.strip())
    ):
        raise _wrong(at or key)
    return value


def _text_or(key: str) -> str:
    """A key for showing: nothing of a value, and short."""
    return key if key.isascii() and key.isidentifier() and len(key) <= 40 else "entry"


def _wrong(key: str) -> Invalid:
    return Invalid("missing, or not of its form", "値がないか、形式が違います", at=key)

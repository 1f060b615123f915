"""A facility's quality sheet: what it delivered, what became of it, and what it can mend.

No value of a patient stands in it: causes, places in files, codes and counts.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from gateway.errors import NotPermitted
from gateway.members import facilities
from gateway.model.caller import CallerKind
from gateway.model.periods import day_of
from gateway.store.record import quality as rows
from gateway.store.record import uploads
from gateway.store.work import Work
from gateway.wire import fhir

_LOCAL = "urn:x-regional-gateway:code:"
_OID = re.compile(r"[0-2](\.[0-9]+)+", re.ASCII)
_DAYS = 31
_MOST_CODES = 200
_LATE = 3
"Days between the time of a message and its delivery from which on it is late."
_IDENTITY = frozenset(
    {"pid-clash", "person-mismatch", "patient-without-number", "patient-id-form", "foreign-domain"}
)


class Cause(NamedTuple):
    """One kind of finding."""

    code: str
    severity: str
    times: int
    example: str
    "Where it stood first: a place in a file, never a value."
    text: str
    japanese: str


class Unmapped(NamedTuple):
    """A code that only the facility understands, and how often it came."""

    system: str
    code: str
    text: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one facility delivered and what became of it."""

    facility: str
    title: str
    day: date
    files: dict[str, int]
    "State to number of files; a file about several people counts once for each."
    formats: dict[str, int]
    items: dict[str, tuple[int, int]]
    "Category to staged and shared."
    causes: tuple[Cause, ...]
    "The worst and most frequent first."
    identity: int
    "Of the findings, those about whose data they are."
    unmapped: tuple[Unmapped, ...]
    deliveries: dict[str, int]
    "The last 31 days, each with its number of files."
    missing: tuple[str, ...]
    "Of these days since the first delivery, the ones without any."
    late: int
    "Files delivered three days or more after their own time."


def sheet(work: Work, name: str) -> Sheet:
    """The sheet of a facility; for the operator, who hands it out."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("for the operator", "運営者のみ実行できます", rule="ACC-02")
    facility = facilities.find(work, name)
    today = facilities.today(work)
    files: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], dict[str, str]] = {}
    days: Counter[date] = Counter()
    late = 0
    for parent, state, format_name, version, findings, received in rows.select_deliveries(
        work.db, name
    ):
        if state == uploads.SPLIT:
            continue
        files[state] += 1
        formats[format_name or "-"] += 1
        for one in findings:
            key = (one["code"], one["severity"])
            counts[key] += 1
            first.setdefault(key, one)
        delivered = day_of(received, work.policy.timezone)
        days[delivered] += not parent
        stated = _day(version)
        late += stated is not None and (delivered - stated).days >= _LATE
    recent = [today - timedelta(days=back) for back in range(_DAYS - 1, -1, -1)]
    begun = min(days, default=today)
    work.trail.detail["facility"] = name
    return Sheet(
        facility=name,
        title=facility.title or name,
        day=today,
        files=dict(sorted(files.items())),
        formats=dict(formats.most_common()),
        items=dict(sorted(rows.count_categories(work.db, name).items())),
        causes=tuple(_causes(counts, first)),
        identity=sum(number for (code, _), number in counts.items() if code in _IDENTITY),
        unmapped=tuple(_unmapped(work, name, _MOST_CODES)),
        deliveries={day.isoformat(): days[day] for day in recent},
        missing=tuple(day.isoformat() for day in recent if begun < day < today and not days[day]),
        late=late,
    )


def _day(version: str) -> date | None:
    """The day that the first eight digits of a version are, if they are one."""
    try:
        return date.fromisoformat(version[:8]) if version[:8].isdigit() else None
    except ValueError:
        return None


def _causes(
    counts: Counter[tuple[str, str]], first: dict[tuple[str, str], dict[str, str]]
) -> Iterator[Cause]:
    order = {"error": 0, "warning": 1, "note": 2}
    ranked = sorted(counts.items(), key=lambda one: (order.get(one[0][1], 3), -one[1], one[0]))
    for (code, severity), number in ranked:
        example = first[code, severity]
        yield Cause(
            code, severity, number, example.get("at", ""), example.get("text", ""),
            example.get("japanese", ""),
        )  # fmt: skip


def unmapped(work: Work, name: str) -> tuple[Unmapped, ...]:
    """All of a facility's codes without a standard one, the most frequent first."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted("for the operator", "運営者のみ実行できます", rule="ACC-02")
    facilities.find(work, name)
    work.trail.detail.update(facility=name, export="unmapped-codes")
    return tuple(_unmapped(work, name))


def _unmapped(work: Work, name: str, most: int | None = None) -> Iterator[Unmapped]:
    """Local codes by how often they came; each is reported once.

    Counted are the newest versions of items, over all time; a code that stands beside a standard
    one, as a map puts it there, is not.
    """
    found: Counter[tuple[str, str]] = Counter()
    texts: dict[tuple[str, str], str] = {}
    for content in rows.select_contents(work.db, name, _LOCAL):
        whole = fhir.loads(content)
        for codings in _concepts([whole["resource"], *whole["companions"]]):
            local = [_own(str(one.get("system", ""))) for one in codings]
            if not all(local):
                continue
            for coding, system in zip(codings, local, strict=True):
                key = (system, str(coding.get("code", "")))
                found[key] += 1
                texts.setdefault(key, str(coding.get("display", "")))
    for (system, code), number in sorted(found.items(), key=lambda one: (-one[1], one[0]))[:most]:
        yield Unmapped(system, code, texts[system, code], number)


def _own(system: str) -> str:
    """What a facility calls its own system; empty where it is not one of a facility."""
    domain, _, name = system.removeprefix(_LOCAL).partition(":")
    return unquote(name) if system.startswith(_LOCAL) and _OID.fullmatch(domain) else ""


def _concepts(value: Any) -> Iterator[list[dict[str, Any]]]:
    """The codings of every CodeableConcept inside resources, and every Coding that stands alone."""
    if isinstance(value, dict):
        codings = value.get("coding")
        if isinstance(codings, list):
            yield [one for one in codings if "system" in one]
        elif "system" in value and "code" in value and "value" not in value:
            yield [value]
        for name, part in value.items():
            if name != "coding":
                yield from _concepts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _concepts(part)

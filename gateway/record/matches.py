"""Whether an entry answers a stored query's parameters (ITI TF-2: 3.18.4.1.2.3.7.1). Pure."""

import re
from datetime import datetime
from functools import lru_cache

from gateway.model.document import Code, DocumentEntry, DocumentQuery, TimeRange


def matches(entry: DocumentEntry, query: DocumentQuery) -> bool:
    """Values of one parameter are ORed, parameters are ANDed; our entries are all stable."""
    return (
        query.stable
        and entry.status in query.statuses
        and _coded(entry.class_code, query.class_codes)
        and _coded(entry.type_code, query.type_codes)
        and _coded(entry.practice_setting, query.practice_settings)
        and _coded(entry.facility_type, query.facility_types)
        and _coded(entry.format_code, query.format_codes)
        and all(_any_coded(entry.confidentialities, slot) for slot in query.confidentialities)
        and all(_any_coded(entry.event_codes, slot) for slot in query.event_codes)
        and _written(_authors(entry), query.authors)
        and _within(entry.created, query.created)
        and _within(entry.service_start, query.service_start)
        and _within(entry.service_stop, query.service_stop)
    )


def _coded(code: Code, wanted: tuple[Code, ...]) -> bool:
    return not wanted or any((code.code, code.system) == (w.code, w.system) for w in wanted)


def _any_coded(codes: tuple[Code, ...], wanted: tuple[Code, ...]) -> bool:
    return not wanted or any(_coded(code, wanted) for code in codes)


def _authors(entry: DocumentEntry) -> tuple[str, ...]:
    return tuple(author.person for author in entry.authors) or (entry.author,)


def _written(authors: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return not patterns or any(
        _pattern(one).fullmatch(name) for one in patterns for name in authors
    )


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """`%` is any text, `_` any one character; everything else stands for itself (G-10)."""
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in text), re.DOTALL)


def _within(moment: datetime | None, wanted: TimeRange) -> bool:
    """From is inclusive, To is exclusive; an entry without the attribute is not judged by it."""
    if moment is None:
        return True
    if wanted.start is not None and moment < wanted.start:
        return False
    return wanted.end is None or moment < wanted.end

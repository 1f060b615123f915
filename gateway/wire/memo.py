"""Remembering what a pure function makes of text that comes again and again: codes, units, dates.

What a sender writes is the key, so both are bounded: how many results are kept, and how long a text
may be to be kept at all. A result is shared by all who ask: nobody changes the inside of it.

Of those that are kept half are recent. Where these are full they become the older half, and what
was older and not asked for since is forgotten: cheaper to ask than a queue of all of them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

LONGEST: Final = 256
"Characters of a text that is remembered: coded fields are shorter, and others hardly come again."

_Made = TypeVar("_Made")
_UNKNOWN: Final = object()


class _Remembered:
    """What was made of the keys that came last."""

    def __init__(self, size: int) -> None:
        self._most = max(size // 2, 1)
        self._recent: dict[Any, Any] = {}
        self._older: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        found = self._recent.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._older.get(key, _UNKNOWN)
            if found is not _UNKNOWN:
                self.put(key, found)
        return found

    def put(self, key: Any, made: Any) -> None:
        if len(self._recent) >= self._most:
            self._older, self._recent = self._recent, {}
        self._recent[key] = made


def by_text(size: int) -> Callable[[Callable[[str], _Made]], Callable[[str], _Made]]:
    """Let a function remember what it made of the `size` short texts that came last."""

    def remembering(make: Callable[[str], _Made]) -> Callable[[str], _Made]:
        remembered = _Remembered(size)

        @wraps(make)
        def ask(text: str) -> _Made:
            if len(text) > LONGEST:
                return make(text)
            found = remembered.get(text)
            if found is _UNKNOWN:
                found = make(text)
                remembered.put(text, found)
            made: _Made = found
            return made

        return ask

    return remembering


def by_texts(size: int) -> Callable[[Callable[..., _Made]], Callable[..., _Made]]:
    """The same of a function of several texts, given by position, that are short together."""

    def remembering(make: Callable[..., _Made]) -> Callable[..., _Made]:
        remembered = _Remembered(size)

        @wraps(make)
        def ask(*texts: str) -> _Made:
            if sum(map(len, texts)) > LONGEST:
                return make(*texts)
            found = remembered.get(texts)
            if found is _UNKNOWN:
                found = make(*texts)
                remembered.put(texts, found)
            made: _Made = found
            return made

        return ask

    return remembering

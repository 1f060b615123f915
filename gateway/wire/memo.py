"""Remembering what a pure function makes of text that comes again and again: codes, units, dates.

What a sender writes is the key, so both are bounded: how many results are kept, and how long a text
may be to be kept at all. A result is shared by all who ask: nobody changes the inside of it.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

LONGEST = 256
"Characters of a text that is remembered: coded fields are shorter, and others hardly come again."

_Made = TypeVar("_Made")


def by_text(size: int) -> Callable[[Callable[[str], _Made]], Callable[[str], _Made]]:
    """Let a function remember what it made of the `size` short texts that came last."""

    def remembering(make: Callable[[str], _Made]) -> Callable[[str], _Made]:
        remembered = lru_cache(maxsize=size)(make)

        @wraps(make)
        def ask(text: str) -> _Made:
            return remembered(text) if len(text) <= LONGEST else make(text)

        return ask

    return remembering


def by_texts(size: int) -> Callable[[Callable[..., _Made]], Callable[..., _Made]]:
    """The same of a function of several texts, given by position, that are short together."""

    def remembering(make: Callable[..., _Made]) -> Callable[..., _Made]:
        remembered = lru_cache(maxsize=size)(make)

        @wraps(make)
        def ask(*texts: str) -> _Made:
            return remembered(*texts) if len("".join(texts)) <= LONGEST else make(*texts)

        return ask

    return remembering

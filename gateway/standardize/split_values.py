"""Texts that hold two results: `3+(300)` is a sign and a number, each with its own JLAC10 item.

Only where a published table names the item and both of its halves (`tables/split_values.csv`), and
only where both halves are what the table says they are; else the text stays whole.
"""

import re
import unicodedata
from functools import lru_cache

from gateway.standardize import tables, values

_ROWS = {row["code"]: row for row in tables.rows("split_values")}
_WILD = tuple(
    (re.compile(code.replace("?", "[0-9A-Z]")), row) for code, row in _ROWS.items() if "?" in code
)
_OUTER = re.compile(r"([^()]+?) ?\(([^()]+)\)")
_INNER = re.compile(r"\(([^()]+)\) ?([^()]+)")
_TWO = re.compile(r"(?:[A-Za-z]+[0-9]?)?\((\+|-|±|\+-)\)[,/ ]?(?:[A-Za-z]*[0-9]?)?\((\+|-|±|\+-)\)")
_CLASS = re.compile(r"[0-9]")
_ANY_GRAIN = "2500"
"Allergen number that the table takes out of its row for specific IgE."


@lru_cache(maxsize=8192)
def split(code: str, text: str) -> tuple[tuple[str, str], ...]:
    """The two results of a text: item and text of each, in the order of the text; empty if one."""
    row = _row(code)
    if row is None:
        return ()
    plain = unicodedata.normalize("NFKC", text).strip()
    for shape in (_TWO, _OUTER, _INNER):
        found = shape.fullmatch(plain)
        if found and _is(row["kind1"], found[1]) and _is(row["kind2"], found[2]):
            return (_named(row["code1"], code), found[1]), (_named(row["code2"], code), found[2])
    return ()


def _row(code: str) -> dict[str, str] | None:
    if code in _ROWS:
        return _ROWS[code]
    for pattern, row in _WILD:
        if pattern.fullmatch(code):
            return None if code[5:9] == _ANY_GRAIN else row
    return None


def _named(pattern: str, code: str) -> str:
    """The item with the characters that the table leaves open taken from the code."""
    return "".join(own if one == "?" else one for one, own in zip(pattern, code, strict=True))


def _is(kind: str, text: str) -> bool:
    """Whether a half is of the table's kind."""
    if kind == "number":
        return values.decimal(text) is not None or values.comparison(text) is not None
    if kind == "class":
        return bool(_CLASS.fullmatch(text))
    return values.is_qualitative(text)

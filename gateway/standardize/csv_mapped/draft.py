"""A proposal for a facility's CSV mapping, from the first rows of one of its files.

Nothing is decided: each column has a confidence and three shortened examples for whoever finishes
the mapping. Examples of columns that may tell who somebody is are masked, and so are those that
nobody knows.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from gateway.errors import Malformed, Refusal
from gateway.model import csv_mapping
from gateway.model.category import Category
from gateway.model.mapping import MappingError
from gateway.standardize.csv_mapped import guess as csv_guess
from gateway.standardize.csv_mapped import text as csv_text
from gateway.standardize.rows import BLANKS

LOOK = 1024 * 1024
"Bytes that are looked at."

_ROWS = 200
_EXAMPLE = 12
_ENCODINGS = ("utf-8", "cp932", "euc-jp")
_DELIMITERS = (",", "\t", ";", "|")
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_SHAPE_ONLY = 0.5
"Confidence where no heading says it: a date may be one of birth, so its examples are masked."
_REPEATED = frozenset({"value", "comment", "ignore"})
_KANA_RUN = re.compile("[\uff61-\uff9f]")
_OPEN = frozenset(
    {
        "date", "time", "reported", "recorded", "end", "code", "name", "value", "unit", "flag",
        "range", "low", "high", "specimen", "specimen.code", "status", "dose", "days", "quantity",
        "usage", "usage.code", "rp", "outcome", "suspected", "main", "kind", "severity",
    }
)  # fmt: skip
"Words whose examples may be shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftColumn:
    """What one column is proposed to be."""

    source: str
    heading: str
    to: str
    confidence: float
    examples: tuple[str, ...]
    keys: tuple[tuple[str, str], ...] = ()
    "Further keys of the mapping: `date`, `code_system`, `unit` …"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A whole proposal."""

    encoding: str
    delimiter: str
    header: bool
    category: Category
    columns: tuple[DraftColumn, ...]
    left_out: tuple[str, ...] = ()
    "Numbers of columns that cannot be named: without a heading, or with one that stands twice."


def propose(head: bytes) -> Draft:
    """The proposal for a file that begins with these bytes; raises a Refusal where it is no CSV."""
    encoding = _encoding(head)
    rows, delimiter = _table(head, encoding)
    header = _has_header(rows)
    body = [row for row in rows[1:] if row != rows[0]] if header else rows
    width = max(Counter(map(len, rows)).items(), key=lambda one: (one[1], one[0]))[0]
    columns = [
        [row[place].strip(BLANKS) if place < len(row) else "" for row in body]
        for place in range(width)
    ]
    headings = [
        (rows[0][place].strip(BLANKS) if place < len(rows[0]) else "") if header else ""
        for place in range(width)
    ]
    guesses = [_guess(heading, cells) for heading, cells in zip(headings, columns, strict=True)]
    systems = [csv_guess.code_system(cells) for cells in columns]
    kind = csv_guess.category([word for word, _ in guesses], headings, systems)
    words = _settle(guesses, kind, columns)
    made, left_out = [], []
    for place, (word, confidence) in enumerate(words):
        source = headings[place] if header else str(place + 1)
        if header and (not source or headings.count(source) > 1):
            left_out.append(str(place + 1))
            continue
        made.append(
            DraftColumn(
                source=source,
                heading=headings[place],
                to=word,
                confidence=confidence,
                examples=_examples(
                    columns[place],
                    open_=confidence > _SHAPE_ONLY and _is_open(word, systems[place]),
                ),
                keys=_keys(word, headings[place], columns[place], systems[place], kind),
            )
        )
    return Draft(
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        category=kind,
        columns=tuple(made),
        left_out=tuple(left_out),
    )


def _encoding(head: bytes) -> str:
    """By mark, escapes, strict UTF-8, cp932; EUC-JP where cp932 would be nothing but half kana."""
    if head.startswith(b"\xff\xfe"):
        return "utf-16le"
    if b"\x1b$" in head and head.isascii():
        return "iso-2022-jp"
    whole = head[: head.rfind(b"\n") + 1] or head
    texts: dict[str, str] = {}
    for name in _ENCODINGS:
        try:
            texts[name] = whole.decode("euc_jp" if name == "euc-jp" else name)
        except UnicodeDecodeError:
            continue
    if "utf-8" in texts:
        return "utf-8"
    if "euc-jp" in texts and "cp932" in texts:
        wide = sum(1 for c in texts["cp932"] if ord(c) > 0x7F) or 1
        half = len(_KANA_RUN.findall(texts["cp932"]))
        return "euc-jp" if half / wide > 0.5 and not _KANA_RUN.search(texts["euc-jp"]) else "cp932"
    if not texts:
        raise Malformed("no known encoding", "文字コードを判定できません", at="content")
    return next(iter(texts))


def _table(head: bytes, encoding: str) -> tuple[list[tuple[str, ...]], str]:
    """The first rows by the delimiter that makes them most alike."""
    best: tuple[float, list[tuple[str, ...]], str] = (0.0, [], ",")
    for delimiter in _DELIMITERS:
        rows = _rows(head, encoding, delimiter)
        if not rows:
            continue
        width, times = Counter(map(len, rows)).most_common(1)[0]
        score = times / len(rows) + min(width, 10) / 100 if width > 1 else 0.0
        if score > best[0]:
            best = score, rows, delimiter
    if not best[1]:
        raise Malformed("no rows of several columns", "表形式ではありません", at="content")
    return best[1], best[2]


def _rows(head: bytes, encoding: str, delimiter: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    try:
        lines = csv_text.lines(BytesIO(head), encoding, set())
        for record in csv_text.records(lines, delimiter):
            cells = record.cells
            if record.number == 1 and _SEPARATOR.fullmatch(delimiter.join(cells)):
                continue
            if not record.problem and any(cell.strip(BLANKS) for cell in cells):
                found.append(cells)
            if len(found) == _ROWS:
                break
    except Refusal:
        return found
    return found


def _has_header(rows: Sequence[tuple[str, ...]]) -> bool:
    """Whether the first row names columns: words of headings, and neither numbers nor dates."""
    first = [cell.strip(BLANKS) for cell in rows[0] if cell.strip(BLANKS)]
    plain = [cell for cell in first if cell.isdigit() or csv_guess.is_western(cell)]
    known = [cell for cell in first if csv_guess.by_heading(cell)]
    return not plain and len(known) * 3 >= len(first)


def _guess(heading: str, cells: Sequence[str]) -> tuple[str, float]:
    """The likely word of a column, and how sure that is."""
    said, shaped = csv_guess.by_heading(heading), csv_guess.by_cells(cells)
    if shaped.startswith("patient.") and not said.startswith("patient."):
        said = ""
    if said:
        if said == shaped or (shaped == "date" and said in csv_mapping.DATES):
            return said, 0.95
        return said, 0.75 if csv_guess.agrees(said, cells) else 0.4
    return (shaped, _SHAPE_ONLY) if shaped else ("ignore", 0.0)


def _settle(
    guesses: Sequence[tuple[str, float]], kind: Category, columns: Sequence[Sequence[str]]
) -> list[tuple[str, float]]:
    """Words of the category, each once: the surest column keeps it, the others are left open."""
    settled = list(guesses)
    taken: dict[str, int] = {}
    for place, (word, confidence) in enumerate(guesses):
        if not csv_guess.allowed(word, kind):
            settled[place] = ("ignore", 0.0)
            continue
        if word in _REPEATED:
            continue
        other = taken.get(word)
        if other is not None and guesses[other][1] >= confidence:
            settled[place] = ("ignore", 0.0)
            continue
        if other is not None:
            settled[other] = ("ignore", 0.0)
        taken[word] = place
    if "patient.id" not in taken:
        for place, (word, _) in enumerate(settled):
            filled = [cell for cell in columns[place] if cell]
            if word == "ignore" and filled and all(map(_is_number, filled)):
                settled[place] = ("patient.id", 0.3)
                break
    return settled


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isalnum() and 2 <= len(cell) <= 16


def _keys(
    word: str, heading: str, cells: Sequence[str], system: str, kind: Category
) -> tuple[tuple[str, str], ...]:
    """What else the mapping should say of a column."""
    made: list[tuple[str, str]] = []
    if word in csv_mapping.DATES and csv_guess.share(cells, csv_guess.is_era) > 0:
        made.append(("date", "era"))
    if word == "code" and system:
        made.append(("code_system", system))
    known = csv_guess.measure(heading) if kind is Category.BIOMETRIC and word == "value" else None
    if known:
        made += [("name", heading), ("code", known[0]), ("code_system", "LN"), ("unit", known[1])]
    if word.startswith("patient.") and cells and cells[0] and not all(cells):
        made.append(("ditto", "true"))
    lengths = {len(cell) for cell in cells if cell.isdigit()}
    if word == "patient.id" and len(lengths) > 1 and any(cell.startswith("0") for cell in cells):
        made.append(("width", str(max(lengths))))
    return tuple(made)


def _is_open(word: str, system: str) -> bool:
    """Whether cells of a word tell of nobody; a code is shown where its shape is a known one."""
    return word in _OPEN and (word != "code" or bool(system))


def _examples(cells: Sequence[str], *, open_: bool) -> tuple[str, ...]:
    """Three different cells, shortened, and masked unless they tell of nobody."""
    found = list(dict.fromkeys(cell for cell in cells if cell))[:3]
    shown = []
    for cell in found:
        plain = "".join(c if c.isprintable() else "?" for c in cell)
        short = plain if len(plain) <= _EXAMPLE else plain[: _EXAMPLE - 1] + "…"
        shown.append(short if open_ and not csv_guess.is_person(cell) else mask(short))
    return tuple(shown)


def mask(text: str) -> str:
    """The shape of a text without what it says."""
    return "".join(
        "9" if c.isdecimal() else "A" if c.isascii() and c.isalpha() else c
        if not c.isalnum() else "ア" if "\u3041" <= c <= "\u30ff" or "\uff66" <= c <= "\uff9f"
        else "漢" for c in text
    )  # fmt: skip


def as_yaml(draft: Draft, facility: str) -> str:
    """The proposal as a mapping file with its doubts as comments."""
    delimiter = {"\t": "tab"}.get(draft.delimiter, json.dumps(draft.delimiter))
    lines = [
        "# A proposal: check every line. Examples that may tell who somebody is are masked.",
        "# 提案です。各行を確認してください。個人を識別しうる列の例は伏せています。",
        f"facility: {json.dumps(facility, ensure_ascii=False)}",
        f"encoding: {draft.encoding}",
        f"delimiter: {delimiter}",
        f"header: {'true' if draft.header else 'false'}",
        f"row: {{category: {draft.category.value}}}",
        "on_error: file",
        "columns:",
    ]
    for column in draft.columns:
        parts = [("from", column.source), ("to", column.to), *column.keys]
        inner = ", ".join(f"{key}: {_scalar(key, value)}" for key, value in parts)
        examples = " | ".join(column.examples) or "(empty)"
        lines.append(f"  # {column.confidence:.2f}  {examples}")
        lines.append(f"  - {{{inner}}}")
    lines += [
        f"  # column {number}: no heading of its own 見出しなし・重複" for number in draft.left_out
    ]
    return "\n".join(lines) + "\n"


def _scalar(key: str, value: str) -> str:
    plain = key in ("to", "date", "ditto", "width")
    return value if plain else json.dumps(value, ensure_ascii=False)


def problem(text: str) -> str:
    """What the proposal still lacks to be a mapping, or empty."""
    try:
        csv_mapping.load(text)
    except MappingError as error:
        return str(error)
    return ""

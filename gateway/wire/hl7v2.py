"""HL7 v2.5 messages: bytes to segments that know where they stand, and acknowledgements.

Segments are cut at CR, which is no part of any character of the sets in use; each is then decoded
as a whole and only then split at its delimiters (`security.md` F-02), and only as far as somebody
asks. Every segment keeps the range of bytes it came from. Refusals carry in `rule` how HL7 says
them: `HL7 AR 101` is answered by AR with table 0357 code 101 (`security.md` 2.2).
"""

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import lru_cache

from gateway.errors import Malformed, OverLimit, Refusal, Unsupported
from gateway.wire import hl7v2_field, japanese, memo
from gateway.wire.japanese import Charset

LONGEST_MESSAGE = 20 * 1024 * 1024
MOST_SEGMENTS = 10_000
_MOST_LINES = 2 * MOST_SEGMENTS + 2
"With those that CR LF leaves between segments."
MOST_REPETITIONS = 1_000
LONGEST_FIELD = 10 * 1024 * 1024
LINE_TERMINATOR = "segment-terminator"
YEN_ESCAPE = "yen-for-backslash"
NO_SEGMENT = "line"
"Name given to a line that is no segment."
_VERSIONS = re.compile(r"2\.[1-8](\.[0-9])?")
_PROCESSING = frozenset("PTD")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_FORBIDDEN = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_LINE = re.compile(rb"[^\r\n]+")
_TIME = re.compile(
    r"([0-9]{4})(?:([0-9][0-9])(?:([0-9][0-9])(?:([0-9][0-9])(?:([0-9][0-9])(?:([0-9][0-9])(?:\.[0-9]{1,4})?)?)?)?)?)?"
    r"(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)
_LEAST = ("0", "1", "1", "0", "0", "0")


class Segment:
    """One segment: its name, its text, and the bytes it came from."""

    __slots__ = (
        "_component",
        "_escapes",
        "_repetition",
        "at",
        "delimiters",
        "end",
        "fields",
        "name",
        "start",
        "text",
    )

    def __init__(
        self, name: str, number: int, text: str, start: int, end: int, delimiters: str
    ) -> None:
        self.name = name
        self.at = f"{name}[{number}]"
        "Where it stands, as findings say it: `OBX[3]`, counted by name from 1."
        self.text = text
        self.start = start
        self.end = end
        self.delimiters = delimiters
        self._component = delimiters[1]
        self._repetition = delimiters[2]
        self._escapes = delimiters[3] in text
        fields = text.split(delimiters[0])
        if name == "MSH":
            fields.insert(1, delimiters[0])
        self.fields = fields
        "Raw fields; index 0 is the name, and MSH-1 is at index 1 of MSH."

    def raw(self, field: int) -> str:
        """One field as it was sent, all repetitions; empty where there is none."""
        fields = self.fields
        return fields[field] if field < len(fields) else ""

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field, as sent."""
        raw = self.raw(field)
        if self._repetition not in raw:
            return [raw] if raw else []
        return raw.split(self._repetition)

    def first(self, field: int) -> str:
        """The first repetition of a field, as sent."""
        fields = self.fields
        raw = fields[field] if field < len(fields) else ""
        return raw.partition(self._repetition)[0] if self._repetition in raw else raw

    def components(self, field: int, repetition: int = 0) -> list[str]:
        """The components of one repetition, unescaped; sub-components stay joined by `&`."""
        fields = self.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return []
        if self._repetition in raw:
            raw = raw.split(self._repetition)[repetition]
        return self.split(raw)

    def split(self, repetition: str) -> list[str]:
        """The components of a repetition, unescaped; an explicit null is empty."""
        return hl7v2_field.components(repetition, self.delimiters)

    def subcomponents(self, repetition: str, component: int) -> list[str]:
        """The sub-components of one component of a repetition as sent; at least one."""
        return hl7v2_field.subcomponents(repetition, component, self.delimiters)

    def value(self, field: int, component: int = 1) -> str:
        """One component of the first repetition, unescaped; empty where there is none."""
        fields = self.fields
        raw = fields[field] if field < len(fields) else ""
        if not raw:
            return ""
        if self._repetition in raw:
            raw = raw.partition(self._repetition)[0]
        parts = raw.split(self._component)
        if component > len(parts):
            return ""
        part = parts[component - 1]
        if self._escapes:
            return hl7v2_field.unescape(part, self.delimiters)
        return "" if part == '""' else part

    def is_null(self, field: int) -> bool:
        """Whether the sender says explicitly: delete what you have."""
        return self.raw(field) == '""'


class Message:
    """One message: segments in order, with the leniencies that reading it needed."""

    __slots__ = ("_by_name", "charset", "delimiters", "notes", "segments", "type")

    def __init__(
        self, segments: list[Segment], delimiters: str, charset: Charset, notes: set[str]
    ) -> None:
        self.segments = segments
        self.delimiters = delimiters
        self.charset = charset
        self.notes = notes
        "Names of the leniencies that were used; each becomes a finding."
        self._by_name: dict[str, list[Segment]] = {}
        for segment in segments:
            self._by_name.setdefault(segment.name, []).append(segment)
        self.type = "^".join(self.header.components(9)[:2])
        "Message type and trigger: `OUL^R22`."

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        found = self._by_name.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        """Every segment of that name, in order."""
        return self._by_name.get(name, [])

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)


def parse(
    content: bytes, *, framed: bool = False, accepted: Collection[str] | None = None, base: int = 0
) -> Message:
    """Read one message; `framed` is strict, as MLLP is, and else what stored files do is read.

    Files may end segments with LF and carry the VT and FS that MLLP left behind; both are the
    only differences. `accepted` are the message types that are taken, None for any. `base` is where
    the message begins in its file.
    """
    if len(content) > LONGEST_MESSAGE:
        raise OverLimit("message too long", "メッセージが長すぎます", at="MSH", rule="HL7 AR 102")
    notes: set[str] = set()
    start = 0
    if not framed:
        content = content.rstrip(b"\r\n").removesuffix(b"\x1c")
        start = 1 if content.startswith(b"\x0b") else 0
        start += 3 if content.startswith(b"\xef\xbb\xbf", start) else 0
    if not content.startswith(b"MSH", start):
        raise _framing("no MSH at the beginning", "先頭に MSH がありません")
    if content.find(b"\n") >= 0:
        if framed:
            raise _framing("a segment does not end with CR", "セグメントの終端が CR ではありません")
        notes.add(LINE_TERMINATOR)
    if len(content.translate(None, _FORBIDDEN)) != len(content) - (content[:1] == b"\x0b"):
        raise _bad_byte(content, start)
    lines = _lines(content, start)
    charset = _charset(lines[0][0], content, notes)
    delimiters = _delimiters(japanese.decode(lines[0][0], charset, set()), notes)
    whole = japanese.decode_lines(content[start:], charset) or ""
    texts = [text for text in whole.replace("\n", "\r").split("\r") if text]
    segments = _segments(lines, texts, delimiters, charset, notes, base)
    message = Message(segments, delimiters, charset, notes)
    _check_header(message, accepted)
    return message


def _lines(content: bytes, start: int) -> list[tuple[bytes, int]]:
    """The lines that have anything in them, and where each begins; too many are not all cut."""
    cut = content[start:].replace(b"\n", b"\r").split(b"\r", _MOST_LINES)
    found: list[tuple[bytes, int]] = []
    for line in cut:
        if line:
            found.append((line, start))
        start += len(line) + 1
    if len(found) > MOST_SEGMENTS or len(cut) > _MOST_LINES:
        raise OverLimit("too many segments", "セグメントが多すぎます", rule="HL7 AR 102")
    return found


def peek(content: bytes) -> tuple[str, bytes]:
    """Message type and header line, by a cheap look; an empty type where it is no message."""
    head = content[:1024].lstrip(b"\x0b\xef\xbb\xbf")
    found = _LINE.match(head)
    if not found or not head.startswith(b"MSH") or len(found.group()) < 4:
        return "", b""
    header = found.group()
    fields = header.split(header[3:4])
    kind = b"^".join(fields[8].split(b"^")[:2]) if len(fields) > 8 else b""
    return kind.decode("ascii", "ignore"), header


def delimiters_of(header: bytes) -> str:
    """MSH-1 and MSH-2 of a header line; raises `Malformed` where they are unusable."""
    return _delimiters(header[:16].decode("latin-1"), set())


def _charset(header: bytes, content: bytes, notes: set[str]) -> Charset:
    """The declared character set (MSH-18), or the one the bytes show, said aloud (F-04)."""
    fields = header.split(header[3:4]) if len(header) > 3 else []
    charset = _declared(fields[17].decode("ascii", "ignore") if len(fields) > 17 else "")
    if content.isascii() and content.find(b"\x1b") < 0:
        return Charset.ASCII
    if charset is None or charset is Charset.ASCII:
        notes.add(japanese.ENCODING_DETECTED)
        return japanese.detect(content)
    if charset is Charset.ISO_2022_JP and not content.isascii() and content.find(b"\x1b") < 0:
        # A copy saved by an editor keeps its MSH-18. Shift_JIS is refused: it can be mistaken.
        if japanese.is_readable(content, Charset.UTF_8):
            notes.add(japanese.ENCODING_DETECTED)
            return Charset.UTF_8
        raise Malformed(
            "the bytes are not in the declared character set",
            "宣言された文字コードで読めません",
            at="MSH-18",
            rule="HL7 AE 102",
        )
    return charset


@memo.by_text(256)
def _declared(names: str) -> Charset | None:
    """The character set of MSH-18: the first that is more than ASCII."""
    sets = [found for name in names.split("~") if name and (found := japanese.declared(name))]
    return next((one for one in sets if one is not Charset.ASCII), sets[0] if sets else None)


def _delimiters(header: str, notes: set[str]) -> str:
    r"""MSH-1 and MSH-2 as five characters `|^~\&`; anything unusable is refused (E-01)."""
    separator = header[3:4]
    encoding = header[4:].split(separator, 1)[0] if separator else ""
    if "¥" in encoding:
        # 0x5C is a yen sign in JIS-Roman; copies in UTF-8 keep the sign (U+00A5).
        notes.add(YEN_ESCAPE)
    return _usable(separator + encoding)


@memo.by_text(256)
def _usable(stated: str) -> str:
    """MSH-1 and the four delimiters of MSH-2, or a refusal."""
    found, encoding = stated[:5], stated[1:]
    usable = all(c in "|^~\\&#$%*+,-/:;<=>?@_!¥" for c in found)
    if len(encoding) not in (4, 5) or len(set(found)) != 5 or not usable:
        raise Malformed(
            "unusable delimiters", "区切り文字が使えません", at="MSH-2", rule="HL7 AR 102"
        )
    return found


def _segments(
    lines: list[tuple[bytes, int]],
    texts: list[str],
    delimiters: str,
    charset: Charset,
    notes: set[str],
    base: int,
) -> list[Segment]:
    """The lines as segments; `texts` are theirs, or not where each has to be decoded by itself."""
    decoded = len(texts) == len(lines)
    counts: dict[str, int] = {}
    segments: list[Segment] = []
    separator, repeat = delimiters[0], delimiters[2]
    for place, (line, start) in enumerate(lines):
        name = _name(line[:4], separator)
        number = counts[name] = counts.get(name, 0) + 1
        text = texts[place] if decoded else _decoded(line, charset, notes, f"{name}[{number}]")
        if name == "MSH" and segments and text[3:4] == separator:
            raise _framing("a second message in one", "一つの中に複数のメッセージがあります")
        if len(line) > MOST_REPETITIONS and (
            text.count(repeat) > MOST_REPETITIONS or len(line) > LONGEST_FIELD
        ):
            _check_sizes(text, delimiters, f"{name}[{number}]")
        begin = base + start
        segments.append(Segment(name, number, text, begin, begin + len(line), delimiters))
    return segments


@lru_cache(maxsize=256)
def _name(head: bytes, separator: str) -> str:
    """The name of a segment by its first four bytes, or what a line that is none is called."""
    name = head[:3].decode("ascii", "ignore")
    is_name = _NAME.fullmatch(name) and head[3:] in (b"", separator.encode())
    return name if is_name else NO_SEGMENT


def _decoded(line: bytes, charset: Charset, notes: set[str], place: str) -> str:
    """One line, so that an escape sequence left open is seen where it is (F-01)."""
    try:
        return japanese.decode(line, charset, notes)
    except Malformed as refusal:
        raise Malformed(refusal.english, refusal.japanese, at=place, rule="HL7 AE 102") from refusal


def _check_sizes(text: str, delimiters: str, place: str) -> None:
    for number, field in enumerate(text.split(delimiters[0])):
        if field.count(delimiters[2]) >= MOST_REPETITIONS or len(field) > LONGEST_FIELD:
            raise OverLimit(
                "too many repetitions or too long a field",
                "繰り返しが多すぎるか、項目が長すぎます",
                at=f"{place}.{number}",
                rule="HL7 AE 102",
            )


def _check_header(message: Message, accepted: Collection[str] | None) -> None:
    """What makes it a message of ours (HL7 v2.5 2.15.9; `security.md` 2.2: AR)."""
    header = message.header
    if not header.value(9) or (accepted is not None and message.type not in accepted):
        known = accepted is None or any(one.startswith(header.value(9) + "^") for one in accepted)
        code = "201" if known and header.value(9) else "200"
        raise Unsupported(
            "message type not taken", "扱わないメッセージ型です", at="MSH-9", rule=f"HL7 AR {code}"
        )
    for field, name in ((7, "message time"), (10, "control id")):
        if not header.value(field):
            raise Malformed(
                f"{name} missing", "必須項目がありません", at=f"MSH-{field}", rule="HL7 AR 101"
            )
    if not is_time(header.value(7)):
        raise Malformed("not a time", "日時の形式ではありません", at="MSH-7", rule="HL7 AR 102")
    if header.value(11)[:1] not in _PROCESSING:
        raise Unsupported("processing id", "処理IDが不正です", at="MSH-11", rule="HL7 AR 202")
    if not _VERSIONS.fullmatch(header.value(12)):
        raise Unsupported("version", "版が対象外です", at="MSH-12", rule="HL7 AR 203")


@memo.by_text(4096)
def is_time(text: str) -> bool:
    """Whether `text` is a TS or DTM with a date and a zone that exist (HL7 v2.5 2.A.22)."""
    found = _TIME.fullmatch(text)
    if not found:
        return False
    # A month or day of 00 is not one that was left out: it does not exist.
    parts = [int(part or least) for part, least in zip(found.groups(), _LEAST, strict=True)]
    try:
        datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return False
    return True


def _framing(english: str, text: str) -> Refusal:
    return Malformed(english, text, at="MSH", rule="HL7 AR 100")


def _bad_byte(content: bytes, start: int) -> Refusal:
    """A control character is framing gone wrong (VT, FS) or a value that cannot be (E-02)."""
    place = next(i for i in range(start, len(content)) if content[i] in _FORBIDDEN)
    if content[place] in (0x0B, 0x1C):
        return _framing("framing byte inside the message", "メッセージ内にフレーム文字があります")
    if content[place] in (0x0E, 0x0F):
        return Malformed("shift code", "シフトコードがあります", rule="HL7 AE 102")
    return Malformed("control character", "制御文字があります", rule="HL7 AE 102")

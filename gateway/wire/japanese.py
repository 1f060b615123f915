"""Japanese character sets: bytes to text without guessing and without loss.

Nothing here ever writes a replacement character. What cannot be read is refused (`security.md`
F-01, F-03); what was read by a named leniency is noted, and the note becomes a finding (F-04,
F-05). The standard codecs accept an open escape and shift codes, so both are checked here.
"""

import codecs
import re
from enum import Enum

from gateway.errors import Malformed
from gateway.wire import memo

_ESCAPE = re.compile(rb"\x1b(?:\([ABIJ]|\$[@AB]|\$\(D|.{0,2})", re.DOTALL)
_ASCII, _ROMAN, _KANA, _KANJI = b"\x1b(B", b"\x1b(J", b"\x1b(I", (b"\x1b$B", b"\x1b$@")
_CLOSED = re.compile(rb"[^\x1b]*+(?:\x1b\$B[^\x1b\r\n]*+\x1b\(B[^\x1b]*+)*+")
"Text whose every run of kanji is closed on its line; linear in its length."
_TWO_BYTE = re.compile(rb"(?:[\x21-\x7e][\x21-\x7e])*")
_NOT_SHIFT_JIS = re.compile("[\x80-\xa0\uf8f0-\uf8f3]")
_BLANKS = b"\x20\x09"
_PRIVATE = re.compile("[\ue000-\ue757]")
_USER_CHARACTERS = "gateway-user-defined-characters"


class Charset(Enum):
    """A character set as these exchanges declare it."""

    ISO_2022_JP = "iso-2022-jp"
    SHIFT_JIS = "shift_jis"
    "With the NEC and IBM extensions, as Windows writes it (cp932)."
    EUC_JP = "euc-jp"
    UTF_8 = "utf-8"
    ASCII = "ascii"


DECLARED = {
    "ISOIR6": Charset.ASCII,
    "ASCII": Charset.ASCII,
    "ISOIR14": Charset.ISO_2022_JP,
    "ISOIR87": Charset.ISO_2022_JP,
    "ISOIR159": Charset.ISO_2022_JP,
    "ISO2022JP": Charset.ISO_2022_JP,
    "UNICODEUTF8": Charset.UTF_8,
    "UTF8": Charset.UTF_8,
    "SHIFTJIS": Charset.SHIFT_JIS,
    "SJIS": Charset.SHIFT_JIS,
    "MS932": Charset.SHIFT_JIS,
    "CP932": Charset.SHIFT_JIS,
    "WINDOWS31J": Charset.SHIFT_JIS,
    "EUCJP": Charset.EUC_JP,
    "EUC": Charset.EUC_JP,
}
"What senders write in MSH-18 and elsewhere, blanks, hyphens and underlines left out."

NONSTANDARD_ESCAPE = "nonstandard-escape"
VENDOR_CHARACTER = "vendor-character"
USER_CHARACTER = "user-defined-character"
ENCODING_DETECTED = "encoding-detected"


@memo.by_text(64)
def declared(name: str) -> Charset | None:
    """The character set a sender names, or None where the name is not known."""
    return DECLARED.get(re.sub(r"[ _/-]", "", name).upper())


def detect(content: bytes) -> Charset:
    """The character set by the bytes alone: mark, escapes, strict UTF-8, cp932 (F-04).

    EUC-JP is never guessed: its bytes are also possible as Shift_JIS.
    """
    if content.isascii():
        return Charset.ISO_2022_JP if b"\x1b" in content else Charset.ASCII
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return Charset.SHIFT_JIS
    return Charset.UTF_8


def decode(content: bytes, charset: Charset, notes: set[str]) -> str:
    """Text of one unit: a line, a segment, a file; raises `Malformed` where it is not that.

    A unit of ISO-2022-JP must begin and end in single-byte state (F-01). `notes` takes the names
    of the leniencies that were used.
    """
    if content.isascii() and b"\x1b" not in content and charset is not Charset.UTF_8:
        return _plain(content)
    match charset:
        case Charset.ISO_2022_JP:
            return _iso_2022_jp(content, notes)
        case Charset.SHIFT_JIS:
            return _shift_jis(content, notes)
        case Charset.EUC_JP:
            return _strict(content, "euc_jp")
        case Charset.UTF_8:
            return _strict(content.removeprefix(b"\xef\xbb\xbf"), "utf-8")
        case Charset.ASCII:
            raise _refusal("bytes beyond the declared character set")


def decode_lines(content: bytes, charset: Charset) -> str | None:
    """Text of a whole file whose lines :func:`decode` would read the same, without a note.

    One call of the codec where the lines are many. None where a line may need a leniency or a
    refusal, which has to say where it stands: then they are decoded one by one.
    """
    plain = content.isascii() and content.find(b"\x1b") < 0
    if not plain and charset is not Charset.ISO_2022_JP:
        return None
    shifts = content.find(b"\x0e") >= 0 or content.find(b"\x0f") >= 0
    if shifts or not _CLOSED.fullmatch(content):
        return None
    try:
        return content.decode("ascii" if plain else "iso2022_jp")
    except UnicodeDecodeError:
        return None


def _refusal(english: str) -> Malformed:
    return Malformed(english, "文字コードを読み取れません", rule="F-01")


def _plain(content: bytes) -> str:
    """ASCII; shift codes are no characters."""
    if b"\x0e" in content or b"\x0f" in content:
        raise _refusal("shift code in the text")
    return content.decode("ascii")


def _strict(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise _refusal(f"not {codec.replace('_', '-')} at byte {error.start}") from error


def _iso_2022_jp(content: bytes, notes: set[str]) -> str:
    """ISO-2022-JP by the standard codec, or run by run where it has characters of vendors."""
    if b"\x0e" in content or b"\x0f" in content:
        raise _refusal("shift code in the text")
    last = content.rfind(b"\x1b")
    if last >= 0 and content[last : last + 3] not in (_ASCII, _ROMAN):
        raise _refusal("escape sequence left open")
    if b"\x1b(J" in content or b"\x1b$@" in content or b"\x1b(I" in content:
        notes.add(NONSTANDARD_ESCAPE)
        return _by_runs(content, notes)
    try:
        return content.decode("iso2022_jp")
    except UnicodeDecodeError:
        return _by_runs(content, notes)


def _by_runs(content: bytes, notes: set[str]) -> str:
    """ISO-2022-JP with half-width kana and the characters of NEC and IBM (F-05)."""
    parts: list[str] = []
    state = _ASCII
    start = 0
    for escape in [*_ESCAPE.finditer(content), None]:
        run = content[start : escape.start() if escape else len(content)]
        if run:
            parts.append(_run(run, state, notes))
        if escape:
            state, start = escape.group(), escape.end()
    return "".join(parts)


def _run(run: bytes, state: bytes, notes: set[str]) -> str:
    """One run between two escape sequences."""
    if not run.isascii():
        raise _refusal("8-bit byte in a 7-bit character set")
    if state == _ASCII:
        return run.decode("ascii")
    if state == _ROMAN:
        return run.decode("ascii").replace("\\", "¥").replace("~", "‾")
    if state == _KANA:
        if any(not 0x21 <= byte <= 0x5F for byte in run.translate(None, _BLANKS)):
            raise _refusal("not half-width kana")
        return "".join(chr(byte + 0xFF40) if byte > 0x20 else chr(byte) for byte in run)
    if state not in _KANJI or not _TWO_BYTE.fullmatch(run):
        raise _refusal("unknown or broken two-byte run")
    eight_bit = bytes(byte | 0x80 for byte in run)
    try:
        return eight_bit.decode("euc_jp")
    except UnicodeDecodeError:
        return "".join(_kanji(run[i], run[i + 1], notes) for i in range(0, len(run), 2))


def _kanji(row: int, cell: int, notes: set[str]) -> str:
    """One two-byte character; rows 13 and 89 to 92 are NEC's, absent from JIS X 0208."""
    try:
        return bytes((row | 0x80, cell | 0x80)).decode("euc_jp")
    except UnicodeDecodeError:
        notes.add(VENDOR_CHARACTER)
    lead = (row - 0x21 >> 1) + (0x81 if row < 0x5F else 0xC1)
    trail = cell + (0x7E if not row & 1 else 0x1F + (cell >= 0x60))
    return _strict(bytes((lead, trail)), "cp932")


def _shift_jis(content: bytes, notes: set[str]) -> str:
    """cp932; user-defined characters go to the private use area, as Windows maps them."""
    try:
        text = content.decode("cp932", _USER_CHARACTERS)
    except UnicodeDecodeError as error:
        raise _refusal(f"not shift-jis at byte {error.start}") from error
    if _NOT_SHIFT_JIS.search(text):
        raise _refusal("not shift-jis")
    if _PRIVATE.search(text):
        notes.add(USER_CHARACTER)
    return text


def _user_character(error: UnicodeError) -> tuple[str, int]:
    """F040 to F9FC are U+E000 to U+E757: what they mean only the facility knows (F-05)."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = error.object[error.start : error.start + 2]
    if len(pair) < 2 or not 0xF0 <= pair[0] <= 0xF9 or not _is_trail(pair[1]):
        raise error
    offset = pair[1] - 0x40 - (pair[1] > 0x7F)
    return chr(0xE000 + (pair[0] - 0xF0) * 188 + offset), error.start + 2


def _is_trail(byte: int) -> bool:
    return 0x40 <= byte <= 0xFC and byte != 0x7F


codecs.register_error(_USER_CHARACTERS, _user_character)


def is_readable(content: bytes, charset: Charset) -> bool:
    """Whether `content` decodes in `charset`, for choosing between declared and detected."""
    try:
        decode(content, charset, set())
    except Malformed:
        return False
    return True

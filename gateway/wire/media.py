"""Media types and MIME header lines: strict where a guess would join or split documents.

RFC 2045 5.1 and RFC 9110 8.3; `security.md` C-06, C-07.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from gateway.errors import Malformed

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NAME = re.compile(rf"({_WORD}/{_WORD})[ \t]*")
_PARAMETER = re.compile(
    rf"[ \t]*({_WORD})[ \t]*=[ \t]*(?:\"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*)\""
    rf"|([!\x23-:<-\x7e]+))[ \t]*"
)
_ESCAPED = re.compile(r"\\(.)")
_HEADER = re.compile(rf"({_WORD}):[ \t]*+([\t\x20-\x7e]*)")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type: its name in lower case and its parameters by lower-case name."""

    name: str
    parameters: Mapping[str, str]

    def get(self, parameter: str) -> str:
        """A parameter's value, empty where it is absent."""
        return self.parameters.get(parameter, "")


@lru_cache(maxsize=256)
def read(text: str) -> MediaType:
    """Read a Content-Type value; a doubled parameter is refused, an empty one skipped.

    A client says the same again and again: the last few hundred values are remembered.
    """
    found = _NAME.match(text)
    if found is None or len(text) > _LONGEST:
        raise _malformed("media type not readable")
    parameters: dict[str, str] = {}
    place = found.end()
    while place < len(text):
        if text[place] != ";":
            raise _malformed("media type not readable")
        place += 1
        if not text[place:].strip(" \t") or text[place:].lstrip(" \t").startswith(";"):
            place += len(text[place:]) - len(text[place:].lstrip(" \t"))
            continue
        parameter = _PARAMETER.match(text, place)
        if parameter is None:
            raise _malformed("media type parameter not readable")
        name = parameter[1].lower()
        if name in parameters:
            raise _malformed("media type parameter doubled")
        quoted = parameter[2]
        parameters[name] = parameter[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        place = parameter.end()
    return MediaType(found[1].lower(), MappingProxyType(parameters))


def headers(block: bytes, most: int) -> dict[str, str]:
    """Header lines of one part by lower-case name; folded lines are joined (RFC 2045).

    Anything but printable ASCII, a name without colon, or a doubled name is refused.
    """
    lines: list[str] = []
    for raw in block.decode("latin-1").split("\r\n"):
        if raw[:1] in (" ", "\t") and lines:
            lines[-1] += " " + raw.strip(" \t")
        elif raw:
            lines.append(raw)
    if len(lines) > most:
        raise _malformed("too many part headers")
    found: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _malformed("part header not readable")
        name = header[1].lower()
        if name in found:
            raise _malformed("part header doubled")
        found[name] = header[2].rstrip(" \t")
    return found


def _malformed(reason: str) -> Malformed:
    return Malformed(reason, "MIME ヘッダーが読めません", rule="C-06", log="MTOM-FRAME")

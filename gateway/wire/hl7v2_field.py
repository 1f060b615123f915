r"""One field of an HL7 v2 message as it was sent: components, sub-components, escapes.

Delimiters are the five characters of MSH-1 and MSH-2, `|^~\&` (HL7 v2.5 2.5.4, 2.7).
"""

import re

_FORMATTING = re.compile(r"\.[a-z]{2}[+-]?[0-9]*|[HN]|[XCMZ][0-9A-Za-z]*")
_ESCAPED = {"F": 0, "S": 1, "R": 2, "E": 3, "T": 4}


def components(repetition: str, delimiters: str) -> list[str]:
    """The components of a repetition as sent, unescaped; an explicit null is empty."""
    parts = repetition.split(delimiters[1])
    if delimiters[3] in repetition:
        return [unescape(part, delimiters) for part in parts]
    if '""' in parts:
        return ["" if part == '""' else part for part in parts]
    return parts


def subcomponents(repetition: str, component: int, delimiters: str) -> list[str]:
    """The sub-components of one component of a repetition as sent; at least one."""
    parts = repetition.split(delimiters[1])
    if component > len(parts):
        return [""]
    return [unescape(part, delimiters) for part in parts[component - 1].split(delimiters[4])]


def unescape(text: str, delimiters: str) -> str:
    """A value with its delimiter escapes resolved once; formatting escapes stay as sent (E-01)."""
    escape = delimiters[3]
    if text == '""':
        return ""
    if escape not in text:
        return text
    parts = text.split(escape)
    out = [parts[0]]
    index = 1
    while index < len(parts):
        code, closed = parts[index], index + 1 < len(parts)
        if closed and code in _ESCAPED:
            out.append(delimiters[_ESCAPED[code]])
            out.append(parts[index + 1])
            index += 2
        else:
            # \.br\, \H\, \X0D\ and a lone yen sign are text here; no value gains a line break.
            out.append(escape + code)
            index += 1
            if closed and _FORMATTING.fullmatch(code):
                out.append(escape + parts[index])
                index += 1
    return "".join(out)


def escape(text: str, delimiters: str = "|^~\\&") -> str:
    """A value as it may stand in a field: it can change no structure when it is written (E-01)."""
    sign = delimiters[3]
    codes = {delimiters[place]: f"{sign}{code}{sign}" for code, place in _ESCAPED.items()}
    return "".join(
        codes.get(c) or (c if c >= " " and c != "\x7f" else f"{sign}X{ord(c):02X}{sign}")
        for c in text
    )

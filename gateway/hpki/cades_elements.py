"""The elements of signed CMS data, octet by octet as they stand in the file.

An archive time-stamp of version 2 is over elements with tag and length, as they are encoded
(TS 101 733 6.4.1 notes 3 and 4): a library that reads BER and writes DER would change them.
"""

from dataclasses import dataclass

from gateway.errors import Malformed

_DEEPEST = 50
_UNSIGNED = 0xA1
"Tag of unsignedAttrs (RFC 5652 5.3)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """What signed data and one of its signers are made of."""

    content: memoryview
    "encapContentInfo."
    sets: tuple[memoryview, ...]
    "certificates and crls, each where it is there."
    signer: tuple[memoryview, ...]
    "The elements of the SignerInfo before its unsigned attributes."
    unsigned: tuple[memoryview, ...]
    "The unsigned attributes, one by one."


def read(content: bytes, place: int) -> Elements:
    """The elements around the signer at `place` of a ContentInfo in DER or BER.

    Raises `Malformed`, or `LookupError` and `ValueError` where there is no such signer.
    """
    _, tagged = parts(memoryview(content))
    (data,) = parts(tagged)
    _, _, inner, *sets, infos = parts(data)
    signer = parts(parts(infos)[place])
    last = signer[-1]
    unsigned = parts(last) if last[0] == _UNSIGNED else []
    return Elements(
        content=inner,
        sets=tuple(sets),
        signer=tuple(signer[:-1] if last[0] == _UNSIGNED else signer),
        unsigned=tuple(unsigned),
    )


def parts(encoded: memoryview) -> list[memoryview]:
    """The values inside of a constructed one, each with its tag and length."""
    at, end, _ = _span(encoded, 0)
    found = []
    while at < end:
        _, _, after = _span(encoded, at)
        found.append(encoded[at:after])
        at = after
    if at != end:
        raise Malformed("a value is longer than what holds it")
    return found


def _span(encoded: memoryview, at: int, depth: int = 0) -> tuple[int, int, int]:
    """Where the contents of the value at `at` begin and end, and where the next one begins."""
    start = at + 1
    if encoded[at] & 0x1F == 0x1F:  # a tag of several octets (X.690 8.1.2.4)
        while encoded[start] & 0x80:
            start += 1
        start += 1
    first = encoded[start]
    start += 1
    if first == 0x80:  # up to the end-of-contents octets (X.690 8.1.3.6)
        if depth == _DEEPEST:
            raise Malformed("nested too deeply")
        end = start
        while bytes(encoded[end : end + 2]) != b"\0\0":
            _, _, end = _span(encoded, end, depth + 1)
        return start, end, end + 2
    if first & 0x80:
        size = first & 0x7F
        first = int.from_bytes(encoded[start : start + size])
        start += size
    if start + first > len(encoded):
        raise Malformed("a value is longer than the file")
    return start, start + first, start + first

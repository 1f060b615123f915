"""CMS as it is handed about: DER or BER, PEM, or bare base64 (RFC 7468 8 and 9).

Nothing but the one object may be in the file: what stands beside it would be covered by nothing.
"""

import re
from base64 import b64decode

from gateway.errors import Malformed

LARGEST = 100 * 1024 * 1024
"Bytes of a CMS object."
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_HEAD = 96
_PEM = re.compile(rb"\s*-----BEGIN (PKCS7|CMS)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----\s*")
_ARMOUR = re.compile(rb"\s*-----BEGIN (?:PKCS7|CMS)-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*")


def recognised(content: bytes) -> bool:
    """Whether the bytes begin as signed CMS data, in any wrapping."""
    head = content[:_HEAD]
    if _is_signed(head) or _ARMOUR.match(head):
        return True
    if not head.lstrip().startswith(b"M") or not _BASE64.fullmatch(head):
        return False
    text = b"".join(head.split())
    return _is_signed(b64decode(text[: len(text) // 4 * 4]))


def unwrap(content: bytes) -> bytes:
    """The CMS object in DER or BER; `Malformed` where something else is there, or too much."""
    if len(content) > 2 * LARGEST:
        raise Malformed("larger than allowed", "サイズが上限を超えています", rule="G9")
    if not _is_signed(content[:_HEAD]):
        armoured = _PEM.fullmatch(content) if _ARMOUR.match(content[:_HEAD]) else None
        text = b"".join((armoured[2] if armoured else content).split())
        try:
            content = b64decode(text, validate=True)
        except ValueError as error:
            raise Malformed("not base64", "base64 ではありません") from error
    if len(content) > LARGEST:
        raise Malformed("larger than allowed", "サイズが上限を超えています", rule="G9")
    return content


def _is_signed(head: bytes) -> bool:
    """Whether these are the first bytes of a ContentInfo that says signed-data (RFC 5652 3)."""
    if len(head) < 2 or head[0] != 0x30:
        return False
    length = head[1] & 0x7F if head[1] & 0x80 else 0
    return head[2 + length :].startswith(_SIGNED_DATA)

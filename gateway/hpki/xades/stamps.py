"""A time-stamp container: its tokens, and how what they are over becomes octets.

EN 319 132-1 5.1.4.4. What the standard lets stand there and this version does not read is told.
"""

from dataclasses import dataclass

from lxml import etree

from gateway.errors import Malformed
from gateway.hpki.opened import Unfit
from gateway.hpki.xades import refusals
from gateway.hpki.xades.names import DS, XADES
from gateway.hpki.xades.places import at_most_one
from gateway.hpki.xades.references import method_of, plain_base64

_DAMAGED = b""
"A token that cannot be read; it is judged so."


@dataclass(frozen=True, slots=True)
class Container:
    """What stands in one time-stamp container."""

    tokens: tuple[bytes, ...]
    "In DER, or empty where damaged; one at least."
    method: str | None
    prefixes: tuple[str, ...]

    @property
    def token(self) -> bytes:
        """The one token, where several would say nothing of each other."""
        return self.tokens[0] if len(self.tokens) == 1 else _DAMAGED


def read(stamp: etree._Element, *, explicit: bool = False) -> Container:
    """A container; `Unfit` where it names what it is over and may not, or holds no RFC 3161 token.

    `explicit` is for the one kind that must name it.
    """
    if stamp.find(f"{XADES}ReferenceInfo") is not None or (
        stamp.find(f"{XADES}Include") is not None and not explicit
    ):
        raise refusals.unread(
            "time-stamps that name what they are over (Include) are not read by this version",
            "対象を個別に指定したタイムスタンプ（Include）はこの版では読み取れません",
        )
    if stamp.find(f"{XADES}XMLTimeStamp") is not None:
        raise refusals.unread(
            "time-stamps in XML are not read by this version, but tokens of RFC 3161",
            "XML 形式のタイムスタンプはこの版では読み取れません（RFC 3161 のみ）",
        )
    named = at_most_one(stamp, f"{DS}CanonicalizationMethod")
    found = stamp.findall(f"{XADES}EncapsulatedTimeStamp")
    try:
        method, prefixes = (None, ()) if named is None else method_of(named)
        tokens = tuple(plain_base64(one) for one in found)
    except (Unfit, Malformed):
        return Container((_DAMAGED,), None, ())
    return Container(tokens or (_DAMAGED,), method, prefixes)

"""ITI-40 Provide X-User Assertion: the one signed SAML 2.0 assertion of a message, to claims.

ITI TF-2: 3.40; WS-Security SAML Token Profile 1.1; `security.md` B. The order is: place and
number, limits, shape, signature, and only then what it says, read from the signed bytes alone.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from gateway.errors import Malformed, OverLimit
from gateway.wire import saml_claims, saml_signature, xml
from gateway.wire.saml_claims import Claims, Confirmation
from gateway.wire.saml_signature import Trust, fault, trust_of

__all__ = ["Claims", "Confirmation", "Trust", "Verifier", "trust_of", "verify"]

_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
_ASSERTION = xml.clark("saml:Assertion")
_TIMESTAMP = xml.clark("wsu:Timestamp")
_TOKENS = frozenset(
    xml.clark(name)
    for name in ("wsse:UsernameToken", "wsse:BinarySecurityToken", "saml:EncryptedAssertion")
)
_ATTRIBUTES = {"ID", "Version", "IssueInstant"}
_ID = re.compile(r"[A-Za-z_][\w.-]{0,255}", re.ASCII)
_ID_NAMES = frozenset({"id", "assertionid"})
_LONGEST_ASSERTION = 256 * 1024
_MOST_ATTRIBUTES, _MOST_VALUES, _MOST_ELEMENTS = 100, 1000, 10_000

_SKEW = timedelta(seconds=180)
_LONGEST = timedelta(hours=4)

_ASSERTIONS = etree.XPath(
    "count(//*[local-name()='Assertion' and starts-with(namespace-uri(), $saml)])"
)
_ENCRYPTED = etree.XPath(
    "count(//*[local-name()='EncryptedAssertion' or local-name()='EncryptedID'])"
)
_SIGNATURES = etree.XPath("count(//ds:Signature)", namespaces={"ds": xml.NAMESPACES["ds"]})
_REMARKS = etree.XPath("boolean(.//comment() | .//processing-instruction())")
_SAME_ID = etree.XPath("//@*[. = $id]")
_COUNT = etree.XPath(
    "concat(count(.//*), ' ', count(.//saml:Attribute), ' ', count(.//saml:AttributeValue))",
    namespaces={"saml": xml.NAMESPACES["saml"]},
)


def verify(
    security: etree._Element | None,
    envelope: etree._Element,
    trust: Trust,
    *,
    audience: str,
    now: datetime,
    skew: timedelta = _SKEW,
    longest: timedelta = _LONGEST,
    recipients: frozenset[str] = frozenset(),
    holder: str = "",
    address: str = "",
) -> Claims:
    """The claims of the message's assertion; raises `Unauthenticated` (or `OverLimit`).

    `recipients` are the addresses by which our endpoint may be named, `holder` the SHA-256 of the
    caller's TLS certificate, `address` where it called from: an assertion that is bound to one of
    them is refused where it differs or is not known.
    """
    verifier = Verifier(
        trust,
        audience=audience,
        skew=skew,
        longest=longest,
        recipients=recipients,
        remembered=0,
    )
    return verifier.verify(security, envelope, now=now, holder=holder, address=address)


class Verifier:
    """Verifies assertions for one trust, and remembers the bytes it already verified.

    What is remembered is the outcome of the cryptography for exactly these bytes at this place;
    times, audience and binding are judged anew for every message. Bounded, and safe to share
    between threads. A change of trust takes a new one.
    """

    __slots__ = (
        "_audience", "_known", "_lock", "_longest", "_recipients", "_remembered", "_skew", "_trust",
    )  # fmt: skip

    def __init__(
        self,
        trust: Trust,
        *,
        audience: str,
        skew: timedelta = _SKEW,
        longest: timedelta = _LONGEST,
        recipients: frozenset[str] = frozenset(),
        remembered: int = 1024,
    ) -> None:
        self._trust = trust
        self._audience = audience
        self._skew = skew
        self._longest = longest
        self._recipients = recipients
        self._remembered = remembered
        self._known: OrderedDict[bytes, tuple[Claims, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def verify(
        self,
        security: etree._Element | None,
        envelope: etree._Element,
        *,
        now: datetime,
        holder: str = "",
        address: str = "",
    ) -> Claims:
        """As :func:`verify`, with the rules of this verifier."""
        assertion, content = _only_assertion(security, envelope, now, self._skew)
        key = hashlib.sha256(content).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None or now > known[1]:
            known = self._prove(assertion, now)
            if self._remembered:
                with self._lock:
                    self._known[key] = known
                    while len(self._known) > self._remembered:
                        self._known.popitem(last=False)
        claims = known[0]
        self._check_times(claims, now)
        if not self._audience or not claims.audiences:
            raise fault("authentication", "SAML-AUD")
        if any(self._audience not in audiences for audiences in claims.audiences):
            raise fault("authentication", "SAML-AUD")
        self._check_subject(claims, now, holder, address)
        return claims

    def _prove(self, assertion: etree._Element, now: datetime) -> tuple[Claims, datetime]:
        """Signature and reading; and until when the certificate lets us remember it."""
        try:
            issuer = xml.text(xml.one(assertion, "saml:Issuer"))
            certificates = self._trust.get(issuer, ())
            if not certificates:
                raise fault("authentication", "SAML-ISSUER")
            signed, certificate = saml_signature.signed_part(assertion, certificates, now)
        except Malformed as error:
            raise fault("token", "SIG-WRAP") from error
        claims = saml_claims.read(signed, certificate=certificate.fingerprint(SHA256()).hex())
        if claims.issuer != issuer:
            raise fault("signature", "SIG-WRAP")
        return claims, certificate.not_valid_after_utc

    def _check_times(self, claims: Claims, now: datetime) -> None:
        """Life-time and both bounds with the allowed skew (B-09, FN-1004, FN-1005)."""
        life = claims.not_on_or_after - claims.not_before
        if not timedelta(0) < life <= self._longest:
            raise fault("authentication", "SAML-TIME")
        self._check_bounds(claims.not_before, claims.not_on_or_after, now)
        self._check_bounds(claims.issued, claims.until, now)
        self._check_bounds(claims.authenticated, None, now)

    def _check_bounds(self, start: datetime | None, end: datetime | None, now: datetime) -> None:
        """Refuse what is later or earlier than the skew allows, in whole seconds.

        At exactly the skew it is still accepted, one second beyond it is not; without any skew
        `end` is exclusive.
        """
        if start is not None and now < start - self._skew:
            raise fault("authentication", "SAML-TIME")
        if end is None:
            return
        late = now.replace(microsecond=0) > end + self._skew if self._skew else now >= end
        if late:
            raise fault("expired", "SAML-TIME")

    def _check_subject(self, claims: Claims, now: datetime, holder: str, address: str) -> None:
        """Every confirmation must hold: one that does not would be an unlocked door (B-14)."""
        if not claims.confirmations:
            raise fault("authentication", "SAML-HOK")
        for confirmation in claims.confirmations:
            if confirmation.method == _HOLDER_OF_KEY:
                if not holder or confirmation.holder != holder:
                    raise fault("authentication", "SAML-HOK")
            elif confirmation.method != _BEARER:
                raise fault("authentication", "SAML-HOK")
            recipient = confirmation.recipient
            if recipient is not None and recipient not in self._recipients:
                raise fault("authentication", "SAML-AUD")
            if confirmation.in_response_to is not None:
                raise fault("authentication", "SAML-AUD")
            if confirmation.address is not None and confirmation.address != address:
                raise fault("authentication", "SAML-AUD")
            self._check_bounds(confirmation.not_before, confirmation.not_on_or_after, now)


def _only_assertion(
    security: etree._Element | None, envelope: etree._Element, now: datetime, skew: timedelta
) -> tuple[etree._Element, bytes]:
    """The one assertion at its one place, within the limits, and its exact bytes.

    Envelope/Header/Security/Assertion, no second assertion or signature anywhere in the message,
    no remark in the header, and an id that nothing else carries (B-01, B-18, B-19, A-08).
    """
    if security is None:
        raise fault("security", "SIG-MISSING", "an assertion is required")
    header = security.getparent()
    if (
        header is None
        or header.tag != xml.clark("env:Header")
        or header.getparent() is not envelope
    ):
        raise fault("security", "SIG-WRAP")
    found: list[etree._Element] = []
    for child in xml.children(security):
        if child.tag == _ASSERTION:
            found.append(child)
        elif child.tag == _TIMESTAMP:
            _check_timestamp(child, now, skew)
        elif child.tag in _TOKENS:
            raise fault("unsupported-token", "SIG-ENC")
        else:
            raise fault("security", "SIG-WRAP")
    if _ENCRYPTED(envelope):
        raise fault("unsupported-token", "SIG-ENC")
    if len(found) != 1 or _assertions(envelope) != 1:
        raise fault("security", "SIG-WRAP" if _assertions(envelope) else "SIG-MISSING")
    assertion = found[0]
    content = _measured(assertion)
    if _SIGNATURES(envelope) != 1:
        raise fault("signature", "SIG-WRAP" if _SIGNATURES(envelope) else "SIG-MISSING")
    if _REMARKS(security) or b"<![CDATA[" in content:
        raise fault("security", "XML-MIXED")
    _check_id(assertion, envelope)
    return assertion, content


def _assertions(envelope: etree._Element) -> int:
    """How many assertions of any SAML version stand anywhere in the message."""
    return int(float(str(_ASSERTIONS(envelope, saml="urn:oasis:names:tc:SAML:"))))


def _measured(assertion: etree._Element) -> bytes:
    """The assertion's bytes; its limits come before any cryptography (B-18)."""
    elements, attributes, values = map(int, str(_COUNT(assertion)).split())
    content = b""
    if elements <= _MOST_ELEMENTS and attributes <= _MOST_ATTRIBUTES and values <= _MOST_VALUES:
        content = xml.serialize(assertion)
    if not content or len(content) > _LONGEST_ASSERTION:
        raise OverLimit(
            "the assertion is too large", "アサーションが大きすぎます", rule="B-18", log="LIMIT"
        )
    return content


def _check_id(assertion: etree._Element, envelope: etree._Element) -> None:
    """The id is an attribute `ID`, and its value is no other id in the whole message."""
    if set(assertion.attrib) != _ATTRIBUTES or not _ID.fullmatch(assertion.get("ID", "")):
        raise fault("signature", "SIG-REF")
    same = 0
    for value in _SAME_ID(envelope, id=xml.attribute(assertion, "ID")):
        name = etree.QName(value.attrname).localname.lower()
        same += name in _ID_NAMES
    if same != 1:
        raise fault("signature", "SIG-REF")


def _check_timestamp(element: etree._Element, now: datetime, skew: timedelta) -> None:
    """A time-stamp in the header is not signed and proves nothing; but it may not be over."""
    try:
        expires = xml.maybe(element, "wsu:Expires")
        if expires is None:
            return
        end = saml_claims.read_time(xml.text(expires))
    except Malformed as error:
        raise fault("security", "SAML-TIME") from error
    if now > end + skew:
        raise fault("expired", "SAML-TIME")

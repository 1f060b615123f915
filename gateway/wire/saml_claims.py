"""What a verified assertion says: subject, conditions, confirmations and attributes as values.

ITI TF-2: 3.40.4.1.2; SAML 2.0 Core 2.3 to 2.7. Values are read exactly: nothing is trimmed,
folded or cut at a comment (`security.md` B-08). Roles and purposes stay as they came; the
neighbour's profile maps them.
"""

import base64
import binascii
import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree

from gateway.errors import Invalid, Malformed, Unauthenticated
from gateway.model.document import Code
from gateway.model.identifiers import HomeCommunityId, PatientId
from gateway.wire import ebxml, xml
from gateway.wire.saml_signature import fault

_XSPA = "urn:oasis:names:tc:xspa:1.0:subject:"
_ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
_PURPOSE = _XSPA + "purposeofuse"
_HOME = "urn:ihe:iti:xca:2010:homeCommunityId"
_RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_CODED = frozenset({_ROLE, _PURPOSE})
_CONDITIONS = frozenset({"AudienceRestriction", "OneTimeUse", "ProxyRestriction"})
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
_LONGEST_NAME, _LONGEST_TEXT = 1024, 4000
_REFUSED_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """One SubjectConfirmation: how, and under which bounds, the bearer may use it."""

    method: str
    recipient: str | None = None
    not_before: datetime | None = None
    not_on_or_after: datetime | None = None
    address: str | None = None
    in_response_to: str | None = None
    holder: str = ""
    "SHA-256 of the certificate in KeyInfo, hexadecimal, for holder-of-key."


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the issuer vouches for. Only what its signature covers is in here."""

    id: str
    issuer: str
    subject: str
    "NameID, exactly."
    alias: str = ""
    "NameID/@SPProvidedID, for the audit user name."
    issued: datetime
    not_before: datetime
    not_on_or_after: datetime
    audiences: tuple[frozenset[str], ...]
    "One set for each AudienceRestriction; every one must name us."
    confirmations: tuple[Confirmation, ...]
    authenticated: datetime | None = None
    authenticated_by: str = ""
    "AuthnContextClassRef or DeclRef."
    until: datetime | None = None
    "SessionNotOnOrAfter."
    one_time_use: bool = False
    name: str = ""
    "Attribute subject-id: the user's name in words."
    organizations: tuple[str, ...] = ()
    organization_ids: tuple[str, ...] = ()
    "A user may belong to several; each must be one that the neighbour may speak for (B-15)."
    home: HomeCommunityId | None = None
    roles: tuple[Code, ...] = ()
    "As they came; a plain text is a code without system (FN-1007)."
    purposes: tuple[Code, ...] = ()
    patient: PatientId | None = None
    "Attribute resource-id: whom the assertion is about, where it says so (FN-1010)."
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    "Every attribute with plain values, by name."
    certificate: str = ""
    "SHA-256 of the certificate that proved the signature."

    @property
    def organization_id(self) -> str:
        """The one organization the user acts for, or nothing; several are refused (B-16)."""
        if len(set(self.organization_ids)) > 1:
            raise fault("authentication", "SAML-ORG")
        return self.organization_ids[0] if self.organization_ids else ""

    @property
    def audit_name(self) -> str:
        """`alias<user@issuer>` (ITI TF-2: 3.40.4.2)."""
        return f"{self.alias}<{self.subject}@{self.issuer}>"


def read(assertion: etree._Element, *, certificate: str = "") -> Claims:
    """The claims of an assertion whose signature was verified, or the refusal they deserve."""
    try:
        return _read(assertion, certificate)
    except Unauthenticated:
        raise
    except (Malformed, Invalid) as error:
        raise fault("token", error.log or "SAML-ATTR") from error


def _read(assertion: etree._Element, certificate: str) -> Claims:
    _check_order(assertion)
    if assertion.get("Version") != "2.0":
        raise fault("unsupported-token", "SAML-ATTR")
    subject = xml.one(assertion, "saml:Subject")
    name = xml.maybe(subject, "saml:NameID")
    if name is None:
        raise fault("unsupported-token", "SIG-ENC")
    conditions = xml.maybe(assertion, "saml:Conditions")
    if conditions is None:
        raise fault("authentication", "SAML-TIME")
    authentication = xml.many(assertion, "saml:AuthnStatement")
    if not authentication:
        raise fault("token", "SAML-ATTR")
    plain, coded = _attributes(assertion)
    return Claims(
        id=xml.attribute(assertion, "ID"),
        issuer=_exact(xml.text(xml.one(assertion, "saml:Issuer"))),
        subject=_exact(xml.text(name)),
        alias=name.get("SPProvidedID", ""),
        issued=_time(assertion, "IssueInstant"),
        not_before=_time(conditions, "NotBefore"),
        not_on_or_after=_time(conditions, "NotOnOrAfter"),
        audiences=_audiences(conditions),
        confirmations=tuple(
            _confirmation(item) for item in xml.many(subject, "saml:SubjectConfirmation")
        ),
        authenticated=max(_time(item, "AuthnInstant") for item in authentication),
        authenticated_by=_context(authentication[0]),
        until=min(filter(None, (_until(item) for item in authentication)), default=None),
        one_time_use=xml.maybe(conditions, "saml:OneTimeUse") is not None,
        name=_single(plain, _XSPA + "subject-id"),
        organizations=tuple(plain.get(_XSPA + "organization", ())),
        organization_ids=tuple(plain.get(_XSPA + "organization-id", ())),
        home=_home(_single(plain, _HOME)),
        roles=tuple(coded.get(_ROLE, ())),
        purposes=tuple(coded.get(_PURPOSE, ())),
        patient=_patient(_single(plain, _RESOURCE)),
        attributes={key: tuple(values) for key, values in plain.items()},
        certificate=certificate,
    )


def _check_order(assertion: etree._Element) -> None:
    """The children and their order, as the schema has them (SAML 2.0 Core 2.3.3)."""
    names = []
    for child in xml.children(assertion):
        name = etree.QName(child)
        if name.namespace != xml.NAMESPACES["saml"]:
            raise fault("token", "SIG-WRAP")
        names.append(name.localname)
    while names and names[-1] in ("AuthnStatement", "AttributeStatement", "AuthzDecisionStatement"):
        names.pop()
    allowed = (["Issuer", "Subject", "Conditions"], ["Issuer", "Subject", "Conditions", "Advice"])
    if names == ["Issuer", "Subject"]:
        raise fault("authentication", "SAML-TIME")
    if names not in allowed:
        raise fault("token", "SIG-WRAP")


def _exact(value: str) -> str:
    """A name, exactly: empty, padded and invisible ones are refused, never repaired (B-08)."""
    if not value or value != value.strip() or len(value) > _LONGEST_NAME:
        raise fault("authentication", "SAML-ATTR")
    return _visible(value)


def _visible(value: str) -> str:
    """No control, format or unassigned character (F-06)."""
    if not value.isascii() or not value.isprintable():
        for character in value:
            if unicodedata.category(character) in _REFUSED_KINDS:
                raise fault("authentication", "SAML-ATTR")
    return value


def _time(element: etree._Element, name: str) -> datetime:
    """The time in an attribute; absent is refused like an odd one."""
    return read_time(element.get(name, ""))


def read_time(text: str) -> datetime:
    """A SAML time: UTC with `Z`, nothing else (SAML 2.0 Core 1.3.3; B-09)."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise fault("authentication", "SAML-TIME")
    try:
        moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError as error:
        raise fault("authentication", "SAML-TIME") from error
    fraction = (found[2] or ".0")[1:7].ljust(6, "0")
    return moment.replace(microsecond=int(fraction))


def _until(statement: etree._Element) -> datetime | None:
    if statement.get("SessionNotOnOrAfter") is None:
        return None
    return _time(statement, "SessionNotOnOrAfter")


def _context(statement: etree._Element) -> str:
    """How the user was authenticated (ITI TF-2: 3.40.4.1.2)."""
    context = xml.one(statement, "saml:AuthnContext")
    for path in ("saml:AuthnContextClassRef", "saml:AuthnContextDeclRef"):
        found = xml.maybe(context, path)
        if found is not None:
            return _visible(xml.text(found))
    raise fault("token", "SAML-ATTR")


def _audiences(conditions: etree._Element) -> tuple[frozenset[str], ...]:
    """Every AudienceRestriction; an unknown condition cannot be held to be met (Core 2.5.1.1)."""
    found = []
    for child in xml.children(conditions):
        name = etree.QName(child)
        if name.namespace != xml.NAMESPACES["saml"] or name.localname not in _CONDITIONS:
            raise fault("authentication", "SAML-ATTR")
        if name.localname == "AudienceRestriction":
            found.append(frozenset(xml.text(item) for item in xml.many(child, "saml:Audience")))
    return tuple(found)


def _confirmation(element: etree._Element) -> Confirmation:
    """One SubjectConfirmation with its data."""
    method = xml.attribute(element, "Method")
    held = xml.maybe(element, "saml:SubjectConfirmationData")
    if held is None:
        return Confirmation(method=method)
    return Confirmation(
        method=method,
        recipient=held.get("Recipient"),
        not_before=_time(held, "NotBefore") if "NotBefore" in held.attrib else None,
        not_on_or_after=_time(held, "NotOnOrAfter") if "NotOnOrAfter" in held.attrib else None,
        address=held.get("Address"),
        in_response_to=held.get("InResponseTo"),
        holder=_holder(held),
    )


def _holder(held: etree._Element) -> str:
    """The digest of the one certificate in KeyInfo; another form of key is not matched."""
    keys = xml.many(held, "ds:KeyInfo")
    certificates = xml.many(held, "ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    if len(keys) != 1 or len(certificates) != 1:
        return ""
    try:
        content = base64.b64decode("".join(xml.text(certificates[0]).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise fault("authentication", "SAML-HOK") from error
    return hashlib.sha256(content).hexdigest()


def _attributes(
    assertion: etree._Element,
) -> tuple[dict[str, list[str]], dict[str, list[Code]]]:
    """Plain values and coded values by attribute name, over all AttributeStatements."""
    plain: dict[str, list[str]] = {}
    coded: dict[str, list[Code]] = {}
    for attribute in xml.many(assertion, "saml:AttributeStatement/saml:Attribute"):
        name = _exact(xml.attribute(attribute, "Name"))
        for value in xml.many(attribute, "saml:AttributeValue"):
            if name in _CODED:
                coded.setdefault(name, []).append(read_code(value))
            elif not xml.children(value):
                plain.setdefault(name, []).append(_text(value))
    return plain, coded


def read_code(value: etree._Element) -> Code:
    """A role or purpose in any of the shapes that partners send (FN-1007).

    A coded element (`hl7:Role code=…`), text nested in an element, or plain text; the code may
    also stand on the value itself.
    """
    children = xml.children(value)
    if len(children) > 1:
        raise fault("authentication", "SAML-ATTR")
    element = children[0] if children else value
    code = element.get("code")
    if code is None:
        code = _text(element)
    if not code:
        raise fault("authentication", "SAML-ATTR")
    return Code(
        _visible(code),
        _visible(element.get("codeSystem", "")),
        _visible(element.get("displayName", "")),
    )


def _text(element: etree._Element) -> str:
    value = xml.text(element)
    if len(value) > _LONGEST_TEXT:
        raise fault("authentication", "SAML-ATTR")
    return _visible(value)


def _single(plain: dict[str, list[str]], name: str) -> str:
    """The one value of an attribute; two different ones contradict each other (B-16)."""
    values = set(plain.get(name, ()))
    if len(values) > 1:
        raise fault("authentication", "SAML-ATTR")
    return values.pop() if values else ""


def _home(text: str) -> HomeCommunityId | None:
    """`urn:oid:` and the OID; partners also send the bare OID (FN-101)."""
    return HomeCommunityId(text.removeprefix("urn:oid:")) if text else None


def _patient(text: str) -> PatientId | None:
    """A patient id where resource-id holds one in CX form; another form is not a patient id."""
    return ebxml.read_cx(text, at="resource-id") if "^^^" in text else None

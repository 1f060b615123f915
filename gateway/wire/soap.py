"""SOAP 1.2 messages with WS-Addressing headers: bytes to `Message`, payload to bytes.

SOAP 1.2 part 1: 2 and 5; WS-Addressing 1.0 Core and SOAP Binding; ITI TF-2: Appendix V.3.
Every *no* is a `faults.Fault` (`security.md` 2.1, D-01 to D-08).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from gateway.errors import Malformed, Refusal
from gateway.wire import faults, xml
from gateway.wire.faults import Fault, fault_of
from gateway.wire.limits import DEFAULT, Limits
from gateway.wire.xml import NAMESPACES, Fragment, Template

__all__ = ["ANONYMOUS", "Fault", "Message", "fault_of", "read", "write", "write_fault"]

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
"The reply address that means: on this connection."

_REPLY = "http://www.w3.org/2005/08/addressing/reply"
_FAULT_ACTION = "http://www.w3.org/2005/08/addressing/fault"
_SOAP_FAULT_ACTION = "http://www.w3.org/2005/08/addressing/soap/fault"

_ENV = f"{{{NAMESPACES['env']}}}"
_ENVELOPE, _HEADER, _BODY = _ENV + "Envelope", _ENV + "Header", _ENV + "Body"
_MUST, _ROLE, _STYLE = _ENV + "mustUnderstand", _ENV + "role", _ENV + "encodingStyle"
_OURS = frozenset(
    {
        None,
        "",
        NAMESPACES["env"] + "/role/next",
        NAMESPACES["env"] + "/role/ultimateReceiver",
    }
)
_WSA = f"{{{NAMESPACES['wsa']}}}"
_SECURITY = f"{{{NAMESPACES['wsse']}}}Security"
_ADDRESSING = ("Action", "MessageID", "To", "From", "ReplyTo", "FaultTo")
_UNDERSTOOD = frozenset(
    {
        *(_WSA + name for name in _ADDRESSING),
        _WSA + "RelatesTo",
        _SECURITY,
        # A hint for how long an identifier may be kept (ITI TF-2: 3.55): we keep none.
        f"{{{NAMESPACES['xcpd']}}}CorrelationTimeToLive",
    }
)
_INCLUDE = f"{{{NAMESPACES['xop']}}}Include"
_TRUTH = {"1": True, "true": True, "0": False, "false": False, None: False}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f-\xa0]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LONGEST_URI = 1024
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SOAP message, read and found in order."""

    action: str
    message_id: str
    "As the sender wrote it: echoed unchanged in RelatesTo (FN-905)."
    to: str
    reply_to: str
    "Always anonymous for a request that was accepted."
    relates_to: str
    payload: etree._Element
    "The only child of Body."
    security: etree._Element | None
    "The `wsse:Security` block for us, not looked at yet."
    envelope: etree._Element


def read(
    content: bytes,
    *,
    content_type_action: str | None = None,
    charset: str | None = None,
    limits: Limits | None = None,
    answer: bool = False,
    includes: Iterable[str] = (),
) -> Message:
    """Read one message; whatever is wrong with it is raised as a `Fault`.

    `answer` expects a RelatesTo, which a request must not carry (D-07). `includes` names, as
    Clark names, the elements that may hold an `xop:Include` (C-05).
    """
    limits = limits or DEFAULT
    try:
        envelope = xml.parse(content, limits=limits, charset=charset)
    except Refusal as refusal:
        raise fault_of(refusal) from refusal
    try:
        header, body = _parts(envelope)
        blocks = _blocks(header, limits)
        return _message(envelope, blocks, body, content_type_action, limits, answer, includes)
    except Fault as fault:
        fault.relates_to = _readable_id(envelope)
        raise


def _parts(envelope: etree._Element) -> tuple[etree._Element | None, etree._Element]:
    """Header, if any, and Body: nothing else, in this order (D-04)."""
    if envelope.tag != _ENVELOPE:
        if etree.QName(envelope).localname == "Envelope":
            raise faults.version_mismatch()
        raise faults.malformed()
    found = _elements(envelope)
    names = [child.tag for child in found]
    if names == [_HEADER, _BODY]:
        return found[0], found[1]
    if names == [_BODY]:
        return None, found[0]
    raise faults.malformed()


def _elements(parent: etree._Element) -> list[etree._Element]:
    """Child elements of an element that has no text of its own."""
    found = []
    if parent.text and parent.text.strip(_SPACE):
        raise faults.malformed()
    for child in parent:
        if isinstance(child.tag, str):
            found.append(child)
        if child.tail and child.tail.strip(_SPACE):
            raise faults.malformed()
    return found


def _blocks(header: etree._Element | None, limits: Limits) -> dict[str, list[etree._Element]]:
    """Header blocks for us by name; refuses what must be understood and is not (D-05)."""
    blocks: dict[str, list[etree._Element]] = {}
    if header is None:
        return blocks
    found = _elements(header)
    if len(found) > limits.header_blocks:
        raise faults.over_limit()
    unknown: list[tuple[str, str]] = []
    for block in found:
        if block.get(_ROLE) not in _OURS:
            continue
        name = str(block.tag)
        must = block.get(_MUST)
        if must not in _TRUTH:
            raise faults.malformed()
        if name in _UNDERSTOOD:
            blocks.setdefault(name, []).append(block)
        elif _TRUTH[must]:
            qualified = etree.QName(block)
            unknown.append((qualified.namespace or "", qualified.localname))
    if unknown:
        raise faults.must_understand(tuple(unknown[:10]))
    return blocks


def _message(
    envelope: etree._Element,
    blocks: dict[str, list[etree._Element]],
    body: etree._Element,
    content_type_action: str | None,
    limits: Limits,
    answer: bool,
    includes: Iterable[str],
) -> Message:
    """The message of the parts, in the order of checks that G1 gives."""
    for name in _ADDRESSING:
        if len(blocks.get(_WSA + name, ())) > 1:
            raise faults.header_doubled(f"wsa:{name}")
    action = _uri(blocks, "Action")
    if not action:
        raise faults.header_required("wsa:Action")
    if content_type_action and content_type_action != action:
        raise faults.action_mismatch()
    message_id = _uri(blocks, "MessageID")
    if not message_id:
        raise faults.header_required("wsa:MessageID")
    reply_to = _reply_address(blocks, limits)
    if reply_to != ANONYMOUS:
        raise faults.only_anonymous()
    relates_to = _relates_to(blocks, answer)
    security = blocks.get(_SECURITY, [])
    if len(security) > 1:
        raise Fault(
            code="env:Sender",
            reason="the security header is missing or malformed",
            subcodes=("wsse:InvalidSecurity",),
            log="SIG-WRAP",
        )
    payload = _elements(body)
    if len(payload) != 1 or _STYLE in body.attrib or _STYLE in payload[0].attrib:
        raise faults.malformed()
    _check_includes(envelope, frozenset(includes))
    return Message(
        action=action,
        message_id=message_id,
        to=_uri(blocks, "To") or ANONYMOUS,
        reply_to=reply_to,
        relates_to=relates_to,
        payload=payload[0],
        security=security[0] if security else None,
        envelope=envelope,
    )


def _uri(blocks: dict[str, list[etree._Element]], name: str) -> str:
    """The URI in an addressing header, or nothing where the header is absent."""
    found = blocks.get(_WSA + name)
    return _uri_text(found[0], name) if found else ""


def _uri_text(element: etree._Element, name: str) -> str:
    """An absolute URI; as MessageID and RelatesTo a bare UUID too (FN-905)."""
    try:
        value = xml.text(element).strip(_SPACE)
    except Malformed as error:
        raise faults.header_invalid(f"wsa:{name}", log="XML-MIXED") from error
    bare = name in ("MessageID", "RelatesTo") and _UUID.fullmatch(value)
    if len(value) > _LONGEST_URI or not (bare or _URI.fullmatch(value)):
        raise faults.header_invalid(f"wsa:{name}")
    return value


def _reply_address(blocks: dict[str, list[etree._Element]], limits: Limits) -> str:
    """The address in ReplyTo; absent means anonymous (WS-Addressing Core 3.2)."""
    found = blocks.get(_WSA + "ReplyTo")
    if not found:
        return ANONYMOUS
    children = _elements(found[0])
    addresses = [child for child in children if child.tag == _WSA + "Address"]
    if len(addresses) != 1:
        raise faults.header_invalid("wsa:ReplyTo")
    if len(children) > 1 and len(xml.serialize(found[0])) > limits.reference_bytes:
        raise faults.over_limit()
    return _uri_text(addresses[0], "ReplyTo")


def _relates_to(blocks: dict[str, list[etree._Element]], answer: bool) -> str:
    """What an answer answers; a request that says it is an answer is refused (D-07)."""
    found = [
        block
        for block in blocks.get(_WSA + "RelatesTo", ())
        if block.get("RelationshipType", _REPLY) == _REPLY
    ]
    if not answer and found:
        raise faults.header_invalid("wsa:RelatesTo", log="WSA-REL")
    if answer and len(found) != 1:
        raise faults.header_required("wsa:RelatesTo")
    return _uri_text(found[0], "RelatesTo") if found else ""


def _check_includes(envelope: etree._Element, allowed: frozenset[str]) -> None:
    """`xop:Include` stands only where a codec asks for it (C-05)."""
    for include in envelope.iter(_INCLUDE):
        parent = include.getparent()
        if parent is None or parent.tag not in allowed:
            raise faults.malformed("xop:Include is not allowed here", log="MTOM-REF")


def _readable_id(envelope: etree._Element) -> str:
    """The MessageID for the fault's RelatesTo, where there is exactly one that can be read."""
    found = envelope.findall(f"{{*}}Header/{_WSA}MessageID")
    try:
        return _uri_text(found[0], "MessageID") if len(found) == 1 else ""
    except Fault:
        return ""


_HEAD = Template(
    f"""<env:Envelope xmlns:env="{NAMESPACES["env"]}" xmlns:wsa="{NAMESPACES["wsa"]}"><env:Header>
    <wsa:Action env:mustUnderstand="true">{{action}}</wsa:Action>
    <wsa:MessageID>{{message_id}}</wsa:MessageID>
    <wsa:To>{{to}}</wsa:To>
    {{rest}}</env:Header><env:Body>"""
)
_TAIL = b"</env:Body></env:Envelope>"
_RELATES = Template("<wsa:RelatesTo>{message_id}</wsa:RelatesTo>")
_REPLY_TO = Template("<wsa:ReplyTo><wsa:Address>{address}</wsa:Address></wsa:ReplyTo>")


def write(
    *, action: str, message_id: str, relates_to: str = "", payload: bytes, to: str = ANONYMOUS
) -> bytes:
    """A message around `payload`, which a codec made: an answer, or a request to `to`.

    `message_id` is a URI; a bare UUID gets its `urn:uuid:`. A request asks for its answer on the
    same connection.
    """
    rest = _RELATES.fill(message_id=relates_to) if relates_to else xml.EMPTY
    if not relates_to and to != ANONYMOUS:
        rest = _REPLY_TO.fill(address=ANONYMOUS)
    head = _HEAD.fill(action=action, message_id=_as_uri(message_id), to=to, rest=rest)
    return head.encode() + payload + _TAIL


def _as_uri(message_id: str) -> str:
    return message_id if ":" in message_id else f"urn:uuid:{message_id}"


_FAULT = Template(
    f"""<env:Envelope xmlns:env="{NAMESPACES["env"]}" xmlns:wsa="{NAMESPACES["wsa"]}"
      xmlns:wsse="{NAMESPACES["wsse"]}" xmlns:wsu="{NAMESPACES["wsu"]}"><env:Header>
    <wsa:Action>{{action}}</wsa:Action>
    <wsa:MessageID>{{message_id}}</wsa:MessageID>
    <wsa:To>{{to}}</wsa:To>{{relates_to}}{{blocks}}</env:Header><env:Body><env:Fault>
    <env:Code><env:Value>{{code}}</env:Value>{{subcode}}</env:Code>
    <env:Reason><env:Text xml:lang="en">{{reason}}</env:Text></env:Reason>
    {{detail}}</env:Fault></env:Body></env:Envelope>"""
)
_SUBCODE = Template("<env:Subcode><env:Value>{value}</env:Value>{inner}</env:Subcode>")
_DETAIL = Template(
    "<env:Detail><wsa:ProblemHeaderQName>{name}</wsa:ProblemHeaderQName></env:Detail>"
)
_UPGRADE = Template('<env:Upgrade><env:SupportedEnvelope qname="env:Envelope"/></env:Upgrade>')
_NOT_UNDERSTOOD = Template('<env:NotUnderstood xmlns:h="{namespace}" qname="h:{name}"/>')
_NOT_UNDERSTOOD_BARE = Template('<env:NotUnderstood qname="{name}"/>')


def write_fault(fault: Fault, *, message_id: str, relates_to: str = "") -> bytes:
    """The fault as a message; `relates_to` defaults to what the fault itself knows."""
    subcode = xml.EMPTY
    for value in reversed(fault.subcodes):
        subcode = _SUBCODE.fill(value=value, inner=subcode)
    blocks = [_not_understood(*name) for name in fault.not_understood]
    if fault.upgrade:
        blocks.append(_UPGRADE.fill())
    related = relates_to or fault.relates_to
    plain = fault.code in ("env:VersionMismatch", "env:MustUnderstand")
    return _FAULT.fill(
        action=_SOAP_FAULT_ACTION if plain else _FAULT_ACTION,
        message_id=_as_uri(message_id),
        to=ANONYMOUS,
        relates_to=_RELATES.fill(message_id=related) if related else xml.EMPTY,
        blocks=xml.join(blocks),
        code=fault.code,
        subcode=subcode,
        reason=fault.reason,
        detail=_DETAIL.fill(name=fault.problem) if fault.problem else xml.EMPTY,
    ).encode()


def _not_understood(namespace: str, name: str) -> Fragment:
    """SOAP 1.2 part 1: 5.4.8; a namespace cannot be bound to nothing, so that form is bare."""
    if not namespace:
        return _NOT_UNDERSTOOD_BARE.fill(name=name)
    return _NOT_UNDERSTOOD.fill(namespace=namespace, name=name)

"""ITI-40 Provide X-User Assertion: one good assertion, and many that must not pass.

ITI TF-2: 3.40; SAML 2.0 Core 2.5 and 5.4; WS-Security SAML Token Profile 1.1. Every case carries
the same FindDocuments, so that only the assertion differs; refused ones must not reveal anything.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from conformance import messages, saml
from conformance.case import Case, Group, NotTried, expect, expect_fault, outcome
from conformance.client import Answer, Client
from conformance.world import World

_AUTHENTICATION = ("FailedAuthentication", "FailedCheck", "InvalidSecurity", "MessageExpired")
_SIGNATURE = ("FailedCheck", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken")
_ALGORITHM = ("UnsupportedAlgorithm", "FailedCheck")
_NS = {"saml": saml.SAML, "ds": saml.DS}


def _ask(world: World, assertion: bytes | None, client: Client | None = None) -> Answer:
    shared = world.shared(world.shareable())
    payload = messages.find_documents(shared.domain, shared.value, home=world.home)
    return world.ask(
        client or world.at_neighbour(), "/xca/query", messages.GATEWAY_QUERY, payload,
        assertion=assertion,
    )  # fmt: skip


def _accepted(answer: Answer) -> str:
    expect(not answer.fault, f"fault {' / '.join(answer.fault)}")
    told = outcome(answer)
    expect(told == "Success", f"status {told}")
    return told


def _refused(world: World, answer: Answer, *subcodes: str) -> str:
    told = expect_fault(answer, *subcodes)
    for item in world.shareable().documents:
        expect(item["unique_id"].encode() not in answer.body, "the answer names a document")
    return told


def _stated(*subcodes: str, **changes: Any) -> Callable[[World], str]:
    """A rightly signed assertion that says something else."""

    def check(world: World) -> str:
        token = world.token(world.statement(**changes))
        return _refused(world, _ask(world, etree.tostring(token)), *subcodes)

    return check


def _changed(
    change: Callable[[World, etree._Element], etree._Element], *subcodes: str
) -> Callable[[World], str]:
    """A good assertion with something done to it afterwards."""

    def check(world: World) -> str:
        token = change(world, world.token())
        return _refused(world, _ask(world, etree.tostring(token)), *subcodes)

    return check


def good(world: World) -> str:
    """The control: without it nothing else counts."""
    return _accepted(_ask(world, world.assertion()))


def twice(world: World) -> str:
    """An assertion without OneTimeUse may be used again while it is valid."""
    assertion = world.assertion()
    return " then ".join(_accepted(_ask(world, assertion)) for _ in range(2))


def one_time(world: World) -> str:
    """An assertion for one use is taken once."""
    assertion = etree.tostring(world.token(world.statement(one_time_use=True)))
    _accepted(_ask(world, assertion))
    return "Success then " + _refused(world, _ask(world, assertion), *_AUTHENTICATION)


def absent(world: World) -> str:
    """Without an assertion nothing is answered."""
    return _refused(world, _ask(world, None), "InvalidSecurity")


def in_skew(world: World) -> str:
    """A clock that differs by two minutes is still good."""
    stated = world.statement(
        not_before=datetime.now(UTC) + timedelta(seconds=120), life=timedelta(minutes=5)
    )
    return _accepted(_ask(world, etree.tostring(world.token(stated))))


def _past(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


def expired(world: World) -> str:
    """An assertion that ended ten minutes ago."""
    check = _stated(*_AUTHENTICATION, not_before=_past(minutes=15), life=timedelta(minutes=5))
    return check(world)


def early(world: World) -> str:
    """An assertion that begins in ten minutes."""
    check = _stated(*_AUTHENTICATION, not_before=_past(minutes=-10), life=timedelta(minutes=5))
    return check(world)


def too_long(world: World) -> str:
    """An assertion for a whole year."""
    return _stated(*_AUTHENTICATION, life=timedelta(days=365))(world)


def own_key(world: World) -> str:
    """A signature that is sound, with a key that nobody trusts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    named = world.issuer.name if world.issuer else ""
    token = world.token(by=saml.Issuer(name=named, key=key))
    return _refused(world, _ask(world, etree.tostring(token)), *_SIGNATURE)


def other_issuer(world: World) -> str:
    """The right key under another issuer's name."""
    if world.issuer is None:
        raise NotTried("give --assertion-key")
    other = saml.Issuer(
        name="urn:oid:2.999.10.99", key=world.issuer.key, certificate=world.issuer.certificate
    )
    token = world.token(by=other)
    return _refused(world, _ask(world, etree.tostring(token)), *_SIGNATURE)


def sha1(world: World) -> str:
    """SHA-1 is not good enough."""
    token = world.token(digest="sha1")
    return _refused(world, _ask(world, etree.tostring(token)), *_ALGORITHM)


def other_machine(world: World) -> str:
    """A neighbour's assertion in the hands of a facility."""
    answer = _ask(world, world.assertion(), world.at_facility())
    if answer.status == 403 and not answer.fault:
        return "403"
    return _refused(world, answer)


def _evil(of: etree._Element) -> etree._Element:
    copy = deepcopy(of)
    name = copy.find("saml:Subject/saml:NameID", _NS)
    if name is not None:
        name.text = "mallory"
    return copy


def _bare(of: etree._Element) -> etree._Element:
    copy = deepcopy(of)
    signature = copy.find("ds:Signature", _NS)
    if signature is not None:
        copy.remove(signature)
    return copy


def _altered(world: World, token: etree._Element) -> etree._Element:
    return _evil(token)


def _unsigned(world: World, token: etree._Element) -> etree._Element:
    return _bare(token)


def _commented(world: World, token: etree._Element) -> etree._Element:
    name = token.find("saml:Subject/saml:NameID", _NS)
    if name is not None:
        text = name.text or ""
        name.text = text[:3]
        remark = etree.Comment(" ")
        remark.tail = text[3:]
        name.append(remark)
    return token


def _wrapped_in_signature(world: World, token: etree._Element) -> etree._Element:
    forged = _evil(token)
    forged.set("ID", "_forged")
    signature = forged.find("ds:Signature", _NS)
    if signature is not None:
        etree.SubElement(signature, f"{{{saml.DS}}}Object").append(_bare(token))
    return forged


def _wrapped_in_advice(world: World, token: etree._Element) -> etree._Element:
    forged = _bare(_evil(token))
    forged.set("ID", "_forged")
    advice = etree.Element(f"{{{saml.SAML}}}Advice")
    advice.append(token)
    forged.insert(3, advice)
    return forged


def _transformed(world: World, token: etree._Element) -> etree._Element:
    place = token.find("ds:Signature/ds:SignedInfo/ds:Reference/ds:Transforms", _NS)
    signature = token.find("ds:Signature", _NS)
    if place is not None and signature is not None and world.issuer is not None:
        added = etree.Element(
            f"{{{saml.DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"
        )
        place.insert(1, added)
        saml.resign(signature, world.issuer.key)
    return token


def _pair(order: int) -> Callable[[World], str]:
    """A forged assertion beside the good one, before or after it."""

    def check(world: World) -> str:
        token = world.token()
        forged = _bare(_evil(token))
        forged.set("ID", "_forged")
        both = (forged, token) if order < 0 else (token, forged)
        content = b"".join(etree.tostring(item) for item in both)
        return _refused(world, _ask(world, content), *_SIGNATURE)

    return check


def two_good(world: World) -> str:
    """Two assertions, both good."""
    content = b"".join(etree.tostring(world.token()) for _ in range(2))
    return _refused(world, _ask(world, content), *_SIGNATURE)


def unknown_role(world: World) -> str:
    """A role that no agreement maps opens nothing."""
    stated = world.statement(roles=(saml.Coded("0", "2.999.1", "Stranger"),))
    answer = _ask(world, etree.tostring(world.token(stated)))
    return _refused(world, answer) if answer.fault else _nothing(world, answer)


def unknown_purpose(world: World) -> str:
    """A purpose that no agreement maps opens nothing."""
    stated = world.statement(purposes=(saml.Coded("MARKETING", "2.999.1"),))
    answer = _ask(world, etree.tostring(world.token(stated)))
    return _refused(world, answer) if answer.fault else _nothing(world, answer)


def _nothing(world: World, answer: Answer) -> str:
    for item in world.shareable().documents:
        expect(item["unique_id"].encode() not in answer.body, "the answer names a document")
    return f"{outcome(answer)}, nothing shown"


def _case(number: int, at: str, sends: str, expects: str, check: Callable[[World], str]) -> Case:
    return Case(
        id=f"ITI-40-{number:02}", transaction="ITI-40", section=at, sends=sends, expects=expects,
        check=check,
    )  # fmt: skip


_XUA, _CORE, _SIG = "ITI TF-2: 3.40.4.1.2", "SAML 2.0 Core 2.5.1", "SAML 2.0 Core 5.4"
_ELSEWHERE = "urn:oid:2.999.10.99"

GROUP = Group(
    actor="X-Service Provider",
    actor_ja="利用者表明（XUA）の受け手",
    profile="xca",
    cases=(
        _case(1, _XUA, "a good assertion", "answered", good),
        _case(2, _XUA, "the same assertion twice", "answered twice", twice),
        _case(3, _CORE, "a clock two minutes ahead", "answered", in_skew),
        _case(4, "SAML 2.0 Core 2.5.1.5", "OneTimeUse, twice", "answered once", one_time),
        _case(5, _XUA, "no assertion", "fault InvalidSecurity", absent),
        _case(6, _SIG, "no signature", "fault", _changed(_unsigned, *_SIGNATURE)),
        _case(7, _SIG, "another subject after signing", "fault", _changed(_altered, *_SIGNATURE)),
        _case(8, _SIG, "a comment inside the name", "fault", _changed(_commented, *_SIGNATURE)),
        _case(9, _SIG, "forged, the original inside its signature", "fault",
              _changed(_wrapped_in_signature, *_SIGNATURE)),
        _case(10, _SIG, "forged, the original in Advice", "fault",
              _changed(_wrapped_in_advice, *_SIGNATURE)),
        _case(11, _SIG, "forged before the original", "fault", _pair(-1)),
        _case(12, _SIG, "forged after the original", "fault", _pair(1)),
        _case(13, "WS-Security 1.1", "two good assertions", "fault", two_good),
        _case(14, _SIG, "an XSLT transform", "fault UnsupportedAlgorithm",
              _changed(_transformed, *_ALGORITHM)),
        _case(15, _SIG, "SHA-1", "fault UnsupportedAlgorithm", sha1),
        _case(16, _SIG, "a key nobody trusts", "fault", own_key),
        _case(17, _SIG, "another issuer's name", "fault", other_issuer),
        _case(18, _CORE, "ended ten minutes ago", "fault", expired),
        _case(19, _CORE, "begins in ten minutes", "fault", early),
        _case(20, _CORE, "valid for a year", "fault", too_long),
        _case(21, "SAML 2.0 Core 2.5.1.4", "another audience", "fault",
              _stated(*_AUTHENTICATION, audience=(_ELSEWHERE,))),
        _case(22, "SAML 2.0 Core 2.5.1.4", "no audience", "fault",
              _stated(*_AUTHENTICATION, audience=())),
        _case(23, "SAML 2.0 Core 2.4.1.1", "sender-vouches", "fault",
              _stated(*_AUTHENTICATION, method=saml.SENDER_VOUCHES)),
        _case(24, "SAML 2.0 Core 2.4.1.2", "another recipient", "fault",
              _stated(*_AUTHENTICATION, confirmation={"Recipient": "https://elsewhere.invalid/"})),
        _case(25, _XUA, "another community in the assertion", "fault",
              _stated(*_AUTHENTICATION, home=_ELSEWHERE)),
        _case(26, _XUA, "a role nobody agreed on", "fault, or nothing shown", unknown_role),
        _case(27, _XUA, "a purpose nobody agreed on", "fault, or nothing shown", unknown_purpose),
        _case(28, "ITI TF-2: 3.19", "the assertion from a facility's machine", "fault, or 403",
              other_machine),
    ),
)  # fmt: skip

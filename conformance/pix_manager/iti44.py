"""ITI-44 Patient Identity Feed HL7 V3: add, revise, merge, and what is refused.

ITI TF-2: 3.44. The cases feed new identifiers into the domain of the client's own facility.
"""

from dataclasses import replace

from conformance import hl7, messages
from conformance.case import Case, Group, expect, expect_equal, expect_fault
from conformance.client import Answer, envelope, new_message_id
from conformance.messages import Person
from conformance.world import World, fresh_value

_PERSON = Person(
    family="適合", given="試験", family_kana="テキゴウ", given_kana="シケン",
    birth="19700401", gender="F", address="見本市見本町1-1", phone="0580000000",
)  # fmt: skip
_UNKNOWN_DOMAIN = "2.999.30.999999"


def _add(world: World, value: str, *, domain: str = "", person: Person = _PERSON) -> Answer:
    payload = messages.feed(domain or world.domain, value, person, receiver=world.home)
    return world.feed(messages.FEED_ADD, payload)


def _merge(world: World, survivor: str, subsumed: str) -> Answer:
    payload = messages.merge(world.domain, survivor, subsumed, _PERSON, receiver=world.home)
    return world.feed(messages.FEED_MERGE, payload)


def _accepted(answer: Answer) -> str:
    expect_equal(hl7.acknowledgement(answer), "CA", "acknowledgement")
    return "CA"


def _declined(answer: Answer) -> str:
    code = hl7.acknowledgement(answer)
    expect(code in ("CE", "CR"), f"acknowledgement is {code}")
    found = hl7.details(answer)
    expect(found and all(kind == "E" for kind, _, _ in found), f"details are {found}")
    return code


def _known(world: World, value: str) -> str:
    query = messages.pix_query(world.domain, value, receiver=world.home)
    return hl7.acknowledgement(world.feed(messages.PIX_QUERY, query))


def add(world: World) -> str:
    """A patient is added, and known from the acknowledgement on."""
    value = fresh_value()
    told = _accepted(_add(world, value))
    expect_equal(_known(world, value), "AA", "acknowledgement of a query for the new patient")
    return told


def acknowledged(world: World) -> str:
    """The acknowledgement is a complete MCCI_IN000002UV01."""
    payload = messages.feed(world.domain, fresh_value(), _PERSON, receiver=world.home)
    answer = world.feed(messages.FEED_ADD, payload)
    _accepted(answer)
    sent = payload.partition('<id root="')[2].partition('"')[0]
    for path, wanted in (
        ("//hl7:acknowledgement/hl7:targetMessage/hl7:id/@root", sent),
        ("//hl7:MCCI_IN000002UV01/hl7:acceptAckCode/@code", "NE"),
        ("//hl7:MCCI_IN000002UV01/hl7:interactionId/@extension", "MCCI_IN000002UV01"),
    ):
        expect_equal(answer.values(path), [wanted], path)
    return "targetMessage, acceptAckCode NE, interactionId"


def revise(world: World) -> str:
    """Demographics are revised."""
    value = fresh_value()
    _accepted(_add(world, value))
    payload = messages.feed(
        world.domain, value, replace(_PERSON, address="見本市例示町2-2"), revise=True,
        receiver=world.home,
    )  # fmt: skip
    return _accepted(world.feed(messages.FEED_REVISE, payload))


def merge(world: World) -> str:
    """After a merge only the survivor is known."""
    survivor, subsumed = fresh_value(), fresh_value()
    _accepted(_add(world, survivor))
    _accepted(_add(world, subsumed))
    _accepted(_merge(world, survivor, subsumed))
    expect_equal(_known(world, survivor), "AA", "acknowledgement for the survivor")
    expect_equal(_known(world, subsumed), "AE", "acknowledgement for the subsumed id")
    return "CA; survivor AA, subsumed AE"


def merge_into_itself(world: World) -> str:
    """A circle is refused, and the patient stays."""
    value = fresh_value()
    _accepted(_add(world, value))
    told = _declined(_merge(world, value, value))
    expect_equal(_known(world, value), "AA", "acknowledgement afterwards")
    return told


def merge_unknown(world: World) -> str:
    """What is not known cannot be merged away."""
    value = fresh_value()
    _accepted(_add(world, value))
    return _declined(_merge(world, value, fresh_value()))


def foreign_domain(world: World) -> str:
    """A source feeds its own domain only."""
    others = [oid for name, oid in world.data.domains.items() if name != world.facility_name]
    foreign = next((oid for oid in others if oid), "")
    expect(foreign, "--data names no second domain")
    return _declined(_add(world, fresh_value(), domain=foreign))


def unknown_domain(world: World) -> str:
    """A domain that nobody declared is refused."""
    return _declined(_add(world, fresh_value(), domain=_UNKNOWN_DOMAIN))


def without_id(world: World) -> str:
    """A feed about nobody is not a feed."""
    payload = messages.feed(world.domain, "X", _PERSON, receiver=world.home)
    broken = payload.replace(f'<id root="{world.domain}" extension="X"/>', "", 1)
    answer = world.feed(messages.FEED_ADD, broken)
    return expect_fault(answer) if answer.fault else _declined(answer)


def repeated(world: World) -> str:
    """The same message once more gets the same answer."""
    client, message_id = world.at_facility(), new_message_id()
    payload = messages.feed(world.domain, fresh_value(), _PERSON, receiver=world.home)
    told = []
    for _ in range(2):
        answer = client.soap("/pix", messages.FEED_ADD, payload, message_id=message_id)
        world.judge(answer, messages.FEED_ADD, message_id)
        told.append(_accepted(answer))
    return " then ".join(told)


def reused(world: World) -> str:
    """Another message under a used MessageID is refused."""
    client, message_id = world.at_facility(), new_message_id()
    for expected in (True, False):
        payload = messages.feed(world.domain, fresh_value(), _PERSON, receiver=world.home)
        answer = client.soap("/pix", messages.FEED_ADD, payload, message_id=message_id)
        if expected:
            _accepted(answer)
    return expect_fault(answer, "InvalidAddressingHeader", "DuplicateMessageID")


def body_and_action(world: World) -> str:
    """A revise under the action of an add is not run."""
    payload = messages.feed(world.domain, fresh_value(), _PERSON, revise=True)
    content = envelope(messages.FEED_ADD, payload, to=world.at_facility().target + "/pix")
    answer = world.at_facility().request(
        "POST", "/pix", content, {"Content-Type": "application/soap+xml; charset=UTF-8"}
    )
    return expect_fault(answer, "ActionMismatch", "InvalidAddressingHeader", "ActionNotSupported")


def _case(number: int, section: str, sends: str, expects: str, check: object) -> Case:
    return Case(
        id=f"ITI-44-{number:02}", transaction="ITI-44", section=section, sends=sends,
        expects=expects, check=check,  # type: ignore[arg-type]
    )  # fmt: skip


GROUP = Group(
    actor="Patient Identifier Cross-reference Manager",
    actor_ja="患者ID相互参照マネージャ",
    profile="pix",
    cases=(
        _case(1, "ITI TF-2: 3.44.4.1", "add of a new patient", "CA; then known to ITI-45", add),
        _case(2, "ITI TF-2: Appendix O.1.2", "add", "complete accept acknowledgement",
              acknowledged),
        _case(3, "ITI TF-2: 3.44.4.1", "add, then revise", "CA", revise),
        _case(4, "ITI TF-2: 3.44.4.2", "two adds, then resolve duplicates",
              "CA; the survivor known, the subsumed id not", merge),
        _case(5, "ITI TF-2: 3.44.4.2", "merge of an id into itself", "CE or CR with details",
              merge_into_itself),
        _case(6, "ITI TF-2: 3.44.4.2", "merge of an unknown id", "CE or CR with details",
              merge_unknown),
        _case(7, "ITI TF-2: 3.44.4.1.3", "add in another facility's domain",
              "CE or CR with details", foreign_domain),
        _case(8, "ITI TF-2: 3.44.4.1.3", "add in a domain nobody declared",
              "CE or CR with details", unknown_domain),
        _case(9, "ITI TF-2: 3.44.4.1.2", "add without patient id", "fault, CE or CR", without_id),
        _case(10, "ITI TF-2: V.3", "the same message twice", "the same answer twice", repeated),
        _case(11, "WS-Addressing SOAP Binding 6.4.1", "another message under a used MessageID",
              "fault InvalidAddressingHeader", reused),
        _case(12, "ITI TF-2: V.3", "revise under the action of add", "fault ActionMismatch",
              body_and_action),
    ),
)  # fmt: skip

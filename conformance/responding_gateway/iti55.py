"""ITI-55 Cross Gateway Patient Discovery: match, no match, and what may not be told apart.

ITI TF-2: 3.55.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from conformance import hl7, messages
from conformance.case import Case, Group, NotHeld, expect, expect_equal
from conformance.client import Answer
from conformance.messages import Person
from conformance.world import Id, World, fresh_value

_NOBODY = Person(
    family="不在", given="誰某", family_kana="フザイ", given_kana="ダレソレ",
    birth="18991231", gender="M",
)  # fmt: skip


def _ask(world: World, person: Person, ids: Sequence[Id] = (), *, with_name: bool = True) -> Answer:
    payload = messages.discovery(
        person,
        ids=[(found.domain, found.value) for found in ids],
        home=world.neighbour_home,
        receiver=world.home,
        with_name=with_name,
    )
    return world.discover(payload)


def by_demographics(world: World) -> str:
    """Case 1: one patient matches."""
    patient = world.linked()
    answer = _ask(world, patient.person)
    told = hl7.expect_outcome(answer, "AA", "OK", 1)
    expect(world.shared(patient) in hl7.ids(answer), "the patient's shared id is not returned")
    return told


def by_identifier(world: World) -> str:
    """The identifier that the neighbour knows finds the same patient."""
    patient = world.linked()
    answer = _ask(world, patient.person, [world.shared(patient)])
    told = hl7.expect_outcome(answer, "AA", "OK", 1)
    expect(world.shared(patient) in hl7.ids(answer), "the patient's shared id is not returned")
    return told


def one_id(world: World) -> str:
    """Each event holds exactly one patient/id, and who keeps it."""
    answer = _ask(world, world.linked().person)
    subject = "//hl7:registrationEvent/hl7:subject1/hl7:patient"
    expect_equal(len(answer.values(f"{subject}/hl7:id/@root")), 1, "number of patient/id")
    custodian = "//hl7:registrationEvent/hl7:custodian/hl7:assignedEntity"
    expect_equal(answer.values(f"{custodian}/hl7:id/@root"), [world.home], "custodian")
    expect_equal(
        answer.values(f"{custodian}/hl7:code/@code"), ["NotHealthDataLocator"], "custodian code"
    )
    match = answer.values("//hl7:queryMatchObservation/hl7:value/@value")
    expect(match and match[0].isdigit(), f"queryMatchObservation is {match}")
    return "one id, custodian, match degree"


def no_quantities(world: World) -> str:
    """The result quantities of PDQV3 are absent here."""
    answer = _ask(world, world.linked().person)
    for name in ("resultTotalQuantity", "resultCurrentQuantity", "resultRemainingQuantity"):
        expect_equal(answer.values(f"//hl7:queryAck/hl7:{name}/@value"), [], name)
    return "no quantities"


def no_match(world: World) -> str:
    """Case 4: nobody matches."""
    return hl7.expect_outcome(_ask(world, _NOBODY), "AA", "NF", 0)


def other_birth(world: World) -> str:
    """A name alone is no match."""
    person = replace(world.linked().person, birth="19991231")
    return hl7.expect_outcome(_ask(world, person), "AA", "NF", 0)


def denied(world: World) -> str:
    """A patient who has not consented reads like one who does not exist."""
    shapes = set()
    for person in (world.silent().person, _NOBODY):
        answer = _ask(world, person)
        hl7.expect_outcome(answer, "AA", "NF", 0)
        query = answer.xml().find(".//{*}queryByParameter")
        inside = len(list(query.iter())) if query is not None else 0
        shapes.add(len(list(answer.xml().iter())) - inside)
    expect_equal(len(shapes), 1, "number of different answers")
    return "AA/NF, the same"


def too_thin(world: World) -> str:
    """Without name and id: more attributes are asked for, or the question is not answered."""
    answer = _ask(world, world.linked().person, with_name=False)
    if answer.fault:
        expect_equal(answer.fault[0], "Sender", "fault code")
        return f"fault {answer.fault[0]}"
    expect_equal(hl7.events(answer), 0, "number of registrationEvents")
    requested = answer.values("//hl7:actOrderRequired/hl7:code/@code")
    managed = answer.values("//hl7:detectedIssueManagement/hl7:code/@code")
    if not requested and "AnswerNotAvailable" not in managed:
        raise NotHeld(f"requested {requested}, management {managed}")
    return " ".join(requested or managed)


def wildcard(world: World) -> str:
    """Wildcards list nobody."""
    person = world.linked().person
    for sign in ("%", "_", "*"):
        answer = _ask(world, replace(person, family=sign, given=sign))
        if not answer.fault:
            expect_equal(hl7.events(answer), 0, f"number of events for {sign}")
    return "no event"


def unknown_identifier(world: World) -> str:
    """An identifier that does not exist is not outvoted by demographics of somebody."""
    patient = world.linked()
    shared = world.shared(patient)
    answer = _ask(world, _NOBODY, [Id(shared.domain, fresh_value())])
    return hl7.expect_outcome(answer, "AA", "NF", 0)


def echoed(world: World) -> str:
    """The query id and the parameters come back."""
    answer = _ask(world, world.linked().person)
    expect_equal(
        answer.values("//hl7:queryAck/hl7:queryId/@extension"),
        answer.values("//hl7:queryByParameter/hl7:queryId/@extension"),
        "queryId",
    )
    expect(answer.values("//hl7:parameterList//hl7:semanticsText/text()"), "no parameters")
    return "queryId, queryByParameter"


def _case(number: int, sends: str, expects: str, check: Callable[[World], str], at: str) -> Case:
    return Case(
        id=f"ITI-55-{number:02}", transaction="ITI-55", section=f"ITI TF-2: {at}", sends=sends,
        expects=expects, check=check,
    )  # fmt: skip


GROUP = Group(
    actor="Responding Gateway (XCPD)",
    actor_ja="応答ゲートウェイ（患者の探索）",
    profile="xca",
    cases=(
        _case(1, "case 1: name, birth and gender of a consented patient", "AA/OK, one event",
              by_demographics, "3.55.4.2.2"),
        _case(2, "the same with the shared id", "AA/OK, one event", by_identifier, "3.55.4.2.2"),
        _case(3, "a matching question", "one patient/id, custodian with code, match degree",
              one_id, "3.55.4.2.2"),
        _case(4, "a matching question", "no result quantities", no_quantities, "3.55.4.2.2"),
        _case(5, "case 4: nobody's demographics", "AA/NF, no event", no_match, "3.55.4.2.2"),
        _case(6, "a patient's name with another birth date", "AA/NF, no event", other_birth,
              "3.55.4.2.2"),
        _case(7, "a patient who has not consented, and nobody", "the same AA/NF for both", denied,
              "3.55.4.2.3"),
        _case(8, "case 3: neither name nor id", "more attributes requested, or not answered",
              too_thin, "3.55.4.2.2"),
        _case(9, "wildcards as name", "no event", wildcard, "3.55.4.1.2"),
        _case(10, "an id nobody has", "AA/NF, no event", unknown_identifier, "3.55.4.2.2"),
        _case(11, "any question", "queryId and parameters come back", echoed, "3.55.4.2.2"),
    ),
)  # fmt: skip

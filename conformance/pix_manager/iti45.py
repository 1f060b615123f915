"""ITI-45 PIXV3 Query: the six cases of the answer (ITI TF-2: 3.45.4.2.2)."""

from collections.abc import Callable, Sequence

from lxml import etree

from conformance import hl7, messages
from conformance.case import Case, Group, expect, expect_equal
from conformance.client import NAMESPACES, Answer
from conformance.world import Id, World, fresh_value

_PATIENT = "/patientIdentifier/value"
_QUERY = "hl7:controlActProcess/hl7:queryByParameter/hl7:"
_UNKNOWN_DOMAIN = "2.999.30.999999"


def _ask(world: World, patient: Id, domains: Sequence[str] = ()) -> Answer:
    payload = messages.pix_query(patient.domain, patient.value, domains=domains)
    world.kept["pix query"] = payload
    return world.feed(messages.PIX_QUERY, payload)


def _other_domain(world: World) -> str:
    """A domain in which the linked patient has an identifier, and which is not ours."""
    patient = world.linked()
    owned = set(world.data.domains.values()) - {world.domain, ""}
    return next(found.domain for found in patient.ids if found.domain in owned)


def asked_domain(world: World) -> str:
    """Case 1: found in the domain that was asked for."""
    patient, domain = world.linked(), _other_domain(world)
    answer = _ask(world, world.mine(patient), [domain])
    told = hl7.expect_outcome(answer, "AA", "OK", 1)
    expect_equal(set(hl7.ids(answer)), {patient.id_in(domain)}, "identifiers")
    return told


def every_domain(world: World) -> str:
    """Case 2: no domain given, and everything found but the id that was asked about."""
    patient = world.linked()
    mine = world.mine(patient)
    answer = _ask(world, mine)
    told = hl7.expect_outcome(answer, "AA", "OK", 1)
    found = set(hl7.ids(answer))
    expect(mine not in found, "the id that was asked about is returned")
    expect(set(patient.ids) - {mine} <= found, f"only {len(found)} of {len(patient.ids) - 1} ids")
    return f"{told}, {len(found)} ids"


def nothing_there(world: World) -> str:
    """Case 3: the patient is known, and has nothing in the domain."""
    value = fresh_value()
    person = world.linked().person
    world.feed(messages.FEED_ADD, messages.feed(world.domain, value, person))
    answer = _ask(world, Id(world.domain, value), [_other_domain(world)])
    return hl7.expect_outcome(answer, "AA", "NF", 0)


def without_consent(world: World) -> str:
    """Case 3 for a patient who has not consented: identifiers elsewhere stay there."""
    answer = _ask(world, world.mine(world.silent()))
    return hl7.expect_outcome(answer, "AA", "NF", 0)


def unknown_patient(world: World) -> str:
    """Case 4: the identifier is not known."""
    answer = _ask(world, Id(world.domain, fresh_value()))
    told = hl7.expect_outcome(answer, "AE", "AE", 0)
    hl7.expect_places(answer, _PATIENT)
    return told


def unknown_authority(world: World) -> str:
    """Case 4: the identifier's own domain is not known."""
    answer = _ask(world, Id(_UNKNOWN_DOMAIN, "1"))
    told = hl7.expect_outcome(answer, "AE", "AE", 0)
    hl7.expect_places(answer, _PATIENT)
    return told


def unknown_source(world: World) -> str:
    """Case 5: a domain that was asked for is not known."""
    answer = _ask(world, world.mine(world.linked()), [_other_domain(world), _UNKNOWN_DOMAIN])
    told = hl7.expect_outcome(answer, "AE", "AE", 0)
    hl7.expect_places(answer, "/dataSource[2]/value")
    return told


def unknown_sources(world: World) -> str:
    """Case 5: one detail for each unknown domain."""
    answer = _ask(world, world.mine(world.linked()), [_UNKNOWN_DOMAIN, _UNKNOWN_DOMAIN + ".1"])
    told = hl7.expect_outcome(answer, "AE", "AE", 0)
    hl7.expect_places(answer, "/dataSource[1]/value", "/dataSource[2]/value")
    return told


def grouped(world: World) -> str:
    """Case 6: several identifiers are all in one event, none of them twice."""
    answer = _ask(world, world.mine(world.linked()))
    found = hl7.ids(answer)
    expect_equal(hl7.events(answer), 1, "number of registrationEvents")
    expect_equal(len(found), len(set(found)), "number of different identifiers")
    return f"{len(found)} ids in one event"


def echoed(world: World) -> str:
    """The question is in the answer, unchanged."""
    answer = _ask(world, world.mine(world.linked()))
    sent = etree.fromstring(world.kept["pix query"])
    for path in (_QUERY + "queryId", _QUERY + "parameterList"):
        wanted = sent.find(path, NAMESPACES)
        found = answer.xml().find(f"soap:Body/*/{path}", NAMESPACES)
        expect(found is not None and wanted is not None, f"{path} is not in the answer")
        if found is not None and wanted is not None:
            expect_equal(_canonical(found), _canonical(wanted), path)
    return "queryId and parameterList"


def _canonical(element: etree._Element) -> bytes:
    """The element without what surrounds it."""
    alone = etree.fromstring(etree.tostring(element, encoding="UTF-8", with_tail=False))
    return etree.tostring(alone, method="c14n", exclusive=True)


def acknowledged(world: World) -> str:
    """The answer names the message it answers."""
    answer = _ask(world, world.mine(world.linked()))
    sent = etree.fromstring(world.kept["pix query"]).find("{urn:hl7-org:v3}id")
    wanted = sent.get("root") if sent is not None else ""
    found = answer.values("//hl7:acknowledgement/hl7:targetMessage/hl7:id/@root")
    expect_equal(found, [wanted], "targetMessage/id")
    return "targetMessage"


def indistinct(world: World) -> str:
    """An id that may not be asked about reads like one that does not exist."""
    patient, domain = world.silent(), _other_domain(world)
    foreign = patient.id_in(domain)
    others = [found for found in patient.ids if found.domain != world.domain]
    target = foreign or (others[0] if others else Id(domain, fresh_value()))
    shapes = set()
    for asked in (target, Id(target.domain, fresh_value())):
        answer = _ask(world, asked)
        hl7.expect_outcome(answer, "AE", "AE", 0)
        shapes.add((tuple(hl7.details(answer)), len(list(answer.xml().iter()))))
    expect_equal(len(shapes), 1, "number of different answers")
    return "AE/AE, the same"


def _case(
    number: int, sends: str, expects: str, check: Callable[[World], str], at: str = "3.45.4.2.2"
) -> Case:
    return Case(
        id=f"ITI-45-{number:02}", transaction="ITI-45", section=f"ITI TF-2: {at}", sends=sends,
        expects=expects, check=check,
    )  # fmt: skip


GROUP = Group(
    actor="Patient Identifier Cross-reference Manager",
    actor_ja="患者ID相互参照マネージャ",
    profile="pix",
    cases=(
        _case(1, "case 1: a domain in which the patient has an id", "AA/OK, that id", asked_domain),
        _case(2, "case 2: no dataSource", "AA/OK, every other id", every_domain),
        _case(3, "case 3: a domain in which the patient has none", "AA/NF, no event",
              nothing_there),
        _case(4, "case 3: a patient who has not consented", "AA/NF, no event", without_consent),
        _case(5, "case 4: an unknown id", "AE/AE, 204 at the patientIdentifier", unknown_patient),
        _case(6, "case 4: an id of an unknown domain", "AE/AE, 204 at the patientIdentifier",
              unknown_authority),
        _case(7, "case 5: one known and one unknown domain", "AE/AE, 204 at the second dataSource",
              unknown_source),
        _case(8, "case 5: two unknown domains", "AE/AE, one detail each", unknown_sources),
        _case(9, "case 6: a patient with several ids", "one event with all of them", grouped),
        _case(10, "any query", "queryId and parameters come back unchanged", echoed, "3.45.4.2.2"),
        _case(11, "any query", "targetMessage names the request", acknowledged, "Appendix O.1.3"),
        _case(12, "an id the facility may not ask about, and an unknown one",
              "the same AE/AE for both", indistinct),
    ),
)  # fmt: skip

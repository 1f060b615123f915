"""ITI-44 Patient Identity Feed: what is read, acknowledged and refused."""

import copy

import pytest

from gateway import errors
from gateway.errors import Invalid, Malformed, OverLimit
from gateway.pix import iti44
from gateway.pix.iti44 import Feed, Merge
from tests.pix.messages import STAMP, judged, pid, sample, value


def test_decode_add_and_revise() -> None:
    added = iti44.decode(sample("iti44-add"))
    assert isinstance(added, Feed)
    assert (added.patient, added.others, added.revise) == (pid("0012345"), (), False)
    assert added.demographics.names[0].full == "見本 花子"
    assert added.demographics.other_ids == (pid("A-77", "2.999.99.1"),)
    revised = iti44.decode(sample("iti44-revise"))
    assert isinstance(revised, Feed)
    assert revised.revise
    assert revised.demographics.addresses[0].line == "見本町二丁目2-2"


def test_decode_merge() -> None:
    merge = iti44.decode(sample("iti44-merge"))
    assert isinstance(merge, Merge)
    assert (merge.survivor, merge.subsumed) == (pid("0012345"), pid("0099999"))


ID = '<id root="2.999.30.1" extension="0012345"/>'


def test_further_identifiers_are_kept_and_null_ones_are_not() -> None:
    more = f'{ID}<id nullFlavor="UNK"/><id root="2.999.30.2" extension="77"/>'
    feed = iti44.decode(sample("iti44-add", (ID, more)))
    assert isinstance(feed, Feed)
    assert (feed.patient, feed.others) == (pid("0012345"), (pid("77", "2.999.30.2"),))


ADD, MERGE = "iti44-add", "iti44-merge"
REPLACED = '<id root="2.999.30.1" extension="0099999"/>'


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        pytest.param(ADD, (ID, ""), Invalid, id="no identifier"),
        pytest.param(ADD, (ID, '<id nullFlavor="NI"/>'), Invalid, id="a null identifier"),
        pytest.param(ADD, (ID, f'{ID}<id extension="1"/>'), Invalid, id="one without root"),
        pytest.param(
            ADD, (ID, ID.replace('"2.999', '"urn:oid:2.999')), Invalid, id="a root as URN (G-01)"
        ),
        pytest.param(
            ADD, (ID, ID.replace("0012345", "１２３\u200b")), Invalid, id="an invisible character"
        ),
        pytest.param(
            ADD,
            (
                '<statusCode code="active"/>\n            <subject1',
                '<statusCode code="obsolete"/><subject1',
            ),
            Invalid,
            id="not active",
        ),
        pytest.param(ADD, ('value="19800203"', 'value="19801303"'), Invalid, id="month 13"),
        pytest.param(ADD, ('value="19800203"', 'value="18"'), Invalid, id="a short date"),
        pytest.param(ADD, ('code="F"', 'code="X"'), Invalid, id="a gender nobody knows"),
        pytest.param(ADD, ("patientPerson", "patientAnimal"), Malformed, id="no person"),
        pytest.param(ADD, ("sender", "speaker"), Malformed, id="no sender"),
        pytest.param(MERGE, (REPLACED, ""), Invalid, id="nothing replaced"),
        pytest.param(MERGE, (REPLACED, REPLACED * 2), Invalid, id="two replaced at once"),
        pytest.param(MERGE, (REPLACED, '<id nullFlavor="NI"/>'), Invalid, id="a null one replaced"),
        pytest.param(MERGE, (ID, ID * 2), Invalid, id="two survivors"),
        pytest.param(MERGE, ('code="obsolete"', 'code="active"'), Invalid, id="not obsolete"),
    ],
)
def test_decode_refuses(name: str, change: tuple[str, str], kind: type[errors.Refusal]) -> None:
    with pytest.raises(kind) as caught:
        iti44.decode(sample(name, change))
    if kind is Invalid:
        assert caught.value.at.startswith("/PRPA_IN2013")


def test_one_message_is_about_one_patient() -> None:
    """FN-302."""
    body = sample(ADD)
    subject = body.find(".//{*}controlActProcess/{*}subject")
    assert subject is not None
    subject.addnext(copy.deepcopy(subject))
    with pytest.raises(Invalid):
        iti44.decode(body)
    subject.getparent().remove(subject.getnext())
    subject.getparent().remove(subject)
    with pytest.raises(Invalid):
        iti44.decode(body)


def test_a_replacement_belongs_into_a_merge() -> None:
    body = sample(ADD)
    event, custodian = body.find(".//{*}registrationEvent"), body.find(".//{*}custodian")
    replacement = sample(MERGE).find(".//{*}replacementOf")
    assert event is not None
    assert custodian is not None
    assert replacement is not None
    custodian.addnext(replacement)
    with pytest.raises(Invalid):
        iti44.decode(body)


@pytest.mark.parametrize(("tag", "count"), [("id", 101), ("patientPerson/{*}name", 101)])
def test_absurd_repetitions_are_refused(tag: str, count: int) -> None:
    """A-09."""
    body = sample(ADD)
    first = body.find(f".//{{*}}patient/{{*}}{tag}")
    assert first is not None
    for _ in range(count - len(body.findall(f".//{{*}}patient/{{*}}{tag}"))):
        first.addnext(copy.deepcopy(first))
    with pytest.raises(OverLimit):
        iti44.decode(body)


@pytest.mark.parametrize("name", ["iti44-add", "iti44-revise", "iti44-merge"])
def test_encode(name: str) -> None:
    body = sample(name)
    root = judged(iti44.encode(iti44.decode(body), (), STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == "CA"
    assert value(root, "string(h:acknowledgement/h:targetMessage/h:id/@root)") == value(
        body, "string(h:id/@root)"
    )
    assert not list(root.iter("{*}acknowledgementDetail", "{*}controlActProcess"))


@pytest.mark.parametrize(
    ("refusal", "code", "detail", "place"),
    [
        pytest.param(errors.UnknownDomain("x"), "CE", "204", None, id="DOM-03"),
        pytest.param(errors.NotOwner("x", at="/a"), "CE", "204", "/a", id="G-01"),
        pytest.param(errors.UnknownPatient("x"), "CE", "204", None, id="a merge of nobody"),
        pytest.param(Invalid("x", at="/a/b[2]"), "CE", "102", "/a/b[2]", id="content"),
        pytest.param(Malformed("x", rule="DOM-01"), "CE", "102", None, id="DOM-01"),
        pytest.param(errors.Inconsistent("x", rule="FN-401"), "CE", "205", None, id="FN-401"),
        pytest.param(errors.NotPermitted("x"), "CR", "NS260", None, id="PIX-02"),
        pytest.param(errors.Unsupported("x"), "CR", "NS200", None, id="not ours"),
    ],
)
def test_refuse(refusal: errors.Refusal, code: str, detail: str, place: str | None) -> None:
    root = judged(iti44.refuse(sample(ADD), refusal, STAMP))
    assert value(root, "h:acknowledgement/h:typeCode/@code") == code
    assert value(root, "string(//h:acknowledgementDetail/h:code/@code)") == detail
    assert root.findtext(".//{*}acknowledgementDetail/{*}location") == place


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_refusal_has_a_line(kind: type[errors.Refusal]) -> None:
    assert kind in iti44._ANSWERS
    payload = iti44.refuse(sample(ADD), kind("x"), STAMP)
    if payload is not None:
        judged(payload)


def test_not_there_and_not_yours_are_one_answer() -> None:
    body = sample(ADD)
    kinds = (errors.UnknownPatient, errors.UnknownDomain, errors.NotOwner, errors.NotFound)
    assert len({iti44.refuse(body, kind("SECRET"), STAMP) for kind in kinds}) == 1


def test_what_is_no_message_becomes_a_fault() -> None:
    assert iti44.refuse(sample(ADD), Malformed("x"), STAMP) is None
    assert iti44.refuse(sample(ADD), errors.Busy("x"), STAMP) is None
    assert iti44.refuse(sample(ADD, ("sender", "speaker")), Invalid("x"), STAMP) is None

"""What may be done with what is shown: three exceptions for saving, none for printing (HND-02)."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import NotPermitted, UnknownDocument
from gateway.model.caller import CallerKind
from gateway.model.category import Category
from gateway.model.document import Assurance, Code, DocumentEntry
from gateway.model.rules import HandlingRules
from gateway.record import disclose, documents
from gateway.record.handling import Handling, exception, require
from gateway.store.blobs import Folder
from tests.record.house import House, document, entry, unsigned
from tests.record.test_documents import REFERRAL, signed

LAB = Category.LAB_RESULT
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "signed by a card": ({"assurance": Assurance.VERIFIED}, "card_signed"),
    "a referral letter": ({"type_code": REFERRAL}, "referral_letter"),
    "a result that was ordered here": ({"category": LAB}, "own_ordered_test_result"),
    "unsigned": ({"category": Category.DIAGNOSIS}, None),
    "a summary": ({"type_code": Code("18842-5", REFERRAL.system), "category": LAB,
                   "facility": "clinic-b"}, None),
    "a result that was ordered elsewhere": ({"category": LAB, "facility": "clinic-b"}, None),
}  # fmt: skip
"Documents, and the exception by which a user of hospital-a saves them."


def case(name: str) -> tuple[DocumentEntry, str | None]:
    changes, ground = CASES[name]
    return replace(entry("hospital-a"), **changes), ground


@pytest.mark.parametrize("name", CASES)
def test_three_are_saved_and_three_are_not(house: House, name: str) -> None:
    made, ground = case(name)
    with house.work("hospital-a", reading=True) as work:
        if ground is None:
            with pytest.raises(NotPermitted) as caught:
                require(work, Handling.SAVE, made)
            assert caught.value.rule == "HND-01"
        else:
            require(work, Handling.SAVE, made)
            assert (work.trail.rule, work.trail.detail["exception"]) == ("HND-02", ground)
        assert work.trail.detail["handling"] == "save"


@pytest.mark.parametrize("name", CASES)
def test_none_is_printed_and_each_is_looked_at(house: House, name: str) -> None:
    made, _ = case(name)
    with house.work("hospital-a", reading=True) as work:
        require(work, Handling.VIEW, made)
        with pytest.raises(NotPermitted) as caught:
            require(work, Handling.PRINT, made)
        assert caught.value.rule == "HND-01"


def test_a_record_as_a_whole_is_looked_at_only(house: House) -> None:
    with house.work("hospital-a", reading=True) as work:
        require(work, Handling.VIEW)
        for wanted in (Handling.SAVE, Handling.PRINT):
            with pytest.raises(NotPermitted):
                require(work, wanted)


def test_only_the_exceptions_that_a_network_has(house: House) -> None:
    made, _ = case("signed by a card")
    assert exception(HandlingRules(), made, "hospital-a") is None
    assert exception(HandlingRules(save_exceptions=("referral_letter",)), made, "x") is None
    result, _ = case("a result that was ordered here")
    rules = HandlingRules(save_exceptions=("own_ordered_test_result",))
    assert exception(rules, replace(result, facility=""), "") is None


def test_where_it_is_left_to_the_facilities_nothing_is_refused(house: House) -> None:
    rules = HandlingRules(print="facility_rules", save="facility_rules")
    with house.work("hospital-a", reading=True) as work:
        work.policy = replace(work.policy, handling=rules)
        for wanted in Handling:
            require(work, wanted, case("unsigned")[0])


def test_a_document_that_may_not_be_seen_is_not_there(house: House) -> None:
    house.enrol("hospital-a")
    made = document(category=Category.LAB_RESULT)
    with house.work("hospital-a") as work:
        filed = documents.file(work, made, signed(made.content))
        bare = document()
        documents.file(work, bare, unsigned(bare.content))
    user = {"kind": CallerKind.USER, "role": "doctor"}

    def see(who: str, unique_id: str) -> DocumentEntry:
        with house.work(who, reading=True) as work:
            work.caller = replace(work.caller, **user)
            return disclose.document(work, house.shared, unique_id)

    assert see("hospital-a", filed.unique_id).assurance is Assurance.VERIFIED
    for who, unique_id in (("clinic-b", filed.unique_id), ("hospital-a", "2.25.1")):
        with pytest.raises(UnknownDocument):
            see(who, unique_id)


def test_bytes_that_are_not_as_they_were_do_not_leave(house: House) -> None:
    house.enrol("hospital-a")
    made = document(category=Category.LAB_RESULT)
    with house.work("hospital-a") as work:
        filed = documents.file(work, made, unsigned(made.content))
    with house.work("hospital-a", reading=True) as work:
        assert isinstance(work.blobs, Folder)
        path = work.blobs.path(filed.sha256)
        path.chmod(0o600)
        path.write_bytes(b"altered")
        with pytest.raises(UnknownDocument):
            disclose.opened(work, filed)
        assert work.trail.code == "DOC-HASH"

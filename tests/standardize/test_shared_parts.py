"""Parts that resources share are made once, and nobody changes them (`wire/memo.py`).

Codes, amounts, usages, staff and places come again in every message of a facility.
"""

import copy
from dataclasses import replace
from functools import lru_cache

import pytest

from gateway.model.codebook import JLAC10, CodeBook
from gateway.standardize import Upload, codes, message, persons, read
from gateway.standardize.laboratory import observation, results
from gateway.standardize.ssmix2 import prescriptions
from gateway.wire import fhir, memo
from tests.standardize import build
from tests.standardize.conftest import FILES, readable, sample, sample_batches
from tests.standardize.test_enrich import MAP

MESSAGES = [name for name in FILES if sample(name).content.startswith(b"MSH")]
REMEMBERED = [
    (codes, "_of_field"),
    (observation, "terms"),
    (results, "_named"),
    (persons, "_known_staff"),
    (persons, "_location"),
    (prescriptions, "_amount"),
    (prescriptions, "_remembered"),
]


class Frozen(dict):
    """A dict that nobody may change."""

    def refuse(self, *_: object) -> None:
        raise AssertionError("a shared part is changed in place")

    __setitem__ = __delitem__ = __ior__ = refuse
    update = setdefault = pop = popitem = clear = refuse

    def __deepcopy__(self, seen: object) -> dict:
        return {name: copy.deepcopy(value) for name, value in self.items()}


class FrozenList(list):
    """A list that nobody may change."""

    refuse = Frozen.refuse
    __setitem__ = __delitem__ = __iadd__ = refuse
    append = extend = insert = pop = remove = clear = sort = reverse = refuse

    def __deepcopy__(self, seen: object) -> list:
        return [copy.deepcopy(value) for value in self]


def frozen(value):
    """The same value, which fails the test where somebody changes the inside of it."""
    match value:
        case dict():
            return Frozen((name, frozen(one)) for name, one in value.items())
        case list():
            return FrozenList(frozen(one) for one in value)
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(frozen(one) for one in value))
        case tuple():
            return tuple(frozen(one) for one in value)
    return value


@pytest.fixture
def _freeze(monkeypatch):
    for room, name in REMEMBERED:
        make = getattr(room, name).__wrapped__
        monkeypatch.setattr(
            room, name, lru_cache(maxsize=None)(lambda *given, make=make: frozen(make(*given)))
        )


@pytest.mark.usefixtures("_freeze")
@pytest.mark.parametrize("name", FILES)
def test_nobody_changes_what_is_shared(name, monkeypatch):
    once = [readable(batch) for batch in sample_batches(name)]
    again = [readable(batch) for batch in sample_batches(name)]
    monkeypatch.undo()
    assert once == again == [readable(batch) for batch in sample_batches(name)]


@pytest.mark.usefixtures("_freeze")
@pytest.mark.parametrize(
    "segments",
    [
        pytest.param(("OBX|1|NM|^総蛋白||7.1|g/dL|||||F",), id="an item without a code"),
        pytest.param(
            ("OBX|1|NM|3A010000002327101^^JC10||7.1|g/dL|||||F",), id="one without a name"
        ),
        pytest.param(("OBX|1|CWE|A^B^C||X^Y^Z||1-2|Q~H|||F",), id="flags and codes of nobody"),
    ],
)
def test_what_lacks_something_is_marked_on_a_copy(segments):
    made = [build.stored("OUL^R22", build.PID, "OBR|1|80001||E^x^L", *segments) for _ in range(2)]
    assert readable(made[0]) == readable(made[1])


@pytest.mark.usefixtures("_freeze")
def test_an_amount_without_a_code_is_marked_on_a_copy():
    rxe = "RXE||1^薬^L|1||^包|^包|01^説明^L|||3|^包"
    order = ("ORC|NW|1||1_01_001", rxe, "TQ1|||1^食後&L||||20261101", "RXR|PO")
    one, other = (build.stored("RDE^O11", build.PID, *order) for _ in range(2))
    assert readable(one) == readable(other)
    assert "value-absent" in {finding.code for finding in one.findings}


def test_a_code_that_a_map_knows_is_unmapped_without_it():
    content = build.hl7(
        "ORU^R01", build.PID, "OBR|1|80001||E^x^L", "OBX|1|NM|TP^総蛋白^99LAB||7.1|||||F"
    )
    plain = Upload(path="lab.hl7", content=content, domain=build.DOMAIN)
    mapped = replace(plain, codes=CodeBook([MAP]))
    for upload, known in ((plain, False), (mapped, True), (plain, False), (mapped, True)):
        batch = read(upload)
        (item,) = (one for one in batch.items if one.resource["resourceType"] == "Observation")
        systems = [one["system"] for one in item.resource["code"]["coding"]]
        assert (JLAC10 in systems) is known
        assert ("unmapped-code" in {one.code for one in batch.findings}) is not known


def test_the_same_field_of_another_facility_or_with_other_delimiters_is_another():
    ours, _ = codes.of_field("7^a^L", "|^~\\&", "2.999.30.1")
    theirs, _ = codes.of_field("7^a^L", "|^~\\&", "2.999.30.2")
    other, _ = codes.of_field("7^a^L", "|$~\\&", "2.999.30.1")
    again, _ = codes.of_field("7^a^L", "|^~\\&", "2.999.30.1")
    assert ours is again
    assert ours["coding"][0]["system"] != theirs["coding"][0]["system"]
    assert other["coding"][0]["code"] == "7^a^L"


def test_limits_by_sex_are_those_of_the_patient():
    segments = ("OBR|1|80001||E^x^L", "OBX|1|NM|7^x^L||14.0|g/dL|M:13-17 F:12-15||||F")
    low = {}
    for sex in ("M", "F", "M"):
        pid = build.PID[:-1] + sex
        (made,) = (
            item.resource
            for item in build.stored("OUL^R22", pid, *segments).items
            if item.resource["resourceType"] == "Observation"
        )
        low[sex] = fhir.dumps(made["referenceRange"][0]["low"])
    assert (low["M"][:13], low["F"][:13]) == (b'{"value":13,"', b'{"value":12,"')


def test_hostile_messages_fill_no_memory():
    for number in range(30):
        long = f"{number}" + "x" * memo.LONGEST
        results_ = [f"OBX|{at}|ST|{long}{at}^{long}^L||{long}|{long}|{long}|{long}|||F"
                    for at in range(10)]  # fmt: skip
        wide = "OBX|11|NM|7^x^L||1" + "|x" * 5000
        sizes = _sizes()
        build.stored("OUL^R22", build.PID, "OBR|1|80001||E^x^L", *results_, wide)
        kept = _sizes()
        # What is kept of it is short: the report's own code, and the plain result's.
        assert sum(kept) - sum(sizes) <= (4 if not number else 0)


def _sizes() -> list[int]:
    caches = (codes._of_field, results._named, persons._known_staff, prescriptions._remembered,
              message._others)  # fmt: skip
    return [one.cache_info().currsize for one in caches]

"""Replay: what a changed mapping changes is exactly that, as versions, once; nobody comes back."""

from dataclasses import replace

import pytest

from gateway.intake.replaying import Replay, Replayed
from gateway.intake.uploads import Intake
from gateway.model.batch import Batch
from gateway.model.category import Source
from gateway.model.codebook import JLAC10, NO_CODES, Code, CodeBook
from gateway.record import difference, replay, trace
from gateway.standardize import registry
from gateway.store.blobs import Blobs
from gateway.store.record import documents as document_rows
from gateway.wire import fhir
from tests.intake.test_cutting import Sent
from tests.intake.test_cutting import send as send_people
from tests.record.house import CHARTS, House
from tests.standardize import build
from tests.standardize.test_enrich import ITEMS, entry, master

CHART = CHARTS["hospital-a"].value
STANDARD = "3A990000002399901"
BOOK = CodeBook([master("map", entry("99LAB\x1fTP", "総蛋白", Code("jlac10", STANDARD))), ITEMS])
OTHER = CodeBook([master("map", entry("99LAB\x1fTP", "", Code("jlac10", STANDARD)), version="2")])


PID = f"PID|0001||{CHART}^^^^PI||山田^花子^^^^^L^I~ヤマダ^ハナコ^^^^^L^P||19500102|F"


def message(value: str = "7.10", at: str = "20261104090000") -> bytes:
    return build.hl7(
        "OUL^R22", PID, "SPM|1|||023", "OBR|1|000000000080001||E001|||20261104",
        "ORC|SC|000000000080001", f"OBX|1|NM|TP^総蛋白^99LAB||{value}|g/dL|||||F",
        f"OBX|2|NM|{STANDARD}^Alb^JC10||4.1|g/dL|||||F", time=at,
    )  # fmt: skip


def send(house: House, intake: Intake, content: bytes, stamp: str = "20261104090000000") -> None:
    name = f"{CHART}_20261104_OML-11_000000000080001_{stamp}_01_1"
    sent = Sent(content, intake.blobs, path=name)
    intake.receive(house.caller("hospital-a"), [sent], facility="hospital-a", source=Source.EMR)
    while intake.process_waiting(lambda: house.caller("secretariat"), lambda: False):
        pass


def room(house: House, blobs: Blobs, book: CodeBook = BOOK, who: str = "secretariat") -> Replay:
    return Replay(
        door=house.door, blobs=blobs, caller=lambda: house.caller(who), codes=lambda facility: book
    )


def preview(one: Replay) -> list[Replayed]:
    return [found for chart in one.charts() for found in one.preview(chart)]


def apply(one: Replay) -> list[Replayed]:
    return [found for chart in one.charts() for found in one.apply(chart)]


def told(found: list[Replayed]) -> list[tuple[str, str, list[str]]]:
    """Change, resource type and paths of everything that differs."""
    return [
        (change.kind, change.resource.partition("/")[0], [one.path for one in change.elements])
        for one in found
        for change in one.outcome.difference.changes
    ]


ONE_CODE = [("changed", "Observation", ["Observation.code.coding[1]"])]


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "custody"])
def test_a_loaded_map_changes_exactly_its_code(
    house: House, intake: Intake, blobs: Blobs, *, shared: bool
) -> None:
    if shared:
        house.enrol("hospital-a")
    else:
        house.custody("hospital-a")
    send(house, intake, message())
    assert told(preview(room(house, blobs, NO_CODES))) == []
    seen = preview(room(house, blobs))
    assert told(seen) == ONE_CODE
    (element,) = seen[0].outcome.difference.changes[0].elements
    assert element.old is None
    assert (element.new["system"], element.new["code"]) == (JLAC10, STANDARD)
    assert told(preview(room(house, blobs))) == ONE_CODE, "a preview changes nothing"
    assert told(apply(room(house, blobs))) == ONE_CODE
    assert told(preview(room(house, blobs))) == []
    assert told(apply(room(house, blobs))) == [], "again, it finds no difference"
    identity = seen[0].outcome.difference.changes[0].resource
    with house.work() as work:
        versions = trace.trace(work, identity).versions
    assert [one.version for one in versions] == ["20261104090000000", "20261104090000000!1"]
    assert [one.shared for one in versions] == [shared, shared]
    assert versions[0].mapping.endswith(f".codes.{BOOK.version}") is False
    assert versions[1].mapping.endswith(f".codes.{BOOK.version}")
    assert set(versions[1].tables) == {one.label for one in _masters()}
    assert b"OBX|1|NM|TP" in versions[1].lines


def _masters() -> list:
    return [ITEMS, master("map", entry("99LAB\x1fTP", "総蛋白", Code("jlac10", STANDARD)))]


def test_thedocuments_are_made_anew_with_their_provenance(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    before = documents(house)
    apply(room(house, blobs))
    after = documents(house)
    assert before.keys().isdisjoint(after.keys())
    (bundle,) = after.values()
    (made,) = [one for one in _resources(bundle) if one["resourceType"] == "Provenance"]
    targets = {one["reference"] for one in made["target"]}
    others = {
        f"urn:uuid:{one['id']}" for one in _resources(bundle)
        if one["resourceType"] in ("Observation", "DiagnosticReport", "Specimen")
    }  # fmt: skip
    assert others <= targets
    assert any(one.endswith(f".codes.{BOOK.version}") for one in made["policy"])
    assert any(":code-table:map:2026-10:" in one for one in made["policy"])
    assert [one["what"]["display"] for one in made["entity"]] == ["ssmix2/OML-11", "upload"]


def documents(house: House) -> dict[str, dict]:
    """The documents that stand, by their entry."""
    with house.work() as work:
        rows = document_rows.select_documents_of_facility(work.db, "hospital-a")
        return {
            row.entry_uuid: fhir.loads(work.blobs.read(row.sha256))
            for row in rows if not row.deprecated
        }  # fmt: skip


def _resources(bundle: dict) -> list[dict]:
    return [one["resource"] for one in bundle["entry"]]


def current(house: House, identity: str) -> tuple[str, str]:
    """Version and value of what the record says now."""
    from gateway.store.record import items

    with house.work() as work:
        found = items.select_versions_of_resource(work.db, identity)
        row, _ = max(found, key=lambda one: one[0].version)
        return row.version, str(items.read_content(row).resource["valueQuantity"]["value"])


def test_a_replayed_old_file_does_not_supersede_a_newer_delivery(
    house: House, intake: Intake, blobs: Blobs
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message("7.10"))
    send(house, intake, message("6.50", "20261105090000"), "20261105090000000")
    found = apply(room(house, blobs))
    assert told(found) == ONE_CODE * 2
    identity = found[0].outcome.difference.changes[0].resource.partition("/")[2]
    assert current(house, identity) == ("20261105090000000!1", "6.50")
    (bundle,) = documents(house).values()
    values = {str(one["valueQuantity"]["value"]) for one in _resources(bundle)
              if "valueQuantity" in one}  # fmt: skip
    assert values == {"6.50", "4.1"}
    assert told(preview(room(house, blobs))) == []


def test_nor_a_correction_under_the_same_time(house: House, intake: Intake, blobs: Blobs) -> None:
    house.enrol("hospital-a")
    send(house, intake, message("7.10"))
    send(house, intake, message("6.50"))
    found = apply(room(house, blobs))
    assert told(found) == ONE_CODE * 2
    identity = found[0].outcome.difference.changes[0].resource.partition("/")[2]
    assert current(house, identity) == ("20261104090000000~1!1", "6.50")
    assert told(preview(room(house, blobs))) == []
    intake = replace(intake, codes=lambda facility: BOOK)
    send(house, intake, message("6.50") + b"\r")
    assert current(house, identity)[0] == "20261104090000000~1!1", "a re-send adds nothing"


def test_replays_upon_replays_keep_their_order(house: House, intake: Intake, blobs: Blobs) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    for turn in range(1, 13):
        found = apply(room(house, blobs, BOOK if turn % 2 else NO_CODES))
        assert len(told(found)) == 1, turn
        identity = found[0].outcome.difference.changes[0].resource.partition("/")[2]
        version = f"20261104090000000!{difference.suffix(turn)}"
        assert current(house, identity)[0] == version
    assert told(preview(room(house, blobs, NO_CODES))) == []


def test_what_the_mapping_no_longer_makes_is_ended_and_comes_back(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    reading = registry.read

    def fewer(upload, *, format=None) -> Batch:
        batch = reading(upload, format=format)
        kept = [one for one in batch.items if "TP" not in one.key]
        return replace(batch, items=tuple(kept))

    with monkeypatch.context() as patched:
        patched.setattr("gateway.standardize.read", fewer)
        assert told(preview(room(house, blobs, NO_CODES))) == [("ended", "Observation", [])]
        apply(room(house, blobs, NO_CODES))
        assert told(preview(room(house, blobs, NO_CODES))) == []
        (bundle,) = documents(house).values()
        kinds = [one["resourceType"] for one in _resources(bundle)]
        assert kinds.count("Observation") == 1
    assert told(apply(room(house, blobs, NO_CODES))) == [("added", "Observation", [])]
    assert told(preview(room(house, blobs, NO_CODES))) == []


def test_an_interrupted_replay_goes_on(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enrol("hospital-a")
    for day in ("04", "05", "06"):
        send(house, intake, message(at=f"202611{day}090000"), f"202611{day}090000000")
    done = replay.apply
    calls = []

    def die(*words: object) -> replay.Outcome:
        calls.append(words)
        outcome = done(*words)  # type: ignore[arg-type]
        if len(calls) == 2:
            raise KeyboardInterrupt
        return outcome

    with monkeypatch.context() as patched:
        patched.setattr(replay, "apply", die)
        with pytest.raises(KeyboardInterrupt):
            apply(room(house, blobs))
    assert len(told(preview(room(house, blobs)))) == 2, "the one that was cut off left nothing"
    assert len(told(apply(room(house, blobs)))) == 2
    assert told(preview(room(house, blobs))) == []


def test_each_part_of_a_file_is_replayed(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.custody("hospital-a")
    send_people(house, intake)
    while intake.process_waiting(lambda: house.caller("secretariat"), lambda: False):
        pass
    assert told(preview(room(house, blobs))) == []
    reading = registry.read

    def louder(upload, *, format=None) -> Batch:
        batch = reading(upload, format=format)
        items = [one._replace(resource={**one.resource, "language": "en"}) for one in batch.items]
        return replace(batch, items=tuple(items))

    monkeypatch.setattr("gateway.standardize.read", louder)
    assert told(apply(room(house, blobs))) == [("changed", "Basic", ["Basic.language"])] * 3
    assert told(preview(room(house, blobs))) == []


def test_a_changed_description_of_the_patient_makesdocuments_anew(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.enrol("hospital-a")
    send(house, intake, message())
    before = documents(house)
    reading = registry.read

    def described(upload, *, format=None) -> Batch:
        batch = reading(upload, format=format)
        return replace(batch, patient_resource={**batch.patient_resource, "active": True})

    monkeypatch.setattr("gateway.standardize.read", described)
    (seen,) = preview(room(house, blobs, NO_CODES))
    assert [one.path for one in seen.outcome.difference.patient] == ["active"]
    apply(room(house, blobs, NO_CODES))
    (bundle,) = documents(house).values()
    assert next(one for one in _resources(bundle) if one["resourceType"] == "Patient")["active"]
    assert before.keys().isdisjoint(documents(house).keys())
    (seen,) = preview(room(house, blobs, NO_CODES))
    assert seen.outcome.difference.patient == ()


def test_numbers_of_versions_sort_as_text() -> None:
    told = [difference.suffix(number) for number in range(1, 200)]
    assert told == sorted(told)
    assert len(set(told)) == len(told)


def ended_late(house: House, intake: Intake) -> None:
    """An older list comes after the newer one that lacked one of its items."""
    house.enrol("hospital-a")
    send(house, intake, message("7.10", "20261105090000").replace(b"OBX|1|NM|TP", b"ZZZ|1|NM|TP"),
         "20261105090000000")  # fmt: skip
    send(house, intake, message("7.10"))


def test_what_a_newer_list_lacked_stays_ended(house: House, intake: Intake, blobs: Blobs) -> None:
    ended_late(house, intake)
    before = sorted(documents(house))
    assert told(preview(room(house, blobs, NO_CODES))) == []
    assert told(apply(room(house, blobs))) == ONE_CODE, "the older list's item is kept as history"
    assert told(preview(room(house, blobs))) == []
    assert sorted(documents(house)) == before
    for bundle in documents(house).values():
        assert "TP" not in str(bundle)


def test_an_item_that_only_an_older_list_has_anew_is_ended_by_the_newer(
    house: House, intake: Intake, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = registry.read

    def fewer(upload, *, format=None) -> Batch:
        batch = reading(upload, format=format)
        return replace(batch, items=tuple(one for one in batch.items if "TP" not in one.key))

    house.enrol("hospital-a")
    with monkeypatch.context() as patched:
        patched.setattr("gateway.standardize.read", fewer)
        send(house, intake, message())
    send(house, intake, message("7.10", "20261105090000").replace(b"OBX|1|NM|TP", b"ZZZ|1|NM|TP"),
         "20261105090000000")  # fmt: skip
    kinds = [kind for kind, _, _ in told(preview(room(house, blobs, NO_CODES)))]
    assert kinds == ["added", "ended"]
    assert [kind for kind, _, _ in told(apply(room(house, blobs, NO_CODES)))] == kinds
    assert told(preview(room(house, blobs, NO_CODES))) == []
    for bundle in documents(house).values():
        assert "TP" not in str(bundle)

"""However items arrive, the current documents hold exactly the items that stand."""

import random

import pytest
from sqlalchemy import text

from gateway.model.batch import Item
from gateway.model.category import Category
from gateway.model.codebook import SYSTEMS
from gateway.record import promotion, twins
from gateway.store.record import items as rows
from tests.record.house import House, item

_CURRENT = text(
    "SELECT item FROM document_item WHERE entry_uuid NOT IN "
    "(SELECT entry_uuid FROM document_deprecation)"
)


def _drug(key: str, version: str, code: str, *, cancelled: bool) -> Item:
    """A drug of one day, ordered or claimed."""
    one = item(Category.PRESCRIPTION, key, version, text=code, cancelled=cancelled)
    concept = {"coding": [{"system": SYSTEMS["yj"], "code": code}]}
    resource = {
        "resourceType": "MedicationRequest", "id": one.resource["id"],
        "medicationCodeableConcept": concept, "authoredOn": "2026-11-20",
    }  # fmt: skip
    return one._replace(resource=resource)


def _some(draw: random.Random) -> list[Item]:
    found = {}
    for _ in range(draw.randrange(1, 5)):
        number, version = draw.randrange(4), str(draw.randrange(1, 6))
        code, cancelled = f"1149019F156{draw.randrange(2)}", draw.random() < 0.2
        match draw.randrange(3):
            case 0:
                made = item(Category.LAB_RESULT, f"lab|{number}", version, cancelled=cancelled)
            case 1:
                made = _drug(f"rx|{number}", version, code, cancelled=cancelled)
            case _:
                payer = draw.choice(("01", "02"))
                key = f"uke|2026-11|1|{payer}|{number}"
                made = _drug(key, version, code, cancelled=cancelled)
        found[made.key] = made
    return list(found.values())


@pytest.mark.parametrize("seed", range(3))
def test_documents_hold_what_stands(house: House, seed: int) -> None:
    """The whole record is judged here; promotion looks only at what an arrival may change."""
    draw, hidden = random.Random(seed), 0  # noqa: S311 - repeatable, not secret
    house.enrol("hospital-a")
    person = house.person()
    for _ in range(12):
        house.upload("hospital-a", *_some(draw))
        with house.work() as work:
            every = rows.select_items(work.db, person)
            current = [row for row in promotion.newest(every).values() if not row.cancelled]
            shown = twins.shown(current)
            documented = sorted(row[0] for row in work.db.execute(_CURRENT))
        assert documented == sorted(row.id for row in shown)
        hidden += len(current) - len(shown)
    assert hidden  # claims were covered by orders on the way

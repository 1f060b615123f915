"""The synthetic population: repeatable, and what the formats accept."""

from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from bench.population import feeds, laboratory_message, population, tree
from gateway import standardize
from gateway.standardize.format import Upload


def test_a_seed_gives_the_same_people_whatever_the_count() -> None:
    assert list(population(7, 5)) == list(islice(population(7, 50), 5))
    assert list(population(7, 5)) != list(population(8, 5))


@pytest.mark.parametrize(
    ("birth", "era"),
    [("20190501", "R010501"), ("20190430", "H310430"), ("19890107", "S640107"),
     ("19261225", "S011225"), ("19261224", "T151224")],
)  # fmt: skip
def test_births_in_eras(birth: str, era: str) -> None:
    from dataclasses import replace

    (patient,) = population(1, 1)
    assert replace(patient, person=replace(patient.person, birth=birth)).era_birth == era


def test_feeds_are_xml_for_every_facility() -> None:
    made = list(feeds(population(1, 3)))
    assert len(made) == 9
    for domain, message in made:
        assert domain in message
        etree.fromstring(message)


def test_a_laboratory_message_becomes_its_observations() -> None:
    (patient,) = population(3, 1)
    batch = standardize.read(Upload(path="a.hl7", content=laboratory_message(patient, 30)))
    results = [i for i in batch.items if i.resource["resourceType"] == "Observation"]
    assert len(results) == 30
    assert batch.patient is not None
    assert batch.patient.value == patient.charts[0][1]


def test_a_tree_is_read_file_by_file(tmp_path: Path) -> None:
    assert tree(population(1, 4), tmp_path) == 4
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        upload = Upload(
            path=file.relative_to(tmp_path).as_posix(), content=file.read_bytes(), in_tree=True
        )
        batch = standardize.read(upload)
        assert batch.format == "ssmix2/OML-11"
        assert batch.items

"""`gateway standardize why` on one laboratory value of a demo."""

import json

import pytest
from sqlalchemy import create_engine, text

from tests.served import Installation

_VALUES = text(
    "SELECT resource, content FROM item"
    " WHERE category = 'lab_result' AND content LIKE '%\"resourceType\":\"Observation\"%'"
)


def values(installation: Installation) -> list[tuple[str, dict[str, object]]]:
    engine = create_engine(installation.database)
    with engine.connect() as db:
        found = [(row[0], json.loads(row[1])) for row in db.execute(_VALUES)]
    engine.dispose()
    return [one for one in found if one[1]["resource"]["resourceType"] == "Observation"]


@pytest.fixture
def observation(installation: Installation) -> str:
    """The id of a laboratory value that the demo shares."""
    return values(installation)[0][0]


def test_the_source_lines_of_a_value(installation: Installation, observation: str) -> None:
    found = installation.command("standardize", "why", f"Observation/{observation}")
    (version,) = found["versions"]
    assert found["category"] == "lab_result"
    assert version["shared"] is True
    assert version["mapping"].startswith("0.")
    (line,) = version["lines"]
    assert line.startswith("OBX|")
    assert version["at"].startswith("OBX[")
    assert version["end"] - version["start"] >= len(line)


def test_a_resource_beside_an_item(installation: Installation) -> None:
    (content,) = [one for _, one in values(installation)][:1]
    companions = content["companions"]
    specimen = next(one for one in companions if one["resourceType"] == "Specimen")  # type: ignore[attr-defined]
    found = installation.command("standardize", "why", specimen["id"])
    assert found["kind"] == "Specimen"
    assert found["beside"] in ("Observation", "DiagnosticReport")


def test_nothing_of_that_id(installation: Installation) -> None:
    assert installation.command("standardize", "why", "Observation/none", exit_code=1) is None

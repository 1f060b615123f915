"""The StructureDefinition of our signature extension says what we write, and we write all of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.structuredefinition import StructureDefinition

from gateway.model.attestation import Attestation
from gateway.model.signature import Indication
from gateway.wire import attested
from gateway.wire.attested import VERDICT, Signed
from tests.xca.test_metadata import SIGNED

FILE = (
    Path(__file__).resolve().parents[2] / "docs" / "fhir"
    / "StructureDefinition-signature-verdict.json"
)  # fmt: skip
DEFINED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
ELEMENTS: dict[str, dict[str, Any]] = {one["id"]: one for one in DEFINED["differential"]["element"]}
NOW = datetime(2026, 11, 30, tzinfo=UTC)
FULL = replace(
    SIGNED, covers="cd" * 32, claimed=NOW, received=NOW, proven=NOW, roles=("Dentist", "Pharmacist")
)
BARE = replace(FULL, covers="", claimed=None, received=None, proven=None, roles=(), policy="",
               signer="")  # fmt: skip
DOUBTFUL = replace(BARE, verdict=Indication.UNVERIFIABLE, doubts=("path", "revocation"))
INVALID = replace(FULL, verdict=Indication.INVALID, doubts=("digest",))
DEEP = replace(FULL, inside=(FULL, DOUBTFUL), countersigned=(BARE,))
DEEPER = replace(FULL, inside=(DEEP,), countersigned=(INVALID, DEEP))
EVERY = (FULL, BARE, DOUBTFUL, INVALID, DEEP, DEEPER, replace(DEEPER, inside=(DEEPER,)))


def written(one: Attestation) -> dict[str, Any]:
    signed = Signed(sha256="ab" * 32, signatures=(one,))
    made = attested.provenance(signed, ("x",), identity="y", recorded=NOW, whole=True)
    places = [*made.get("signature", ()), *made["entity"]]
    (found,) = [part for place in places for part in place.get("extension", ())]
    assert isinstance(found, dict)
    return found


def slices(prefix: str) -> dict[str, dict[str, Any]]:
    """Name to element of the parts below one extension."""
    head = f"{prefix}.extension:"
    return {
        key.removeprefix(head): one
        for key, one in ELEMENTS.items()
        if key.startswith(head) and not set(".:") & set(key.removeprefix(head))
    }


def faults(extension: dict[str, Any], prefix: str, used: set[str]) -> Iterator[str]:
    """What of an extension is not as defined, part by part."""
    known = slices(prefix)
    names = [part["url"] for part in extension["extension"]]
    for name, one in known.items():
        most = float("inf") if one["max"] == "*" else int(one["max"])
        if not one["min"] <= names.count(name) <= most:
            yield f"{prefix}: {names.count(name)} of {name}"
    for part in extension["extension"]:
        name, place = part["url"], f"{prefix}.extension:{part['url']}"
        if name not in known:
            yield f"{prefix}: {name} is not defined"
            continue
        used.add(place)
        if "extension" in part:
            yield from faults(part, place, used)
            if ELEMENTS[f"{place}.value[x]"].get("max") != "0":
                yield f"{place}: parts where a value belongs"
            continue
        (kind,) = [key for key in part if key != "url"]
        (wanted,) = ELEMENTS[f"{place}.value[x]"].get("type", [{"code": ""}])
        if kind != "value" + wanted["code"][:1].upper() + wanted["code"][1:]:
            yield f"{place}: {kind}"


@pytest.mark.parametrize("place", range(len(EVERY)))
def test_what_is_written_is_defined(place: int) -> None:
    assert list(faults(written(EVERY[place]), "Extension", set())) == []


def test_everything_that_is_defined_is_written() -> None:
    used: set[str] = set()
    for one in EVERY:
        assert not list(faults(written(one), "Extension", used))
    defined = {key for key, one in ELEMENTS.items() if "sliceName" in one}
    unused = defined - used
    assert not {key for key in unused if key.count(":") == 1}
    assert not {key.rpartition(":")[2] for key in unused} & {"verdict", "level", "checked", "when"}


@pytest.mark.parametrize(
    ("at", "part"),
    [
        (0, {"url": "verdict", "valueString": "verified"}), (0, {"url": "verdickt"}),
        (1, {"url": "verdict", "valueCode": "verified"}), (2, {"url": "policy", "valueUri": "x"}),
    ],
)  # fmt: skip
def test_the_comparison_finds_what_is_not_defined(at: int, part: dict[str, Any]) -> None:
    made = written(FULL)
    made["extension"][at] = part
    assert list(faults(made, "Extension", set()))


def test_the_definition_is_one_of_r4_for_the_places_that_carry_it() -> None:
    StructureDefinition.model_validate(DEFINED)
    assert (DEFINED["url"], DEFINED["type"], DEFINED["fhirVersion"]) == (
        VERDICT, "Extension", "4.0.1"
    )  # fmt: skip
    assert ELEMENTS["Extension.url"]["fixedUri"] == VERDICT
    assert [one["expression"] for one in DEFINED["context"]] == [
        "Provenance.signature", "Provenance.entity"
    ]  # fmt: skip
    rules = {
        rule["key"]: rule["expression"]
        for one in ELEMENTS.values() for rule in one.get("constraint", ())
    }  # fmt: skip
    words = {one.value for one in Indication}
    assert all(f"'{word}'" in rules["sv-1"] for word in words)
    assert rules["sv-1"].count("'") == 2 * len(words)

"""The published SS-MIX2 tree and notebooks through the real door: staged, linked, promoted.

Beside each file's receipt stands its account from `gateway standardize --account`: one says what
became of the file, the other of each of its segments or rows. Without the published files, the same
on our own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import group
from tests.journeys.senders import archive, enrol_and_link, receipt, say, taken, upload
from tests.served import Served, Templates, serve
from tests.shared import SHARED, needs_shared, shared

VISIBLE = ("japan", "samples", "visible")
SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "standardize"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("files") / "installation"
    with serve(templates.copy(request.param, folder)) as served:
        yield served


NOT_SHARED = "category-not-shared"
SHARED_CATEGORIES = {
    "diagnosis", "prescription", "dispensing", "lab_result", "allergy", "nursing", "care",
}  # fmt: skip
"What TGP shares (`requirements.md` section 5.3); anything else stays in staging."


def accounts(path: Path) -> dict[str, Any]:
    """Path of each file to what `gateway standardize` says of it."""
    done = CliRunner().invoke(group, ["standardize", str(path), "--account", "--json"])
    return {one["path"]: one for one in json.loads(done.stdout)["files"]}


def whole(account: Any) -> None:
    """Every line is accounted for, and what is not carried stands under a finding."""
    total = account["account_total"]
    assert total["whole"], account["path"]
    assert sum(total["became"].values()) == total["lines"] > 0
    named = {finding["code"] for finding in account["findings"]}
    for became in account["account"].values():
        assert became == "used" or became.startswith("item ") or became in named


def promoted(gateway: Served, tree: Path, charts: dict[str, int]) -> None:
    """A tree in one archive: staged, and after consent and links promoted, item for item."""
    client = gateway.client("hospital-a")
    found = taken(client, "storage.zip", archive(tree), source="emr")
    expected = accounts(tree)
    assert len(found["files"]) == len(expected)
    for file in found["files"]:
        account = expected[file["path"]]
        whole(account)
        assert file["state"] == ("standardized" if account["format"] else "refused")
        assert file["items"] == {"staged": len(account["items"]), "promoted": 0}
        codes = [one["code"] for one in file["findings"] if one["code"] != NOT_SHARED]
        assert codes == [one["code"] for one in account["findings"]]
        kept = {one["category"] for one in account["items"]} - SHARED_CATEGORIES
        assert len(file["findings"]) - len(codes) == len(kept)
    for chart, items in charts.items():
        assert enrol_and_link(gateway, "hospital-a", chart) == items
    for file in receipt(client, found["receipt"])["files"]:
        items = expected[file["path"]]["items"]
        shared = sum(one["category"] in SHARED_CATEGORIES for one in items)
        counts = {"staged": len(items) - shared, "promoted": shared}
        assert file["items"] == counts, file["path"]


@needs_shared
def test_the_published_storage(gateway: Served) -> None:
    """Its PIDs are not those of its paths, so that its facility must declare its paths (E-08)."""
    say(
        gateway.installation, "facility", "change", "hospital-a",
        "--pid", "trust-path", "--reason", "the published samples",
    )  # fmt: skip
    tree = shared(*VISIBLE, "ssmix2-nho", "sampleData")
    promoted(gateway, tree, {"9999013": 24, "0000001": 4})


def notebooks() -> list[Path]:
    """The published notebooks; our own where there are none."""
    if SHARED is None:
        return [SAMPLES / "notebook" / "jahistc08.csv"]
    return sorted(SHARED.joinpath(*VISIBLE, "okusuri-techo-tsuchi84", "sample_data").iterdir())


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_a_notebook_about_a_stated_chart(gateway: Served, path: Path) -> None:
    client = gateway.client("pharmacy-c")
    (account,) = accounts(path).values()
    whole(account)
    chart = f"N-{path.stem}"
    found = taken(client, path.name, path.read_bytes(), source="dispensing", patient=chart)
    (file,) = found["files"]
    assert file["state"] == "standardized"
    items = len(account["items"])
    assert file["items"] == {"staged": items, "promoted": 0}
    codes = {one["code"] for one in file["findings"]}
    assert "patient-without-number" not in codes
    assert enrol_and_link(gateway, "pharmacy-c", chart) == items
    (file,) = receipt(client, found["receipt"])["files"]
    assert file["items"] == {"staged": 0, "promoted": items}


def test_our_own_result_message(gateway: Served) -> None:
    path = SAMPLES / "lab" / "oul-r22.hl7"
    (account,) = accounts(path).values()
    whole(account)
    found = taken(
        gateway.client("lab-d"), path.name, path.read_bytes(), source="lab", facility="hospital-a"
    )
    assert found["files"][0]["items"]["staged"] == len(account["items"]) > 0


@pytest.mark.parametrize(
    ("patient", "status"),
    [
        ("x^^^&2.999.30.2&ISO", 403),
        ("x^^^&not-an-oid&ISO", 422),
        ("^^^&2.999.30.3&ISO", 422),
        ("a" * 65, 422),
        ("a\u202eb", 422),
    ],
)
def test_a_chart_id_that_cannot_be_stated(gateway: Served, patient: str, status: int) -> None:
    content = (SAMPLES / "notebook" / "jahistc08.csv").read_bytes()
    client = gateway.client("pharmacy-c")
    answer = upload(client, "n.csv", content, source="dispensing", patient=patient)
    assert answer.status == status


def test_a_chart_id_with_its_domain(gateway: Served) -> None:
    content = (SAMPLES / "notebook" / "jahistc08.csv").read_bytes()
    found = taken(
        gateway.client("pharmacy-c"), "with-domain.csv", content, source="dispensing",
        patient="N-domain^^^&2.999.30.3&ISO",
    )  # fmt: skip
    assert found["files"][0]["state"] == "standardized"

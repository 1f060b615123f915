"""Every published payload is run by a test that is named here; what is not run says why (R-13).

Each module of this folder says in `PAYLOADS` what its tests take from the folder of payloads, by
the very lists that they are parametrized with. A new file or row without a test fails here.
"""

import csv
import importlib
from pathlib import Path

from tests.hostile.forms import PUBLISHED, rows
from tests.shared import needs_shared

MODULES = ("test_documents", "test_framing", "test_messages", "test_mllp", "test_mtom",
           "test_queries", "test_soap", "test_text", "test_uploads", "test_xua")  # fmt: skip

LATER = {
    "gateway/queries.jsonl#QRY-28": "deferred answers: not offered",
    "gateway/queries.jsonl#QRY-29": "pages of the console: not built",
    **{f"gateway/console.jsonl#CON-{n:02}": "pages of the console: not built; as names they run in"
       " test_text" for n in range(1, 18)},
    **{f"gateway/csv_cells.jsonl#CSV-{n:02}": "uploads of mapped CSV: not built; as names they run"
       " in test_text" for n in range(1, 24)},
}  # fmt: skip
"Rows of doors that are not built yet."
NO_CASE = {"README.md", "MANIFEST.tsv", ".gitattributes"}


def declared() -> dict[str, str]:
    """Every payload that some module runs, and which."""
    found: dict[str, str] = {}
    for name in MODULES:
        module = importlib.import_module(f"tests.hostile.{name}")
        assert module.PAYLOADS
        for payload in module.PAYLOADS:
            found.setdefault(payload, name)
    return found


def wanted() -> set[str]:
    """Every file that is there, tables by their rows; licences are no payloads."""
    found: set[str] = set()
    for path in PUBLISHED.rglob("*"):
        name = path.relative_to(PUBLISHED).as_posix()
        if not path.is_file() or name.startswith("LICENSES/") or name in NO_CASE:
            continue
        if path.suffix == ".jsonl":
            found |= {f"{name}#{row['id']}" for row in rows(path.name)}
        else:
            found.add(name)
    return found


@needs_shared
def test_every_payload_is_run_or_belongs_to_a_door_that_is_not_built() -> None:
    run = declared()
    assert wanted() - run.keys() - LATER.keys() == set()


@needs_shared
def test_nothing_is_excused_that_runs_or_is_not_there() -> None:
    assert set(LATER) & set(declared()) == set()
    assert set(LATER) - wanted() == set()


@needs_shared
def test_nothing_is_declared_that_is_not_there() -> None:
    assert set(declared()) - wanted() == set()


@needs_shared
def test_the_manifest_names_every_file_that_is_there() -> None:
    with (PUBLISHED / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        named = {row["file"] for row in csv.DictReader(stream, delimiter="\t")}
    there = {name.partition("#")[0] for name in wanted()}
    # a table of expected parts stands beside each form and is data, not a case
    assert {name for name in there - named if Path(name).suffix != ".yaml"} == set()


def test_every_module_that_runs_payloads_is_asked() -> None:
    here = Path(__file__).parent
    found = {
        path.stem for path in here.glob("test_*.py") if "\nPAYLOADS = " in path.read_text("utf-8")
    }
    assert found == set(MODULES)

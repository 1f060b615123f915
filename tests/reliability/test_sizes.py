"""Large trees and large files, killed on their way: flat memory, nothing twice, nothing lost (#4).

The suite takes a small tree and a small file; `make campaign` one of `TREE` files and files of
`MIB` MiB, and kills `KILLS` times.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bench import claims, tables
from bench.population import population, tree
from gateway.members.mappings import load_mapping
from gateway.model.identifiers import Oid
from gateway.settings import LimitSettings
from gateway.standardize import Upload, archive, attempt, recognise
from gateway.standardize.format import Part, Run
from tests.conftest import ROOT
from tests.reliability import campaign, killing
from tests.reliability.installation import Installation
from tests.reliability.killing import Told, through

TREE = int(os.environ.get("TREE", "100000"))
MIB = float(os.environ.get("MIB", "1024"))
KILLS = int(os.environ.get("KILLS", "6"))
MOST = 200.0
"MiB that any process may take (#4)."
MAPPING = ROOT / "samples" / "mappings" / "clinic-b-lab.yaml"
_FILES = (
    "SELECT path, count(*), min(state), max(state) FROM upload_file WHERE parent = '' GROUP BY path"
)
_ITEMS = "SELECT f.path, s.key FROM staged_item s JOIN upload_file f ON f.id = s.file ORDER BY s.id"
_PARTS = "SELECT part, state FROM upload_file WHERE parent <> '' AND receipt = :receipt"


class Sum:
    """A sum over things in whatever order: how many, and of their digests."""

    def __init__(self) -> None:
        self.count, self.digest = 0, 0

    def add(self, *words: str) -> None:
        found = hashlib.sha256("\x1f".join(words).encode()).digest()
        self.count, self.digest = self.count + 1, (self.digest + int.from_bytes(found)) % 2**256

    def __eq__(self, other: object) -> bool:
        mine = (self.count, self.digest)
        return isinstance(other, Sum) and mine == (other.count, other.digest)

    def __repr__(self) -> str:
        return f"{self.count} items, sum {self.digest:064x}"[:60]


def of_tree(place: Path) -> tuple[set[str], Sum]:
    """What the reader makes of every file, without any database: paths, and keys of items."""
    paths, found = set[str](), Sum()
    for upload in archive.folder(place, LimitSettings()):
        assert isinstance(upload, Upload)
        paths.add(upload.path)
        for item in attempt(upload).items:
            found.add(upload.path, item.key)
    return paths, found


def of_file(path: Path, domain: str) -> tuple[int, Sum]:
    """The same of one file about many people: how many parts, and keys of items."""
    parts, found = 0, Sum()
    mappings = (load_mapping(MAPPING),)
    with path.open("rb") as stream, path.open("rb") as again:
        head = Upload(path=path.name, content=stream.read(1024 * 1024), mappings=mappings)
        format = recognise(head)
        assert format.split is not None
        stream.seek(0)
        for part in format.split(stream):
            parts += 1
            batch = attempt(_upload(path, part, again, domain, mappings), format=format)
            for item in batch.items:
                found.add(path.name, item.key)
    return parts, found


def _upload(path: Path, part: Part, stream: "object", domain: str, mappings: "object") -> Upload:
    runs = []
    for span in (*part.shared, *part.own):
        stream.seek(span.start)  # type: ignore[attr-defined]
        runs.append(Run(span.row, span.start, stream.read(span.end - span.start)))  # type: ignore[attr-defined]
    return Upload(
        path=path.name, content=b"".join(one.content for one in runs), runs=tuple(runs),
        domain=Oid(domain), mappings=mappings,  # type: ignore[arg-type]
    )  # fmt: skip


def staged(installed: Installation) -> Sum:
    """Keys of the items that are in the database."""
    found = Sum()
    with killing.counting(installed) as database, database.still() as db:
        for path, key in db.execution_options(yield_per=10_000).execute(text(_ITEMS)):
            found.add(path, key)
    return found


def files(installed: Installation) -> dict[str, tuple[int, str, str]]:
    with killing.counting(installed) as database, database.reading() as db:
        return {path: tuple(rest) for path, *rest in db.execute(text(_FILES))}  # type: ignore[misc]


def emptied(installed: Installation) -> None:
    """Without what the demo staged, which other tests are about."""
    with killing.counting(installed) as database, database.writing() as db:
        for table in ("staged_item", "upload_file", "upload"):
            db.execute(text(f"DELETE FROM {table}"))


_FOR = ["--facility", "hospital-a", "--source", "emr"]
WAYS: dict[str, Callable[[Path], list[str]]] = {
    "watch": lambda place: ["watch", str(place), "--once", "--settle", "0", *_FOR],
    "intake": lambda place: ["intake", str(place), *_FOR],
}


def taken(installed: Installation, place: Path, count: int, way: str, kills: int, seed: str) -> str:
    """A tree that is taken in by one of two ways, and killed meanwhile."""
    emptied(installed)
    assert tree(population(int(seed), count), place) == count
    told = through(installed, WAYS[way](place), units=count, kills=kills, seed=seed)
    paths, items = of_tree(place)
    found = files(installed)
    assert set(found) == paths
    became = (1, "standardized", "standardized")
    if way == "intake" and told.kills and told.kills[-1] >= 1.0:
        # Killed when all was done and not said yet: what is typed again is a delivery of its own.
        seen = Counter(found.values())
        became = (2, "duplicate", "standardized") if became not in seen else became
    assert Counter(found.values()) == {became: count}
    assert staged(installed) == items
    return judged(installed, told, kills, f"{count} files, {items.count} items each once")


def judged(installed: Installation, told: Told, kills: int, what: str) -> str:
    assert told.peak <= MOST, told
    assert len(told.kills) >= max(kills - 2, 1), told
    verified = installed.command("audit", "verify")
    assert verified["good"], verified
    return f"{what}; {told}"


def large(
    installed: Installation, folder: Path, kind: str, size: int, kills: int, seed: str
) -> str:
    """A file about many people, killed while it is received, cut and worked through."""
    emptied(installed)
    folder.mkdir()
    path = folder / {"uke": "RECEIPTC.UKE", "csv": "results.csv"}[kind]
    make = {"uke": claims.make, "csv": tables.make}[kind]
    facility, source = {"uke": ("hospital-a", "accounting"), "csv": ("clinic-b", "lab")}[kind]
    make(path, size, int(seed))
    shutil.copy(MAPPING, installed.folder / "mappings" / MAPPING.name)
    domain = {"hospital-a": "2.999.30.1", "clinic-b": "2.999.30.2"}[facility]
    parts, items = of_file(path, domain)
    words = ["watch", str(folder), "--once", "--settle", "0", "--facility", facility,
             "--source", source]  # fmt: skip
    told = through(installed, words, units=parts, kills=kills, seed=seed)
    ((name, (times, state, _)),) = files(installed).items()
    assert (name, times, state) == (path.name, 1, "split")
    with killing.counting(installed) as database, database.reading() as db:
        (receipt,) = db.execute(text("SELECT receipt FROM upload")).scalars()
        states = dict(db.execute(text(_PARTS), {"receipt": receipt}).all())
    assert set(states) == set(range(1, parts + 1))
    assert set(states.values()) == {"standardized"}
    assert staged(installed) == items
    rate = size / 1024 / 1024 / told.seconds
    return judged(
        installed, told, kills,
        f"{size / 1024 / 1024:.1f} MiB, {parts} parts, {items.count} items each once, "
        f"{rate * 1024:.0f} KiB/s",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path) -> Iterator[None]:
    """What is large does not stay."""
    yield
    if os.environ.get("CAMPAIGN"):
        shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("installed", ["sqlite"], indirect=True)
@pytest.mark.parametrize("way", WAYS)
def test_a_tree_is_taken_in_whatever_kills_it(
    installed: Installation, tmp_path: Path, way: str
) -> None:
    print(taken(installed, tmp_path / "storage", 300, way, 2, "2026"))


@pytest.mark.parametrize("installed", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["uke", "csv"])
def test_a_file_is_taken_in_whatever_kills_it(
    installed: Installation, tmp_path: Path, kind: str
) -> None:
    print(large(installed, tmp_path / "drop", kind, 200_000, 2, "2026"))


@pytest.mark.campaign
@pytest.mark.parametrize("way", WAYS)
def test_a_large_tree_is_taken_in_whatever_kills_it(
    installed: Installation, tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    with campaign.figure(request) as figure:
        place = tmp_path / "storage"
        figure.say(taken(installed, place, TREE, way, KILLS, figure.seed))


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["uke", "csv"])
def test_a_large_file_is_taken_in_whatever_kills_it(
    installed: Installation, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    with campaign.figure(request) as figure:
        size = int(MIB * 1024 * 1024)
        figure.say(large(installed, tmp_path / "drop", kind, size, KILLS, figure.seed))

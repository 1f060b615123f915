"""`gateway backup` and `gateway restore`: everything comes back, or nothing does (R-19, M-09)."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest

from gateway import settings
from gateway.backup import archive
from gateway.demo.page import one_page
from gateway.demo.sign import sign_pdf
from gateway.store import copy
from gateway.store.blobs import blobs_from_url
from gateway.store.database import Database
from tests import forked
from tests.cli.test_registrations import ENROL
from tests.served import Installation, Templates, _database, command

MARKERS = ("見本", "ミホン", "2.999.30.1", "hospital-a", "PRIVATE KEY")


@dataclass
class Elsewhere:
    """Makes empty installations on the other kind of database, as on another machine."""

    folder: Path
    postgres: str
    made: int = 0

    def make(self, kind: str) -> Installation:
        self.made += 1
        folder = self.folder / f"elsewhere-{self.made}"
        words = ["init", str(folder)]
        url = f"sqlite:///{folder / 'gateway.db'}"
        if kind == "postgresql":
            url = _database(self.postgres, "template0")
            words += ["--database", url]
        command(*words)
        return Installation(folder, url)


@pytest.fixture
def elsewhere(tmp_path: Path, postgres_server: str) -> Elsewhere:
    return Elsewhere(tmp_path, postgres_server)


@pytest.fixture
def one(templates: Templates, tmp_path: Path) -> Installation:
    """A demo on SQLite, for what does not depend on the database."""
    return templates.copy("sqlite", tmp_path / "installation")


def kind_of(made: Installation) -> str:
    return "sqlite" if made.database.startswith("sqlite") else "postgresql"


def rows(made: Installation) -> dict[str, list[Any]]:
    with closing(Database(made.database)) as database, database.still() as db:
        return {
            str(table.name): [row for part in copy.dump(db, table) for row in part]
            for table in copy.tables()
        }


def documents(made: Installation) -> list[str]:
    blobs = blobs_from_url(settings.load(made.config).blobs.url)
    found = list(blobs.each())
    assert all(blobs.verify(digest) for digest in found)
    return found


def taken(made: Installation, name: str = "backup.age") -> Path:
    target = made.folder.parent / name
    made.command("backup", str(target))
    return target


def restored(to: Installation, file: Path, source: Installation, *more: str, code: int = 0) -> Any:
    """`gateway restore` with the demo's key and its audit folder."""
    words = ("restore", str(file), "--key", str(source.pki / "backup.key"))
    audit = () if "--without-audit-folder" in more else (
        "--audit-folder", str(source.folder / "audit"),
    )  # fmt: skip
    return to.command(*words, *audit, *more, exit_code=code)


def refusal(to: Installation, *words: str) -> str:
    done = forked.run("restore", *words, "--config", str(to.config))
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


def test_everything_comes_back_on_the_other_kind_of_database(
    installation: Installation, elsewhere: Elsewhere
) -> None:
    assert len(installation.command("crl", "fetch")) == 4
    consent = elsewhere.folder / "consent.pdf"
    consent.write_bytes(sign_pdf(one_page(("参加同意書",)), installation.folder, datetime.now(UTC)))
    installation.command(*ENROL, "--document", str(consent))
    digest = hashlib.sha256(consent.read_bytes()).hexdigest()
    before, patient = rows(installation), installation.patient("A")["identifiers"][0]["value"]
    seen = installation.command("patient", "show", patient, "--as", "doctor-a")
    file = taken(installation)
    other = "postgresql" if kind_of(installation) == "sqlite" else "sqlite"
    target = elsewhere.make(other)
    told = restored(target, file, installation)
    assert told["rows"] >= sum(map(len, before.values()))
    assert told["lost_records"] == 0
    assert told["erased_again"] == [] == told["missing"]
    after = rows(target)
    for name, values in before.items():
        if name.startswith("audit_"):
            assert after[name][: len(values)] == values or name == "audit_patient", name
        elif name != "blob_removal":  # what was to go is gone
            assert after[name] == values, name
    assert len(after["revocation_list"]) == 4
    assert set(documents(target)) == set(documents_named(installation))
    for check in (("audit", "verify"), ("store", "verify")):
        assert target.command(*check)["good"] is True
    assert target.command("audit", "consistency") == {"findings": []}
    again = target.command("patient", "show", patient, "--as", "doctor-a")
    assert [item["resource"] for item in again["items"]] == [
        item["resource"] for item in seen["items"]
    ]
    repeated = target.command("verify", "--document", digest)["stored"]
    assert (repeated["same"], repeated["missing"]) == (True, [])  # SIG-05, SIG-06
    # New rows are numbered where the old ones end.
    target.command("facility", "suspend", "clinic-b", "--reason", "review")
    # What was configured is there, and no private key came along (M-03).
    assert (target.folder / "peers" / "neighbour-n.yaml").read_bytes() == (
        installation.folder / "peers" / "neighbour-n.yaml"
    ).read_bytes()
    assert not list((target.folder / "pki").rglob("*.key"))
    assert (target.folder / "gateway.toml.restored").is_file()
    kinds = [row[3] for row in rows(target)["audit_event"]]
    assert "restore" in kinds
    assert "backup" in [row[3] for row in rows(installation)["audit_event"]]


def test_a_backup_shows_nothing_and_leaves_nothing_beside_it(
    one: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "b.age"
    made = one.command("backup", str(file))
    assert [path.name for path in folder.iterdir()] == ["b.age"]
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    plain = pyrage.decrypt(content, archive.read_key(one.pki / "backup.key"))
    for marker in MARKERS:
        assert marker.encode() not in content
    assert b"PRIVATE KEY" not in plain
    assert b"AGE-SECRET-KEY" not in plain
    one.command("backup", str(file), exit_code=1)  # never over another one
    assert made["sha256"] in json.dumps(rows(one)["audit_event"])


def test_what_was_erased_after_the_backup_stays_erased(
    installation: Installation, elsewhere: Elsewhere
) -> None:
    shared = installation.patient("A")["identifiers"][0]["value"]
    gone_before = set(documents(installation))
    file = taken(installation)
    installation.command("consent", "withdraw", shared, "--form", "撤回書1")
    installation.command("facility", "end", "pharmacy-c", "--reason", "closed")
    installation.command("erase", "facility", "pharmacy-c")
    kept = rows(installation)
    target = elsewhere.make(kind_of(installation))
    told = restored(target, file, installation)
    assert len(told["erased_again"]) == 2
    assert told["unconsented"] == 0
    after = rows(target)
    for name in ("item", "document", "document_item", "staged_item", "held_document",
                 "upload_file"):  # fmt: skip
        assert len(after[name]) == len(kept[name]), name
    assert [row[0] for row in after["erasure"]] == [row[0] for row in kept["erasure"]]
    assert set(documents(target)) < gone_before
    target.command("patient", "show", shared, "--as", "doctor-a", exit_code=0)
    assert target.command("patient", "show", shared, "--as", "doctor-a")["items"] == []
    states = {one["name"]: one["state"] for one in target.command("facility", "list")}
    assert states["pharmacy-c"] == "ended"
    # The restored installation's own list is complete: a backup of it brings nothing back either.
    listed = (target.folder / "audit" / "erasures.jsonl").read_text("ascii").splitlines()
    assert {json.loads(line)["id"] for line in listed} >= set(told["erased_again"])
    second = elsewhere.make(kind_of(installation))
    later = taken_from(target, installation)
    assert restored(second, later, installation, code=0)["erased_again"] == []


def taken_from(made: Installation, keys: Installation) -> Path:
    """A backup of a restored installation, to the demo's key."""
    public = (keys.pki / "backup.key").read_text("ascii").splitlines()[0].split()[-1]
    target = made.folder.parent / f"{made.folder.name}.age"
    made.command("backup", str(target), "--recipient", public)
    return target


def test_the_newer_records_that_are_lost_are_counted(
    one: Installation, elsewhere: Elsewhere
) -> None:
    file = taken(one)
    for reason in ("a", "b", "c"):
        one.command("facility", "suspend", "clinic-b", "--reason", reason)
        one.command("facility", "resume", "clinic-b", "--reason", reason)
    later = taken(one, "later.age")  # what it is for here: it seals
    assert later.exists()
    subprocess.run(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from gateway import app, settings\n"
         "found = settings.load(Path(sys.argv[1]))\n"
         "with app.open_gateway(found) as gateway: gateway.door.checkpoint("
         "found.audit.checkpoints)", str(one.config)],
        check=True, timeout=60,
    )  # fmt: skip
    target = elsewhere.make("sqlite")
    told = restored(target, file, one)
    assert told["lost_records"] >= 6
    assert told["lost_until"]
    assert target.command("audit", "verify")["good"] is True
    beyond = list((target.folder / "audit").glob("checkpoints-beyond-restore-*.jsonl"))
    assert len(beyond) == 1


def test_without_the_audit_folder_it_is_said_aloud(one: Installation, elsewhere: Elsewhere) -> None:
    file = taken(one)
    target = elsewhere.make("sqlite")
    key = ("--key", str(one.pki / "backup.key"))
    assert "--audit-folder" in refusal(target, str(file), *key)
    told = restored(target, file, one, "--without-audit-folder")
    assert told["proven"] is False
    assert target.command("audit", "verify")["good"] is True


def test_what_is_no_whole_backup_of_ours_is_refused_and_leaves_nothing(
    one: Installation, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    file = taken(one)
    content = file.read_bytes()
    target = elsewhere.make("sqlite")
    key = ("--key", str(one.pki / "backup.key"), "--audit-folder", str(one.folder / "audit"))
    bad = tmp_path / "bad.age"

    def tried(altered: bytes, *words: str) -> str:
        bad.write_bytes(altered)
        return refusal(target, str(bad), *(words or key))

    size = len(content)
    for place in (0, 30, 100, size // 3, size // 2, size - 20, size - 1):
        altered = bytearray(content)
        altered[place] ^= 1
        assert "[R-19]" in tried(bytes(altered)), place
    for length in (0, 10, 150, size // 2, size - 1, size - 65536):
        assert "[R-19]" in tried(content[:length]), length
    assert "[R-19]" in tried(content + b"x")
    assert "[R-19]" in tried(os.urandom(1000))
    stranger = tmp_path / "stranger.key"
    one.command("backup", "--make-key", str(stranger))
    one.command("backup", "--make-key", str(stranger), exit_code=1)
    assert "key" in tried(content, "--key", str(stranger), *key[2:])
    assert "key" in tried(content, "--key", str(one.config), *key[2:])
    # A backup of the right form that somebody else wrote to our public key.
    plain = pyrage.decrypt(content, archive.read_key(one.pki / "backup.key"))
    for forged in (forge(plain, "rows/"), forge(plain, "mac"), forge(plain, "extra")):
        public = [archive.read_key(one.pki / "backup.key")[0].to_public()]
        said = tried(pyrage.encrypt(forged, public))
        assert "[R-19]" in said or "[L-02]" in said
    assert {name: found for name, found in rows(target).items() if found} == {}
    assert documents(target) == []
    assert not (target.folder / "gateway.toml.restored").exists()
    restored(target, file, one)  # and after all that it is still empty enough


def forge(plain: bytes, what: str) -> bytes:
    """The same tar with one member changed."""
    import io

    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(plain)) as source,
        tarfile.open(fileobj=target, mode="w") as tar,
    ):
        for info in source:
            content = source.extractfile(info)
            assert content is not None
            data = content.read()
            if what == "mac" and info.name == archive.MANIFEST:
                manifest = json.loads(data)
                data = json.dumps({**manifest, "at": "2020-01-01T00:00:00.000000Z"}).encode()
            if info.name.startswith(what):
                data, what = data + b"\0", "done"
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if what == "extra":
            info = tarfile.TarInfo("../../evil")
            tar.addfile(info, io.BytesIO(b""))
    return target.getvalue()


def test_only_an_empty_installation_of_the_same_network_takes_it(
    one: Installation, elsewhere: Elsewhere
) -> None:
    file = taken(one)
    assert "not empty" in refusal(
        one, str(file), "--key", str(one.pki / "backup.key"),
    )  # fmt: skip
    target = elsewhere.make("sqlite")
    target.change("2.999.10.1", "2.999.10.9")
    words = ("--key", str(one.pki / "backup.key"), "--audit-folder", str(one.folder / "audit"))
    assert "2.999.10.9" in refusal(target, str(file), *words)
    target.command("restore", str(file), exit_code=2)  # no key is named anywhere


def test_a_damaged_document_is_named_and_the_rest_is_kept(
    one: Installation, elsewhere: Elsewhere
) -> None:
    blobs = blobs_from_url(settings.load(one.config).blobs.url)
    first, second, *_ = sorted(set(documents_named(one)))
    blobs.path(first).chmod(0o600)
    blobs.path(first).write_bytes(b"altered")
    blobs.path(second).unlink()
    file = one.folder.parent / "b.age"
    made = one.command("backup", str(file), exit_code=1)
    assert sorted(made["damaged"]) == sorted([first, second])
    target = elsewhere.make("sqlite")
    told = restored(target, file, one, code=1)
    assert sorted(told["missing"]) == sorted([first, second])
    assert set(documents(target)) == set(documents_named(one)) - {first, second}


def documents_named(made: Installation) -> list[str]:
    found = rows(made)
    table = {str(t.name): copy.columns(t) for t in copy.tables()}
    return [
        row[table[name].index("sha256")]
        for name in ("upload_file", "document", "held_document", "registration_document")
        for row in found[name]
    ]


def test_nothing_is_written_where_there_is_no_recipient_or_no_room(
    one: Installation, tmp_path: Path
) -> None:
    one.change("recipients = [", "recipients = [] # [")
    one.command("backup", str(tmp_path / "b.age"), exit_code=2)
    one.command("backup", str(tmp_path / "b.age"), "--recipient", "age1wrong", exit_code=2)
    one.command("backup", exit_code=2)
    public = archive.make_key(tmp_path / "k")
    one.command("backup", str(tmp_path / "no" / "b.age"), "--recipient", public, exit_code=1)
    assert not list(tmp_path.rglob("*.age")) + list(tmp_path.rglob("*.part"))


def test_the_key_file_is_one_that_age_reads(tmp_path: Path) -> None:
    public = archive.make_key(tmp_path / "k")
    keys = archive.read_key(tmp_path / "k")
    assert [str(key.to_public()) for key in keys] == [public]
    shutil.copy(tmp_path / "k", tmp_path / "k2")
    (tmp_path / "k2").write_text("# created: 2026\n" + (tmp_path / "k").read_text("ascii"))
    assert len(archive.read_key(tmp_path / "k2")) == 1

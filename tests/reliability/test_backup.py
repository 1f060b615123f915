"""A backup taken under load holds everything that was acknowledged before it began (R-19)."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import settings
from gateway.store.blobs import blobs_from_url
from gateway.store.database import Database
from tests import forked
from tests.reliability.installation import Installation
from tests.reliability.load import Load

SEED = "2026"


def gateway(*words: str, code: int = 0) -> dict[str, object]:
    done = forked.run(*words, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("installed", ["sqlite", "postgresql"], indirect=True)
def test_a_backup_under_load_holds_what_was_acknowledged(
    installed: Installation, tmp_path: Path
) -> None:
    server, load = installed.start(), Load(SEED)
    file, elsewhere = tmp_path / "b.age", tmp_path / "elsewhere"
    try:
        threads = load.start(server)
        time.sleep(1.5)
        load.until(11)
        before = [sent for sent in load.sent if sent.acked]
        made = gateway("backup", str(file), "--config", str(installed.config))
        load.stop(threads)
        after = [sent for sent in load.sent if sent.acked]
        assert server.terminate() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    assert len(after) > len(before) > 10, "nobody was served while the backup was taken"
    assert made["damaged"] == [] == made["gone"]
    gateway("init", str(elsewhere))
    config = elsewhere / "gateway.toml"
    told = gateway(
        "restore", str(file), "--key", str(installed.folder / "pki" / "backup.key"),
        "--audit-folder", str(installed.folder / "audit"), "--config", str(config),
    )  # fmt: skip
    assert told["documents"] == made["documents"]
    assert gateway("audit", "verify", "--config", str(config))["good"] is True
    assert gateway("store", "verify", "--config", str(config))["good"] is True
    found = settings.load(config)
    blobs = blobs_from_url(found.blobs.url)
    with closing(Database(found.database.url)) as database, database.reading() as db:
        receipts = {row[0] for row in db.execute(text("SELECT receipt FROM upload"))}
        charts = {row[0] for row in db.execute(text("SELECT value FROM identifier"))}
    for sent in before:
        assert set(sent.receipts) <= receipts, sent.kind
        assert all(blobs.verify(digest) for digest in sent.hashes), sent.kind
        if sent.kind == "feed":
            assert sent.key in charts
    print(
        f"seed {SEED}: {len(before)} acknowledged before, {len(after)} in all; {told['rows']} rows"
    )

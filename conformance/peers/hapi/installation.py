"""What an installation says in FHIR beside items: documents of the record, and its audit trail.

A demo installation is made in a folder of its own (`gateway init DIR --demo`); its documents are
the Bundles among its blobs, its audit trail is what `gateway audit export --format fhir` prints.
"""

# ruff: noqa: S603 - every command is built here, none from input

import subprocess
import sys
from collections import Counter
from pathlib import Path

from conformance.peers.hapi.inputs import REPOSITORY, File, Resource, bundle, loads
from conformance.peers.java import Unavailable

ORIGIN = "demo"
_BUNDLE = b'{"resourceType":"Bundle"'


def said(folder: Path) -> list[File]:
    """Make the installation in `folder`, and two rows of what it says."""
    _gateway("init", str(folder), "--demo")
    settings = str(folder / "gateway.toml")
    trail = _gateway("audit", "export", "--format", "fhir", "--config", settings)
    events = [loads(line) for line in trail.splitlines() if line]
    found = [
        documents(folder / "blobs"),
        _row("audit trail", "gateway audit export", [bundle(events)]),
    ]
    if not all(file.items for file in found):
        raise Unavailable("the demo installation has no documents or no audit trail")
    return found


def documents(blobs: Path) -> File:
    """The FHIR documents among an installation's blobs."""
    contents = [file.read_bytes() for file in sorted(blobs.rglob("*")) if file.is_file()]
    made = [loads(one.decode()) for one in contents if one.startswith(_BUNDLE)]
    return _row("documents of the record", "FHIR document", made)


def _row(name: str, kind: str, bundles: list[Resource]) -> File:
    kinds = Counter(
        entry["resource"]["resourceType"] for one in bundles for entry in one.get("entry", ())
    )
    formats = Counter({kind: len(bundles)})
    return File(origin=ORIGIN, path=name, formats=formats, items=kinds, bundles=bundles)


def _gateway(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=REPOSITORY, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Unavailable(f"gateway {' '.join(words[:2])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout

"""What an installation says in FHIR beside items: documents of the record, and its audit trail.

A demo installation is made in a folder of its own (`gateway init DIR --demo`), and takes the demo's
signed referral in once more as a file of a storage, so that a Provenance says who signed it. Its
documents are the Bundles among its blobs, its audit trail is what `gateway audit export` prints.
"""

# ruff: noqa: S603 - every command is built here, none from input

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from conformance.peers.hapi.inputs import REPOSITORY, File, Resource, bundle, loads
from conformance.peers.java import Unavailable

ORIGIN = "demo"
CHARTS = "2.999.30.1"
"Domain of hospital-a's chart ids in the demo."
_BUNDLE = b'{"resourceType":"Bundle"'


def said(folder: Path) -> list[File]:
    """Make the installation in `folder`, and two rows of what it says."""
    _gateway("init", str(folder), "--demo")
    settings = str(folder / "gateway.toml")
    tree = _signed(folder)
    _gateway(
        "intake", str(tree), "--facility", "hospital-a", "--source", "emr", "--config", settings
    )
    trail = _gateway("audit", "export", "--format", "fhir", "--config", settings)
    events = [loads(line) for line in trail.splitlines() if line]
    found = [
        documents(folder / "blobs"),
        _row("audit trail", "gateway audit export", [bundle(events)]),
    ]
    if not all(file.items for file in found):
        raise Unavailable("the demo installation has no documents or no audit trail")
    return found


def _signed(folder: Path) -> Path:
    """An extended storage with the demo's signed PDF as a nursing record of patient A."""
    contents = (file.read_bytes() for file in (folder / "blobs").rglob("*") if file.is_file())
    signed = next(one for one in contents if one.startswith(b"%PDF-") and b"/ByteRange" in one)
    demo = json.loads((folder / "demo.json").read_text("utf-8"))
    known = next(one["identifiers"] for one in demo["patients"] if one["label"] == "A")
    chart = next(one["value"] for one in known if one["domain"] == CHARTS)
    tree = folder.with_name("storage")
    place = tree / chart[:3] / chart[3:6] / chart / "20261105" / "L1^^28623-7^看護記録^LN"
    place /= f"{chart}_20261105_L1_DOC1_20261105120000000_01_1"
    place.mkdir(parents=True)
    (place / "main.pdf").write_bytes(signed)
    return tree


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

"""What the gateway makes of the input files: `gateway standardize … --json`, and Bundles of it.

Black box: the command line is called as an operator would call it. Numbers are handed on as they
were written, so that 7.10 is judged as 7.10.
"""

# ruff: noqa: S603 - every command is built here, none from input

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.peers.java import Unavailable

REPOSITORY = Path(__file__).resolve().parents[3]
MAPPINGS = REPOSITORY / "samples" / "mappings"
_READ, _REFUSED = 0, 1
"Exit statuses of the command: all read, and something refused or set aside."
_NUMBER = re.compile(r'"\\u0000([-+.0-9eE]+)\\u0000"')

Resource = dict[str, Any]


def shared_folder() -> Path | None:
    """The folder of published samples and packages: `GATEWAY_SHARED`, or beside the checkout."""
    named = os.environ.get("GATEWAY_SHARED", "")
    folder = Path(named) if named else REPOSITORY.parent / "shared"
    return folder if folder.is_dir() else None


def loads(text: str) -> Any:
    """Read JSON; a number with a fraction stays the text that it is, between two marks."""
    return json.loads(text, parse_float=lambda written: f"\0{written}\0")


def dumps(value: Any) -> str:
    """Write JSON as :func:`loads` read it."""
    return _NUMBER.sub(r"\1", json.dumps(value, ensure_ascii=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One input file and what the gateway made of it."""

    origin: str
    "`samples` (ours) or `visible` (published by others)."
    path: str
    formats: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    bundles: list[Resource] = field(default_factory=list)
    "One for each person of the file who has anything."


def standardized(origin: str, folder: Path, *, patient: str = "", below: str = "") -> list[File]:
    """Every file below a folder, in the order of the folder.

    `patient` is stated beside files that name none; `below` stands before their paths.
    """
    mappings = [part for file in sorted(MAPPINGS.iterdir()) for part in ("--mapping", str(file))]
    command = [sys.executable, "-m", "gateway", "standardize", str(folder), "--json", *mappings]
    command += ["--patient", patient] if patient else []
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode not in (_READ, _REFUSED) or not done.stdout.startswith("{"):
        raise Unavailable(f"gateway standardize failed ({done.returncode}):\n{done.stderr[-4000:]}")
    return files(origin, loads(done.stdout), below)


def files(origin: str, document: Resource, below: str = "") -> list[File]:
    """The input files of one answer of the command; parts about several people are one file."""
    found: dict[str, File] = {}
    for part in document["files"]:
        file = found.setdefault(part["path"], File(origin=origin, path=below + part["path"]))
        file.formats[part["format"] or ""] += 1
        file.items.update(item["resource"]["resourceType"] for item in part["items"])
        file.findings.update(one["code"] for one in part["findings"])
        resources = list(_resources(part))
        if resources:
            file.bundles.append(bundle(resources))
    return list(found.values())


def _resources(part: Resource) -> Iterator[Resource]:
    """The person, items, what stands beside them, whence they come; equal copies once."""
    found: list[Resource] = []
    patient, provenance = part.get("patient_resource"), part.get("provenance")
    everything = [
        *([patient] if patient else ()),
        *(one for item in part["items"] for one in (item["resource"], *item["companions"])),
        *([provenance] if provenance else ()),
    ]
    for resource in everything:
        if resource not in found:
            found.append(resource)
            yield resource


def bundle(resources: Sequence[Resource]) -> Resource:
    """A collection of resources that point to one another by `urn:uuid:` and their ids."""
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}

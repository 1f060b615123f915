"""Prove the judge without the gateway: right resources pass, wrong ones do not.

`python -m conformance.peers.hapi.self_test`. The planted faults of `faults.py`; and, where the
folder of published samples is there, the guide's own examples, which must be valid, and the
one-fault resources of another validator's project, of which it prints how many were found.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.peers.hapi import faults, inputs, run
from conformance.peers.hapi.inputs import Resource
from conformance.peers.java import Unavailable

_EXPECTED = "http://fhir-jp-validator.test/expected-issue"
_LANGUAGE = "http://hl7.org/fhir/ValueSet/languages"
"""Four examples say `ja-JP`, which the engine calls an error: the binding is only *preferred* in R4
(Resource.language), with a maximum set of all of BCP 47. We write `ja`."""
_LEAST = 0.8
"""How much of the published faults must be found. Some are none by R4: a reference to nobody inside
a single resource, a code of a system that nobody may ship, what their project only warns of."""


def main() -> int:
    """Judge all of it in one JVM; 0 only if nothing was missed."""
    with tempfile.TemporaryDirectory(prefix="hapi-self-") as scratch:
        try:
            return _judge(Path(scratch))
        except Unavailable as missing:
            print(missing, file=sys.stderr)
            return 3


def _judge(folder: Path) -> int:
    shared = inputs.shared_folder()
    guides = run.packages(shared)
    planted = faults.write(folder, with_guide=bool(guides))
    right: list[str] = []
    wrong: dict[str, str] = {}
    if shared is not None and guides:
        visible = shared / "japan" / "samples" / "visible"
        for number, file in enumerate(sorted((visible / "jp-core-1.2.0-examples").glob("*.json"))):
            right.append(_write(folder, f"right-{number:03}.json", file.read_text("utf-8")))
        for number, (resource, fault) in enumerate(_faulty(visible / "fhir-jp-validator")):
            wrong[_write(folder, f"wrong-{number:03}.json", resource)] = fault
    else:
        print("the published samples are not there (GATEWAY_SHARED): planted faults of R4 alone")
    lines = run.judge(folder, guides, [] if guides else ["http://jpfhir.jp/"])
    missed = faults.missed(planted, lines)
    for fault in missed:
        print(f"PLANTED FAULT NOT FOUND {fault}")
    refused = [name for name in right if _errors(lines, name, apart_from=_LANGUAGE)]
    for name in refused:
        print(f"a published example is called wrong: {_errors(lines, name)[0]['text']}")
    unseen = sorted(fault for name, fault in wrong.items() if not _errors(lines, name))
    found = len(wrong) - len(unseen)
    print(
        f"planted faults: {len(planted) - len(missed)} of {len(planted)}; "
        f"published examples valid: {len(right) - len(refused)} of {len(right)}; "
        f"published faults found: {found} of {len(wrong)}"
    )
    if unseen:
        print(f"not called errors: {', '.join(unseen)}")
    held = not missed and not refused and found >= _LEAST * len(wrong)
    print("self-test: " + ("held" if held else "NOT held"))
    return 0 if held else 1


def _write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, "utf-8")
    return name


def _faulty(folder: Path) -> Iterator[tuple[str, str]]:
    """Each published faulty resource and the name of its fault."""
    for file in sorted(folder.rglob("*.ndjson")):
        for line in file.read_text("utf-8").splitlines():
            if line.strip():
                resource: Resource = json.loads(line)
                tags = resource.get("meta", {}).get("tag", ())
                codes = [tag["code"] for tag in tags if tag.get("system") == _EXPECTED]
                yield line, " + ".join(codes) or file.stem


def _errors(
    lines: dict[str, list[dict[str, Any]]], name: str, apart_from: str = ""
) -> list[dict[str, Any]]:
    errors = [one for one in lines.get(name, ()) if one.get("severity") in ("fatal", "error")]
    return [one for one in errors if not (apart_from and apart_from in one["text"])]


if __name__ == "__main__":
    sys.exit(main())

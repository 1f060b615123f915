"""Let HL7's validation engine judge every resource that the gateway makes of the sample files.

`python -m conformance.peers.hapi.run`. Builds the peer with Maven when its sources changed, reads
our samples and the published ones beside the checkout with `gateway standardize`, judges the result
in one JVM without a network, and exits 0 only if there is no error that `divergences.md` does not
explain, and if every planted fault was found. See README.md beside this file.
"""

# ruff: noqa: S603 - every command is built here, none from input

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.peers import java
from conformance.peers.hapi import faults, inputs, installation, sheet
from conformance.peers.hapi.verdict import DIVERGENCES, OWN, Said, accepted, said, unused, verdicts
from conformance.peers.java import Unavailable

HERE = Path(__file__).resolve().parent
PEER = java.Peer(name="HAPI", folder=HERE, built=HERE / "target")
JUDGE = "HL7's validation engine in HAPI FHIR 8.8.1, JP Core 1.2.0"
COMMAND = "python -m conformance.peers.hapi.run --write docs/visible-files.md"
RUN_SECONDS = 900.0
FLAGS = ("-Xmx3g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4")
PACKAGES = ("jp-core.r4-1.2.0-rebuilt.tgz", "jp-clins.r4-1.5.2-snap.tgz")
"In this order: what the first defines, the second does not define anew."
OWN_DEFINITIONS = tuple(sorted((inputs.REPOSITORY / "docs" / "fhir").glob("*.json")))
"Extensions of ours that neighbours get: judged by their definitions, not passed over by name."
UNDEFINED = f"{OWN}source-position"
"The one of ours that has no definition: a plain string."
_NAME = re.compile(r'"((?:https?://|urn:)[^"|\s]*)')
_LISTED = re.compile(r'(?:https?://|urn:oid:)[^\s|*"]+')
LISTS = (
    "jp-core/terminology/naming-systems.tsv",
    "jp-core/required-elements.tsv",
    "tables/oid-url-map.tsv",
)
"Published lists of names, below `japan/`."


def packages(shared: Path | None) -> list[Path]:
    """The packages of the guides, or none where they are not there."""
    if shared is None:
        return []
    found = [shared / "japan" / "jp-core" / "packages" / name for name in PACKAGES]
    return found if all(file.is_file() for file in found) else []


def names(shared: Path, files: Sequence[Path]) -> frozenset[str]:
    """Every name of a code system that the guides' packages, lists and examples mention."""
    found: set[str] = set()
    for file in files:
        with tarfile.open(file) as package:
            for member in package:
                content = package.extractfile(member) if member.name.endswith(".json") else None
                if content is not None:
                    found.update(_NAME.findall(content.read().decode()))
    japan = shared / "japan"
    for part in LISTS:
        found.update(_LISTED.findall((japan / part).read_text("utf-8")))
    for example in (japan / "samples" / "visible" / "jp-core-1.2.0-examples").glob("*.json"):
        found.update(_NAME.findall(example.read_text("utf-8")))
    return frozenset(found)


ALONE = ("eprescription-fhir", "fhir-jp-validator", "jp-core-1.2.0-examples")
"Published folders of resources that stand alone: their sender states whom they are about."
SOMEBODY = "0012345"


def judge(
    folder: Path, files: Sequence[Path], domains: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Judge the Bundles of a folder in one JVM: the peer's lines by the name of the Bundle."""
    arguments = [str(folder), "--threads", "2"]
    for file in OWN_DEFINITIONS:
        arguments += ["--definition", str(file)]
    for file in files:
        arguments += ["--package", str(file)]
    for domain in domains:
        arguments += ["--allow-extensions", domain]
    done = subprocess.run(
        PEER.command(FLAGS, arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines or not lines[-1].get("done"):
        raise Unavailable(f"the HAPI peer broke (exit {done.returncode}):\n{done.stderr[-4000:]}")
    by_file: dict[str, list[dict[str, Any]]] = {}
    for line in lines[:-1]:
        by_file.setdefault(line["file"], []).append(line)
    return by_file


def write_bundles(folder: Path, files: Sequence[inputs.File]) -> dict[str, int]:
    """One file for each Bundle; whose place among the input files each name stands for."""
    made: dict[str, int] = {}
    for place, file in enumerate(files):
        for number, bundle in enumerate(file.bundles):
            name = f"input-{place:05}-{number:04}.json"
            (folder / name).write_text(inputs.dumps(bundle), "utf-8")
            made[name] = place
    return made


def messages(lines: dict[str, list[dict[str, Any]]], made: dict[str, int]) -> dict[int, list[Said]]:
    """What was said about each input file; every Bundle must have been judged."""
    found: dict[int, list[Said]] = {}
    for name, place in made.items():
        if not any("judged" in line for line in lines.get(name, ())):
            raise Unavailable(f"the HAPI peer did not judge {name}")
        found.setdefault(place, []).extend(said(one) for one in lines[name] if "severity" in one)
    return found


def everything(shared: Path | None, scratch: Path) -> list[inputs.File]:
    """Our samples, the published ones where they are, and what a demo installation says."""
    found = inputs.standardized("samples", inputs.REPOSITORY / "samples" / "standardize")
    if shared is not None:
        for folder in sorted((shared / "japan" / "samples" / "visible").iterdir()):
            if folder.is_dir():
                patient = SOMEBODY if folder.name in ALONE else ""
                below = f"{folder.name}/"
                found += inputs.standardized("visible", folder, patient=patient, below=below)
    return found + installation.said(scratch / "demo")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the judged Bundles here")
    parser.add_argument("--build-only", action="store_true", help="resolve and build, then stop")
    return parser


def main() -> int:
    """Do what the command line says; 0 only if all is explained, 3 if something is missing."""
    options = _options().parse_args()
    try:
        if options.build_only:
            PEER.command((), ())
            return 0
        with tempfile.TemporaryDirectory(prefix="hapi-") as scratch:
            folder = options.keep.resolve() if options.keep else Path(scratch, "bundles")
            folder.mkdir(parents=True, exist_ok=True)
            return _run(options, folder, Path(scratch))
    except Unavailable as missing:
        java.say(str(missing))
        return 3


def _run(options: argparse.Namespace, folder: Path, scratch: Path) -> int:
    started = time.monotonic()
    shared = inputs.shared_folder()
    guides = packages(shared)
    if not guides:
        java.say(
            "The packages of JP Core are not there (set GATEWAY_SHARED to the folder that holds "
            "japan/jp-core/packages): judged by plain R4 only, and our own samples only.\n"
            "JP Core のパッケージがありません。R4 の規則だけで、自前のサンプルだけを検証します。"
        )
    PEER.command((), ())  # before the work: a failure here should say so first
    files = everything(shared if guides else None, scratch)
    made = write_bundles(folder, files)
    planted = faults.write(folder, with_guide=bool(guides))
    lines = judge(folder, guides, [UNDEFINED, *([] if guides else ["http://jpfhir.jp/"])])
    rows = accepted(DIVERGENCES.read_text("utf-8"))
    known = names(shared, guides) if shared is not None and guides else frozenset()
    found = verdicts(files, messages(lines, made), rows, known)
    missed = faults.missed(planted, lines)
    stale = unused(found, rows) if guides else []
    if options.write:
        options.write.write_text(sheet.markdown(found, COMMAND, JUDGE), "utf-8")
    if options.json:
        document = sheet.document(found, stale, len(planted) - len(missed))
        print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        print(sheet.text(found))
        for row in stale:
            print(f"listed in divergences.md and not met: {row.input} {row.resource} {row.message}")
        for line in sheet.complaints(found):
            print(line)
        for fault in missed:
            print(f"PLANTED FAULT NOT FOUND {fault}")
        print(
            f"HAPI 8.8.1: {len(planted) - len(missed)} of {len(planted)} planted faults found, "
            f"{time.monotonic() - started:.1f} s"
        )
    return 1 if missed or any(one.unexplained for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Prove the peer without a gateway: its clients against its own responder, both validating.

`python -m conformance.peers.ipf.self_test`. Needs `openssl` for a throw-away PKI. Three rounds:
a responder that answers as a gateway should, with faults at HTTP 500 and then at 400 (all cases
must hold); and one that says yes to everything (every refused case must be judged as not held).
"""

# ruff: noqa: S603 - every command is built here, none from input

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from conformance.peers.ipf import run
from conformance.peers.java import Unavailable

HOME, REPOSITORY_ID, SHARED = "2.999.10.1", "2.999.40.1", "2.999.20.1"


def _openssl(*arguments: str | Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        raise Unavailable("openssl is needed for the self-test. openssl が必要です。")
    command = [openssl, *(str(argument) for argument in arguments)]
    subprocess.run(command, check=True, capture_output=True)


def _pki(pki: Path) -> None:
    """An authority, a server, three clients (one with an EC key) and the assertion signer."""
    (pki / "clients").mkdir(parents=True)
    (pki / "xua").mkdir()
    authority = ("-keyout", pki / "ca.key", "-out", pki / "ca.pem", "-subj", "/CN=throw-away")
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *authority)
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    for path, usage, key in (
        (pki / "server", names, ("rsa:2048",)),
        (pki / "clients" / "hospital-a", "extendedKeyUsage=clientAuth", ("rsa:2048",)),
        (
            pki / "clients" / "clinic-b",
            "extendedKeyUsage=clientAuth",
            ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        ),
        (pki / "clients" / "neighbour-n", "extendedKeyUsage=clientAuth", ("rsa:2048",)),
        (pki / "xua" / "neighbour-n", "keyUsage=digitalSignature", ("rsa:2048",)),
    ):
        request, wish = path.with_suffix(".csr"), path.with_suffix(".ext")
        wish.write_text(usage + "\n")
        keyed = ("-keyout", path.with_suffix(".key"), "-out", request)
        _openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={path.name}", *keyed)
        signer = ("-CA", pki / "ca.pem", "-CAkey", pki / "ca.key", "-CAcreateserial")
        made = ("-out", path.with_suffix(".pem"), "-days", "2", "-extfile", wish)
        _openssl("x509", "-req", "-in", request, *signer, *made)


def _patient(label: str, name: str, kana: str, birth: str, *ids: tuple[str, str]) -> dict[str, Any]:
    return {
        "label": label,
        "name": {"kanji": name, "kana": kana},
        "birth": birth,
        "gender": "female",
        "identifiers": [{"domain": domain, "value": value} for domain, value in ids],
        "documents": [],
    }


def _demo(folder: Path) -> None:
    """The layout that `gateway init DIR --demo` makes, with documents in plain files."""
    _pki(folder / "pki")
    (folder / "documents").mkdir()
    facilities = ("hospital-a", "clinic-b", "pharmacy-c")
    charts = [(f"2.999.30.{at}", f"A{at}") for at in (1, 2, 3)]
    known = _patient(
        "A", "高岡 花子", "タカオカ ハナコ", "1970-01-02", (SHARED, "1111222233334444"), *charts
    )
    for number, size in enumerate((3_000, 70_000), 1):
        unique, content = f"{REPOSITORY_ID}.{number}", os.urandom(size)
        (folder / "documents" / unique).write_bytes(content)
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        known["documents"].append({"unique_id": unique, "hash": digest, "size": size})
    patients = [
        known,
        _patient("B", "射水 桜", "イミズ サクラ", "1980-01-02", ("2.999.30.1", "B1")),
        _patient("D", "氷見 椿", "ヒミ ツバキ", "1960-01-02", (SHARED, "1111222233335555")),
    ]
    made = {
        "facilities": [
            {"name": name, "domain": f"2.999.30.{at}"} for at, name in enumerate(facilities, 1)
        ],
        "patients": patients,
        "community": {"home_community_id": HOME, "repository_id": REPOSITORY_ID},
    }
    (folder / "demo.json").write_text(json.dumps(made, ensure_ascii=False), "utf-8")


def _round(folder: Path, answers: str, status: str) -> list[dict[str, Any]]:
    """One responder, one run of all cases against it."""
    where = ["respond", "--port", "0", "--demo", str(folder), "--answers", answers]
    log = folder / "responder.log"
    with log.open("w", encoding="utf-8") as errors:
        responder = subprocess.Popen(
            run.PEER.command((), [*where, "--fault-status", status]),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            target = run.await_ready(responder, log)
            rows, _ = run.play(target, folder, status, "--own-responder", "yes")
            return rows
        finally:
            run.stop(responder)


def main() -> int:
    """Run the three rounds; 0 only if each ended as it must."""
    with tempfile.TemporaryDirectory(prefix="ipf-self-") as scratch:
        folder = Path(scratch)
        try:
            _demo(folder)
            good = [_round(folder, "demo", status) for status in ("500", "400")]
            yes_man = _round(folder, "canned", "500")
        except Unavailable as missing:
            print(missing, file=sys.stderr)
            return 3
    for rows in good:
        print(run.table(rows))
    refusals = ("CE", "AE/", "AA/NF", "fault", "Failure", "PartialSuccess")
    missed = [row for row in yes_man if row["expected"].startswith(refusals) and row["held"]]
    if missed:
        print("held against a responder that refuses nothing:\n" + run.table(missed))
    held = all(row["held"] for rows in good for row in rows) and not missed
    print("self-test: " + ("held" if held else "NOT held"))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

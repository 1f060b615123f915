"""A gateway that serves takes a new revocation list from its mirror, without a restart."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags

from gateway.cli import demo_authority as make
from gateway.demo import sign
from tests import pki
from tests.edge.test_fetching import Mirror, serving
from tests.journeys.test_prescription import file
from tests.served import Served, Templates, serve

HERE = pki.hierarchy()
_TRUST = """
[[anchor]]
kind = "hpki"
file = "root.pem"
[[anchor]]
kind = "tsa"
file = "tsa-root.pem"
[[crl]]
url = "{url}/sign.crl"
issuer = "signing.pem"
every_minutes = 0.02
[[crl]]
url = "{url}/sarl.crl"
issuer = "root.pem"
[[crl]]
file = "tsa.crl"
issuer = "tsa-root.pem"
"""


def crl(issuer: make.Issued, number: int, days: int = 2, *revoked: int) -> bytes:
    now = datetime.now(UTC).replace(microsecond=0)
    return make.revocation_list(
        issuer, since=now - timedelta(minutes=5) + timedelta(seconds=number), number=number,
        until=now + timedelta(days=days),
        revoked=[(one, now - timedelta(hours=1), ReasonFlags.key_compromise) for one in revoked],
    ).public_bytes(Encoding.DER)  # fmt: skip


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def prescription(number: int) -> bytes:
    now = datetime.now(UTC).replace(microsecond=0)
    csv = pki.CSV + f"9,{number}\r\n".encode("cp932")
    return sign.prescription(csv, pki.hand(pki.doctor()), HERE.stamp(now), now)


def metric(served: Served, name: str, source: str) -> float:
    _, text = served.operator("/metrics")
    line = next(one for one in text.splitlines() if one.startswith(f'{name}{{source="{source}"'))
    return float(line.rpartition(" ")[2])


def test_a_new_list_counts_without_a_restart(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"/sign.crl": crl(HERE.signing, 1), "/sarl.crl": crl(HERE.root, 1, 400)}
    monkeypatch.setattr(Mirror, "given", given)
    installation = templates.copy("sqlite", tmp_path / "installation")
    place = installation.pki / "hpki"
    for name, issued in (
        ("root", HERE.root), ("tsa-root", HERE.tsa_root), ("signing", HERE.signing),
    ):  # fmt: skip
        (place / f"{name}.pem").write_bytes(issued.pem)
    (place / "tsa.crl").write_bytes(crl(HERE.tsa_root, 1, 400))
    with serving() as (url, _):
        (place / "trust.toml").write_text(_TRUST.format(url=url), "utf-8")
        assert {one["outcome"] for one in installation.command("crl", "fetch")} == {"new"}
        with serve(installation) as served:
            client = served.client("hospital-a")
            answer = file(client, prescription(1), "one.xml")
            assert answer.status == 201, answer.body
            filed = json.loads(answer.body)
            signature = filed["signature"]["signatures"][0]
            (row,) = [
                one for one in installation.command("crl", "list", "--archive")
                if one["source"] == f"{url}/sign.crl"
            ]  # fmt: skip
            assert row["sha256"] in signature["evidence"]
            assert json.loads(served.operator("/readyz")[1])["warnings"] == []
            left = metric(served, "gateway_crl_left_seconds", f"{url}/sign.crl")
            assert timedelta(days=1) < timedelta(seconds=left) < timedelta(days=2)
            given["/sign.crl"] = crl(HERE.signing, 2, 2, 100)
            assert installation.command("crl", "fetch", f"{url}/sign.crl")[0]["outcome"] == "new"

            def refused() -> bool:
                numbers.append(len(numbers))
                return file(client, prescription(numbers[-1]), "two.xml").status == 422

            numbers = [0, 1, 2]
            until(refused)
    # The verdict of then is repeated from what was kept; by what is known now it is another.
    stored = ("verify", "--document", filed["document"]["unique_id"])
    (place / "trust.toml").write_text("", "utf-8")
    told = installation.command(*stored)
    assert (told["verdict"], told["stored"]["same"]) == ("verified", True)
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    told = installation.command(*stored, "--at", later, exit_code=1)
    assert (told["verdict"], told["stored"]["verdict"]) == ("invalid", "verified")
    assert told["signatures"][0]["revocation"]["harms"] is True

"""`gateway peer …`: a neighbour is added, stopped, comes back and ends, on a server that runs."""

import time
from pathlib import Path

import pytest
import yaml

from tests.served import Installation, Served, serve


def profile(installation: Installation, **changes: object) -> str:
    text = (installation.folder / "peers" / "neighbour-n.yaml").read_text("utf-8")
    return yaml.safe_dump({**yaml.safe_load(text), **changes}, allow_unicode=True)


def written(folder: Path, text: str) -> str:
    path = folder / "offered.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def status(served: Served) -> int:
    """What the neighbour's machine hears at a door it may open: 403 while it is a stranger."""
    return served.client("neighbour-n").request("GET", "/xcpd?wsdl").status


def settles(served: Served, wanted: int) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if status(served) == wanted:
            return True
        time.sleep(0.3)
    return False


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_neighbour_is_stopped_and_comes_back_without_a_restart(
    installation: Installation,
) -> None:
    with serve(installation) as served:
        assert settles(served, 200)
        done = installation.command("peer", "suspend", "neighbour-n", "--reason", "incident")
        assert done == {"name": "neighbour-n", "state": "suspended"}
        assert settles(served, 403)
        installation.command("peer", "resume", "neighbour-n", "--reason", "cleared")
        assert settles(served, 200)
        # A file that cannot be read changes nothing on a running server, and stops a start.
        broken = installation.folder / "peers" / "broken.yaml"
        broken.write_text("name: broken\n", "utf-8")
        time.sleep(3)
        assert status(served) == 200
        installation.command("peer", "list", exit_code=2)
        broken.unlink()
        installation.command("peer", "end", "neighbour-n", "--reason", "agreement ended")
        assert settles(served, 403)
    installation.command("peer", "resume", "neighbour-n", "--reason", "again", exit_code=1)
    assert installation.command("peer", "show", "neighbour-n")["state"] == "ended"
    text = (installation.folder / "peers" / "neighbour-n.yaml").read_text("utf-8")
    assert text.startswith("# The neighbouring community"), "what people wrote stays"
    assert text.count("state:") == 1


def test_a_neighbour_is_added_and_changed(installation: Installation, tmp_path: Path) -> None:
    other = profile(
        installation, name="neighbour-o", home_community_id="2.999.10.3",
        issuer="urn:oid:2.999.10.3", client_certificates=["ab" * 32],
    )  # fmt: skip
    installation.command("peer", "add", written(tmp_path, other))
    assert [one["name"] for one in installation.command("peer", "list")] == [
        "neighbour-n", "neighbour-o",
    ]  # fmt: skip
    changed = other.replace("2026-04-01", "2026-05-01")
    words = ("peer", "change", "neighbour-o", written(tmp_path, changed), "--reason", "amended")
    assert installation.command(*words)["agreement"]["starts"] == "2026-05-01"
    assert installation.command("peer", "show", "neighbour-o")["agreement"]["starts"] == (
        "2026-05-01"
    )
    refused = {
        "its own name is taken": ("add", written(tmp_path, other)),
        "a certificate of another one": (
            "add", written(tmp_path, profile(installation, name="neighbour-p")),
        ),
        "about somebody else": (
            "change", "neighbour-n", written(tmp_path, changed), "--reason", "x",
        ),
        "a state by a file": (
            "change", "neighbour-o", written(tmp_path, changed + "state: ended\n"),
            "--reason", "x",
        ),
        "no reason": ("change", "neighbour-o", written(tmp_path, changed), "--reason", " "),
        "nobody": ("suspend", "nobody", "--reason", "x"),
        "a path": ("suspend", "../gateway", "--reason", "x"),
        "not a profile": ("add", written(tmp_path, "name: [1]\n")),
    }  # fmt: skip
    for why, words in refused.items():
        files = {"add": 1, "change": 2}
        if words[0] in files:  # each case's own file, written when its turn comes
            content = {
                "its own name is taken": other,
                "a certificate of another one": profile(installation, name="neighbour-p"),
                "a state by a file": changed + "state: ended\n",
                "not a profile": "name: [1]\n",
            }.get(why, changed)
            written(tmp_path, content)
        installation.command("peer", *words, exit_code=1)
    assert sorted(p.name for p in (installation.folder / "peers").iterdir()) == [
        "neighbour-n.yaml", "neighbour-o.yaml",
    ]  # fmt: skip
    facility = yaml.safe_dump({
        **yaml.safe_load(other), "name": "neighbour-q",
        "client_certificates": [_fingerprint(installation)],
    })  # fmt: skip
    installation.command("peer", "add", written(tmp_path, facility), exit_code=1)


def _fingerprint(installation: Installation) -> str:
    from gateway.cli.certificates import fingerprint_of

    return fingerprint_of(installation.pki / "clients" / "hospital-a.pem")


def test_contracts_users_and_facilities_change(installation: Installation) -> None:
    move = installation.command
    made = move("contract", "add", "custody", "--facility", "lab-d", "--starts", "2026-05-01")
    assert move("contract", "show", made["id"])["ends"] is None
    end = ("contract", "end", made["id"], "--reason", "解約", "--on")
    move(*end, "2026-04-30", exit_code=1)
    assert move(*end, "2026-12-31")["ends"] == "2026-12-31"
    move("contract", "show", "none", exit_code=1)
    found = move("user", "change", "doctor-a", "--position", "nurse", "--reason", "role")
    assert found["position"] == "nurse"
    assert [one["what"] for one in move("user", "show", "doctor-a")["history"]] == [
        "registered", "card-bound", "changed",
    ]  # fmt: skip
    move("user", "change", "doctor-a", "--position", "gardener", "--reason", "x", exit_code=1)
    sha256 = _fingerprint(installation)
    words = ("facility", "change", "hospital-a", "--reason", "renewal")
    assert move(*words, "--title", "新見本病院", "--revoke", sha256)["title"] == "新見本病院"
    move(*words, "--revoke", "f" * 64, exit_code=1)
    bound = str(installation.pki / "clients" / "hospital-a.pem")
    move(*words, "--bind", bound, exit_code=1)  # revoked once, never bound again (TRM-03)
    assert move("facility", "restrict", "clinic-b", "--reason", "review")["state"] == "restricted"
    assert "certificate-revoked" in [
        one["what"] for one in move("facility", "history", "hospital-a")
    ]
    assert move("domain", "show", "2.999.20.1")["kind"] == "shared"
    move("domain", "show", "2.999.20.9", exit_code=1)

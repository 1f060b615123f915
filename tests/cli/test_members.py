"""`gateway facility|user|contract …`: the registries from the command line."""

from tests import forked
from tests.served import Installation


def test_a_user_is_stopped_and_comes_back(installation: Installation) -> None:
    move = installation.command
    patient = installation.patient("A")["identifiers"][0]["value"]
    view = ("patient", "show", patient, "--as", "doctor-a")
    assert move(*view)["items"]
    assert move("user", "suspend", "doctor-a", "--reason", "leave")["state"] == "suspended"
    move(*view, exit_code=1)  # CRD-08: on the next request
    assert move("user", "resume", "doctor-a", "--reason", "back")["state"] == "active"
    assert move(*view)["items"]
    assert move("user", "end", "doctor-a", "--reason", "retired")["state"] == "ended"
    move("user", "resume", "doctor-a", "--reason", "again", exit_code=1)
    move("user", "add", "doctor-a", "--facility", "hospital-a", "--position", "doctor", exit_code=1)
    states = {one["name"]: one["state"] for one in move("user", "list")}
    assert states == {"doctor-a": "ended", "doctor-b": "active", "pharmacist-c": "active"}


def test_a_suspended_facilitys_users_see_nothing(installation: Installation) -> None:
    patient = installation.patient("A")["identifiers"][0]["value"]
    installation.command("facility", "suspend", "clinic-b", "--reason", "review")
    installation.command("patient", "show", patient, "--as", "doctor-b", exit_code=1)  # ACC-03


def test_a_facility_is_shown_with_what_it_has(installation: Installation) -> None:
    found = installation.command("facility", "show", "hospital-a")
    assert found["domains"] == ["2.999.30.1"]
    assert {one["kind"] for one in found["contracts"]} == {"custody", "provision"}
    kinds = [one["kind"] for one in installation.command("contract", "list")]
    assert sorted(kinds) == ["custody", "custody", "custody", "provision"]


def test_what_is_wrong_is_refused_with_what_to_do(installation: Installation) -> None:
    for words, code in (
        (("facility", "show", "nobody"), 1),
        (("facility", "suspend", "hospital-a", "--reason", " "), 1),
        (("facility", "suspend", "hospital-a"), 2),
        (("user", "suspend", "nobody", "--reason", "x"), 1),
        (("user", "add", "x y", "--facility", "hospital-a", "--position", "doctor"), 1),
        (("user", "add", "new", "--facility", "hospital-a", "--position", "gardener"), 1),
        (("user", "add", "new", "--facility", "nobody", "--position", "doctor"), 1),
        (("contract", "add", "custody", "--facility", "hospital-a", "--starts", "soon"), 1),
        (("domain", "add", "2.999.20.1", "--kind", "shared"), 1),
        (("domain", "add", "not-an-oid", "--kind", "shared"), 1),
    ):
        done = forked.run(*words, "--config", str(installation.config))
        assert done.returncode == code, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert code == 2 or ("refused:" in done.stderr and "拒否:" in done.stderr), words

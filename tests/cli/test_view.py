"""`gateway patient show` and `why`: the view of one user, the registration, the reasons."""

from tests import forked
from tests.served import CHARTS, SHARED_DOMAIN, Installation

B = f"{CHARTS['hospital-a']}/0000100002"


def shared(installation: Installation, label: str) -> str:
    return next(
        one["value"]
        for one in installation.patient(label)["identifiers"]
        if one["domain"] == SHARED_DOMAIN
    )


def test_the_view_of_a_user(installation: Installation) -> None:
    found = installation.command("patient", "show", shared(installation, "A"), "--as", "doctor-a")
    assert {item["category"] for item in found["items"]} == {
        "allergy", "diagnosis", "dispensing", "lab_result", "prescription"
    }  # fmt: skip
    assert all(item["reference_copy"] and item["facility"] for item in found["items"])  # REC-01
    assert found["documents"]
    seen = installation.command(
        "audit", "who-saw", SHARED_DOMAIN, shared(installation, "A")
    )  # AUD-01
    assert [row["subject"] for row in seen if row["event"] == "view"] == ["doctor-a"]


def test_an_exclusion_hides_from_its_group_alone(installation: Installation) -> None:
    patient = shared(installation, "C")
    seen = {
        user: {
            item["category"]
            for item in installation.command("patient", "show", patient, "--as", user)["items"]
        }
        for user in ("doctor-a", "doctor-b", "pharmacist-c")
    }
    assert "prescription" in seen["doctor-a"]
    assert "diagnosis" in seen["doctor-b"]
    assert "prescription" not in seen["doctor-b"]
    assert seen["pharmacist-c"] == set()  # no chart there: no relation (ACC-04)


def test_nothing_and_nothing_to_see_look_alike(installation: Installation) -> None:
    empty = {"as": "doctor-a", "items": [], "documents": []}
    for patient in (shared(installation, "D"), B, "0000000000000000", f"{SHARED_DOMAIN}/1"):
        assert installation.command("patient", "show", patient, "--as", "doctor-a") == empty


def test_the_registration_has_nothing_clinical(installation: Installation) -> None:
    found = installation.command("patient", "show", shared(installation, "C"))
    assert set(found) == {"identifiers", "consent"}
    assert found["consent"]["participates"] is True
    assert found["consent"]["pairs"] == [["prescription", "clinic"]]
    assert {"domain": CHARTS["clinic-b"], "value": "B-1003"} in found["identifiers"]


def test_why_names_the_rule(installation: Installation) -> None:
    steps = installation.command("patient", "why", B, "--facility", "clinic-b")
    assert (steps[-1]["rule"], steps[-1]["answer"]) == ("CON-01", "no")
    steps = installation.command("patient", "why", shared(installation, "A"), "--as", "doctor-a")
    assert (steps[-1]["rule"], steps[-1]["answer"]) == ("ACC-04", "yes")
    steps = installation.command(
        "patient", "why", shared(installation, "D"), "--peer", "neighbour-n", "--what", "documents"
    )
    assert (steps[-1]["rule"], steps[-1]["answer"]) == ("WDR-01", "no")


def test_a_merge_is_undone(installation: Installation) -> None:
    pair = (f"{CHARTS['clinic-b']}/B-1002", f"{CHARTS['clinic-b']}/B-1004")
    installation.command("patient", "unmerge", *pair, exit_code=1)


def test_wrong_words(installation: Installation) -> None:
    for words, code in (
        (("patient", "show", "1", "--as", "nobody"), 1),
        (("patient", "show", "0000000000000000"), 1),
        (("patient", "show", "not-an-oid/1"), 1),
        (("patient", "why", B), 2),
        (("patient", "why", B, "--as", "doctor-a", "--peer", "neighbour-n"), 2),
        (("patient", "why", B, "--peer", "nobody"), 1),
        (("patient", "why", B, "--facility", "nobody"), 1),
    ):
        done = forked.run(*words, "--config", str(installation.config))
        assert done.returncode == code, (words, done.stderr)
        assert "Traceback" not in done.stderr

"""`gateway retention run` and `gateway erase facility`."""

from tests.served import Installation


def test_nothing_has_expired_in_a_fresh_demo(installation: Installation) -> None:
    for words in (("--dry-run",), ()):
        found = installation.command("retention", "run", *words)
        assert (found["items"], found["documents"]) == (0, 0)


def test_what_an_ended_facility_provided_leaves(installation: Installation) -> None:
    patient = installation.patient("A")["identifiers"][0]["value"]
    installation.command("erase", "facility", "pharmacy-c", exit_code=1)  # it is active
    installation.command("erase", "facility", "nobody", exit_code=1)
    installation.command("facility", "end", "pharmacy-c", "--reason", "closed")
    assert installation.command("erase", "facility", "pharmacy-c")["items"] > 0
    seen = installation.command("patient", "show", patient, "--as", "doctor-a")
    assert {item["facility"] for item in seen["items"]} == {"hospital-a", "clinic-b"}
    again = installation.command("erase", "facility", "pharmacy-c")
    assert (again["items"], again["documents"]) == (0, 0)
    assert installation.command("audit", "consistency") == {"findings": []}
    assert installation.command("audit", "verify")["good"] is True

"""`gateway user account …` and `gateway user password`, as they are typed (SIG-04, CRD-01)."""

from pathlib import Path

import pytest

from tests.served import Installation, Templates

OIDC = """
[oidc]
issuer = "https://id.example/realm"
client_ids = ["gateway"]
redirect_uri = "https://localhost:8444/login/oidc/callback"
authentication = "none"
subject_claim = "registration_number"
assurance = ["urn:example:hpki=hpki"]
"""


@pytest.fixture(scope="module")
def made(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return templates.copy("sqlite", tmp_path_factory.mktemp("logins") / "installation")


def test_an_account_wants_a_provider(made: Installation) -> None:
    made.command("user", "account", "add", "doctor-a", "123", exit_code=2)


def test_accounts_are_added_listed_and_ended(made: Installation) -> None:
    made.add(OIDC)
    assert made.command("check-settings")["openid_provider"] == "https://id.example/realm"
    added = made.command("user", "account", "add", "doctor-a", "123")
    assert (added["user"], added["claim"]) == ("doctor-a", "registration_number")
    made.command("user", "account", "add", "doctor-b", "123", exit_code=1)
    (found,) = made.command("user", "account", "list", "doctor-a")
    assert found["key"].endswith("/registration_number/123")
    made.command("user", "account", "end", "doctor-a", "123", "--reason", "left")
    assert made.command("user", "account", "list", "doctor-a") == []


def test_wrong_settings_of_a_provider_are_told(templates: Templates, tmp_path: Path) -> None:
    other = templates.copy("sqlite", tmp_path / "installation")
    other.add(OIDC.replace("https://id.example", "http://id.example"))
    other.command("serve", exit_code=2)


def test_a_password_is_given_out_and_ended(made: Installation) -> None:
    name = ("--facility", "hospital-a", "--position", "doctor")
    made.command("user", "add", "suzuki0001", *name)
    first, second = (made.command("user", "password", "suzuki0001") for _ in range(2))
    assert first["temporary"] != second["temporary"]
    made.command("user", "password", "suzuki0001", "--end", exit_code=1)  # without a reason
    made.command("user", "password", "suzuki0001", "--end", "--reason", "card")
